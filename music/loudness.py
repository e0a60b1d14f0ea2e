"""How loud a sound is, and bringing it to a loudness: LUFS and true peak as in ITU-R BS.1770-4.

Sound is float32 (samples, 2) at 48 kHz.
"""

import io
import warnings

import numpy as np
import pyloudnorm
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import resample_poly

from music.audio import SAMPLE_RATE, encode_mp3, read

BLOCK_SECONDS = 0.4  # the standard measures in blocks so long; shorter sounds have no loudness
OVERSAMPLING = 4
SILENCE = 1e-4  # -80 dBFS: less than this is a renderer's or a recording's noise
# MP3 at 160 kbit/s shifts peaks: up to 0.5 dB above what went in for music, 1.7 dB for bare hi-hats, the worst tried.
CODEC_HEADROOM_DB = 2.0
TOLERANCE_LU = 0.05
ENCODED_TOLERANCE_LU = 0.2
MAX_ENCODINGS = 6
LIMITER_SECONDS = 0.02
MAX_ROUNDS = 25
MIN_SLOPE = 0.1  # LU gained for a dB of gain; below it the limiter eats what the gain brings


def integrated_lufs(audio):
    """Return the integrated, gated loudness in LUFS (ITU-R BS.1770-4, annex 1); -inf if nothing is above the gate.

    Raises ValueError for less than 0.4 s.
    """
    _check_length(audio)
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore")  # of the means over no block at all that silence leads to
        lufs = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(np.asarray(audio, np.float64))
    return float(lufs) if np.isfinite(lufs) else -np.inf


def _check_length(audio):
    if len(audio) < BLOCK_SECONDS * SAMPLE_RATE:
        raise ValueError(f"The sound lasts {len(audio) / SAMPLE_RATE:.2f} s; loudness needs at least {BLOCK_SECONDS} s")


def true_peak_dbtp(audio):
    """Return the true peak in dBTP: of the sound at four times its sample rate (annex 2); -inf for silence."""
    peak = _peaks(np.asarray(audio, np.float64)).max() if len(audio) else 0.0
    return float(20 * np.log10(peak)) if peak > 0 else -np.inf


def level(audio, lufs=-23.0, peak_dbtp=-1.0):
    """Return the sound at this loudness, within 0.1 LU, and with no true peak above peak_dbtp, also once it is an MP3.

    Most music needs a gain only. Where a peak would stand out, a limiter turns it down over some 20 ms.

    Raises ValueError for silence, for less than 0.4 s, and for a sound so sparse that no gain brings it there.
    """
    _check_length(audio)
    sound = np.asarray(audio, np.float64)
    peaks = _peaks(sound)
    if peaks.max() < SILENCE:
        raise ValueError("The sound is silent, so it cannot be brought to a loudness")
    ceiling = 10 ** ((peak_dbtp - CODEC_HEADROOM_DB) / 20)
    # From full scale down, so that a soft sound is not below the standard's absolute gate of -70 LUFS.
    gain_db, slope, before = -20 * np.log10(peaks.max()), 1.0, None
    for _ in range(MAX_ROUNDS):
        gain = 10 ** (gain_db / 20) * _limiter(peaks * 10 ** (gain_db / 20), ceiling)
        measured = integrated_lufs(sound * gain)
        if abs(measured - lufs) < TOLERANCE_LU:
            return (sound * gain).astype(np.float32)
        if before is not None:
            slope = np.clip((measured - before[1]) / (gain_db - before[0]), MIN_SLOPE / 2, 1.0)
        before = gain_db, measured
        if slope < MIN_SLOPE:
            break
        gain_db += (lufs - measured) / slope
    raise _too_sparse(lufs, peak_dbtp)


def encode_levelled(audio, lufs=-23.0, peak_dbtp=-1.0):
    """Return the sound as MP3 that a decoder gives back at this loudness, within 0.2 LU, and below this true peak.

    The encoder takes something away from bright noise and bare strokes (0.7 LU from a lone side stick), so what it made
    is decoded, measured, and made again where it is off.

    Raises ValueError as level does.
    """
    aim_lufs, aim_dbtp = lufs, peak_dbtp
    for _ in range(MAX_ENCODINGS):
        mp3 = encode_mp3(level(audio, aim_lufs, aim_dbtp))
        heard = read(io.BytesIO(mp3))
        off, over = integrated_lufs(heard) - lufs, true_peak_dbtp(heard) - peak_dbtp
        if abs(off) < ENCODED_TOLERANCE_LU and over <= 0:
            return mp3
        aim_lufs, aim_dbtp = aim_lufs - off, aim_dbtp - max(over, 0)
    raise _too_sparse(lufs, peak_dbtp)


def _too_sparse(lufs, peak_dbtp):
    return ValueError(
        f"The sound is too sparse to be brought to {lufs:g} LUFS with peaks below {peak_dbtp:g} dBTP; a lower loudness may do"
    )


def _limiter(peaks, ceiling):
    """Return the gain that keeps these peaks below the ceiling and moves smoothly: (samples, 1), or 1.0 for no need."""
    if peaks.max() <= ceiling:
        return 1.0
    wanted = ceiling / np.maximum(peaks, ceiling)
    # The least gain wanted within reach, averaged twice over half of that reach, is nowhere above what is wanted.
    half = round(LIMITER_SECONDS * SAMPLE_RATE / 2) // 2 * 2 + 1
    least = minimum_filter1d(wanted, 2 * half - 1, mode="nearest")
    smooth = uniform_filter1d(uniform_filter1d(least, half, mode="nearest"), half, mode="nearest")
    return smooth[:, None]


def _peaks(sound):
    """Return for each sample the highest magnitude of either channel between it and the next: (samples,)."""
    left, right = np.abs(resample_poly(np.ascontiguousarray(sound.T), OVERSAMPLING, 1, axis=1))
    fine = np.maximum(left, right)  # (samples * 4,)
    return np.maximum.reduce([fine[shift::OVERSAMPLING] for shift in range(OVERSAMPLING)])
