"""The layers of each family's network as a table: what Figure 1 is drawn from. No Keras; a test holds it against Keras.

Conventions: a layer's `size` is what it gives out, (steps, pitches, planes) of a convolution and (steps, numbers) else;
`weights` are the names in `Family.weight_shapes`.
"""

import math
from dataclasses import dataclass

from music.pianoroll import N_PITCHES, N_TRACKS, TRACKS
from training.families import BAR_STEPS, FAMILIES, Arrangement, Voices

TIMES = "\N{MULTIPLICATION SIGN}"
STRIDES = ((1, 2), (2, 2), (1, 2), (2, 2))  # of the four convolutions, (steps, pitches); mirrored on the way back


@dataclass(frozen=True)
class Layer:
    """One layer. `track`: whose answer it is, None of a layer that all share; `note`: what is particular to it."""

    title: str
    size: tuple
    n_weights: int = 0
    note: str = ""
    track: str | None = None


def layers(name, configuration=None):
    """Return (Layer, ...) of a family's network with this configuration, from what it sees to what it says.

    Raises ConfigurationError for a configuration that the family does not take, KeyError for an unknown family.
    """
    family = FAMILIES[name]
    full = family.configuration(configuration)
    shapes = family.weight_shapes(full)
    of_family = _OF_FAMILY.get(name, _by_its_weights)
    return tuple(of_family(family, full, lambda part: _count(shapes, part)))


def _count(shapes, layer):
    """Return how many weights the layers of this name (and no longer one) have."""
    return sum(math.prod(shape) for name, shape in shapes.items() if f"/{layer}/" in f"/{name}")


def _by_its_weights(family, configuration, count):
    """A family that is not drawn below yet: a layer for each that has weights, as the table lists them."""
    shapes = family.weight_shapes(configuration)
    for path in dict.fromkeys(name.split("/vars/")[0].removesuffix("/cell") for name in shapes):
        layer = path.removeprefix("layers/")
        sizes = [shape for name, shape in shapes.items() if name.startswith(f"{path}/")]
        yield Layer(layer.replace("_", " ").title(), (sizes[-1][-1],), count(layer))


def _rnn(family, configuration, count):
    n_classes = N_PITCHES + configuration["rest"]
    steps, units = family.context_steps, configuration["units"]
    rest = "128 pitches and a rest" if configuration["rest"] else "128 pitches"
    yield Layer("Five tracks", (steps, N_TRACKS * n_classes), note=f"of each, {rest}")
    yield Layer("LSTM", (steps, units), count("lstm"))
    yield Layer("Dense", (steps, N_TRACKS * n_classes), count("dense"))
    yield Layer("Next step", (steps, N_TRACKS * n_classes), note="a softmax for each track")


def _convolutions(configuration, count, planes, note, n_tracks):
    """From so many planes to so many tracks: four convolutions and their mirror."""
    width = configuration["filters"]
    steps, pitches = FAMILIES["cnn"].context_steps, N_PITCHES
    yield Layer("Input planes", (steps, pitches, planes), note=note)
    there = (width, 2 * width, 4 * width, 4 * width)
    for number, (filters, (down, across)) in enumerate(zip(there, STRIDES, strict=True)):
        steps, pitches = -(-steps // down), -(-pitches // across)
        yield Layer(
            f"Convolution 3{TIMES}3",
            (steps, pitches, filters),
            count(_numbered("conv2d", number)),
            f"stride {down}{TIMES}{across}",
        )
    for number, (filters, (down, across)) in enumerate(zip((*there[2::-1], n_tracks), STRIDES[::-1], strict=True)):
        steps, pitches = steps * down, pitches * across
        yield Layer(
            f"Deconvolution 3{TIMES}3",
            (steps, pitches, filters),
            count(_numbered("conv2d_transpose", number)),
            f"stride {down}{TIMES}{across}",
        )


def _numbered(layer, number):
    return f"{layer}_{number}" if number else layer


def _cnn(family, configuration, count):
    note = "5 heard, 5 decided, 5 masks"
    yield from _convolutions(configuration, count, 3 * N_TRACKS, note, N_TRACKS)
    yield Layer("Next block", (family.target_steps, N_PITCHES, N_TRACKS), note="a sigmoid for each cell")


def _factorised(family, configuration, count):
    yield from _convolutions(configuration, count, N_TRACKS, "5 heard", N_TRACKS)
    yield Layer("Next block", (family.target_steps, N_PITCHES, N_TRACKS), note="a sigmoid for each cell")


def _per_track(family, configuration, count):
    note = "the last of five networks; the first sees 5"
    last = f"functional_{N_TRACKS - 1}/layers/"
    yield from _convolutions(configuration, lambda layer: count(last + layer), 2 * N_TRACKS - 1, note, 1)
    yield Layer("Next block", (family.target_steps, N_PITCHES, N_TRACKS), note="a sigmoid for each cell")


def _gru_chain(family, configuration, count):
    voices, width = Voices.of(configuration), configuration["width"]
    steps, n_heads = family.window_steps, len(voices.tracks)
    yield Layer("Three steps", (steps, 3 * sum(voices.n_features)), note="a step, one bar, two bars ago")
    yield Layer("Dense", (steps, 3 * width), count("dense"), "for each")
    told = BAR_STEPS + Arrangement.width(configuration)
    with_what = "place in the bar and arrangement" if configuration["arrangement"] else "place in the bar"
    yield Layer(f"With {with_what}", (steps, 3 * width + told))
    yield Layer("GRU", (steps, configuration["units"]), count("gru"))
    for track in dict.fromkeys(voices.tracks):
        heads = [head for head, of in enumerate(voices.tracks) if of == track]
        n_weights = sum(count(f"dense_{head + 1}") + count(f"dense_{n_heads + head + 1}") for head in heads)
        size = (steps, len(heads) * voices.n_classes[heads[0]])
        yield Layer(TRACKS[track], size, n_weights, _heard(heads), TRACKS[track])


def _heard(heads):
    voices = f"{len(heads)} voices, " if len(heads) > 1 else ""
    return f"{voices}after those above" if heads[0] else f"{voices}drawn first"


_OF_FAMILY = {
    "rnn": _rnn,
    "cnn": _cnn,
    "cnn-factorised": _factorised,
    "cnn-per-track": _per_track,
    "gru-chain": _gru_chain,
}
