"""Figures of pitch, each on music that the eye can check: four steps a beat, so 16 a bar."""

import math

import numpy as np
import pytest

from music import harmony
from music.pianoroll import BASS, DRUMS, GUITAR, PIANO, STRINGS, roll_of
from tests.music.bands import chord, notes_of

BAR = 16
C, D, E, F_SHARP, G = 60, 62, 64, 66, 67


def clip(*notes, bars=1):
    return roll_of(notes_of(*notes), bars * BAR, 4)


def test_three_octaves_of_c_are_one_pitch_class_and_a_triad_is_three():
    octaves, triad = clip(*chord(0, 16, 48, 60, 72)), clip(*chord(0, 16, C, E, G))

    assert harmony.pitch_classes(octaves) == {"Piano": 1, "Guitar": None, "Bass": None, "Strings": None}
    assert harmony.pitch_classes(triad)["Piano"] == 3


def test_pitch_classes_are_counted_in_each_bar_that_a_note_sounds_in_and_silent_bars_are_passed_over():
    roll = clip(*chord(0, 4, C, E, G), (12, 20, PIANO, D, 80), bars=3)  # C E G D, then D, then nothing

    assert harmony.pitch_classes(roll)["Piano"] == (4 + 1) / 2


def test_a_bar_that_the_clip_cuts_short_is_no_bar():
    roll = roll_of(notes_of(*chord(0, 4, C), *chord(16, 20, C, E, G)), 20, 4)

    assert harmony.pitch_classes(roll)["Piano"] == 1


def test_more_than_two_pitches_make_a_step_polyphonic():
    roll = clip(*chord(0, 4, C, E, G), *chord(4, 12, C, E), *chord(0, 16, 40, 43, track=BASS))

    shares = harmony.polyphonic_steps(roll)

    assert shares == {"Piano": 4 / 16, "Guitar": None, "Bass": 0, "Strings": None}


def test_polyphony_counts_a_pitch_of_two_tracks_once_and_leaves_silence_and_drums_out():
    roll = clip(*chord(0, 4, C, E), (0, 8, GUITAR, C, 80), (12, 13, DRUMS, 36, 80))  # two pitches, then one

    assert harmony.polyphony(roll) == (4 * 2 + 4 * 1) / 8


def test_entropy_of_pitch_classes():
    halves_and_quarters = clip(*chord(0, 1, 48, 60, E, G))
    all_twelve = clip(*chord(0, 1, *range(60, 72)))

    assert harmony.pitch_class_entropy(halves_and_quarters) == pytest.approx(1.5)
    assert harmony.pitch_class_entropy(all_twelve) == pytest.approx(math.log2(12))
    assert harmony.pitch_class_entropy(clip((0, 1, DRUMS, 36, 80))) is None


def test_entropy_of_windows_is_the_mean_over_all_of_them_that_have_notes():
    pairs = [chord(16 * bar, 16 * bar + 1, *pitches) for bar, pitches in enumerate([(C, E), (C,), (), (D, G), (G,)])]
    roll = clip(*(note for pair in pairs for note in pair), bars=5)

    one, four = harmony.window_entropy(roll, 1), harmony.window_entropy(roll, 4)

    assert one == pytest.approx((1 + 0 + 1 + 0) / 4)
    # Bars one to four: C C E D G; bars two to five: C D G G.
    assert four == pytest.approx(((0.4 * math.log2(2.5) + 3 * 0.2 * math.log2(5)) + 1.5) / 2)
    assert harmony.window_entropy(clip((0, 1, PIANO, C, 80), bars=3), 4) is None
    assert harmony.window_entropy(clip((0, 1, DRUMS, C, 80)), 1) is None


@pytest.mark.parametrize("root", range(12))
@pytest.mark.parametrize("scale", [(0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)])
def test_each_major_and_minor_scale_is_consistent_and_a_note_beside_it_is_not(scale, root):
    inside = [48 + root + step for step in scale]
    beside = 48 + root + 1  # neither scale has the semitone above its root

    assert harmony.scale_consistency(clip(*chord(0, 1, *inside))) == 1
    assert harmony.scale_consistency(clip(*chord(0, 1, *inside, beside))) == pytest.approx(7 / 8)


def test_a_chromatic_run_is_as_inconsistent_as_can_be_and_a_raised_seventh_is_out_of_the_minor_scale():
    assert harmony.scale_consistency(clip(*chord(0, 1, *range(60, 72)))) == pytest.approx(7 / 12)
    assert harmony.scale_consistency(clip(*chord(0, 1, 60, 62, 63, 65, 67, 68, 71))) == pytest.approx(6 / 7)  # no minor
    assert harmony.scale_consistency(clip()) is None


@pytest.mark.parametrize(
    ("pitches", "share"),
    [
        ((C, E, G), 0),
        ((C, D), 1),
        ((C, D + 12), 1),
        ((C, 71), 1),  # a major seventh
        ((C, F_SHARP), 1),
        ((C, E, F_SHARP), 2 / 3),
        ((C, 72, G), 0),  # the octave is no interval that counts: C G and G C are left
        ((C, 72, D), 1),
    ],
)
def test_dissonant_are_seconds_sevenths_and_the_tritone(pitches, share):
    assert harmony.dissonance(clip(*chord(0, 4, *pitches))) == pytest.approx(share)


def test_dissonance_is_heard_whenever_a_note_begins_with_all_that_still_sounds():
    roll = clip(
        (0, 8, PIANO, C, 80),  # alone: no interval, passed over
        (4, 6, GUITAR, D, 80),  # with C: dissonant
        (8, 12, STRINGS, E, 80),  # C has ended: alone
        (10, 12, BASS, C, 80),  # with E: consonant
        (11, 12, DRUMS, D, 80),  # drums have no pitch
    )

    assert harmony.dissonance(roll) == (1 + 0) / 2
    assert harmony.dissonance(clip((0, 8, PIANO, C, 80), (0, 8, STRINGS, C, 80))) is None


def test_a_tritone_is_farther_than_a_fifth_and_the_same_notes_are_at_no_distance():
    def distance(lower, upper):
        roll = clip((0, 4, BASS, lower, 80), (0, 4, PIANO, upper, 80))
        return harmony.tonal_distances(roll)["Piano", "Bass"][0]

    # A fifth turns the circle of fifths by 30 degrees, that of minor thirds by 90, that of major thirds (radius a half)
    # by 120; a chord of an angle is 2 sin(angle / 2).
    fifth = math.hypot(2 * math.sin(math.pi / 12), 2 * math.sin(math.pi / 4), math.sin(math.pi / 3))
    assert distance(48, 60) == pytest.approx(0)
    assert distance(48, 67) == pytest.approx(fifth)
    assert distance(50, 69) == pytest.approx(fifth)
    assert distance(48, 66) == pytest.approx(math.hypot(2, 2))  # a tritone turns them by 180, 180 and 0 degrees


def test_tonal_distance_is_taken_in_beats_where_both_sound_and_the_rest_is_told():
    roll = clip(
        (0, 16, STRINGS, C, 80),
        (0, 4, BASS, 48, 80),
        (8, 10, BASS, 43, 80),
    )

    found = harmony.tonal_distances(roll)

    assert len(found) == 6
    distance, skipped = found["Bass", "Strings"]
    assert distance == pytest.approx(
        (0 + math.hypot(2 * math.sin(math.pi / 12), 2 * math.sin(math.pi / 4), math.sin(math.pi / 3))) / 2
    )
    assert skipped == 0.5
    assert found["Piano", "Guitar"] == (None, 1.0)


def test_a_longer_note_weighs_more_in_a_beat():
    even = clip((0, 2, PIANO, C, 80), (2, 4, PIANO, G, 80), (0, 4, BASS, 48, 80))
    mostly_c = clip((0, 3, PIANO, C, 80), (3, 4, PIANO, G, 80), (0, 4, BASS, 48, 80))

    distances = [harmony.tonal_distances(roll)["Piano", "Bass"][0] for roll in (even, mostly_c)]

    assert distances[0] == pytest.approx(2 * distances[1])


def test_a_clip_without_length_has_no_answers():
    empty = roll_of(notes_of(), 0, 4)

    assert set(harmony.pitch_classes(empty).values()) == {None}
    assert set(harmony.polyphonic_steps(empty).values()) == {None}
    assert set(harmony.tonal_distances(empty).values()) == {(None, None)}
    assert np.isfinite(harmony.TONAL_SPACE).all()
