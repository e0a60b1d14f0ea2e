import io

import numpy as np
import pytest

from music import audio, loudness
from music.lpd import read
from music.pianoroll import DRUMS, opening, roll_of
from music.render import render
from tests.music.bands import bars, notes_of
from tests.music.sounds import clicks, noise, on_both_sides, silence, tone

SIDE_STICK, CLOSED_HAT, KICK = 37, 42, 36


def strokes(pitch, every_steps, velocity=127):
    """Return the sound of eight seconds of one drum, struck again and again."""
    onsets = range(0, 16 * 24, every_steps)
    return render(roll_of(notes_of(*[(onset, onset + 1, DRUMS, pitch, velocity) for onset in onsets]), 16 * 24))


def test_a_full_scale_sine_of_997_hertz_on_one_side_measures_what_the_standard_says():
    sine = tone(997, seconds=20, peak=1.0)
    sine[:, 1] = 0

    assert loudness.integrated_lufs(sine) == pytest.approx(-3.01, abs=0.1)


def test_silence_between_the_music_does_not_lower_its_loudness():
    with_pause = np.concatenate([tone(1000, 10), silence(10), tone(1000, 10)])

    assert loudness.integrated_lufs(with_pause) == pytest.approx(loudness.integrated_lufs(tone(1000, 10)), abs=0.1)


def test_silence_has_no_loudness_and_no_peak():
    assert loudness.integrated_lufs(silence()) == -np.inf
    assert loudness.true_peak_dbtp(silence()) == -np.inf
    assert loudness.true_peak_dbtp(silence(0)) == -np.inf


def test_a_peak_between_two_samples_is_found():
    t = np.arange(48_000)
    between = on_both_sides(np.sin(np.pi / 2 * t + np.pi / 4))  # 12 kHz: samples at 0.707 of a peak of 1

    assert 20 * np.log10(np.abs(between).max()) == pytest.approx(-3.01, abs=0.01)
    assert loudness.true_peak_dbtp(between[2000:-2000]) == pytest.approx(0, abs=0.5)


def test_the_louder_side_gives_the_peak():
    sound = tone(1000, peak=0.1)
    sound[:, 1] *= 5

    assert loudness.true_peak_dbtp(sound) == pytest.approx(-6.02, abs=0.1)


@pytest.mark.parametrize("lufs", [-23.0, -16.0])
def test_soft_and_loud_music_come_to_one_loudness_by_a_gain_alone(lufs):
    band = render(bars(4))

    for gain in (0.001, 0.1, 3):
        levelled = loudness.level(band * np.float32(gain), lufs)

        assert loudness.integrated_lufs(levelled) == pytest.approx(lufs, abs=0.1)
        assert np.corrcoef(levelled[:, 0], band[:, 0])[0, 1] > 0.999


@pytest.mark.parametrize("sound", [strokes(KICK, 48), strokes(SIDE_STICK, 24), strokes(CLOSED_HAT, 24)])
def test_bare_strokes_come_to_the_loudness_without_standing_out(sound):
    levelled = loudness.level(sound)

    assert loudness.integrated_lufs(levelled) == pytest.approx(-23, abs=0.1)
    assert loudness.true_peak_dbtp(levelled) <= -1


@pytest.mark.parametrize(
    "sound",
    [noise(8), strokes(SIDE_STICK, 24), strokes(CLOSED_HAT, 24), render(bars(4))],
    ids=["noise", "stick", "hat", "band"],
)
def test_what_a_listener_decodes_is_at_the_loudness_and_below_the_peak(sound):
    heard = audio.read(io.BytesIO(loudness.encode_levelled(sound)))

    assert loudness.integrated_lufs(heard) == pytest.approx(-23, abs=0.3)
    assert loudness.true_peak_dbtp(heard) <= -1


def test_real_pieces_come_out_of_the_mp3_at_the_loudness(shared):
    pieces = sorted((shared / "data/lpd5_sample/lpd_5_cleansed").rglob("*.npz"))[3:200:60]
    assert len(pieces) == 4

    for piece in pieces:
        sound = audio.fit_length(render(opening(read(piece), 10)), 10)
        heard = audio.read(io.BytesIO(audio.encode_mp3(loudness.level(sound))))

        assert loudness.integrated_lufs(heard) == pytest.approx(-23, abs=0.3)
        assert loudness.true_peak_dbtp(heard) <= -1


def test_levelling_leaves_the_sound_it_was_given_alone():
    sound = tone()
    before = sound.copy()

    loudness.level(sound)

    assert np.array_equal(sound, before)


@pytest.mark.parametrize(
    ("sound", "sentence"),
    [
        (silence(), "silent"),
        (tone(peak=1e-5), "silent"),
        (tone(seconds=0.39), "lasts 0.39 s; loudness needs at least 0.4 s"),
        (tone(seconds=0), "lasts 0.00 s"),
        (clicks(), "too sparse to be brought to -23 LUFS"),
    ],
)
def test_what_has_no_loudness_to_bring_it_to_is_refused(sound, sentence):
    for deed in (loudness.level, loudness.encode_levelled):
        with pytest.raises(ValueError, match=sentence):
            deed(sound)
