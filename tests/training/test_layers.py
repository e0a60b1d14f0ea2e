"""The table of layers that Figure 1 is drawn from, against the networks that Keras builds."""

import math
from dataclasses import replace

import pytest

from training import networks
from training.families import FAMILIES
from training.layers import layers

SMALL = {"rnn": {"units": 8}, "gru-chain": {"units": 8, "width": 6, "voices": 2}}
CONVOLUTIONAL = {"filters": 4}


def small(name):
    return SMALL.get(name, CONVOLUTIONAL)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_the_layers_have_all_the_weights_of_the_network_and_no_others(name):
    n_weights = sum(math.prod(shape) for shape in FAMILIES[name].weight_shapes(small(name)).values())
    shown = sum(layer.n_weights for layer in layers(name, small(name)))

    # Of five networks alike, each with a plane more to see than the one before, the last is shown.
    seen_less = 3 * 3 * 4 * (1 + 2 + 3 + 4) if name == "cnn-per-track" else 0
    assert (5 * shown - seen_less if name == "cnn-per-track" else shown) == n_weights


@pytest.mark.parametrize("name", ["cnn", "cnn-factorised"])
def test_each_convolution_gives_out_what_keras_says(name):
    built = networks.build(name, FAMILIES[name].configuration(small(name)))

    shown = [layer.size for layer in layers(name, small(name))][:-1]

    assert shown == [layer.output.shape[1:] for layer in built.layers]


def test_the_recurrent_networks_layers_are_as_large_as_keras_says():
    built = networks.build("rnn", FAMILIES["rnn"].configuration(small("rnn")))

    shown = [layer.size for layer in layers("rnn", small("rnn"))]
    assert shown[:-1] == [layer.output.shape[1:] for layer in built.layers][:-1]
    assert shown[-1] == (10, math.prod(built.output_shape[2:]))


def test_the_chains_heads_stand_in_the_order_in_which_they_are_drawn():
    order = {"order": "bass,drums,strings,guitar,piano", "voices": 2}

    heads = [layer for layer in layers("gru-chain", order) if layer.track]

    assert [layer.track for layer in heads] == ["Bass", "Drums", "Strings", "Guitar", "Piano"]
    assert [layer.size[1] for layer in heads] == [74, 512, 148, 148, 148]


def test_a_family_that_nobody_drew_yet_is_shown_by_its_weights(monkeypatch):
    monkeypatch.setitem(FAMILIES, "rnn2", replace(FAMILIES["rnn"], name="rnn2"))

    shown = layers("rnn2", {"units": 8})

    assert [(layer.title, layer.n_weights) for layer in shown] == [("Lstm", 20_928), ("Dense", 5_805)]
