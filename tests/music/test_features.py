import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music import features
from music.pianoroll import BASS, DRUMS, PIANO, refine, roll_of
from tests.music.bands import bars, chord, notes_of, read_only, transposed, tunes


def test_features_of_a_tune_that_the_eye_can_check():
    tune = [(0, 4, PIANO, 60, 80), (4, 8, PIANO, 64, 80), (8, 16, PIANO, 60, 80), (8, 10, BASS, 48, 80)]
    roll = roll_of(notes_of(*tune, (0, 1, DRUMS, 36, 80)), 16, 4)

    found = features.features(roll)

    assert (found["pitch_count"], found["pitch_range"], found["note_count"]) == (3, 16, 4)
    assert found["pitch_classes"].tolist() == [3 / 4, 0, 0, 0, 1 / 4, 0, 0, 0, 0, 0, 0, 0]
    moves = found["transitions"].reshape(12, 12)
    assert (moves[0, 4], moves[4, 0], moves.sum()) == (1 / 2, 1 / 2, 1)
    assert found["inter_onset_beats"] == 1  # 0, 1 and 2 beats; the drums do not count
    assert dict(zip(features.LENGTHS.tolist(), found["lengths"].tolist(), strict=True)) == {
        **dict.fromkeys(features.LENGTHS.tolist(), 0),
        1: 2 / 4,
        2: 1 / 4,
        0.5: 1 / 4,
    }
    assert found["interval_semitones"] == 4


def test_features_of_one_track_leave_the_others_out():
    roll = bars(2)

    bass, drums = features.features(roll, [BASS]), features.features(roll, [DRUMS])

    assert (bass["note_count"], bass["pitch_count"]) == (8, 2)
    assert drums is None


def test_what_one_note_cannot_say_is_none():
    found = features.features(roll_of(notes_of((0, 4, PIANO, 60, 80)), 16, 4))

    assert found["inter_onset_beats"] is found["interval_semitones"] is None
    assert found["transitions"].sum() == 0


@pytest.mark.parametrize(("steps", "beats"), [(96, 4), (20, 0.75), (8, 1 / 3), (9, 0.375), (1, 0.25), (300, 4)])
def test_a_note_counts_as_the_length_that_is_nearest(steps, beats):
    roll = roll_of(notes_of((0, steps, PIANO, 60, 80)), 400)

    lengths = features.features(roll)["lengths"]

    assert features.LENGTHS[lengths.argmax()] == pytest.approx(beats)


def test_a_vector_is_three_histograms_and_eight_figures():
    roll = roll_of(notes_of(*chord(0, 4, 60, 62), (16, 20, PIANO, 60, 80), (3, 4, DRUMS, 36, 80)), 32, 4)

    vector = features.vector(roll)

    assert vector.shape == (48,)
    assert vector[:12].tolist() == [2 / 3, 0, 1 / 3] + [0] * 9
    assert vector[24:40].tolist() == [3 / 4, 0, 0, 1 / 4] + [0] * 12
    assert vector[40:].tolist() == [2, 2, 3 / 8, 4, 2, 12 / 8, 1, 1]
    assert features.vector(roll_of(notes_of((0, 4, PIANO, 60, 80)), 32, 4))[43:].tolist() == [0, 0, 1, 0, 1]
    assert features.vector(roll_of(notes_of((0, 1, DRUMS, 36, 80)), 32, 4)) is None


@given(tunes(steps_per_beat=4), st.integers(-11, 11))
def test_a_vector_is_the_same_on_a_finer_grid_and_only_its_classes_turn_in_another_key(roll, semitones):
    vector = features.vector(read_only(roll))

    if vector is None:
        return
    moved = features.vector(transposed(roll, semitones))
    assert features.vector(refine(roll, 24)) == pytest.approx(vector)
    assert moved[:12] == pytest.approx(np.roll(vector[:12], semitones))
    assert moved[12:] == pytest.approx(vector[12:])


def test_vectors_are_measured_by_how_far_real_music_varies_and_never_divided_by_nothing():
    reference = np.zeros((4, 48))
    reference[:, 0] = [0, 0.2, 0.4, 0.6]
    other = np.zeros((1, 48))
    other[0, :2] = [0.3, 0.05]

    found = features.standardised(other, reference)

    assert found[0, :2] == pytest.approx([0, 0.05 / 0.01])
    assert np.isfinite(features.standardised(reference, reference)).all()
    assert features.standardised(reference, reference)[:, 0].std() == pytest.approx(1)
