import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music.pianoroll import (
    BASS,
    DRUMS,
    N_PITCHES,
    N_TRACKS,
    NOTE,
    PIANO,
    STRINGS,
    coarsen,
    dense,
    excerpt,
    from_cells,
    from_dense,
    in_order,
    opening,
    refine,
    roll_of,
    step_times,
    steps_within,
    without_overlaps,
)
from tests.music.bands import bars, notes_of, rolls


@given(rolls())
def test_a_roll_and_its_dense_arrays_say_the_same(roll):
    velocity, onsets = dense(roll)

    again = from_dense(velocity, onsets, roll.steps_per_beat, roll.tempo_bpm)

    assert again.notes.tolist() == roll.notes.tolist()
    assert velocity.shape == onsets.shape == (N_TRACKS, roll.n_steps, N_PITCHES)
    assert int((velocity > 0).sum()) == int((roll.notes["end"] - roll.notes["onset"]).sum())


def test_without_onsets_a_note_begins_where_sound_begins_or_the_velocity_changes():
    velocity = np.zeros((5, 8, 128), np.uint8)
    velocity[PIANO, 1:4, 60] = 80
    velocity[PIANO, 4:6, 60] = 90
    velocity[DRUMS, 2:4, 36] = 100

    roll = from_dense(velocity)

    assert roll.notes.tolist() == [
        (1, 4, PIANO, 60, 80),
        (2, 3, DRUMS, 36, 100),
        (3, 4, DRUMS, 36, 100),
        (4, 6, PIANO, 60, 90),
    ]


def test_a_note_struck_again_stays_two_notes_where_onsets_say_so():
    velocity, onsets = np.zeros((5, 6, 128), np.uint8), np.zeros((5, 6, 128), bool)
    velocity[BASS, 0:6, 40] = 70
    onsets[BASS, [0, 3], 40] = True

    assert from_dense(velocity, onsets).notes.tolist() == [(0, 3, BASS, 40, 70), (3, 6, BASS, 40, 70)]


def test_of_cells_that_fall_on_one_place_the_loudest_stays():
    roll = from_cells([PIANO] * 4, [60] * 4, [1, 0, 1, 2], [50, 90, 90, 90], n_steps=4)

    assert roll.notes.tolist() == [(0, 3, PIANO, 60, 90)]


def test_the_end_of_one_pitch_does_not_run_into_the_start_of_the_next():
    roll = from_cells([PIANO, PIANO], [60, 61], [3, 0], [90, 90], n_steps=4)

    assert roll.notes.tolist() == [(0, 1, PIANO, 61, 90), (3, 4, PIANO, 60, 90)]


@pytest.mark.parametrize(
    ("velocity", "onsets", "sentence"),
    [
        (np.zeros((4, 8, 128)), None, "not \\(5, time, 128\\)"),
        (np.zeros((5, 8, 128)), np.zeros((5, 7, 128)), "not that of velocity"),
        (np.zeros((5, 8, 128)), np.ones((5, 8, 128)), "silent cell"),
    ],
)
def test_dense_arrays_that_are_no_roll_are_refused(velocity, onsets, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_dense(velocity, onsets)


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        ((-1, 2, PIANO, 60, 80), "outside the 8 steps"),
        ((6, 9, PIANO, 60, 80), "outside the 8 steps"),
        ((3, 3, PIANO, 60, 80), "no length"),
        ((3, 4, 5, 60, 80), "track above 4"),
        ((3, 4, PIANO, 128, 80), "pitch above 127"),
        ((3, 4, PIANO, 60, 0), "velocity outside 1-127"),
        ((3, 4, PIANO, 60, 128), "velocity outside 1-127"),
    ],
)
def test_notes_that_no_grid_can_hold_are_refused(note, sentence):
    with pytest.raises(ValueError, match=sentence):
        roll_of(notes_of(note), 8)


@pytest.mark.parametrize("tempo", [0, -1, np.nan, np.inf])
def test_a_tempo_that_no_one_can_play_is_refused(tempo):
    with pytest.raises(ValueError, match="finite tempo above 0"):
        roll_of(notes_of(), 24, tempo_bpm=tempo)


def test_seconds_follow_the_tempo_of_each_beat():
    roll = roll_of(notes_of(), 60, 24, tempo_bpm=[60, 120, 240])  # one second, half a second, half of a quarter

    times = step_times(roll)

    assert len(times) == 61
    assert times[[0, 24, 48, 60]] == pytest.approx([0, 1, 1.5, 1.625])
    assert roll.seconds == pytest.approx(1.625)
    assert [steps_within(roll, seconds) for seconds in (0, 1, 1.25, 99)] == [0, 24, 36, 60]


def test_an_excerpt_cuts_what_sounds_across_its_edges_and_keeps_its_tempo():
    roll = roll_of(
        notes_of((0, 30, PIANO, 60, 80), (40, 60, PIANO, 62, 80), (70, 72, BASS, 30, 80)), 72, 24, [60, 90, 120]
    )

    part = excerpt(roll, 24, 50)

    assert part.notes.tolist() == [(0, 6, PIANO, 60, 80), (16, 26, PIANO, 62, 80)]
    assert part.n_steps == 26
    assert part.tempo_bpm.tolist() == [90, 120]


@pytest.mark.parametrize(("start", "stop"), [(0, 97), (48, 24), (-24, 24), (5, 24)])
def test_an_excerpt_outside_the_roll_or_from_within_a_beat_is_refused(start, stop):
    with pytest.raises(ValueError, match=r"do not lie within|whole number of beats"):
        excerpt(bars(1), start, stop)


@given(rolls(steps_per_beat=24), st.sampled_from([12, 8, 4, 1]))
def test_a_coarser_grid_keeps_time_and_never_loses_a_voice(roll, steps_per_beat):
    coarse = coarsen(roll, steps_per_beat)

    ratio = 24 // steps_per_beat
    voices = [set(map(tuple, r.notes[["track", "pitch"]].tolist())) for r in (roll, coarse)]
    assert voices[0] == voices[1]
    assert coarse.n_steps == -(-roll.n_steps // ratio)
    assert coarse.tempo_bpm.tolist() == roll.tempo_bpm.tolist()
    assert (coarse.notes["end"] > coarse.notes["onset"]).all()
    assert without_overlaps(coarse.notes).tolist() == coarse.notes.tolist()
    for note in coarse.notes:
        same_voice = roll.notes[(roll.notes["track"] == note["track"]) & (roll.notes["pitch"] == note["pitch"])]
        assert (np.abs(same_voice["onset"] - int(note["onset"]) * ratio) <= ratio).any()


def test_a_coarser_grid_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="does not divide"):
        coarsen(bars(1), 5)


def test_of_notes_that_meet_on_one_coarse_step_the_loudest_stays_and_ends_where_the_next_begins():
    roll = roll_of(notes_of((0, 2, PIANO, 60, 50), (2, 12, PIANO, 60, 90), (13, 24, PIANO, 60, 70)), 24)

    assert coarsen(roll, 4).notes.tolist() == [(0, 2, PIANO, 60, 90), (2, 4, PIANO, 60, 70)]


@given(rolls(steps_per_beat=4))
def test_a_finer_grid_moves_nothing(roll):
    fine = refine(roll, 24)

    assert fine.seconds == pytest.approx(roll.seconds)
    assert coarsen(fine, 4).notes.tolist() == without_longer_drums(roll).notes.tolist()


def without_longer_drums(roll):
    notes = roll.notes.copy()
    notes["end"] = np.where(notes["track"] == DRUMS, notes["onset"] + 1, notes["end"])
    return roll_of(notes, roll.n_steps, roll.steps_per_beat, roll.tempo_bpm)


def test_the_opening_is_the_first_bar_where_drums_bass_and_another_track_play():
    band = bars(6, tempo_bpm=120)  # a bar lasts 2 s
    late = band.notes[(band.notes["track"] != BASS) | (band.notes["onset"] >= 2 * 96)]
    roll = roll_of(late, band.n_steps)

    part = opening(roll, 5)

    assert part.n_steps == 240
    assert part.seconds == pytest.approx(5)
    assert part.notes.tolist() == excerpt(roll, 192, 432).notes.tolist()


def test_the_opening_keeps_the_tempo_of_its_own_beats():
    tempo = np.repeat([60.0, 120.0], [4, 8])
    roll = roll_of(bars(3).notes[bars(3).notes["onset"] >= 96], 3 * 96, 24, tempo)

    assert opening(roll, 4).tempo_bpm.tolist() == [120] * 8


def test_a_piece_without_a_whole_band_has_no_opening():
    band = bars(4)
    no_drums = roll_of(band.notes[band.notes["track"] != DRUMS], band.n_steps)
    in_turns = roll_of(notes_of((0, 9, DRUMS, 36, 80), (100, 110, BASS, 30, 80), (200, 210, STRINGS, 60, 80)), 384)

    for roll in (no_drums, in_turns):
        with pytest.raises(ValueError, match="no bar in which drums, bass and another track"):
            opening(roll, 1)


def test_an_opening_longer_than_what_follows_is_refused():
    with pytest.raises(ValueError, match=r"Only 8.0 s follow .* fewer than 9 s"):
        opening(bars(4), 9)


def test_an_empty_roll_is_a_roll():
    roll = roll_of(np.zeros(0, NOTE), 0)

    velocity, onsets = dense(roll)

    assert (roll.seconds, roll.n_beats, velocity.shape, onsets.any()) == (0, 0, (5, 0, 128), False)
    assert len(from_dense(velocity).notes) == 0


def test_notes_come_in_one_order_whatever_they_came_in_and_doubles_by_their_end():
    chance = np.random.default_rng(0)
    notes = np.zeros(500, NOTE)
    notes["onset"], notes["track"] = chance.integers(0, 90, 500), chance.integers(0, 5, 500)
    notes["pitch"], notes["velocity"] = chance.integers(0, 128, 500), chance.integers(1, 128, 500)
    notes["end"] = notes["onset"] + chance.integers(1, 9, 500)
    apart = notes[np.unique(notes[["onset", "track", "pitch"]], return_index=True)[1]]

    for some in (notes, apart[chance.permutation(len(apart))]):
        assert (in_order(some) == np.sort(some, order=["onset", "track", "pitch"])).all()
