"""The networks, one file a family. Importing this room imports TensorFlow; the site never does.

Every module here offers the same six functions. `music` is what `prepared` makes of drawn windows, an array whose first
axis is the window: for most families uint8 (window, step, track 5, pitch 128), 1 where a note sounds. `chance` is float32
(window,), uniform on [0, 1): whatever a window leaves to chance is decided by it, so that a test loss is read on the same
questions each time.

    build(configuration)                          -> keras.Model of standard layers, whose outputs are logits
    prepared(windows, configuration)              -> music; a window is the family's context and target
    loss(model, configuration, music, chance)     -> scalar tensor
    baselines(configuration, train, test, chance) -> {"marginal", "hold"}: the loss of answers that know nothing
    calibration(model, configuration, music, rates) -> dict for the card, what sampling needs besides the weights;
                                                     rates: the mean over windows and steps of the music to train on
    sampler(model, card, settings)                -> Sampler; settings: the family's settings of sampling, all of them
"""

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

# Both are read once, when TensorFlow starts.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np

from training.families import family_named
from training.windows import Windows

# Sampling starts from silence and settles in this time, which is not kept; or from as much of a prompt.
PROMPT_BEATS = 8


@contextmanager
def _without_chatter():
    """TensorFlow's C++ side greets on stderr before it has read its log level: five lines that no one can act upon."""
    stderr = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(silence)


with _without_chatter():
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class Wishes:
    """What a caller may wish of any family.

    temperature: divides the logits; at 0 the likeliest is taken
    top_p: only the likeliest answers that together reach this probability are drawn from
    prompt: training.windows.Windows, one window of PROMPT_BEATS beats which the clip goes on from; or None
    """

    temperature: float = 1.0
    top_p: float = 1.0
    prompt: Windows | None = None


@dataclass(frozen=True)
class Sampler:
    """How a network is sampled.

    draws: n_steps -> shape of the uniform draws that one clip needs
    generate: (uniform draws (clip, ...), Wishes) -> (sounds, onsets), in one compiled graph; bool (clip, step, track 5,
        pitch 128), or None for onsets where a note begins wherever sound does
    """

    draws: Callable
    generate: Callable


def set_up(seed):
    """Make TensorFlow quiet, deterministic, and use every core for one operation."""
    keras.utils.set_random_seed(seed % 2**32)
    tf.config.experimental.enable_op_determinism()


def network(family_name):
    """Return the module of this family."""
    return import_module(f"training.networks.{family_named(family_name).network}")


def grid(family_name, corpus):
    """Return the steps per beat at which this family hears this corpus."""
    return family_named(family_name).steps_per_beat or corpus.steps_per_beat


def forget_names():
    """Have layers numbered from the start, as the table names them. Not within a strategy's scope, which it would end."""
    keras.utils.clear_session(free_memory=False)


def build(family_name, configuration, weights=None):
    """Return the family's network, with these weights ({name: array}) if any are given."""
    forget_names()
    model = network(family_name).build(configuration)
    if weights is not None:
        for variable, array in zip(model.weights, weights.values(), strict=True):
            variable.assign(array)
    return model


def weights(family_name, configuration, model):
    """Return {name: float32 array} of the network's weights, named as the family's table names them."""
    names = family_named(family_name).weight_shapes(configuration)
    return {name: variable.numpy() for name, variable in zip(names, model.weights, strict=True)}


def architecture(model):
    """Return the network as Keras describes it in config.json."""
    return keras.saving.serialize_keras_object(model)


def level_for(logits, rate):
    """Return the number that, added to these logits, makes the mean of their probabilities this rate (by bisection)."""
    low, high = -12.0, 12.0
    for _ in range(30):
        middle = (low + high) / 2
        mean = (1 / (1 + np.exp(-(logits + middle)))).mean()
        low, high = (middle, high) if mean < rate else (low, middle)
    return (low + high) / 2
