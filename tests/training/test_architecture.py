"""Keras' description of a network is compared with the family's, and a compiled network is as welcome as any."""

import io
import json
import zipfile

import numpy as np
import pytest

from training import checkpoint, networks
from training.checkpoint import CheckpointError
from training.families import FAMILIES

# Keras 3.15 saves through an interface that NumPy 2 is about to change.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SMALL = {
    "rnn": {"units": 8},
    "cnn": {"filters": 2},
    "cnn-factorised": {"filters": 2},
    "cnn-per-track": {"filters": 2},
    "gru-chain": {"units": 8, "width": 6, "voices": 1},
}
STATISTICS = {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5}


@pytest.fixture(params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture
def model(family):
    return networks.build(family, FAMILIES[family].configuration(SMALL[family]))


@pytest.fixture
def card(family, tmp_path):
    path = tmp_path / "card.json"
    about = {"family": family, "configuration": SMALL[family], "steps_per_beat": 4, "statistics": STATISTICS}
    path.write_text(json.dumps(about))
    return path


def with_config(path, out, change):
    """Write the archive with another config.json: change(text) of the one that it has."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            changed.writestr(name, change(content.decode()) if name == "config.json" else content)
    return out


def test_what_keras_saves_is_taken_compiled_or_not(family, model, card, tmp_path):
    expected = networks.weights(family, FAMILIES[family].configuration(SMALL[family]), model)
    model.save(tmp_path / "plain.keras")
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "compiled.keras")

    for name in ("plain", "compiled"):
        read = checkpoint.read(tmp_path / f"{name}.keras", card)
        assert all(np.array_equal(read.weights[key], array) for key, array in expected.items())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ('"activation": "tanh"', '"activation": "relu"'),
        ('"recurrent_activation": "sigmoid"', '"recurrent_activation": "linear"'),
        ('"go_backwards": false', '"go_backwards": true'),
        ('"activation": "relu"', '"activation": "linear"'),
        ('"padding": "same"', '"padding": "valid"'),
        ('"strides": [', '"strides": [9, '),
        ('"kernel_size": [3', '"kernel_size": [5'),
        ('"use_bias": true', '"use_bias": false'),
        ('"reset_after": true', '"reset_after": false'),
    ],
)
def test_a_description_that_would_answer_otherwise_is_refused(family, model, card, tmp_path, ours, theirs):
    model.save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as archive:
        if ours not in archive.read("config.json").decode():
            return  # this family has no such layer

    changed = with_config(tmp_path / "plain.keras", tmp_path / "x.keras", lambda text: text.replace(ours, theirs, 1))

    with pytest.raises(CheckpointError) as refusal:
        checkpoint.read(changed, card)
    assert refusal.value.problem == "keras.layers"


def test_every_one_of_these_changes_is_possible_in_some_family():
    """So that the test above tests something for each of its rows."""
    texts = [
        json.dumps(networks.architecture(networks.build(name, FAMILIES[name].configuration(SMALL[name]))))
        for name in sorted(FAMILIES)
    ]
    for ours in (
        "tanh",
        "recurrent_activation",
        "go_backwards",
        "relu",
        "same",
        "strides",
        "kernel_size",
        "reset_after",
    ):
        assert any(ours in text for text in texts)


@pytest.mark.parametrize(
    "config", [{}, {"class_name": "Functional", "config": {"layers": []}}, {"class_name": "Dense"}]
)
def test_a_description_without_layers_is_refused_but_for_our_own_stub(card, model, tmp_path, config):
    model.save(tmp_path / "plain.keras")
    changed = with_config(tmp_path / "plain.keras", tmp_path / "x.keras", lambda text: json.dumps(config))

    with pytest.raises(CheckpointError):
        checkpoint.read(changed, card)


def test_an_optimiser_within_a_layer_stays_refused(card, model, tmp_path):
    model.save(tmp_path / "plain.keras")
    bad = '{"class_name": "Adam", "module": "keras.optimizers", "config": {}}'
    changed = with_config(
        tmp_path / "plain.keras",
        tmp_path / "x.keras",
        lambda text: json.dumps({**json.loads(text), "config": {**json.loads(text)["config"], "x": json.loads(bad)}}),
    )

    with pytest.raises(CheckpointError, match="names a layer that no family here has: 'Adam'"):
        checkpoint.read(changed, card)


def test_our_own_archives_are_read_with_their_stub(family, model, tmp_path):
    configuration = FAMILIES[family].configuration(SMALL[family])
    about = {"family": family, "configuration": configuration, "steps_per_beat": 4, "statistics": STATISTICS}
    checkpoint.write(tmp_path / "ours.keras", about, networks.weights(family, configuration, model))

    assert checkpoint.inspect(tmp_path / "ours.keras")["family"] == family
    with zipfile.ZipFile(io.BytesIO((tmp_path / "ours.keras").read_bytes())) as archive:
        assert set(json.loads(archive.read("config.json"))) == {"class_name", "config"}
