"""The families of networks as a pure table: what each is called, what may be set, which weights it has.

No Keras here: the site reads this table to offer a form, and a checkpoint is checked against it in a child that starts
in 0.2 s. A test holds the shapes against the built networks.

Conventions: a step of a roll has five tracks and 128 pitches; weights are named as Keras names them in
`model.weights.h5`, and stand in the order in which the built network lists them.

A new family is one file in `training/networks/` and one row in FAMILIES.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from music.pianoroll import LPD_STEPS_PER_BEAT, N_PITCHES, N_TRACKS

STEPS_PER_BEAT = (24, 12, 4)  # the grids on which a corpus may lie


class ConfigurationError(ValueError):
    """A setting that the family does not have, or a value that it does not take; one sentence."""


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds."""

    default: int
    low: int
    high: int
    help: str = ""

    def check(self, name, value):
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise ConfigurationError(f"{name} must be a whole number from {self.low} to {self.high}, not {value!r}.")
        return value


@dataclass(frozen=True)
class Number:
    """A real number between two bounds."""

    default: float
    low: float
    high: float
    help: str = ""

    def check(self, name, value):
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not self.low <= value <= self.high:
            raise ConfigurationError(f"{name} must be a number from {self.low} to {self.high}, not {value!r}.")
        return float(value)


@dataclass(frozen=True)
class Switch:
    """On or off."""

    default: bool
    help: str = ""

    def check(self, name, value):
        if not isinstance(value, bool):
            raise ConfigurationError(f"{name} must be true or false, not {value!r}.")
        return value


@dataclass(frozen=True)
class Family:
    """One kind of network.

    network: the module in training.networks that builds, trains and samples it
    context_steps, target_steps: what it reads, and what it says next
    fields: the settings that a configuration may hold, with their defaults and bounds
    shapes: configuration -> {weight name: shape}
    """

    name: str
    title: str
    network: str
    context_steps: int
    target_steps: int
    fields: dict
    shapes: Callable
    steps_per_beat: int = LPD_STEPS_PER_BEAT

    @property
    def window_steps(self) -> int:
        return self.context_steps + self.target_steps

    def configuration(self, given=None) -> dict:
        """Return the full configuration: what is given, checked, and the defaults of the rest.

        Raises ConfigurationError for an unknown setting or a value out of bounds.
        """
        given = dict(given or {})
        unknown = sorted(set(given) - set(self.fields))
        if unknown:
            raise ConfigurationError(f"{self.name} has no setting {unknown[0]!r}; it has {', '.join(self.fields)}.")
        return {name: field.check(name, given.get(name, field.default)) for name, field in self.fields.items()}

    def weight_shapes(self, configuration=None) -> dict:
        """Return {name: shape} of every weight of a network with this configuration."""
        return self.shapes(self.configuration(configuration))


def _dense(name, n_in, n_out):
    return {f"layers/{name}/vars/0": (n_in, n_out), f"layers/{name}/vars/1": (n_out,)}


def _lstm(name, n_in, units):
    cell = f"layers/{name}/cell/vars"
    return {f"{cell}/0": (n_in, 4 * units), f"{cell}/1": (units, 4 * units), f"{cell}/2": (4 * units,)}


def _conv(name, n_in, n_out):
    return {f"layers/{name}/vars/0": (3, 3, n_in, n_out), f"layers/{name}/vars/1": (n_out,)}


def _deconv(name, n_in, n_out):
    # A transposed convolution keeps its kernel the other way round.
    return {f"layers/{name}/vars/0": (3, 3, n_out, n_in), f"layers/{name}/vars/1": (n_out,)}


def _rnn_shapes(configuration):
    n_classes = N_TRACKS * (N_PITCHES + configuration["rest"])
    units = configuration["units"]
    return _lstm("lstm", n_classes, units) | _dense("dense", units, n_classes)


def _cnn_shapes(configuration):
    width = configuration["filters"]
    return (
        _conv("conv2d", 3 * N_TRACKS, width)
        | _conv("conv2d_1", width, 2 * width)
        | _conv("conv2d_2", 2 * width, 4 * width)
        | _conv("conv2d_3", 4 * width, 4 * width)
        | _deconv("conv2d_transpose", 4 * width, 4 * width)
        | _deconv("conv2d_transpose_1", 4 * width, 2 * width)
        | _deconv("conv2d_transpose_2", 2 * width, width)
        | _deconv("conv2d_transpose_3", width, N_TRACKS)
    )


def _training(batch_size, epoch_windows):
    """The settings of training that every family has. An epoch is so many random windows, not the whole corpus."""
    return {
        "learning_rate": Number(0.003, 1e-6, 0.1, "Adam's step size"),
        "batch_size": Whole(batch_size, 1, 1024, "windows to a step"),
        "epoch_windows": Whole(epoch_windows, 1, 10_000_000, "random windows to an epoch"),
        "test_windows": Whole(512, 1, 100_000, "windows of held-out pieces that the test loss is read on"),
    }


_RNN_FIELDS = {
    "units": Whole(256, 4, 1024, "size of the LSTM's state"),
    "rest": Switch(True, "a class for silence; off is the literal reading, in which no track is ever silent"),
} | _training(batch_size=128, epoch_windows=25_600)

_CNN_FIELDS = {
    "filters": Whole(32, 2, 128, "filters of the first convolution; the deeper ones have two and four times as many"),
    "pos_weight": Number(5.0, 1.0, 100.0, "how much a sounding cell weighs in the loss against a silent one"),
} | _training(batch_size=32, epoch_windows=2_560)

FAMILIES = {
    family.name: family
    for family in (
        Family("rnn", "Baseline RNN", "rnn", 10, 1, _RNN_FIELDS, _rnn_shapes),
        Family("cnn", "2D CNN", "cnn", 20, 20, _CNN_FIELDS, _cnn_shapes),
    )
}


def family_named(name):
    """Return the family of this name.

    Raises ConfigurationError that lists the families there are.
    """
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        raise ConfigurationError(f"There is no family {str(name)[:60]!r}; there are {', '.join(FAMILIES)}.")
    return family
