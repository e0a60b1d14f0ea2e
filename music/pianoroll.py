"""The five-track roll: notes on a grid of steps, and the two dense arrays that networks and pictures read.

Conventions: tracks come in LPD's order (TRACKS); a dense array has shape (track 5, time, pitch 128); time counts
steps of the grid, `steps_per_beat` to a beat and 4 beats to a bar from step 0; a note sounds from `onset` up to but
not including `end`. Notes of one track and pitch never overlap, so the list of notes and the pair of dense arrays
(velocity, onsets) say the same thing.
"""

from dataclasses import dataclass, replace

import numpy as np

TRACKS = ("Drums", "Piano", "Guitar", "Bass", "Strings")
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
PROGRAMS = (0, 0, 24, 32, 48)  # General MIDI programs of the five tracks, as the LPD files name them
N_TRACKS = len(TRACKS)
N_PITCHES = 128
BEATS_PER_BAR = 4
LPD_STEPS_PER_BEAT = 24

NOTE = np.dtype([("onset", "i4"), ("end", "i4"), ("track", "u1"), ("pitch", "u1"), ("velocity", "u1")])


@dataclass(frozen=True, eq=False)
class Roll:
    """Music on a grid.

    notes: NOTE array (n,), sorted by onset, track, pitch; velocity 1-127
    n_steps: length of the grid in steps
    steps_per_beat: steps of one beat, 24 in LPD
    tempo_bpm: float array (beats,), the tempo of each beat; the last beat may be cut short by n_steps
    """

    notes: np.ndarray
    n_steps: int
    steps_per_beat: int
    tempo_bpm: np.ndarray

    @property
    def n_beats(self) -> int:
        return -(-self.n_steps // self.steps_per_beat)

    @property
    def seconds(self) -> float:
        return float(step_times(self)[-1])


def roll_of(notes, n_steps, steps_per_beat=LPD_STEPS_PER_BEAT, tempo_bpm=120.0):
    """Return a Roll of these notes, sorted and with one tempo a beat.

    notes: NOTE array (n,) in any order
    tempo_bpm: one number for all beats, or an array of one for each beat

    Raises ValueError if a note lies outside the grid, is empty, or has a velocity outside 1-127.
    """
    notes = in_order(np.asarray(notes, NOTE))
    if n_steps < 0 or steps_per_beat < 1:
        raise ValueError(f"n_steps {n_steps} and steps_per_beat {steps_per_beat} do not make a grid")
    if len(notes):
        if notes["onset"].min() < 0 or notes["end"].max() > n_steps or (notes["end"] <= notes["onset"]).any():
            raise ValueError(f"notes: some lie outside the {n_steps} steps or have no length")
        if notes["track"].max() >= N_TRACKS or notes["pitch"].max() >= N_PITCHES:
            raise ValueError("notes: a track above 4 or a pitch above 127")
        if notes["velocity"].min() < 1 or notes["velocity"].max() > 127:
            raise ValueError("notes: a velocity outside 1-127")
    n_beats = -(-n_steps // steps_per_beat)
    tempo = np.broadcast_to(np.asarray(tempo_bpm, float), n_beats).copy()
    if not (np.isfinite(tempo).all() and (tempo > 0).all()):
        raise ValueError("tempo_bpm: every beat needs a finite tempo above 0")
    return Roll(notes, int(n_steps), int(steps_per_beat), tempo)


def in_order(notes):
    """Return the notes, NOTE (n,), by onset, track and pitch (and then by end and velocity, where one place has several)."""
    # One number a note: a tenth of the time that sorting records by their fields takes.
    key = (notes["onset"].astype(np.int64) << 15) | (notes["track"].astype(np.int64) << 7) | notes["pitch"]
    order = np.argsort(key, kind="stable")
    if (np.diff(key[order]) == 0).any():
        return np.sort(notes, order=["onset", "track", "pitch"])
    return notes[order]


def from_cells(track, pitch, step, velocity, n_steps, steps_per_beat=LPD_STEPS_PER_BEAT, tempo_bpm=120.0):
    """Return the Roll of sounding cells; where several fall on one place, the loudest stays.

    track, pitch, step, velocity: integer arrays (n,) in any order, velocity 1-127. A note begins where sound begins or
        the velocity changes, and every drum cell is a note of its own (LPD stores drums as onsets one step long).

    Raises ValueError as roll_of does.
    """
    voice = np.asarray(track, np.int64) * N_PITCHES + pitch
    # One number a cell, with a spare step a voice: then neighbours in number are neighbours in time of one voice.
    cells = np.sort((voice * (n_steps + 1) + step) * 128 + velocity)
    cells = cells[np.append(cells[1:] >> 7 != cells[:-1] >> 7, True)[: len(cells)]]
    voice, step = np.divmod(cells >> 7, n_steps + 1)
    velocity = cells & 127
    begins = voice // N_PITCHES == DRUMS
    begins[1:] |= velocity[1:] != velocity[:-1]
    return roll_of(_runs(voice, step, velocity, begins), n_steps, steps_per_beat, tempo_bpm)


def from_dense(velocity, onsets=None, steps_per_beat=LPD_STEPS_PER_BEAT, tempo_bpm=120.0):
    """Return the Roll of dense arrays.

    velocity: (track 5, time, pitch 128), 0 where silent, 1-127 where a note sounds
    onsets: bool of the same shape, or None. Given, a note begins where one stands and where sound begins; otherwise
        notes begin as from_cells says.

    Raises ValueError for another shape, or an onset in a silent cell.
    """
    velocity = np.asarray(velocity)
    if velocity.ndim != 3 or velocity.shape[0] != N_TRACKS or velocity.shape[2] != N_PITCHES:
        raise ValueError(f"velocity: shape {velocity.shape}, not (5, time, 128)")
    n_steps = velocity.shape[1]
    track, pitch, step = np.nonzero(velocity.transpose(0, 2, 1))  # voice by voice, each in the order of time
    loudness = velocity[track, step, pitch]
    if onsets is None:
        return from_cells(track, pitch, step, loudness, n_steps, steps_per_beat, tempo_bpm)
    onsets = np.asarray(onsets, bool)
    if onsets.shape != velocity.shape:
        raise ValueError(f"onsets: shape {onsets.shape}, not that of velocity {velocity.shape}")
    if (onsets & (velocity == 0)).any():
        raise ValueError("onsets: one stands in a silent cell")
    notes = _runs(track * N_PITCHES + pitch, step, loudness, onsets[track, step, pitch])
    return roll_of(notes, n_steps, steps_per_beat, tempo_bpm)


def _runs(voice, step, velocity, begins):
    """Return the notes of cells that are sorted by voice (track * 128 + pitch) and step: runs, split where one begins."""
    begins = begins.copy()
    begins[:1] = True
    begins[1:] |= (voice[1:] != voice[:-1]) | (step[1:] != step[:-1] + 1)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(begins))[: len(first)] - 1
    notes = np.empty(len(first), NOTE)
    notes["track"], notes["pitch"] = np.divmod(voice[first], N_PITCHES)
    notes["onset"], notes["end"], notes["velocity"] = step[first], step[last] + 1, velocity[first]
    return notes


def dense(roll):
    """Return (velocity, onsets): uint8 and bool, both (track 5, time, pitch 128)."""
    notes, n_steps = roll.notes, roll.n_steps
    velocity = np.zeros((N_TRACKS, n_steps, N_PITCHES), np.uint8)
    onsets = np.zeros(velocity.shape, bool)
    onsets[notes["track"], notes["onset"], notes["pitch"]] = True
    lengths = notes["end"] - notes["onset"]
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    steps = np.repeat(notes["onset"], lengths) + np.arange(lengths.sum()) - first  # every sounding step of every note
    velocity[np.repeat(notes["track"], lengths), steps, np.repeat(notes["pitch"], lengths)] = np.repeat(
        notes["velocity"], lengths
    )
    return velocity, onsets


def step_times(roll):
    """Return the time in seconds at which each step begins, and the end: float64 (n_steps + 1,)."""
    step_seconds = np.repeat(60.0 / roll.tempo_bpm / roll.steps_per_beat, roll.steps_per_beat)[: roll.n_steps]
    return np.concatenate([[0.0], np.cumsum(step_seconds)])


def steps_within(roll, seconds):
    """Return how many whole steps from the start of the roll it takes to fill this many seconds (at most n_steps)."""
    return min(int(np.searchsorted(step_times(roll), seconds - 1e-9)), roll.n_steps)


def excerpt(roll, start, stop):
    """Return the steps start to stop as a roll of their own; notes that sound across an edge are cut to it.

    start: a whole number of beats in steps, so that tempo and bar lines stay where they are
    stop: at most n_steps

    Raises ValueError for a range that does not lie within the roll, or that starts within a beat.
    """
    if not 0 <= start <= stop <= roll.n_steps:
        raise ValueError(f"steps {start} to {stop} do not lie within the roll's {roll.n_steps}")
    if start % roll.steps_per_beat:
        raise ValueError(f"start {start} is not a whole number of beats ({roll.steps_per_beat} steps each)")
    inside = (roll.notes["end"] > start) & (roll.notes["onset"] < stop)
    notes = roll.notes[inside].copy()
    notes["onset"] = np.maximum(notes["onset"], start) - start
    notes["end"] = np.minimum(notes["end"], stop) - start
    first = start // roll.steps_per_beat
    n_beats = -(-(stop - start) // roll.steps_per_beat)
    return roll_of(notes, stop - start, roll.steps_per_beat, roll.tempo_bpm[first : first + n_beats])


def coarsen(roll, steps_per_beat):
    """Return the roll on a coarser grid: onsets and ends go to the nearest step, no note becomes shorter than one.

    Of notes of one track and pitch that meet on one step, the loudest stays; a note ends where the next one begins.

    Raises ValueError unless steps_per_beat divides the roll's own.
    """
    if roll.steps_per_beat % steps_per_beat:
        raise ValueError(f"steps_per_beat {steps_per_beat} does not divide the roll's {roll.steps_per_beat}")
    ratio = roll.steps_per_beat // steps_per_beat
    if ratio == 1:
        return roll
    n_steps = -(-roll.n_steps // ratio)
    notes = roll.notes.copy()
    notes["onset"], notes["end"] = nearest_steps(notes["onset"], notes["end"], notes["track"], ratio, n_steps)
    return replace(roll, notes=without_overlaps(notes), n_steps=n_steps, steps_per_beat=steps_per_beat)


def nearest_steps(onset, end, track, ratio, n_steps):
    """Return (onset, end) on a grid of which a step is `ratio` of this one's, in a piece of n_steps of them."""
    onset = np.minimum((onset + ratio // 2) // ratio, n_steps - 1)
    end = np.maximum((end + ratio // 2) // ratio, onset + 1)
    return onset, np.where(track == DRUMS, onset + 1, np.minimum(end, n_steps))


def without_overlaps(notes):
    """Return the notes, sorted, so that of one track and pitch none overlap: the loudest of one onset stays, an earlier one is cut."""
    voice = notes["track"].astype(int) * N_PITCHES + notes["pitch"]
    which, end = untangled(voice, notes["onset"], notes["end"], notes["velocity"])
    notes = notes[which]
    notes["end"] = end
    return in_order(notes)


def untangled(voice, onset, end, velocity):
    """Return (which, end): of notes the ones that stay where no voice has two at once, by voice and onset, and their ends."""
    which = np.lexsort((255 - velocity.astype(int), onset, voice))
    again = np.zeros(len(which), bool)
    again[1:] = (voice[which][1:] == voice[which][:-1]) & (onset[which][1:] == onset[which][:-1])
    which = which[~again]
    voice, onset, end = voice[which], onset[which], end[which].copy()
    end[:-1] = np.where(voice[1:] == voice[:-1], np.minimum(end[:-1], onset[1:]), end[:-1])
    return which, end


def refine(roll, steps_per_beat):
    """Return the roll on a finer grid; nothing moves in time.

    Raises ValueError unless steps_per_beat is a multiple of the roll's own.
    """
    if steps_per_beat % roll.steps_per_beat:
        raise ValueError(f"steps_per_beat {steps_per_beat} is not a multiple of the roll's {roll.steps_per_beat}")
    ratio = steps_per_beat // roll.steps_per_beat
    notes = roll.notes.copy()
    notes["onset"] *= ratio
    notes["end"] *= ratio
    return replace(roll, notes=notes, n_steps=roll.n_steps * ratio, steps_per_beat=steps_per_beat)


def entrance(roll):
    """Return the step at which the first bar begins in which drums, bass and another track play.

    Raises ValueError if there is no such bar.
    """
    bar_steps = BEATS_PER_BAR * roll.steps_per_beat
    plays = np.zeros((N_TRACKS, roll.n_steps // bar_steps + 1), bool)  # (track, bar)
    plays[roll.notes["track"], roll.notes["onset"] // bar_steps] = True
    full = plays[DRUMS] & plays[BASS] & plays[[PIANO, GUITAR, STRINGS]].any(axis=0)
    if not full.any():
        raise ValueError("There is no bar in which drums, bass and another track play")
    return int(np.argmax(full)) * bar_steps


def opening(roll, seconds):
    """Return this many seconds of the roll from the first bar in which drums, bass and another track play.

    seconds: above 0; the excerpt ends with the step that fills them, at the piece's own tempo

    Raises ValueError if there is no such bar, or if less than that follows it.
    """
    rest = excerpt(roll, entrance(roll), roll.n_steps)
    if rest.seconds < seconds - 1e-9:
        raise ValueError(f"Only {rest.seconds:.1f} s follow the bar where the band comes in, fewer than {seconds:g} s")
    return excerpt(rest, 0, steps_within(rest, seconds))
