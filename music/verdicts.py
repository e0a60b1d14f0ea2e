"""What is wrong with a clip, in words: it is silent, a wall of notes, in fragments, twice there, or copied.

The limits lie beyond real music, not where generated music is bad: they were measured on 6,415 stretches of 30 seconds
that 1,000 real LPD-5 pieces were cut into, of which 0.4 % break one of the first three.
"""

from dataclasses import dataclass

import numpy as np

from music import rhythm
from music.pianoroll import DRUMS, TRACKS
from music.spans import pitched, stretches

SILENT, WALL, FRAGMENTS, NEAR_DUPLICATE, COPIED = "silent", "wall", "fragments", "near-duplicate", "copied"

LONGEST_SILENCE = 1 / 3  # of a clip; some pieces are stored with a quarter of a minute of silence before they begin
FEWEST_NOTES_PER_BEAT = 0.5  # 99.8 % of them have more, 95 % more than 4.4
MOST_NOTES_PER_BEAT = 50  # the fullest of them has 47
MOST_VOICES = 20  # that sound at once, on average; the fullest of them has 17
MOST_FRAGMENTS = 0.7  # of pitched notes, shorter than an eighth of a beat; 99.9 % of them have fewer than 0.64
COPIED_BEATS = 8  # two bars
# Of 810 stretches of 127 held-out pieces, five of one song (another version of it was among the others) are that like one
# of 873 training pieces. Three more are emptier than the next two lines ask: sparse bars are alike by chance.
COPIED_LIKENESS = 0.85
FEWEST_BARS = 8  # different ones
FEWEST_ONSETS = 8  # a bar, on average


@dataclass(frozen=True)
class Flag:
    """Something wrong with a clip: one of the kinds above, and a sentence that says it with its figures."""

    kind: str
    sentence: str


def broken(roll):
    """Return the Flags of a roll that is silent, a wall of notes, or in fragments; an empty list for one that is none."""
    return [flag for flag in (_silent(roll), _wall(roll), _fragments(roll)) if flag]


def _silent(roll):
    if not len(roll.notes):
        return Flag(SILENT, "Nothing sounds in it.")
    silence, beats = longest_silence(roll), roll.n_steps / roll.steps_per_beat
    if silence > LONGEST_SILENCE * beats:
        return Flag(SILENT, f"Nothing sounds for {silence:.0f} of its {beats:.0f} beats on end.")
    density = rhythm.notes_per_beat(roll)
    if density < FEWEST_NOTES_PER_BEAT:
        return Flag(SILENT, f"Hardly anything plays: {len(roll.notes)} notes begin in its {beats:.0f} beats.")
    return None


def longest_silence(roll):
    """Return for how many beats on end nothing sounds. A drum stroke fills its sixteenth, however short it is stored."""
    end = roll.notes["end"].astype(np.int64)
    stroke = roll.notes["onset"] + -(-roll.steps_per_beat // 4)
    end = np.where(roll.notes["track"] == DRUMS, np.maximum(end, stroke), end)
    _, start, stop = stretches(roll.notes["onset"], end)
    gaps = np.append(start, roll.n_steps) - np.append(0, stop)
    return float(gaps.max()) / roll.steps_per_beat


def _wall(roll):
    density = rhythm.notes_per_beat(roll)
    if density and density > MOST_NOTES_PER_BEAT:
        return Flag(WALL, f"It is a wall of notes: {density:.0f} begin in a beat; the fullest real music has 47.")
    notes = pitched(roll.notes)
    voices = float((notes["end"] - notes["onset"]).sum()) / max(roll.n_steps, 1)
    if voices > MOST_VOICES:
        return Flag(WALL, f"It is a wall of notes: {voices:.0f} sound at once; in the fullest real music, 17 do.")
    return None


def _fragments(roll):
    notes = pitched(roll.notes)
    if roll.steps_per_beat <= rhythm.QUALIFIED or not len(notes):
        return None  # on a coarse grid no note can be that short
    share = float(((notes["end"] - notes["onset"]) * rhythm.QUALIFIED < roll.steps_per_beat).mean())
    if share <= MOST_FRAGMENTS:
        return None
    return Flag(FRAGMENTS, f"It is in fragments: {share:.0%} of its notes last less than an eighth of a beat.")


def near_duplicate(similarity, limit, other):
    """Return the Flag of a clip whose similarity to another one is above the limit, or None.

    other: what the other clip is called
    """
    if similarity <= limit:
        return None
    return Flag(
        NEAR_DUPLICATE,
        f"It is {similarity:.0%} the same as {other}; of two different real songs, 99 in 100 pairs share less than {limit:.0%}.",
    )


def copied(run, piece, start):
    """Return the Flag of a clip with a run that stands in a training piece note by note, or None if that says nothing.

    run: verbatim.Run
    piece, start: what the piece is called, and the beat at which the run begins there
    """
    if run.beats < COPIED_BEATS or not run.is_telling:
        return None
    where = f"{run.n_notes} notes of {TRACKS[run.track]} from beat {run.start + 1:g} on"
    return Flag(
        COPIED,
        f"It copies training music: {where} ({run.beats:g} beats) stand note by note in {piece} from beat {start + 1:g} on.",
    )


def resembling(likeness, bars, piece):
    """Return the Flag of a clip so much of which stands in one training piece that it is a copy, or None if that says nothing.

    bars: the clip's fingerprints
    piece: what the piece is called
    """
    says_nothing = len(np.unique(bars, axis=0)) < FEWEST_BARS or np.bitwise_count(bars).sum() < FEWEST_ONSETS * len(
        bars
    )
    if likeness < COPIED_LIKENESS or says_nothing:
        return None
    return Flag(COPIED, f"It copies training music: {likeness:.0%} of it stands, bar by bar, in {piece}.")
