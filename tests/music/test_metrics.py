"""All figures of a clip: held against muspy where it measures the same, and against what must always be true."""

import json
import math
from itertools import pairwise

import muspy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music import lpd, metrics, pianoroll
from music.pianoroll import BASS, DRUMS, GUITAR, PIANO, PROGRAMS, TRACKS, roll_of
from tests.music.bands import bars, chord, notes_of, read_only, rolls, transposed, tunes

ABOUT_PITCH = {
    "dissonance",
    "polyphony",
    "pitch_classes",
    "tonal_distance",
    "pitch_class_entropy",
    "pitch_class_entropy.1-bar",
    "pitch_class_entropy.4-bars",
    "scale_consistency",
    "self_repeat",
}


def as_muspy(roll):
    """Return the roll as muspy's Music."""
    tracks = []
    for number, program in enumerate(PROGRAMS):
        notes = roll.notes[roll.notes["track"] == number]
        tracks.append(
            muspy.Track(
                program=program,
                is_drum=number == DRUMS,
                notes=[
                    muspy.Note(
                        time=int(note["onset"]), pitch=int(note["pitch"]), duration=int(note["end"] - note["onset"])
                    )
                    for note in notes
                ],
            )
        )
    return muspy.Music(resolution=roll.steps_per_beat, tracks=tracks)


def same(ours, theirs):
    return ours is None if math.isnan(theirs) else ours == pytest.approx(theirs)


@given(tunes())
def test_muspy_finds_the_same_where_it_measures_the_same(roll):
    theirs, ours = as_muspy(roll), metrics.measure(roll)

    assert same(ours["pitch_class_entropy"], muspy.pitch_class_entropy(theirs))
    assert same(ours["scale_consistency"], muspy.scale_consistency(theirs))
    assert same(ours["polyphony"], muspy.polyphony(theirs))
    assert same(ours["drum_pattern.duple"], muspy.drum_in_pattern_rate(theirs, "duple"))
    assert same(ours["drum_pattern.triple"], muspy.drum_in_pattern_rate(theirs, "triple"))


@given(tunes(), st.sampled_from([PIANO, GUITAR, BASS]))
def test_muspy_finds_the_same_polyphonic_steps_of_one_track(roll, track):
    alone = roll.notes[roll.notes["track"] == track]
    alone["onset"][:1] = 0
    until_the_last = roll_of(pianoroll.without_overlaps(alone), int(alone["end"].max(initial=1)))

    ours = metrics.measure(until_the_last)[f"polyphonic_steps.{TRACKS[track].lower()}"]

    assert same(ours, muspy.polyphony_rate(as_muspy(until_the_last), threshold=2) if len(alone) else math.nan)


@given(tunes())
def test_muspy_finds_the_same_groove_where_the_music_does_not_end_on_a_bar_line(roll):
    end = int(roll.notes["end"].max())
    to_the_bar_line = roll_of(roll.notes, (end // 96 + 1) * 96)

    assert same(metrics.measure(to_the_bar_line)["groove_consistency"], muspy.groove_consistency(as_muspy(roll), 96))


@given(st.one_of(rolls(), tunes()))
def test_every_figure_is_a_finite_number_or_none_and_the_roll_stays_as_it_was(roll):
    before = roll.notes.copy()

    found = metrics.measure(read_only(roll))

    assert (roll.notes == before).all()
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in found.values())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == list(metrics.measure(bars(2)))


@given(tunes(), st.integers(-11, 11))
def test_a_key_higher_or_lower_sounds_the_same_in_every_figure(roll, semitones):
    before, after = metrics.measure(roll), metrics.measure(transposed(roll, semitones))

    assert after == {name: value if value is None else pytest.approx(value) for name, value in before.items()}


@given(tunes(steps_per_beat=4), st.sampled_from([12, 24]))
def test_a_finer_grid_changes_no_figure_of_pitch(roll, steps_per_beat):
    coarse, fine = metrics.measure(roll), metrics.measure(pianoroll.refine(roll, steps_per_beat))

    shared = {name for name in coarse if name.split(".")[0] in ABOUT_PITCH | {"empty_bars", "density_drift", "on_beat"}}
    assert len(shared) > 20
    assert {name: fine[name] for name in shared} == {
        name: coarse[name] if coarse[name] is None else pytest.approx(coarse[name]) for name in shared
    }


def test_the_headline_is_twelve_figures_of_the_whole_clip():
    found = metrics.measure(bars(8))

    headline = metrics.headline(found)

    assert len(headline) == 12
    assert headline == {name: found[name] for name in metrics.HEADLINE}
    assert None not in headline.values()


def test_a_figure_of_tracks_is_the_mean_of_those_that_play_and_of_pairs_of_those_that_meet():
    roll = roll_of(
        notes_of(*chord(0, 32, 60, 64, 67), *chord(0, 16, 48, track=BASS), *chord(16, 20, 50, 62, track=GUITAR)), 64, 4
    )

    found = metrics.measure(roll)

    assert found["empty_bars"] == pytest.approx((2 / 4 + 3 / 4 + 3 / 4) / 3)
    assert found["pitch_classes"] == pytest.approx((3 + 1 + 1) / 3)
    pairs = [found["tonal_distance.piano-bass"], found["tonal_distance.piano-guitar"]]
    assert found["tonal_distance.guitar-bass"] is found["tonal_distance.piano-strings"] is None
    assert found["tonal_distance"] == pytest.approx(sum(pairs) / 2)


def test_a_silent_clip_has_no_headline():
    found = metrics.measure(roll_of(notes_of(), 96 * 4))

    assert {name: value for name, value in metrics.headline(found).items() if value is not None} == {}
    assert found["empty_bars.piano"] == 1
    assert found["notes_per_beat"] == 0


def test_real_music_is_in_a_scale_and_less_dissonant_than_its_own_tracks_out_of_step(shared):
    files = sorted((shared / "data/lpd5_train").rglob("*.npz"))[::40]
    songs = [pianoroll.excerpt(roll, 0, 64 * 24) for roll in map(lpd.read, files) if roll.n_steps >= 64 * 24]

    real = [metrics.measure(song) for song in songs]
    mixed = [metrics.measure(_bass_of(song, other)) for song, other in pairwise(songs)]

    for name, closer in (("dissonance", np.less), ("tonal_distance", np.less), ("scale_consistency", np.greater)):
        means = [np.mean([found[name] for found in group if found[name] is not None]) for group in (real, mixed)]
        assert closer(*means), name
    assert np.mean([found["scale_consistency"] for found in real]) > 0.9


def _bass_of(song, other):
    notes = [song.notes[song.notes["track"] != BASS], other.notes[other.notes["track"] == BASS]]
    return roll_of(np.concatenate(notes), song.n_steps)
