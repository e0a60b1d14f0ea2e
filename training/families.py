"""The families of networks as a pure table: what each is called, what may be set, which weights it has.

No Keras here: the site reads this table to offer a form, and a checkpoint is checked against it in a child that starts
in 0.2 s. A test holds the shapes against the built networks.

Conventions: a step of a roll has five tracks and 128 pitches; weights are named as Keras names them in
`model.weights.h5`, and stand in the order in which the built network lists them.

A new family is one file in `training/networks/` and one row in FAMILIES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from reprlib import repr as shown  # of a value that somebody sent: never long

import numpy as np

from music.pianoroll import BASS, DRUMS, N_PITCHES, N_TRACKS, TRACKS

STEPS_PER_BEAT = (24, 12, 4)  # the grids on which a corpus may lie
RHYTHM_AND_ROOT_FIRST = "drums,bass,piano,guitar,strings"
BAR_STEPS = 16  # of `gru-chain`, at four steps a beat


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
            raise ConfigurationError(
                f"{name} must be a whole number from {self.low} to {self.high}, not {shown(value)}."
            )
        return value


@dataclass(frozen=True)
class Number:
    """A real number between two bounds."""

    default: float
    low: float
    high: float
    help: str = ""

    def check(self, name, value):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not self.low <= value <= self.high:
            raise ConfigurationError(f"{name} must be a number from {self.low} to {self.high}, not {shown(value)}.")
        return float(value)


@dataclass(frozen=True)
class Switch:
    """On or off."""

    default: bool
    help: str = ""

    def check(self, name, value):
        if not isinstance(value, bool):
            raise ConfigurationError(f"{name} must be true or false, not {shown(value)}.")
        return value


@dataclass(frozen=True)
class Order:
    """The five tracks in the order in which they are decided, as a text: drums,bass,piano,guitar,strings."""

    default: str
    help: str = ""

    def check(self, name, value):
        if not isinstance(value, str) or sorted(self.tracks(value)) != sorted(TRACKS):
            raise ConfigurationError(
                f"{name} must name the five tracks once, such as {self.default}, not {shown(value)}."
            )
        return value

    @staticmethod
    def tracks(value):
        return [track.strip().title() for track in value.split(",")]


@dataclass(frozen=True)
class PerTrack:
    """Five whole numbers, one a track: drums, piano, guitar, bass, strings."""

    default: tuple
    low: int
    high: int
    help: str = ""

    def check(self, name, value):
        whole = Whole(self.low, self.low, self.high)
        if not isinstance(value, list | tuple) or len(value) != N_TRACKS:
            raise ConfigurationError(f"{name} must be five numbers, one a track, not {shown(value)}.")
        return [whole.check(f"{name} of {track}", number) for track, number in zip(TRACKS, value, strict=True)]


@dataclass(frozen=True)
class Family:
    """One kind of network.

    network: the module in training.networks that builds, trains and samples it
    context_steps, target_steps: what it reads, and what it says next
    fields: the settings that a configuration may hold, with their defaults and bounds
    shapes: configuration -> {weight name: shape}
    sampling: the settings that sampling takes besides temperature and top-p
    temperature, top_p: what clips are sampled with unless something else is asked for (docs/models.md compares)
    steps_per_beat: the grid that it needs, which a finer corpus is brought to window by window; None takes any
    """

    name: str
    title: str
    network: str
    context_steps: int
    target_steps: int
    fields: dict
    shapes: Callable
    sampling: dict
    steps_per_beat: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0

    @property
    def window_steps(self) -> int:
        return self.context_steps + self.target_steps

    def configuration(self, given=None) -> dict:
        """Return the full configuration: what is given, checked, and the defaults of the rest.

        Raises ConfigurationError for an unknown setting or a value out of bounds.
        """
        return self._completed(self.fields, given, "setting")

    def sampling_settings(self, given=None) -> dict:
        """Return the full settings of sampling: what is given, checked, and the defaults of the rest.

        Raises ConfigurationError for an unknown setting or a value out of bounds.
        """
        return self._completed(self.sampling, given, "setting of sampling")

    def _completed(self, fields, given, kind):
        given = dict(given or {})
        unknown = sorted(set(given) - set(fields))
        if unknown:
            raise ConfigurationError(f"{self.name} has no {kind} {unknown[0]!r}; it has {', '.join(fields)}.")
        return {name: field.check(name, given.get(name, field.default)) for name, field in fields.items()}

    def weight_shapes(self, configuration=None) -> dict:
        """Return {name: shape} of every weight of a network with this configuration."""
        return self.shapes(self.configuration(configuration))


def order_of(configuration) -> tuple:
    """Return the five tracks' numbers in the order in which a network of this configuration decides them."""
    return tuple(TRACKS.index(track) for track in Order.tracks(configuration.get("order", RHYTHM_AND_ROOT_FIRST)))


def _numbered(kind, number):
    return f"{kind}_{number}" if number else kind


def _dense(name, n_in, n_out):
    return {f"{name}/vars/0": (n_in, n_out), f"{name}/vars/1": (n_out,)}


def _lstm(name, n_in, units):
    cell = f"{name}/cell/vars"
    return {f"{cell}/0": (n_in, 4 * units), f"{cell}/1": (units, 4 * units), f"{cell}/2": (4 * units,)}


def _gru(name, n_in, units):
    cell = f"{name}/cell/vars"
    return {f"{cell}/0": (n_in, 3 * units), f"{cell}/1": (units, 3 * units), f"{cell}/2": (2, 3 * units)}


def _conv(name, n_in, n_out):
    return {f"{name}/vars/0": (3, 3, n_in, n_out), f"{name}/vars/1": (n_out,)}


def _deconv(name, n_in, n_out):
    # A transposed convolution keeps its kernel the other way round.
    return {f"{name}/vars/0": (3, 3, n_out, n_in), f"{name}/vars/1": (n_out,)}


def _rnn_shapes(configuration):
    n_classes = N_TRACKS * (N_PITCHES + configuration["rest"])
    units = configuration["units"]
    return _lstm("layers/lstm", n_classes, units) | _dense("layers/dense", units, n_classes)


def _convolutions(width, n_planes, n_tracks, within="layers"):
    """Four convolutions and their mirror, from so many planes to so many tracks."""
    return (
        _conv(f"{within}/conv2d", n_planes, width)
        | _conv(f"{within}/conv2d_1", width, 2 * width)
        | _conv(f"{within}/conv2d_2", 2 * width, 4 * width)
        | _conv(f"{within}/conv2d_3", 4 * width, 4 * width)
        | _deconv(f"{within}/conv2d_transpose", 4 * width, 4 * width)
        | _deconv(f"{within}/conv2d_transpose_1", 4 * width, 2 * width)
        | _deconv(f"{within}/conv2d_transpose_2", 2 * width, width)
        | _deconv(f"{within}/conv2d_transpose_3", width, n_tracks)
    )


def _cnn_shapes(configuration):
    return _convolutions(configuration["filters"], 3 * N_TRACKS, N_TRACKS)


def _factorised_shapes(configuration):
    return _convolutions(configuration["filters"], N_TRACKS, N_TRACKS)


def _per_track_shapes(configuration):
    shapes = {}
    for place in range(N_TRACKS):
        within = f"layers/{_numbered('functional', place)}/layers"
        shapes |= _convolutions(configuration["filters"], N_TRACKS + place, 1, within)
    return shapes


@dataclass(frozen=True)
class Voices:
    """What the heads of `gru-chain` say of one step: first or last the drums, and voices of the other tracks.

    Drums are one of 2 ** N_DRUMS sets of strokes. A voice begins one of N_VOICE_PITCHES pitches, holds the one it has,
    or rests.
    """

    N_DRUMS = 9
    LOWEST = 24  # C1; a voice has six octaves, pitches beyond are brought into them
    N_VOICE_PITCHES = 72
    HOLD, REST = 72, 73

    tracks: tuple  # of each head, in the order in which they are decided

    @classmethod
    def of(cls, configuration):
        counts = [1 if track in (DRUMS, BASS) else configuration["voices"] for track in range(N_TRACKS)]
        return cls(tuple(track for track in order_of(configuration) for _ in range(counts[track])))

    @property
    def n_classes(self):
        """How many answers each head has."""
        return [2**self.N_DRUMS if track == DRUMS else self.REST + 1 for track in self.tracks]

    @property
    def n_features(self):
        """How many numbers say what each head decided: drums, or the pitch that sounds and whether it begins."""
        return [self.N_DRUMS if track == DRUMS else self.N_VOICE_PITCHES + 1 for track in self.tracks]


class Arrangement:
    """What `gru-chain` is told of a whole window: how densely each of five tracks plays, and the scale (0 is C major's).

    A track that has no note is 0, one with up to half a note a beat 1, and so on.
    """

    NOTES_PER_BEAT = (0, 0.5, 1, 2, 4)  # the upper bounds of all classes but the last
    SIZES = (6, 6, 6, 6, 6, 12)
    N = len(SIZES)
    USUAL = (5, 3, 4, 2, 3, 0)

    @classmethod
    def width(cls, configuration):
        return sum(cls.SIZES) if configuration["arrangement"] else 0


def _gru_chain_shapes(configuration):
    units, width, voices = configuration["units"], configuration["width"], Voices.of(configuration)
    told = BAR_STEPS + Arrangement.width(configuration)
    shapes = _dense("layers/dense", sum(voices.n_features), width) | _gru("layers/gru", 3 * width + told, units)
    seen = np.cumsum([units, *voices.n_features])
    for number in range(len(voices.tracks)):
        shapes |= _dense(f"layers/dense_{number + 1}", int(seen[number]), width)
    for number, n_classes in enumerate(voices.n_classes, len(voices.tracks) + 1):
        shapes |= _dense(f"layers/dense_{number}", width, n_classes)
    return shapes


def _training(batch_size, epoch_windows):
    """The settings of training that every family has. An epoch is so many random windows, not the whole corpus."""
    return {
        "learning_rate": Number(0.003, 1e-6, 0.1, "Adam's step size"),
        "batch_size": Whole(batch_size, 1, 1024, "windows to a step"),
        "epoch_windows": Whole(epoch_windows, 1, 10_000_000, "random windows to an epoch"),
        "test_windows": Whole(512, 1, 100_000, "windows of held-out pieces that the test loss is read on"),
    }


_ORDER = {"order": Order(RHYTHM_AND_ROOT_FIRST, "the order in which the tracks are decided, each hearing those before")}

_RNN_FIELDS = {
    "units": Whole(256, 4, 1024, "size of the LSTM's state"),
    "rest": Switch(True, "a class for silence; off is the literal reading, in which no track is ever silent"),
} | _training(batch_size=128, epoch_windows=25_600)

_FACTORISED_FIELDS = {
    "filters": Whole(32, 2, 128, "filters of the first convolution; the deeper ones have two and four times as many"),
    "pos_weight": Number(5.0, 1.0, 100.0, "how much a sounding cell weighs in the loss against a silent one"),
} | _training(batch_size=32, epoch_windows=2_560)

_CNN_FIELDS = _FACTORISED_FIELDS | _ORDER

_GRU_CHAIN_FIELDS = {
    "units": Whole(256, 4, 1024, "size of the GRU's state"),
    "width": Whole(96, 4, 512, "size of the layers before and after the GRU"),
    "voices": Whole(4, 1, 4, "how many notes at once piano, guitar and strings may each have"),
    "arrangement": Switch(True, "tell it how densely each track plays, and in which scale"),
    "transpose": Switch(True, "train on every window in a key drawn at random"),
    **_ORDER,
} | _training(batch_size=32, epoch_windows=1_280)

_SHORTEST = {
    "min_note_beats": Number(0.25, 0.0, 4.0, "no pitched note is shorter; drawn anew at each step, chords flicker")
}
_POLYPHONY = {"polyphony": PerTrack((4, 4, 4, 1, 4), 1, 16, "how many notes of each track may sound at once")}
_CNN_SAMPLING = {
    "density": Switch(True, "thresholds by track and pitch so that each sounds as often as in the corpus"),
    "hysteresis": Number(1.0, 0.0, 10.0, "in logits: how much later a note ends than it would have begun"),
    **_SHORTEST,
    **_POLYPHONY,
}

FAMILIES = {
    family.name: family
    for family in (
        Family("rnn", "Baseline RNN", "rnn", 10, 1, _RNN_FIELDS, _rnn_shapes, _SHORTEST),
        Family("cnn", "2D CNN", "cnn", 20, 20, _CNN_FIELDS, _cnn_shapes, _CNN_SAMPLING),
        Family(
            *("cnn-factorised", "2D CNN, tracks independent", "cnn_factorised", 20, 20),
            *(_FACTORISED_FIELDS, _factorised_shapes, _CNN_SAMPLING),
        ),
        Family(
            *("cnn-per-track", "Five 2D CNNs, one a track", "cnn_per_track", 20, 20),
            *(_CNN_FIELDS, _per_track_shapes, _CNN_SAMPLING),
        ),
        Family(
            *("gru-chain", "GRU, tracks chained", "gru_chain", 2 * BAR_STEPS, 64),
            *(_GRU_CHAIN_FIELDS, _gru_chain_shapes, _SHORTEST | _POLYPHONY, 4),
            temperature=0.9,
            top_p=0.95,
        ),
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
