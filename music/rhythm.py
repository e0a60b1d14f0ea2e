"""Figures of time: where notes begin, how long they are, what comes back.

Conventions: a figure that a roll has no answer for is None, never NaN; so is one that its grid alone decides, such as
the share of notes on sixteenths where every step is one. No roll is changed.
"""

import numpy as np

from music.harmony import mean
from music.pianoroll import DRUMS, N_PITCHES, N_TRACKS, TRACKS
from music.spans import BAR_SIXTEENTHS, PITCHED, bar_steps, n_bars, sixteenth, spread

QUALIFIED = 8  # an eighth of a beat, three steps of 24: what MuseGAN asks of a note
SHORT = 4  # a sixteenth, a quarter of a beat
LOOK_BACK = 8  # bars in which a bar may have been heard before


def empty_bars(roll):
    """Return {track: share of bars in which it does not sound} (EB), 1 for a track that does not play.

    None if the roll has no whole bar.
    """
    sounds = np.zeros((N_TRACKS, n_bars(roll) + 1), bool)
    which, bar, _ = spread(roll.notes, bar_steps(roll))
    sounds[roll.notes["track"][which], bar] = True
    shares = 1 - sounds[:, :-1].mean(axis=1) if n_bars(roll) else [None] * N_TRACKS
    return {name: share if share is None else float(share) for name, share in zip(TRACKS, shares, strict=True)}


def qualified_notes(roll):
    """Return {track: share of its notes that last an eighth of a beat or longer} (QN).

    None for a track that does not play, and on a grid whose steps are all that long (8 to a beat and coarser).
    """
    return {TRACKS[track]: _long(roll, roll.notes["track"] == track, QUALIFIED) for track in PITCHED}


def short_notes(roll):
    """Return the share of pitched notes that last less than a sixteenth (a quarter of a beat).

    None if there is none, and on a grid whose steps are all that long (4 to a beat and coarser).
    """
    share = _long(roll, roll.notes["track"] != DRUMS, SHORT)
    return None if share is None else 1 - share


def _long(roll, which, per_beat):
    """Return the share of these notes that last a beat divided by `per_beat` or longer."""
    if roll.steps_per_beat <= per_beat:
        return None
    notes = roll.notes[which]
    return mean((notes["end"] - notes["onset"]) * per_beat >= roll.steps_per_beat)


def on_grid(roll, per_beat):
    """Return the share of all notes, drums included, that begin on a beat divided by `per_beat` (1, 2, 4).

    On the step itself: LPD's own conversion puts many onsets one of 24 steps early, so compare on one grid only. None if there is no note, and on a grid whose steps all are such.
    """
    return _on(roll, roll.notes, per_beat)


def drum_pattern(roll):
    """Return (duple, triple): the shares of drum strokes on sixteenths and on thirds of a beat (DP).

    None without drums; duple also on a grid of sixteenths, triple on one that has no thirds.
    """
    drums = roll.notes[roll.notes["track"] == DRUMS]
    triple = None if roll.steps_per_beat % 3 else _on(roll, drums, 3)
    return _on(roll, drums, 4), triple


def _on(roll, notes, per_beat):
    if per_beat % roll.steps_per_beat == 0:
        return None
    return mean(notes["onset"] * np.int64(per_beat) % roll.steps_per_beat == 0)


def notes_per_beat(roll):
    """Return how many notes begin in a beat, drums included; None for a roll without length."""
    return len(roll.notes) * roll.steps_per_beat / roll.n_steps if roll.n_steps else None


def density_drift(roll):
    """Return how many times as many notes begin in the last quarter of the roll as in the first.

    None if none begins in the first.
    """
    at = 4 * roll.notes["onset"].astype(np.int64)
    first, last = int((at < roll.n_steps).sum()), int((at >= 3 * roll.n_steps).sum())
    return last / first if first else None


def groove_consistency(roll):
    """Return 1 - the mean share of steps in which two neighbouring bars differ: one has an onset, the other none (GC).

    It depends on the grid: eight onsets anywhere in each bar give 0.5 at 4 steps a beat, 0.84 at 24. None if there is no
    note, or fewer than two bars.
    """
    grooves = _grooves(roll)
    return 1 - float((grooves[1:] != grooves[:-1]).mean()) if _has_grooves(roll) else None


def groove_similarity(roll):
    """Return the same over all pairs of bars, not only neighbours (GS; Wu and Yang, ISMIR 2020, who draw 1,000 pairs).

    None if there is no note, or fewer than two bars.
    """
    n = n_bars(roll)
    onsets = _grooves(roll).sum(axis=0, dtype=np.int64)  # (step of the bar,): in how many bars a note begins there
    differ = float((onsets * (n - onsets)).sum())
    return 1 - differ / (n * (n - 1) / 2 * bar_steps(roll)) if _has_grooves(roll) else None


def _has_grooves(roll):
    return n_bars(roll) > 1 and len(roll.notes) > 0


def _grooves(roll):
    """Return bool (bar, step of the bar): whether any note, drums included, begins there."""
    grooves = np.zeros((n_bars(roll), bar_steps(roll)), bool)
    onset = roll.notes["onset"][roll.notes["onset"] < grooves.size]
    grooves.reshape(-1)[onset] = True
    return grooves


def self_repeat(roll):
    """Return how much of a bar was heard in one of the eight bars before it: the mean of its greatest Jaccard index.

    A bar is the set of its onsets (track, pitch, nearest sixteenth); bars without any, and the first, are passed over.
    None if there is no other.
    """
    bar, place = np.divmod(sixteenth(roll, roll.notes["onset"]), BAR_SIXTEENTHS)
    code = (roll.notes["track"].astype(np.int64) * N_PITCHES + roll.notes["pitch"]) * BAR_SIXTEENTHS + place
    size = N_TRACKS * N_PITCHES * BAR_SIXTEENTHS
    cells = np.unique((bar * size + code)[bar < n_bars(roll)])
    bar = cells // size
    counts = np.bincount(bar, minlength=n_bars(roll))
    best = np.zeros(len(counts))
    for back in range(1, min(LOOK_BACK, len(counts) - 1) + 1):
        shared = np.bincount(bar[np.isin(cells - back * size, cells)], minlength=len(counts))[back:]
        either = counts[back:] + counts[:-back] - shared
        best[back:] = np.maximum(best[back:], shared / np.maximum(either, 1))
    return mean(best[1:][counts[1:] > 0])
