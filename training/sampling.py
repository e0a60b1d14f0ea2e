"""From a checkpoint to new rolls.

Chance comes from outside the graph: each clip has a NumPy generator of its own, spawned from the seed, and its draws go
into one compiled graph. Batches have one fixed size, padded, so clip k is the same however many are asked for.
"""

import math

import numpy as np

from music import pianoroll
from music.pianoroll import BEATS_PER_BAR, LPD_STEPS_PER_BEAT
from training import networks, windows
from training.families import family_named

BATCH = 10
BAR_ACCENT, BEAT_ACCENT = 10, 5  # added to a track's velocity on the first beat of a bar, and on the others
MAX_SECONDS = 600


def sample(checkpoint, n_clips, seconds, seed, temperature=1.0, top_p=1.0, prompt=None, settings=None, report=None):
    """Return n_clips new Rolls of at least this many seconds, 24 steps to a beat, at the corpus' usual tempo.

    checkpoint: training.checkpoint.Checkpoint
    seed: whole number, 0 or more; the same seed gives the same rolls, and roll k does not depend on n_clips
    temperature: divides the logits; at 0 the likeliest is taken
    top_p: only the likeliest answers that together reach this probability are drawn from; 1 leaves all
    prompt: Roll whose last bars every clip goes on from, or None to begin from silence; it is not part of the clips
    settings: dict of the family's settings of sampling (families.Family.sampling); the rest have their defaults
    report: called with (clips done, clips in all)

    Raises ValueError for fewer than one clip, seconds outside 1-600, a negative seed, a temperature outside 0-10, a
    top_p outside 0-1, a prompt on a coarser grid, or settings that the family does not take.
    """
    _check(n_clips, seconds, seed, temperature, top_p)
    card = checkpoint.card
    settings = family_named(card["family"]).sampling_settings(settings)
    wishes = networks.Wishes(float(temperature), float(top_p), prompt and prompt_window(prompt, card))
    networks.set_up(0)
    model = networks.build(card["family"], card["configuration"], checkpoint.weights)
    sampler = networks.network(card["family"]).sampler(model, card, settings)
    n_steps = steps_of(seconds, card)
    generators = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(n_clips)]
    rolls = []
    for first in range(0, n_clips, BATCH):
        batch = generators[first : first + BATCH]
        draws = np.zeros((BATCH, *sampler.draws(n_steps)), np.float32)
        for draw, generator in zip(draws, batch, strict=False):
            draw[...] = generator.random(draw.shape, np.float32)
        sounds, onsets = sampler.generate(draws, wishes)
        for i in range(len(batch)):
            rolls.append(roll_of_sounds(sounds[i, :n_steps], card, None if onsets is None else onsets[i, :n_steps]))
        if report is not None:
            report(len(rolls), n_clips)
    return rolls


def prompt_window(roll, card):
    """Return the window that a clip goes on from: the roll's last whole bars, on the network's grid."""
    whole_bars = roll.n_steps // (BEATS_PER_BAR * roll.steps_per_beat) * BEATS_PER_BAR * roll.steps_per_beat
    if not whole_bars:
        raise ValueError("prompt must have a whole bar at least.")
    roll = pianoroll.coarsen(pianoroll.excerpt(roll, 0, whole_bars), card["steps_per_beat"])
    return windows.ending(roll, networks.PROMPT_BEATS * card["steps_per_beat"])


def _check(n_clips, seconds, seed, temperature, top_p):
    if n_clips < 1:
        raise ValueError(f"clips must be 1 or more, not {n_clips}.")
    if not 1 <= seconds <= MAX_SECONDS:
        raise ValueError(f"seconds must be from 1 to {MAX_SECONDS}, not {seconds:g}.")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}.")
    if not 0 <= temperature <= 10:
        raise ValueError(f"temperature must be from 0 to 10, not {temperature:g}.")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p:g}.")


def steps_of(seconds, card):
    """Return how many steps of the network's grid fill this time at the card's tempo."""
    return math.ceil(seconds * card["statistics"]["tempo_bpm"] / 60 * card["steps_per_beat"] - 1e-9)


def roll_of_sounds(sounds, card, onsets=None):
    """Return the Roll, 24 steps to a beat, of what a network drew.

    sounds: bool (step, track 5, pitch 128), True where a note sounds
    onsets: bool of the same shape, True where a note begins; None: wherever sound does
    """
    velocity = sounds.transpose(1, 0, 2).astype(np.uint8)
    begins = None if onsets is None else onsets.transpose(1, 0, 2)
    tempo = card["statistics"]["tempo_bpm"]
    roll = pianoroll.from_dense(velocity, begins, card["steps_per_beat"], tempo)
    return pianoroll.refine(_accented(roll, card["statistics"]["velocity"]), LPD_STEPS_PER_BEAT)


def _accented(roll, track_velocity):
    """The networks say which notes sound, not how loud: a track is as loud as in the corpus, louder on the beat."""
    notes = roll.notes.copy()
    bar = BEATS_PER_BAR * roll.steps_per_beat
    accent = np.where(notes["onset"] % roll.steps_per_beat == 0, BEAT_ACCENT, 0)
    accent = np.where(notes["onset"] % bar == 0, BAR_ACCENT, accent)
    notes["velocity"] = np.clip(np.round(np.take(track_velocity, notes["track"])) + accent, 1, 127)
    return pianoroll.roll_of(notes, roll.n_steps, roll.steps_per_beat, roll.tempo_bpm)
