"""Sounds made for tests: float32 (samples, 2) at 48 kHz."""

import numpy as np

from music.audio import SAMPLE_RATE


def tone(hertz=440.0, seconds=2.0, peak=0.2):
    """Return a sine on both sides."""
    return on_both_sides(peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE))


def noise(seconds=2.0, peak=0.1, seed=0):
    """Return white noise on both sides."""
    return on_both_sides(np.random.default_rng(seed).uniform(-peak, peak, round(seconds * SAMPLE_RATE)))


def silence(seconds=2.0):
    return on_both_sides(np.zeros(round(seconds * SAMPLE_RATE)))


def clicks(seconds=4.0, peak=0.9):
    """Return one loud sample a second, and nothing between."""
    sound = np.zeros(round(seconds * SAMPLE_RATE))
    sound[100::SAMPLE_RATE] = peak
    return on_both_sides(sound)


def on_both_sides(samples):
    return np.stack([samples, samples], axis=1).astype(np.float32)
