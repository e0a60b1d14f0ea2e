"""Windows: rolls of fixed length cut from the pieces of a corpus, drawn at random in batches.

Conventions: a drawn batch holds notes, not arrays: `row` says which window a note belongs to, `onset` and `end` count
steps from that window's start and are cut to it. `sounding` and `starting` turn a batch into dense uint8 arrays
(window, step, track 5, pitch 128).

Nothing is unpacked and nothing kept: a draw reads the few notes that it needs through the memory map, so memory does
not grow with the corpus.
"""

from dataclasses import dataclass

import numpy as np

from music.pianoroll import BEATS_PER_BAR, N_PITCHES, N_TRACKS

# Generation begins from silence; without some windows that do, no network would have seen how a piece begins.
BEGINNING_SHARE = 1 / 32


@dataclass(frozen=True, eq=False)
class Windows:
    """The notes of n_windows windows of n_steps steps.

    row, onset, end: int64 (n,); track, pitch, velocity: uint8 (n,)
    begins: bool (n,), False where the note began before the window
    position: int64 (n_windows,), the step of the piece at which each window starts (below 0: silence before the piece)
    """

    n_windows: int
    n_steps: int
    position: np.ndarray
    row: np.ndarray
    onset: np.ndarray
    end: np.ndarray
    begins: np.ndarray
    track: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray


def draw(corpus, pieces, n_windows, n_steps, rng, context_steps=0):
    """Return Windows drawn at random: a piece by its length, then a place in it, each with equal chances.

    pieces: int array of indices into corpus.pieces, each at least n_steps long
    rng: numpy Generator; the only source of chance
    context_steps: a small share of the windows starts this many steps before its piece's first bar with notes

    Raises ValueError if there is no piece, or one is shorter than a window.
    """
    pieces = np.asarray(pieces, np.int64)
    n_places = corpus.n_steps[pieces] - n_steps + 1
    if not len(pieces) or n_places.min() < 1:
        raise ValueError(f"pieces: there are none, or some are shorter than a window of {n_steps} steps")
    shares = np.cumsum(n_places)
    place = rng.integers(shares[-1], size=n_windows)
    chosen = np.searchsorted(shares, place, side="right")
    start = place - (shares - n_places)[chosen]
    beginnings = rng.random(n_windows) < BEGINNING_SHARE
    piece = pieces[chosen]
    bar = BEATS_PER_BAR * corpus.steps_per_beat
    first_bar = np.minimum(corpus.first_onset[piece] // bar * bar, corpus.n_steps[piece] - n_steps)
    start = np.where(beginnings, first_bar - context_steps, start)
    return cut(corpus, piece, start, n_steps)


def cut(corpus, piece, start, n_steps):
    """Return the Windows that start at these steps of these pieces.

    piece, start: int arrays (n_windows,); a window may begin before its piece or end after it, where it is silent
    """
    start = np.asarray(start, np.int64)
    first, stop = corpus.notes_between(piece, start, start + n_steps)
    counts = stop - first
    row = np.repeat(np.arange(len(start)), counts)
    notes = corpus.notes[np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())]
    offset = start[row]
    onset, end = notes["onset"] - offset, notes["end"] - offset
    inside = (end > 0) & (onset < n_steps)
    row, onset, end, notes = row[inside], onset[inside], end[inside], notes[inside]
    return Windows(
        n_windows=len(start),
        n_steps=n_steps,
        position=start,
        row=row,
        onset=np.maximum(onset, 0),
        end=np.minimum(end, n_steps),
        begins=onset >= 0,
        track=notes["track"],
        pitch=notes["pitch"],
        velocity=notes["velocity"],
    )


def sounding(windows):
    """Return uint8 (window, step, track 5, pitch 128): 1 where a note sounds."""
    lengths = windows.end - windows.onset
    first = windows.onset - np.cumsum(lengths) + lengths
    steps = np.repeat(first, lengths) + np.arange(lengths.sum())  # every sounding step of every note
    return _scattered(windows, np.arange(len(lengths)).repeat(lengths), steps)


def starting(windows):
    """Return uint8 (window, step, track 5, pitch 128): 1 where a note begins."""
    which = np.flatnonzero(windows.begins)
    return _scattered(windows, which, windows.onset[which])


def _scattered(windows, which, steps):
    cells = np.zeros((windows.n_windows, windows.n_steps, N_TRACKS, N_PITCHES), np.uint8)
    at = (windows.row[which] * windows.n_steps + steps) * N_TRACKS + windows.track[which]
    cells.reshape(-1)[at * N_PITCHES + windows.pitch[which]] = 1
    return cells
