import subprocess
import sys

import h5py
import pytest

from training.families import FAMILIES, ConfigurationError, family_named

VARIATIONS = [
    ("rnn", {"units": 8}),
    ("rnn", {"units": 4, "rest": False}),
    ("cnn", {"filters": 2}),
    ("cnn", {"filters": 3}),
    ("cnn-factorised", {"filters": 3}),
    ("cnn-per-track", {"filters": 2}),
    ("gru-chain", {"units": 8, "width": 4, "voices": 1}),
    ("gru-chain", {"units": 4, "width": 6, "voices": 2, "order": "strings,drums,piano,bass,guitar"}),
]


# Keras 3.15 hands its variables to numpy in a way that numpy 2.4 frowns on; Earmark itself never saves through Keras.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("name", "configuration"), [*VARIATIONS, *((name, {}) for name in FAMILIES)])
def test_the_table_of_weights_is_that_of_the_built_network(name, configuration, tmp_path):
    from training import networks

    model = networks.build(name, FAMILIES[name].configuration(configuration))
    model.save_weights(tmp_path / "x.weights.h5")
    written = {}
    with h5py.File(tmp_path / "x.weights.h5") as file:
        file.visititems(lambda at, item: written.update({at: item.shape}) if isinstance(item, h5py.Dataset) else None)

    shapes = FAMILIES[name].weight_shapes(configuration)
    assert written == shapes
    assert [tuple(variable.shape) for variable in model.weights] == list(shapes.values())


def test_a_second_network_is_named_like_the_first():
    from training import networks

    first, second = (networks.architecture(networks.build("cnn", {"filters": 2})) for _ in range(2))

    assert first == second


def test_the_baseline_rnn_has_the_size_that_the_report_implies():
    shapes = FAMILIES["rnn"].weight_shapes({"rest": False})

    assert shapes["layers/lstm/cell/vars/0"] == (640, 4 * 256)
    assert shapes["layers/dense/vars/0"] == (256, 640)


def test_the_cnn_has_four_convolutions_and_their_mirror_and_no_dense_layer():
    shapes = FAMILIES["cnn"].weight_shapes()
    kernels = [shape for shape in shapes.values() if len(shape) == 4]

    assert kernels == [
        *((3, 3, 15, 32), (3, 3, 32, 64), (3, 3, 64, 128), (3, 3, 128, 128)),
        *((3, 3, 128, 128), (3, 3, 64, 128), (3, 3, 32, 64), (3, 3, 5, 32)),
    ]
    assert not any("dense" in name for name in shapes)


def test_a_configuration_is_completed_by_the_defaults():
    assert FAMILIES["rnn"].configuration({"units": 8}) == {
        "units": 8,
        "rest": True,
        "learning_rate": 0.003,
        "batch_size": 128,
        "epoch_windows": 25_600,
        "test_windows": 512,
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"layers": 3}, "rnn has no setting 'layers'; it has units, rest"),
        ({"units": 100_000}, "units must be a whole number from 4 to 1024, not 100000."),
        ({"units": 8.0}, "units must be a whole number from 4 to 1024, not 8.0."),
        ({"units": True}, "units must be a whole number from 4 to 1024, not True."),
        ({"rest": "yes"}, "rest must be true or false, not 'yes'."),
        ({"learning_rate": float("nan")}, "learning_rate must be a number from 1e-06 to 0.1, not nan."),
    ],
)
def test_a_setting_that_the_family_does_not_take_is_refused_by_name(given, sentence):
    with pytest.raises(ConfigurationError) as refusal:
        FAMILIES["rnn"].configuration(given)

    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("name", ["gan", "", None, 3, ["rnn"]])
def test_an_unknown_family_is_refused_with_those_there_are(name):
    with pytest.raises(ConfigurationError, match="there are rnn, cnn, cnn-factorised, cnn-per-track, gru-chain"):
        family_named(name)


def test_families_and_checkpoints_and_corpora_need_no_tensorflow():
    program = (
        "import sys; import training.checkpoint, training.corpus, training.families, training.windows, training.__main__;"
        "print(sorted({'tensorflow', 'keras', 'django'} & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"
