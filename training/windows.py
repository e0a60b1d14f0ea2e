"""Windows: rolls of fixed length cut from the pieces of a corpus, drawn at random in batches.

Conventions: a drawn batch holds notes, not arrays: `row` says which window a note belongs to, `onset` and `end` count
steps from that window's start and are cut to it. `sounding` and `starting` turn a batch into dense uint8 arrays
(window, step, track 5, pitch 128).

Nothing is unpacked and nothing kept: a draw reads the few notes that it needs through the memory map, so memory does
not grow with the corpus.
"""

from dataclasses import dataclass, replace

import numpy as np

from music import pianoroll
from music.pianoroll import BEATS_PER_BAR, DRUMS, N_PITCHES, N_TRACKS

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

    pieces: int array of indices into corpus.pieces; one that is shorter than a window is silent after its end
    rng: numpy Generator; the only source of chance
    context_steps: a small share of the windows starts this many steps before its piece's first bar with notes

    Raises ValueError if there is no piece, or all are shorter than a window.
    """
    return cut(corpus, *_places(corpus, pieces, n_windows, n_steps, rng, context_steps), n_steps)


def _places(corpus, pieces, n_windows, n_steps, rng, context_steps):
    """Return (piece, start) of windows drawn at random."""
    pieces = np.asarray(pieces, np.int64)
    if not len(pieces) or corpus.n_steps[pieces].max() < n_steps:
        raise ValueError(f"pieces: there are none, or all are shorter than a window of {n_steps} steps")
    n_places = np.maximum(corpus.n_steps[pieces] - n_steps + 1, 1)
    shares = np.cumsum(n_places)
    place = rng.integers(shares[-1], size=n_windows)
    chosen = np.searchsorted(shares, place, side="right")
    start = place - (shares - n_places)[chosen]
    beginnings = rng.random(n_windows) < BEGINNING_SHARE
    piece = pieces[chosen]
    bar = BEATS_PER_BAR * corpus.steps_per_beat
    first_bar = np.minimum(corpus.first_onset[piece] // bar * bar, corpus.n_steps[piece] - n_steps)
    return piece, np.where(beginnings, np.maximum(first_bar, 0) - context_steps, start)


def draw_on_grid(corpus, steps_per_beat, pieces, n_windows, n_steps, rng, context_steps=0):
    """Return Windows as `draw` does, of n_steps steps of this grid, which may be coarser than the corpus'.

    Raises ValueError as `draw` does, or if the corpus' grid is the coarser one.
    """
    ratio, rest = divmod(corpus.steps_per_beat, steps_per_beat)
    if rest or not ratio:
        raise ValueError(f"a corpus of {corpus.steps_per_beat} steps a beat has no grid of {steps_per_beat}")
    if ratio == 1:
        return draw(corpus, pieces, n_windows, n_steps, rng, context_steps)
    piece, start = _places(corpus, pieces, n_windows, n_steps * ratio, rng, context_steps * ratio)
    return cut_on_grid(corpus, ratio, piece, start // ratio, n_steps)


def transposed(windows, semitones):
    """Return the windows with their pitched notes moved by so many semitones, an int a window; none leaves the range."""
    pitch = windows.pitch + np.where(windows.track == DRUMS, 0, semitones[windows.row])
    pitch = np.where(pitch < 0, pitch + 12, np.where(pitch >= N_PITCHES, pitch - 12, pitch))
    return replace(windows, pitch=pitch.astype(np.uint8))


def ending(roll, n_steps):
    """Return one window of the roll's last n_steps steps; before a roll that is shorter it is silent."""
    start = roll.n_steps - n_steps
    notes = roll.notes[roll.notes["end"] > start]
    onset, end = notes["onset"].astype(np.int64) - start, notes["end"].astype(np.int64) - start
    return Windows(
        n_windows=1,
        n_steps=n_steps,
        position=np.array([start]),
        row=np.zeros(len(notes), np.int64),
        onset=np.maximum(onset, 0),
        end=end,
        begins=onset >= 0,
        track=notes["track"],
        pitch=notes["pitch"],
        velocity=notes["velocity"],
    )


def cut(corpus, piece, start, n_steps):
    """Return the Windows that start at these steps of these pieces.

    piece, start: int arrays (n_windows,); a window may begin before its piece or end after it, where it is silent
    """
    start = np.asarray(start, np.int64)
    return _trimmed(start, n_steps, *_notes_at(corpus, piece, start, n_steps))


def cut_on_grid(corpus, ratio, piece, start, n_steps):
    """Return the Windows that `cut` would, had `pianoroll.coarsen` brought the whole pieces to a grid `ratio` times coarser.

    piece, start: int arrays (n_windows,); start and n_steps count steps of the coarser grid
    """
    start = np.asarray(start, np.int64)
    # A step more at either side: a note beyond the edge may be nearest to a step within.
    row, onset, end, notes = _notes_at(corpus, piece, (start - 1) * ratio, (n_steps + 2) * ratio)
    piece_end = (-(-corpus.n_steps[piece] // ratio) - (start - 1))[row]
    onset, end = pianoroll.nearest_steps(onset, end, notes["track"], ratio, piece_end)
    voice = (row * N_TRACKS + notes["track"]) * N_PITCHES + notes["pitch"]
    which, end = pianoroll.untangled(voice, onset, end, notes["velocity"])
    return _trimmed(start, n_steps, row[which], onset[which] - 1, end - 1, notes[which])


def _notes_at(corpus, piece, start, n_steps):
    """Return (row, onset, end, notes) of at least the notes that sound in these windows, in steps from their starts."""
    first, stop = corpus.notes_between(piece, start, start + n_steps)
    counts = stop - first
    row = np.repeat(np.arange(len(start)), counts)
    notes = corpus.notes[np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())]
    offset = start[row]
    return row, notes["onset"] - offset, notes["end"] - offset, notes


def _trimmed(start, n_steps, row, onset, end, notes):
    """Return the Windows of these notes, cut to their windows."""
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
