"""Five 2-D CNNs, one a track: each sees the context and what the tracks before it in the chain play in the next block.

Planes of the network at place i: the five of context, then i decided ones in the configuration's order.
"""

import keras
import tensorflow as tf

from music.pianoroll import N_PITCHES, N_TRACKS
from training.families import order_of
from training.networks import convolution
from training.networks.convolution import BLOCK, all_hidden, context_and_block, places, prepared

__all__ = ["baselines", "build", "calibration", "loss", "prepared", "sampler"]


def build(configuration):
    questions, answers = [], []
    for place in range(N_TRACKS):
        planes = keras.Input((BLOCK, N_PITCHES, N_TRACKS + place))
        network = keras.Model(planes, convolution.layers(planes, configuration["filters"], 1), name=f"place_{place}")
        questions.append(keras.Input((BLOCK, N_PITCHES, N_TRACKS + place)))
        answers.append(network(questions[-1]))
    return keras.Model(questions, keras.layers.Concatenate()(answers), name="cnn_per_track")


def question(context, block, order, place):
    """Return what the network at this place of the chain sees."""
    return tf.concat([context, tf.gather(block, list(order[:place]), axis=-1)], axis=-1) if place else context


def loss(model, configuration, music, chance):
    """The mean binary cross entropy of all cells given the tracks before, sounding ones weighted by pos_weight."""
    context, block = context_and_block(music)
    order = order_of(configuration)
    in_order = model([question(context, block, order, place) for place in range(N_TRACKS)], training=True)
    logits = tf.gather(in_order, places(order), axis=-1)
    return convolution.cross_entropy(block, logits, all_hidden(chance), configuration["pos_weight"])


def baselines(configuration, train, test, chance):
    return convolution.baselines(configuration, train, test, all_hidden(test))


def asker(model, configuration):
    order = order_of(configuration)
    networks = [layer for layer in model.layers if isinstance(layer, keras.Model)]

    def ask(context):
        def answer(block, hidden, track):
            place = order.index(track)
            return networks[place](question(context, block, order, place))[..., 0]

        return answer

    return ask


def calibration(model, configuration, music, rates):
    return convolution.calibration(asker(model, configuration), configuration, music, rates)


def sampler(model, card, settings):
    return convolution.sampler(asker(model, card["configuration"]), card, settings)
