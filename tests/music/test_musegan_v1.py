"""MuseGAN's first figures, as its code has them: worked by hand from its definitions, and beside its paper's Table 1."""

import math

import numpy as np
import pytest

from music import harmony, lpd, musegan_v1, pianoroll
from music.pianoroll import BASS, DRUMS, PIANO, roll_of
from tests.music.bands import bars, chord, notes_of, read_only

STEPS = 96


def clip(*notes, n_bars=1):
    return roll_of(notes_of(*notes), n_bars * STEPS)


def test_its_pitch_classes_are_seven_neighbouring_semitones():
    octaves, triad = clip(*chord(0, 96, 48, 60, 72)), clip(*chord(0, 96, 60, 64, 67))

    # From 24 upwards in sevens: 24-30, 31-37, 38-44, 45-51, 52-58, 59-65, 66-72.
    assert musegan_v1.measure(clip(*chord(0, 96, 30, 31)))["UPC.piano"] == 2
    assert musegan_v1.measure(octaves)["UPC.piano"] == 3
    assert musegan_v1.measure(triad)["UPC.piano"] == 2
    assert [harmony.pitch_classes(roll)["Piano"] for roll in (octaves, triad)] == [1, 3]


def test_its_notes_qualify_from_two_steps_and_are_cut_at_bar_lines():
    roll = clip((0, 1, PIANO, 60, 80), (10, 12, PIANO, 60, 80), (90, 97, PIANO, 60, 80), n_bars=2)

    assert musegan_v1.measure(roll)["QN.piano"] == pytest.approx((2 / 3 + 0 / 1) / 2)


def test_its_polyphony_begins_with_two_pitches_and_leaves_silent_bars_out():
    roll = clip(*chord(0, 24, 60, 64), (24, 96, PIANO, 60, 80), n_bars=2)

    found = musegan_v1.measure(roll)

    assert (found["PP.piano"], found["EB.piano"], found["EB.bass"]) == (24 / 96, 1 / 2, 1)
    assert found["PP.bass"] is found["UPC.bass"] is found["QN.bass"] is None


def test_its_drum_pattern_may_begin_on_any_step_and_forgives_one_that_is_next_to_it():
    steps = {2: 36, 7: 36, 14: 36, 15: 38, 17: 36}  # in the pattern moved by two they weigh 1, 0.3, 1, 0.3 and 0
    strokes = [(step, step + 1, DRUMS, pitch, 80) for step, pitch in steps.items()]

    assert musegan_v1.measure(clip(*strokes))["DP"] == pytest.approx(2.6 / 5)
    assert musegan_v1.measure(clip((0, 9, PIANO, 60, 80)))["DP"] is None


def test_its_tonal_distance_needs_both_tracks_in_every_beat_of_a_bar():
    # 48 is in its group 3 and 41, a fifth lower, in group 2: one turn of 1/12, as if it were a semitone.
    semitone = math.hypot(2 * math.sin(7 * math.pi / 12), 2 * math.sin(3 * math.pi / 4), math.sin(math.pi / 3))
    both = clip(
        (0, 96, PIANO, 48, 80), (0, 96, BASS, 41, 80), (96, 192, PIANO, 48, 80), (96, 160, BASS, 48, 80), n_bars=2
    )

    found = musegan_v1.measure(both)

    assert found["TD.piano-bass"] == pytest.approx(semitone)
    assert found["TD.piano-guitar"] is None


def test_coarser_grids_are_refined_and_others_refused():
    fine = bars(2)

    assert musegan_v1.measure(pianoroll.coarsen(fine, 4)).keys() == musegan_v1.measure(read_only(fine)).keys()
    with pytest.raises(ValueError, match="24 is not a multiple of the roll's 10"):
        musegan_v1.measure(roll_of(notes_of((0, 5, PIANO, 60, 80)), 40, 10))


def test_a_clip_without_a_bar_has_no_figures():
    assert set(musegan_v1.measure(roll_of(notes_of((0, 5, PIANO, 60, 80)), 95)).values()) == {None}


def test_real_music_comes_near_the_training_row_of_the_paper_which_tells_no_harmony_from_another(shared):
    files = sorted((shared / "data/lpd5_train").rglob("*.npz"))[::25]
    songs = [pianoroll.excerpt(roll, 0, 16 * STEPS) for roll in map(lpd.read, files) if roll.n_steps >= 16 * STEPS]
    mixed = [_with_bass_of(song, other) for song, other in zip(songs, songs[1:] + songs[:1], strict=True)]

    def mean(rolls, name):
        return np.mean([value for roll in rolls if (value := musegan_v1.measure(roll)[name]) is not None])

    # Rock there, all genres here: TD of bass and guitar, bass and strings, guitar and piano; UPC of guitar; DP.
    paper = {"TD.guitar-bass": 1.57, "TD.bass-strings": 1.58, "TD.piano-guitar": 1.02, "UPC.guitar": 3.08, "DP": 0.886}
    assert {name: mean(songs, name) for name in paper} == pytest.approx(paper, rel=0.15)
    real, shuffled = mean(songs, "TD.bass-strings"), mean(mixed, "TD.bass-strings")
    assert shuffled / real == pytest.approx(1, abs=0.05)
    right = [
        np.mean([value for roll in rolls if (value := harmony.tonal_distances(roll)["Bass", "Strings"][0]) is not None])
        for rolls in (songs, mixed)
    ]
    assert right[1] / right[0] > 1.2


def _with_bass_of(song, other):
    notes = [song.notes[song.notes["track"] != BASS], other.notes[other.notes["track"] == BASS]]
    return roll_of(np.concatenate(notes), song.n_steps)
