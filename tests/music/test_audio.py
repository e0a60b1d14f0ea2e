import csv
import io
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from music import audio
from music.render import render
from tests.music.bands import bars
from tests.music.sounds import clicks, noise, silence, tone


def a_file(samples, rate=48_000, **kind):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **kind)
    file.seek(0)
    return file


# Reading


def test_a_master_reads_back_as_it_was_to_24_bits():
    file = io.BytesIO()
    sound = noise()

    audio.write_master(file, sound)

    file.seek(0)
    assert np.abs(audio.read(file) - sound).max() < 2**-23
    assert soundfile.info(io.BytesIO(file.getvalue())).subtype == "PCM_24"


def test_the_same_sound_makes_the_same_master_and_no_sample_wraps_around(tmp_path):
    loud = tone(peak=1.5)

    audio.write_master(tmp_path / "a.flac", loud)
    audio.write_master(tmp_path / "b.flac", loud)

    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()
    assert np.abs(audio.read(tmp_path / "a.flac") - np.clip(loud, -1, 1)).max() < 2**-22


@pytest.mark.parametrize(
    ("rate", "kind"),
    [
        (44_100, {"format": "WAV", "subtype": "PCM_16"}),
        (22_050, {"format": "FLAC"}),
        (48_000, {"format": "OGG", "subtype": "VORBIS"}),
        (44_100, {"format": "MP3"}),
    ],
)
def test_other_rates_and_mono_become_48_khz_stereo_at_the_same_pitch(rate, kind):
    one_side = 0.2 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)

    sound = audio.read(a_file(one_side, rate, **kind))

    assert sound.shape == (pytest.approx(48_000, abs=100), 2)
    assert np.array_equal(sound[:, 0], sound[:, 1])
    spectrum = np.abs(np.fft.rfft(sound[:, 0]))
    assert np.argmax(spectrum) * 48_000 / len(sound) == pytest.approx(1000, abs=2)
    assert np.abs(sound).max() == pytest.approx(0.2, abs=0.03)


def test_each_hostile_file_is_refused_for_what_is_wrong_with_it_and_the_valid_ones_are_read(shared):
    folder = shared / "data/uploads"
    manifest = {row["file"]: row for row in csv.DictReader((folder / "MANIFEST.csv").read_text().splitlines())}
    # Silence and ten milliseconds are sound; whether they are a clip is for others to say.
    hostile = [row for row in manifest.values() if row["kind"] == "audio" and row["problem_code"] != "audio.silent"]
    found = {}

    for row in hostile:
        try:
            found[row["file"]] = len(audio.read(folder / row["file"], longest_seconds=120))
        except audio.AudioError as refusal:
            found[row["file"]] = refusal.problem

    assert found == {row["file"]: row["problem_code"] for row in hostile} | {
        "a18_too_short.wav": 479,
        "ok16_pcm16.wav": 96_000,
        "ok17_pcm24_stereo_48k.wav": 48_000,
        "ok18_float.wav": 96_000,
        "ok19.flac": 96_000,
    }


def test_a_codec_that_libsndfile_lacks_is_read_by_ffmpeg(tmp_path):
    file = tmp_path / "yamaha.wav"
    form = ["-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "pipe:0", "-c:a", "adpcm_yamaha", "-f", "wav"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    subprocess.run([*ffmpeg, *form, file], input=tone().tobytes(), check=True)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.SoundFile(file)

    sound = audio.read(file)

    assert len(sound) == pytest.approx(96_000, abs=2_048)
    assert np.abs(np.fft.rfft(sound[:48_000, 0])).argmax() == 440
    with pytest.raises(audio.AudioError, match="longer than 1 s"):
        audio.read(file, longest_seconds=1)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (io.BytesIO(b"not a sound"), "not a WAV"),
        (a_file(np.zeros((100, 3)), format="WAV"), "3 channels"),
        (a_file(np.zeros((100, 2)), 4_000, format="WAV"), "sample rate of 4,000 Hz"),
        (a_file(np.zeros((0, 2)), format="WAV"), "empty"),
        (a_file(np.full(100, np.nan), format="WAV", subtype="FLOAT"), "not numbers"),
        (a_file(np.zeros((100, 2)), format="AIFF"), "not a WAV"),
        (a_file(np.zeros(8_000 * 601), 8_000, format="FLAC"), "longer than 600 s"),
    ],
)
def test_a_refusal_says_what_is_wrong(file, sentence):
    with pytest.raises(audio.AudioError, match=sentence):
        audio.read(file)


# Length


def test_a_fitted_sound_is_exact_to_the_sample_and_fades_to_nothing():
    fitted = audio.fit_length(np.ones((100_000, 2), np.float32), 2.0, fade_seconds=0.5)

    assert fitted.shape == (96_000, 2)
    assert (fitted[:72_000] == 1).all()
    assert (np.diff(fitted[72_000:, 0]) <= 0).all()
    assert fitted[84_000, 0] == pytest.approx(0.5, abs=1e-3)
    assert fitted[-1].tolist() == [0, 0]


def test_a_sound_a_little_too_short_is_filled_and_one_much_too_short_is_refused():
    assert audio.fit_length(tone(seconds=1.96), 2.0).shape == (96_000, 2)

    with pytest.raises(ValueError, match=r"lasts 1.94 s, less than the 2 s"):
        audio.fit_length(tone(seconds=1.94), 2.0)


def test_fitting_leaves_the_sound_it_was_given_alone():
    sound = np.ones((96_000, 2), np.float32)

    audio.fit_length(sound, 2.0)

    assert (sound == 1).all()


# Encoding


def test_equally_long_sounds_make_equally_many_bytes_whatever_they_hold():
    music = render(bars(2))
    seconds = len(music) / 48_000

    sizes = {
        len(audio.encode_mp3(sound))
        for sound in (noise(seconds), tone(440, seconds), silence(seconds), clicks(seconds), music)
    }

    assert sizes == {168 * 480}  # frames of 1,152 samples, 480 bytes each


def test_thirty_seconds_make_600_480_bytes():
    assert len(audio.encode_mp3(silence(30))) == 600_480


def test_the_mp3_carries_no_tag_and_no_header_that_could_tell_clips_apart():
    mp3 = audio.encode_mp3(tone())

    assert mp3[:2] == b"\xff\xfb"
    assert not any(mark in mp3 for mark in (b"ID3", b"TAG", b"Xing", b"Info", b"Lavf"))
    assert {mp3[at : at + 2] for at in range(0, len(mp3), 480)} == {b"\xff\xfb"}


def test_the_mp3_sounds_as_loud_as_what_went_in():
    sound = tone(1000, seconds=3)

    heard = audio.read(io.BytesIO(audio.encode_mp3(sound)))

    middle = slice(48_000, 96_000)
    assert np.std(heard[middle]) == pytest.approx(np.std(sound[middle]), rel=0.01)


def test_the_same_sound_makes_the_same_mp3():
    assert audio.encode_mp3(tone()) == audio.encode_mp3(tone())


def test_a_sound_with_a_sample_that_is_no_number_is_not_encoded():
    with pytest.raises(ValueError, match="not numbers"):
        audio.encode_mp3(np.full((48_000, 2), np.nan, np.float32))
