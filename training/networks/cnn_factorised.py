"""The 2-D CNN without its chain, to show what the chain is worth: each track of a block is drawn without the others.

Planes: the five of context.
"""

import keras

from music.pianoroll import N_PITCHES, N_TRACKS
from training.networks import convolution
from training.networks.convolution import BLOCK, all_hidden, context_and_block, prepared

__all__ = ["baselines", "build", "calibration", "loss", "prepared", "sampler"]


def build(configuration):
    planes = keras.Input((BLOCK, N_PITCHES, N_TRACKS))
    return keras.Model(planes, convolution.layers(planes, configuration["filters"], N_TRACKS), name="cnn_factorised")


def loss(model, configuration, music, chance):
    """The mean binary cross entropy of all cells, sounding ones weighted by pos_weight."""
    context, block = context_and_block(music)
    logits = model(context, training=True)
    return convolution.cross_entropy(block, logits, all_hidden(chance), configuration["pos_weight"])


def baselines(configuration, train, test, chance):
    return convolution.baselines(configuration, train, test, all_hidden(test))


def asker(model):
    def ask(context):
        answers = model(context)
        return lambda block, hidden, track: answers[..., track]

    return ask


def calibration(model, configuration, music, rates):
    return convolution.calibration(asker(model), configuration, music, rates)


def sampler(model, card, settings):
    return convolution.sampler(asker(model), card, settings)
