"""Figures of pitch: which classes and scales, how many at once, how well they go together.

Conventions: drums have no pitch and are left out. A figure that a roll has no answer for is None, never NaN; each
docstring says when. No roll is changed.
"""

from itertools import combinations

import numpy as np
from scipy.special import entr

from music.pianoroll import N_TRACKS, TRACKS
from music.spans import PITCHED, bar_steps, n_bars, pitched, spread, stretches

CLASSES = 12
MANY = 3  # pitches at once that make a step polyphonic: more than two, as in the MuseGAN paper
DISSONANT = (1, 2, 6, 10, 11)  # semitones above an octave or unison: seconds, sevenths and the tritone
PAIRS = tuple(combinations(PITCHED, 2))

_APART = (np.arange(CLASSES)[:, None] - np.arange(CLASSES)) % CLASSES
_HARSH, _DIFFERENT = np.isin(_APART, DISSONANT).astype(int), (_APART != 0).astype(int)
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_SCALES = np.array(  # (scale 24, pitch class 12): where each major and natural minor scale has its notes
    [np.roll(np.isin(np.arange(CLASSES), scale), root) for scale in (_MAJOR, _MINOR) for root in range(CLASSES)], float
)
# Harte, Sandler and Gasser (2006): pitch classes on the circles of fifths, of minor and of major thirds.
_CIRCLES = np.array([7 / 6, 3 / 2, 2 / 3])[:, None] * np.pi * np.arange(CLASSES)
_RADII = np.array([1.0, 1.0, 0.5])[:, None]
TONAL_SPACE = np.concatenate([_RADII * np.sin(_CIRCLES), _RADII * np.cos(_CIRCLES)])  # (6, pitch class 12)


def pitch_classes(roll):
    """Return {track: mean number of pitch classes that sound in a bar in which it plays} (UPC), 1 to 12.

    None for a track that sounds in no whole bar.
    """
    used = np.zeros((N_TRACKS, n_bars(roll), CLASSES), bool)
    which, bar, _ = spread(roll.notes, bar_steps(roll))
    inside = bar < n_bars(roll)
    notes = roll.notes[which[inside]]
    used[notes["track"], bar[inside], notes["pitch"] % CLASSES] = True
    counts = used.sum(axis=2)  # (track, bar)
    return {TRACKS[track]: mean(counts[track][counts[track] > 0]) for track in PITCHED}


def polyphonic_steps(roll):
    """Return {track: share of the roll's steps in which it sounds more than two pitches} (PP).

    None for a track that does not play.
    """
    shares = {}
    for track in PITCHED:
        notes = roll.notes[roll.notes["track"] == track]
        shares[TRACKS[track]] = mean(_sounding(notes, roll.n_steps) >= MANY) if len(notes) else None
    return shares


def _sounding(notes, n_steps):
    """Return how many of these notes sound at each step, (step,)."""
    begin, end = (np.bincount(notes[name], minlength=n_steps + 1) for name in ("onset", "end"))
    return np.cumsum(begin - end)[:n_steps]


def polyphony(roll):
    """Return the mean number of different pitches that sound at once, over the steps in which any does.

    A pitch that two tracks sound counts once. None if no pitched note sounds.
    """
    notes = pitched(roll.notes)
    _, start, stop = stretches(notes["onset"], notes["end"], notes["pitch"])
    _, first, last = stretches(notes["onset"], notes["end"])
    return float((stop - start).sum() / (last - first).sum()) if len(notes) else None


def pitch_class_entropy(roll):
    """Return the Shannon entropy in bits of the pitch classes of all notes (PCE), 0 to 3.585.

    None if there is no pitched note.
    """
    return mean(_entropies(_class_counts(roll.notes)[None]))


def window_entropy(roll, bars):
    """Return the mean over all stretches of so many bars of the entropy of their notes' pitch classes, in bits.

    bars: 1 or 4 in the Jazz Transformer's evaluation (Wu and Yang, ISMIR 2020), H1 and H4

    Stretches in which no pitched note begins are passed over. None if there is no other, or if the roll is shorter.
    """
    notes = pitched(roll.notes)
    bar = notes["onset"] // bar_steps(roll)
    cells = np.bincount(bar * CLASSES + notes["pitch"] % CLASSES, minlength=(n_bars(roll) + 1) * CLASSES)
    counts = cells.reshape(-1, CLASSES)[: n_bars(roll)]
    if len(counts) < bars:
        return None
    running = np.concatenate([np.zeros((1, CLASSES), int), np.cumsum(counts, axis=0)])
    return mean(_entropies(running[bars:] - running[:-bars]))


def _class_counts(notes):
    return np.bincount(pitched(notes)["pitch"] % CLASSES, minlength=CLASSES)


def _entropies(counts):
    """Return the entropy in bits of each row of counts that has any."""
    counts = counts[counts.any(axis=1)]
    return entr(counts / counts.sum(axis=1, keepdims=True)).sum(axis=1) / np.log(2)


def scale_consistency(roll):
    """Return the share of notes in the major or natural minor scale that most of them are in (SC), 7/12 if all are as common to 1.

    None if there is no pitched note.
    """
    counts = _class_counts(roll.notes)
    return float((_SCALES @ counts).max() / counts.sum()) if counts.any() else None


def dissonance(roll):
    """Return the mean share of dissonant intervals among the pitches that sound whenever a pitched note begins, 0 to 1.

    Seconds, sevenths and tritones, with octaves between or not, are dissonant; octaves and unisons are not counted. A
    pitch that two tracks sound counts once. None if no two different pitch classes ever sound at such an instant.
    """
    notes = pitched(roll.notes)
    instants = np.unique(notes["onset"])
    pitch, start, stop = stretches(notes["onset"], notes["end"], notes["pitch"])
    change = np.zeros((len(instants) + 1, CLASSES), int)
    np.add.at(change, (np.searchsorted(instants, start), pitch % CLASSES), 1)
    np.add.at(change, (np.searchsorted(instants, stop), pitch % CLASSES), -1)
    counts = np.cumsum(change, axis=0)[:-1]  # (instant, pitch class): how many pitches sound
    harsh, any_two = ((counts @ relation * counts).sum(axis=1) for relation in (_HARSH, _DIFFERENT))
    return mean(harsh[any_two > 0] / any_two[any_two > 0])


def tonal_distances(roll):
    """Return {(track, track): (distance, skipped)} of each two pitched tracks (TD).

    distance: mean over the beats in which both sound of the Euclidean distance between the tonal centroids of what they
        sound (Harte, Sandler and Gasser, 2006); 0 where they sound the same pitch classes
    skipped: share of the roll's beats in which not both sound

    Distance None for a pair that shares no beat, and skipped None for a roll without beats.
    """
    which, beat, cells = spread(roll.notes, roll.steps_per_beat)
    notes = roll.notes[which]
    at = (notes["track"] * np.int64(roll.n_beats) + beat) * CLASSES + notes["pitch"] % CLASSES
    chroma = np.bincount(at, cells, N_TRACKS * roll.n_beats * CLASSES).reshape(N_TRACKS, roll.n_beats, CLASSES)
    total = chroma.sum(axis=2)
    sounds = total > 0  # (track, beat)
    centroid = chroma / np.where(sounds, total, 1)[..., None] @ TONAL_SPACE.T  # (track, beat, 6)
    found = {}
    for a, b in PAIRS:
        both = sounds[a] & sounds[b]
        distance = mean(np.linalg.norm(centroid[a][both] - centroid[b][both], axis=1))
        found[TRACKS[a], TRACKS[b]] = (distance, 1 - float(both.mean()) if roll.n_beats else None)
    return found


def mean(values):
    """Return the mean as a float, or None of no values."""
    values = np.asarray(values, float)
    return float(values.mean()) if len(values) else None
