"""Small pieces of music made for tests."""

import numpy as np
from hypothesis import strategies as st

from music.pianoroll import BASS, DRUMS, GUITAR, NOTE, PIANO, STRINGS, roll_of, without_overlaps


def notes_of(*notes):
    """Return a NOTE array of (onset, end, track, pitch, velocity) tuples."""
    return np.array(list(notes), NOTE)


def chord(onset, end, *pitches, track=PIANO, velocity=80):
    """Return the notes of a chord, as tuples."""
    return [(onset, end, track, pitch, velocity) for pitch in pitches]


def bars(n_bars, tempo_bpm=120.0):
    """Return a plain band of five tracks: four-to-the-floor drums, a bass, chords, and a line in the strings."""
    notes = []
    for bar in range(n_bars):
        at = 96 * bar
        root = (0, 5, 7, 0)[bar % 4]
        for beat in range(4):
            here = at + 24 * beat
            notes += [(here, here + 1, DRUMS, 36 if beat % 2 == 0 else 38, 110), (here + 12, here + 13, DRUMS, 42, 70)]
            notes += [(here, here + 20, BASS, 36 + root, 100), (here, here + 22, STRINGS, 67 + root + beat, 75)]
            notes += [(here + 12, here + 18, GUITAR, 55 + root, 80)]
        notes += [(at, at + 90, PIANO, 60 + root + interval, 85) for interval in (0, 4, 7)]
    return roll_of(notes_of(*notes), 96 * n_bars, tempo_bpm=tempo_bpm)


@st.composite
def rolls(draw, steps_per_beat=None, min_notes=0):
    """Draw rolls of up to five beats with notes anywhere, touching ones among them, and a tempo for each beat."""
    steps_per_beat = steps_per_beat or draw(st.sampled_from([24, 12, 4]))
    n_steps = draw(st.integers(max(1, min_notes), 5 * steps_per_beat))
    note = st.tuples(
        st.integers(0, n_steps - 1),
        st.integers(1, 3 * steps_per_beat),
        st.integers(0, 4),
        st.sampled_from([0, 36, 60, 61, 127]),
        st.sampled_from([1, 64, 65, 127]),
    )
    drawn = draw(st.lists(note, min_size=min_notes, max_size=25))
    notes = notes_of(*((on, min(on + length, n_steps), *rest) for on, length, *rest in drawn))
    n_beats = -(-n_steps // steps_per_beat)
    tempo = draw(st.lists(st.sampled_from([60.0, 97.0, 120.0, 250.0]), min_size=n_beats, max_size=n_beats))
    return roll_of(without_overlaps(notes), n_steps, steps_per_beat, tempo)


@st.composite
def tunes(draw, steps_per_beat=24, n_bars=4):
    """Draw rolls of whole bars that can be transposed by an octave up or down: any notes of all tracks, some at once."""
    n_steps = 4 * n_bars * steps_per_beat
    note = st.tuples(
        st.integers(0, n_steps - 1),
        st.integers(1, 2 * steps_per_beat),
        st.integers(0, 4),
        st.integers(36, 84),
    )
    drawn = draw(st.lists(note, min_size=1, max_size=40))
    notes = notes_of(*((on, min(on + length, n_steps), track, pitch, 80) for on, length, track, pitch in drawn))
    return roll_of(without_overlaps(notes), n_steps, steps_per_beat)


def transposed(roll, semitones):
    """Return the roll with all but its drums so many semitones higher."""
    notes = roll.notes.copy()
    notes["pitch"] += np.where(notes["track"] == DRUMS, 0, semitones).astype(np.uint8)
    return roll_of(notes, roll.n_steps, roll.steps_per_beat, roll.tempo_bpm)


def read_only(roll):
    """Return the roll such that whoever changes it fails."""
    for array in (roll.notes, roll.tempo_bpm):
        array.flags.writeable = False
    return roll
