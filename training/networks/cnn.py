"""The report's 2-D CNN: twenty steps of five tracks in, the next twenty out; four convolutions and their mirror.

A network that answers all cells at once cannot draw one track in dependence of another. So it is asked track by track,
in the configuration's order: it sees the context, what of the next block is decided already, and which tracks those are;
each answer is drawn and joins what it sees. In training a random part of the chain is decided already.

Planes: five of context, five decided, five masks.
"""

import keras
import tensorflow as tf

from music.pianoroll import N_PITCHES, N_TRACKS
from training.families import order_of
from training.networks import convolution
from training.networks.convolution import BLOCK, context_and_block, places, prepared

__all__ = ["baselines", "build", "calibration", "loss", "prepared", "sampler"]


def build(configuration):
    planes = keras.Input((BLOCK, N_PITCHES, 3 * N_TRACKS))
    return keras.Model(planes, convolution.layers(planes, configuration["filters"], N_TRACKS), name="cnn")


def loss(model, configuration, music, chance):
    """The mean binary cross entropy of the cells of the hidden tracks, sounding ones weighted by pos_weight."""
    context, block = context_and_block(music)
    hidden = hidden_tracks(chance, order_of(configuration))
    logits = model(question(context, block, hidden), training=True)
    return convolution.cross_entropy(block, logits, hidden, configuration["pos_weight"])


def question(context, block, hidden):
    """Return what the network sees; hidden: float32 (window, track), 1 for tracks that are not decided yet."""
    mask = tf.broadcast_to(hidden[:, None, None, :], tf.shape(block))
    return tf.concat([context, block * (1 - mask), mask], axis=-1)


def hidden_tracks(chance, order):
    """Return float32 (window, track): 1 for the tracks that chance leaves to be told, at least the chain's last."""
    n_decided = tf.cast(tf.floor(chance * N_TRACKS), tf.int32)
    return tf.cast(tf.constant(places(order), tf.int32)[None] >= n_decided[:, None], tf.float32)


def baselines(configuration, train, test, chance):
    return convolution.baselines(
        configuration, train, test, hidden_tracks(tf.constant(chance), order_of(configuration))
    )


def asker(model):
    return lambda context: lambda block, hidden, track: model(question(context, block, hidden))[..., track]


def calibration(model, configuration, music, rates):
    return convolution.calibration(asker(model), configuration, music, rates)


def sampler(model, card, settings):
    return convolution.sampler(asker(model), card, settings)
