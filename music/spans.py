"""Where the notes of a roll lie: in which bars and beats, on which sixteenth, over which stretches. Nothing here is dense.

Conventions: a bar is a whole one; what stands in a last bar that the roll's end cuts short belongs to no bar. Pitched
tracks are all but the drums.
"""

import numpy as np

from music.pianoroll import BASS, BEATS_PER_BAR, DRUMS, GUITAR, PIANO, STRINGS

PITCHED = (PIANO, GUITAR, BASS, STRINGS)
SIXTEENTHS = 4  # of a beat
BAR_SIXTEENTHS = SIXTEENTHS * BEATS_PER_BAR


def bar_steps(roll):
    return BEATS_PER_BAR * roll.steps_per_beat


def n_bars(roll):
    """Return how many whole bars the roll has."""
    return roll.n_steps // bar_steps(roll)


def pitched(notes):
    """Return the notes of all tracks but the drums."""
    return notes[notes["track"] != DRUMS]


def spread(notes, unit):
    """Return (which, at, cells) of the notes cut at multiples of `unit` steps, int64 arrays (part,).

    which: index of the note that the part is of; at: which unit it lies in; cells: its length in steps
    """
    onset, end = notes["onset"].astype(np.int64), notes["end"].astype(np.int64)
    first = onset // unit
    counts = (end - 1) // unit - first + 1
    which = np.repeat(np.arange(len(notes)), counts)
    at = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    cells = np.minimum(end[which], (at + 1) * unit) - np.maximum(onset[which], at * unit)
    return which, at, cells


def stretches(onset, end, voice=0):
    """Return (voice, start, stop), int64 arrays: the stretches without a gap in which each voice sounds.

    onset, end, voice: int arrays (note,) in any order, or one voice for all; notes of one voice may overlap
    """
    onset, end = np.asarray(onset, np.int64), np.asarray(end, np.int64)
    shift = (int(end.max(initial=0)) + 1) * np.broadcast_to(np.asarray(voice, np.int64), onset.shape)
    order = np.argsort(onset + shift, kind="stable")
    onset, end, shift = (onset + shift)[order], (end + shift)[order], shift[order]
    reached = np.maximum.accumulate(end)
    new = np.append(True, onset[1:] > reached[:-1])[: len(onset)]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(onset))[: len(first)] - 1
    of_voice = np.broadcast_to(np.asarray(voice, np.int64), end.shape)[order][first]
    return of_voice, onset[first] - shift[first], reached[last] - shift[last]


def sixteenth(roll, steps):
    """Return the sixteenth that is nearest to each of these steps (halves go up), at most the last that begins in the roll."""
    nearest = (2 * SIXTEENTHS * np.asarray(steps, np.int64) + roll.steps_per_beat) // (2 * roll.steps_per_beat)
    return np.minimum(nearest, max(-(-roll.n_steps * SIXTEENTHS // roll.steps_per_beat) - 1, 0))
