import hashlib

import numpy as np
import pytest

from music.audio import SAMPLE_RATE
from music.pianoroll import BASS, DRUMS, GUITAR, NOTE, PIANO, STRINGS, TRACKS, roll_of
from music.render import RENDERER, render
from tests.music.bands import bars, notes_of

KICK, CLOSED_HAT = 36, 42


def a_note(track, pitch):
    return roll_of(notes_of((0, 40, track, pitch, 100)), 48)


def fundamental_hertz(sound):
    """Return the pitch of the sound between 0.15 and 0.55 s by autocorrelation: the first peak nearly as high as any."""
    steady = sound[round(0.15 * SAMPLE_RATE) : round(0.55 * SAMPLE_RATE)].mean(axis=1)
    spectrum = np.abs(np.fft.rfft(steady - steady.mean(), 2 * len(steady))) ** 2
    likeness = np.fft.irfft(spectrum)[: len(steady)] / np.arange(len(steady), 0, -1)
    lags = np.arange(SAMPLE_RATE // 1200, SAMPLE_RATE // 45)
    peaks = lags[(likeness[lags] > likeness[lags - 1]) & (likeness[lags] >= likeness[lags + 1])]
    lag = peaks[likeness[peaks] > 0.9 * likeness[peaks].max()][0]
    before, here, after = likeness[lag - 1 : lag + 2]
    return SAMPLE_RATE / (lag + 0.5 * (before - after) / (before - 2 * here + after))


@pytest.mark.parametrize(("track", "pitch"), [(PIANO, 60), (GUITAR, 60), (BASS, 36), (STRINGS, 60)], ids=TRACKS[1:])
def test_each_pitched_track_sounds_the_note_that_is_written(track, pitch):
    written_hertz = 440 * 2 ** ((pitch - 69) / 12)

    cents = 1200 * np.log2(fundamental_hertz(render(a_note(track, pitch))) / written_hertz)

    assert abs(cents) < 30


def test_the_drum_track_plays_the_kit_and_not_a_piano():
    def share_below(hertz, sound):
        power = np.abs(np.fft.rfft(sound.mean(axis=1))) ** 2
        return power[np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) < hertz].sum() / power.sum()

    assert share_below(250, render(a_note(DRUMS, KICK))) > 0.8
    assert share_below(2000, render(a_note(DRUMS, CLOSED_HAT))) < 0.2


def test_the_tracks_sound_each_in_their_own_way():
    sounds = [render(a_note(track, 60)) for track in range(5)]

    likeness = np.corrcoef([sound.mean(axis=1) for sound in sounds])

    assert (np.abs(likeness - np.eye(5)) < 0.9).all()


@pytest.mark.parametrize("tempo_bpm", [120, 97.3, [60, 61, 200]])
def test_the_sound_is_as_long_as_the_roll_to_the_sample(tempo_bpm):
    roll = roll_of(notes_of((0, 12, PIANO, 60, 90), (60, 72, BASS, 40, 90)), 72, tempo_bpm=tempo_bpm)

    sound = render(roll)

    assert sound.shape == (round(roll.seconds * 48_000), 2)
    assert sound.dtype == np.float32


def test_a_note_begins_when_its_step_does_also_after_a_change_of_tempo():
    roll = roll_of(notes_of((48, 60, PIANO, 60, 100)), 96, tempo_bpm=[60, 120, 120, 120])

    sounding = np.flatnonzero(np.abs(render(roll)).max(axis=1) > 0.003)

    assert sounding[0] / SAMPLE_RATE == pytest.approx(1.5, abs=0.02)


def test_the_same_roll_gives_the_same_samples():
    assert np.array_equal(render(bars(1)), render(bars(1)))


def test_a_roll_without_notes_is_silence():
    assert np.array_equal(render(roll_of(np.zeros(0, NOTE), 24)), np.zeros((24_000, 2), np.float32))


def test_the_renderer_names_its_soundfont_by_its_checksum():
    assert (RENDERER["name"], RENDERER["soundfont"]) == ("midirenderer", "TimGM6mb.sf2")
    assert len(bytes.fromhex(RENDERER["soundfont_sha256"])) == hashlib.sha256().digest_size
