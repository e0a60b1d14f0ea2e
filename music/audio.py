"""Sound as samples: float32 (samples, 2) at 48 kHz throughout; read, cut, kept without loss, and encoded for the page."""

import hashlib
import io
import subprocess
from math import gcd
from os import PathLike
from pathlib import Path

import numpy as np
import soundfile

from music.containers import AudioError, kind_of

SAMPLE_RATE = 48_000
N_CHANNELS = 2
MAX_SECONDS = 600
MP3_BITS_PER_SECOND = 160_000  # at 48 kHz every frame of 1,152 samples takes 480 bytes exactly, whatever it holds
MISSING_SECONDS = 0.05  # a clip may be so much too short: a renderer's and a decoder's rounding
_ENCODING_SECONDS = 120
_LAME_SCALE = (
    0.95  # LAME turns down what it encodes at this rate, by 0.45 dB; undone, so that loudness stays what it was
)
_DECODING_SECONDS = 20
_KINDS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")


def read(file, longest_seconds=MAX_SECONDS):
    """Return the sound of a WAV, FLAC, Ogg or MP3 file: float32 (samples, 2) at 48 kHz; mono sounds on both sides.

    file: a path or an open binary file

    Read by libsndfile, which knows no play lists; ffmpeg reads what is of these kinds but holds a codec that libsndfile
    lacks. Raises AudioError for a file that is none of these, broken, longer than `longest_seconds`, or of more than two
    channels.
    """
    content = Path(file).read_bytes() if isinstance(file, (str, PathLike)) else file.read()
    kind = kind_of(content)
    try:
        opened = soundfile.SoundFile(io.BytesIO(content))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        if kind == "flac" and _bits_of_flac(content) in (8, 16, 24):  # libsndfile lacks nothing here
            raise AudioError("The FLAC file is damaged.", "audio.corrupt") from error
        samples, rate = _read_by_ffmpeg(content, kind, longest_seconds), SAMPLE_RATE
    else:
        samples, rate = _samples(opened, longest_seconds), opened.samplerate
        if kind == "flac":
            _check_flac(content, samples)
    if not np.isfinite(samples).all():
        raise AudioError("The sound holds samples that are not numbers.", "audio.non_finite")
    return _at_48_khz_stereo(samples, rate)


def _samples(opened, longest_seconds):
    """Return what libsndfile reads: float32 (samples, channels)."""
    with opened:
        _check(opened, longest_seconds)
        n_announced = opened.frames
        try:
            samples = opened.read(dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AudioError("The sound is damaged or cut short.", "audio.truncated") from error
    if len(samples) < n_announced:
        raise AudioError("The sound is cut short: the file holds less than its header says.", "audio.truncated")
    return samples


def _check_flac(content, samples):
    """Raise AudioError if these are not the samples that were packed: their MD5 stands in the header (RFC 9639, 8.2).

    libsndfile looks at no checksum of a FLAC file. An encoder that could not go back to the header left zeros there.
    """
    n_bits, known = _bits_of_flac(content), content[26:42]
    if n_bits % 8 or not any(known):
        return
    whole = np.rint(samples * np.float64(2 ** (n_bits - 1))).astype("<i4")
    packed = whole.reshape(-1, 1).view(np.uint8)[:, : n_bits // 8]
    if hashlib.md5(packed.tobytes()).digest() != known:
        raise AudioError("The sound is damaged: its checksum differs.", "audio.corrupt")


def _bits_of_flac(content):
    return (int.from_bytes(content[18:26], "big") >> 36 & 31) + 1


def _read_by_ffmpeg(content, kind, longest_seconds):
    """Return what ffmpeg decodes: float32 (samples, 2) at 48 kHz. It is told the kind, and may open nothing."""
    command = [*_ffmpeg(), "-xerror", "-err_detect", "explode", "-threads", "1", "-f", kind, "-i", "pipe:0"]
    command += ["-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-t", str(longest_seconds + 1)]
    command += ["-f", "f32le", "-ac", str(N_CHANNELS), "-ar", str(SAMPLE_RATE), "pipe:1"]
    try:
        decoder = subprocess.run(command, input=content, capture_output=True, timeout=_DECODING_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise AudioError("The sound takes too long to decode.", "audio.corrupt") from error
    samples = np.frombuffer(decoder.stdout, "<f4", len(decoder.stdout) // 4 // N_CHANNELS * N_CHANNELS)
    if decoder.returncode or not len(samples):
        raise AudioError(
            "This is not a WAV, FLAC, Ogg or MP3 file that can be decoded, or a damaged one.", "audio.corrupt"
        )
    if len(samples) > longest_seconds * SAMPLE_RATE * N_CHANNELS:
        raise AudioError(f"The sound is longer than {longest_seconds:g} s.", "audio.duration")
    return samples.reshape(-1, N_CHANNELS)


def _ffmpeg():
    """The start of every command: pipes alone, so that ffmpeg is given no file name and may open none."""
    # Here, not above: a look at a hostile file needs neither it nor scipy, and should not wait for them.
    import imageio_ffmpeg

    return [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-protocol_whitelist", "pipe"]


def write_master(file, audio):
    """Write the sound as 24-bit FLAC; the same samples give the same bytes.

    file: a path or an open binary file
    """
    flac = io.BytesIO()  # libsndfile does not say why it could not write: that the disk is full, for one
    soundfile.write(flac, np.clip(audio, -1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_24")
    if isinstance(file, (str, PathLike)):
        Path(file).write_bytes(flac.getvalue())
    else:
        file.write(flac.getvalue())


def fit_length(audio, seconds, fade_seconds=1.0):
    """Return the first seconds of the sound, to the sample, faded out at the end.

    fade_seconds: how long before the end the sound begins to fade (by a raised cosine)

    Raises ValueError if the sound is shorter by more than 0.05 s.
    """
    n_samples = round(seconds * SAMPLE_RATE)
    if len(audio) < n_samples - round(MISSING_SECONDS * SAMPLE_RATE):
        raise ValueError(f"The sound lasts {len(audio) / SAMPLE_RATE:.2f} s, less than the {seconds:g} s asked for")
    fitted = np.zeros((n_samples, N_CHANNELS), np.float32)
    fitted[: len(audio)] = audio[:n_samples]
    n_fade = min(round(fade_seconds * SAMPLE_RATE), n_samples)
    fade = 0.5 + 0.5 * np.cos(np.pi * (np.arange(n_fade) + 1) / max(n_fade, 1))  # (samples,), ends at 0
    fitted[n_samples - n_fade :] *= fade[:, None].astype(np.float32)
    return fitted


def encode_mp3(audio):
    """Return the sound as MP3: 160 kbit/s at a constant rate, no tags, so that equal lengths give equally many bytes.

    Raises ValueError if a sample is not a number, and RuntimeError if the encoder fails.
    """
    if not np.isfinite(audio).all():
        raise ValueError("audio: holds samples that are not numbers")
    form = ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", str(N_CHANNELS)]
    untagged = ["-map_metadata", "-1", "-bitexact", "-write_xing", "0", "-id3v2_version", "0"]
    constant = ["-c:a", "libmp3lame", "-b:a", str(MP3_BITS_PER_SECOND), "-abr", "0"]
    command = [*_ffmpeg(), *form, "-i", "pipe:0", *constant, *untagged, "-f", "mp3", "pipe:1"]
    samples = (np.asarray(audio, "<f4") / np.float32(_LAME_SCALE)).tobytes()
    encoder = subprocess.run(command, input=samples, capture_output=True, timeout=_ENCODING_SECONDS, check=False)
    if encoder.returncode:
        raise RuntimeError(f"The MP3 encoder failed: {encoder.stderr.decode(errors='replace').strip()[:200]}")
    return encoder.stdout


def _check(opened, longest_seconds):
    if opened.format not in _KINDS:
        raise AudioError("This is not a WAV, FLAC, Ogg or MP3 file.", "audio.signature")
    if opened.channels > N_CHANNELS:
        raise AudioError(f"The sound has {opened.channels} channels; one or two are needed.", "audio.channels")
    if not 8_000 <= opened.samplerate <= 192_000:
        raise AudioError(
            f"The sound has a sample rate of {opened.samplerate} Hz, not one from 8,000 to 192,000.", "audio.rate"
        )
    if not 0 < opened.frames <= longest_seconds * opened.samplerate:
        raise AudioError(f"The sound is empty or, by its header, longer than {longest_seconds:g} s.", "audio.duration")


def _at_48_khz_stereo(samples, rate):
    if rate != SAMPLE_RATE:
        from scipy.signal import resample_poly

        shared = gcd(rate, SAMPLE_RATE)
        samples = resample_poly(samples, SAMPLE_RATE // shared, rate // shared, axis=0)
    return np.repeat(samples, N_CHANNELS // samples.shape[1], axis=1).astype(np.float32)
