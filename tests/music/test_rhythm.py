"""Figures of time, each on music that the eye can check."""

import pytest

from music import rhythm
from music.pianoroll import BASS, DRUMS, PIANO, STRINGS, roll_of
from tests.music.bands import chord, notes_of


def clip(*notes, bars=1, steps_per_beat=4):
    return roll_of(notes_of(*notes), bars * 4 * steps_per_beat, steps_per_beat)


def strokes(*steps):
    return [(step, step + 1, DRUMS, 36, 100) for step in steps]


def test_a_bar_is_empty_if_nothing_sounds_in_it_not_if_nothing_begins():
    roll = clip((0, 40, STRINGS, 60, 80), (0, 4, BASS, 40, 80), (16, 20, BASS, 40, 80), *strokes(60), bars=4)

    assert rhythm.empty_bars(roll) == {"Drums": 3 / 4, "Piano": 1, "Guitar": 1, "Bass": 2 / 4, "Strings": 1 / 4}
    assert rhythm.empty_bars(roll_of(notes_of(*strokes(0)), 15, 4))["Drums"] is None


@pytest.mark.parametrize(("length", "qualified", "short"), [(2, 0, 1), (3, 1, 1), (5, 1, 1), (6, 1, 0), (24, 1, 0)])
def test_a_qualified_note_lasts_an_eighth_of_a_beat_and_a_short_one_less_than_a_sixteenth(length, qualified, short):
    roll = clip((0, length, PIANO, 60, 80), *strokes(0, 6), steps_per_beat=24)

    assert rhythm.qualified_notes(roll) == {"Piano": qualified, "Guitar": None, "Bass": None, "Strings": None}
    assert rhythm.short_notes(roll) == short


def test_two_notes_that_touch_are_two_notes():
    roll = clip((0, 2, PIANO, 60, 80), (2, 4, PIANO, 60, 80), (4, 24, PIANO, 62, 80), steps_per_beat=24)

    assert rhythm.qualified_notes(roll)["Piano"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(("steps_per_beat", "qualified", "short"), [(4, None, None), (8, None, 1.0), (12, 0.0, 1.0)])
def test_what_the_grid_alone_decides_has_no_answer(steps_per_beat, qualified, short):
    roll = clip((0, 1, PIANO, 60, 80), steps_per_beat=steps_per_beat)

    assert rhythm.qualified_notes(roll)["Piano"] == qualified
    assert rhythm.short_notes(roll) == short


def test_onsets_on_beats_eighths_and_sixteenths():
    roll = clip(*strokes(0, 12, 18, 25), (24, 48, PIANO, 60, 80), steps_per_beat=24)

    assert [rhythm.on_grid(roll, per_beat) for per_beat in (1, 2, 4)] == [2 / 5, 3 / 5, 4 / 5]
    assert rhythm.on_grid(clip(*strokes(0), steps_per_beat=4), 4) is None
    assert rhythm.on_grid(clip(steps_per_beat=24), 1) is None


def test_drums_on_sixteenths_and_on_thirds():
    roll = clip(*strokes(0, 6, 8, 16, 5), (3, 9, PIANO, 60, 80), steps_per_beat=24)

    assert rhythm.drum_pattern(roll) == (2 / 5, 3 / 5)
    assert rhythm.drum_pattern(clip(*strokes(0), steps_per_beat=4)) == (None, None)
    assert rhythm.drum_pattern(clip((3, 9, PIANO, 60, 80), steps_per_beat=24)) == (None, None)


def test_notes_of_the_last_quarter_for_each_of_the_first():
    roll = clip(*strokes(0, 3, 4, 11, 12, 13, 14, 15))

    assert rhythm.density_drift(roll) == 4 / 2
    assert rhythm.density_drift(clip(*strokes(4, 12))) is None
    assert rhythm.notes_per_beat(roll) == 8 / 4


def test_groove_compares_neighbouring_bars_step_by_step():
    roll = clip(*strokes(0, 8, 16, 24, 32, 36), bars=3)  # the third bar differs from the second in two steps

    assert rhythm.groove_consistency(roll) == 1 - (0 + 2) / 2 / 16
    assert rhythm.groove_similarity(roll) == pytest.approx(1 - (0 + 2 + 2) / 3 / 16)


def test_four_bars_alike_have_one_groove_though_the_music_ends_on_the_bar_line():
    roll = clip(*(note for bar in range(4) for note in chord(16 * bar, 16 * bar + 16, 60)), bars=4)

    assert rhythm.groove_consistency(roll) == rhythm.groove_similarity(roll) == 1
    assert rhythm.groove_consistency(clip(*strokes(0))) is rhythm.groove_similarity(clip(*strokes(0))) is None


def test_groove_depends_on_the_grid():
    on_eighths = [clip(*strokes(0, 2, 16, 22), bars=2), clip(*strokes(0, 12, 96, 132), bars=2, steps_per_beat=24)]

    coarse, fine = (rhythm.groove_consistency(roll) for roll in on_eighths)

    assert (coarse, fine) == (1 - 2 / 16, 1 - 2 / 96)


def test_a_bar_repeats_itself_as_far_as_it_shares_its_onsets_with_one_of_eight_before():
    first, second = [(0, 4, PIANO, 60, 80), (4, 8, PIANO, 62, 80)], [(16, 20, PIANO, 60, 80), (20, 24, PIANO, 64, 80)]
    third = [(32, 33, PIANO, 60, 80), (36, 48, PIANO, 62, 80)]  # lengths do not count

    assert rhythm.self_repeat(clip(*first, *second, bars=2)) == pytest.approx(1 / 3)
    assert rhythm.self_repeat(clip(*first, *second, *third, bars=3)) == pytest.approx((1 / 3 + 1) / 2)


def test_another_track_or_octave_is_no_repetition_and_a_silent_bar_is_passed_over():
    moved = clip((0, 4, PIANO, 60, 80), (32, 36, STRINGS, 60, 80), (48, 52, PIANO, 72, 80), bars=4)

    assert rhythm.self_repeat(moved) == 0
    assert rhythm.self_repeat(clip((0, 4, PIANO, 60, 80), bars=4)) is None
    assert rhythm.self_repeat(clip((32, 36, PIANO, 60, 80), bars=4)) == 0


@pytest.mark.parametrize(("bar", "share"), [(8, 1), (9, 0)])
def test_what_was_heard_longer_ago_than_eight_bars_is_new(bar, share):
    roll = clip((0, 4, PIANO, 60, 80), (16 * bar, 16 * bar + 4, PIANO, 60, 80), bars=10)

    assert rhythm.self_repeat(roll) == share


def test_repetition_is_heard_by_the_nearest_sixteenth():
    roll = clip((2, 9, PIANO, 60, 80), (98, 99, PIANO, 60, 80), (191, 192, PIANO, 60, 80), bars=3, steps_per_beat=24)

    assert rhythm.self_repeat(roll) == (1 + 1) / 2
