"""Keras' description of a network, compared with a family and never executed.

`config.json` can name any class, function or layer that runs code of its own. Here it is data: the classes must be those
that a network of ours is made of, and the layers with weights must be the family's, as large as its table says.
"""

import re
from collections import Counter

from music.refusal import Refusal

# Layers with weights -> how many numbers their last weight has for each unit or filter.
WEIGHTED = {"LSTM": 4, "GRU": 3, "Dense": 1, "Conv2D": 1, "Conv2DTranspose": 1, "Embedding": 1}
SIZES = ("units", "filters", "output_dim")
UNWEIGHTED = {
    *("Functional", "Model", "Sequential", "InputLayer", "Reshape", "Concatenate", "DTypePolicy", "__keras_tensor__"),
    *("Constant", "GlorotUniform", "Orthogonal", "RandomUniform", "Zeros", "Ones"),
}
MOST_LAYERS = 200


class ArchitectureError(Refusal):
    """The description is not of a network of ours; one sentence."""


def check(config, shapes=None):
    """Look through a description.

    config: dict as in config.json
    shapes: {weight name: shape} of the family, to compare the layers with; None looks at the classes alone

    Raises ArchitectureError for a class or module that no network of ours has, and for layers that are not the family's.
    """
    layers = Counter()
    for part in _parts(config):
        _check_part(part)
        if part.get("class_name") in WEIGHTED and isinstance(part.get("config"), dict):
            layers[part["class_name"], _size(part)] += 1
    if sum(layers.values()) > MOST_LAYERS:
        raise ArchitectureError(f"config.json has more than {MOST_LAYERS} layers.", "keras.forbidden_class")
    if shapes is not None and layers and layers != (wanted := _layers_of(shapes)):
        has, lacks = (_in_words(one - other) for one, other in ((layers, wanted), (wanted, layers)))
        raise ArchitectureError(
            f"config.json describes another network than the card: it has {has} where the card's has {lacks}.",
            "keras.layers",
        )


def _parts(config):
    """Yield every object within the description, itself included."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        if isinstance(value, dict):
            waiting.extend(value.values())
            yield value


def _check_part(part):
    module, name = part.get("module"), part.get("class_name")
    if name is not None and (not isinstance(name, str) or name not in UNWEIGHTED | WEIGHTED.keys()):
        raise ArchitectureError(
            f"config.json names a layer that no family here has: {str(name)[:60]!a}.", "keras.forbidden_class"
        )
    if module is not None and str(module).split(".")[0] not in ("keras", "builtins"):
        raise ArchitectureError(
            f"config.json names a module that is not Keras: {str(module)[:60]!a}.", "keras.forbidden_class"
        )
    if part.get("unroll") not in (None, False):
        raise ArchitectureError(
            "config.json asks for an unrolled layer, which no family here has.", "keras.forbidden_class"
        )


def _size(part):
    sizes = [part["config"].get(name) for name in SIZES]
    known = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    return WEIGHTED[part["class_name"]] * known[0] if known else None


def _in_words(layers):
    if not layers:
        return "nothing"
    (name, size), _ = min(layers.items(), key=str)
    return str(name)[:40] if size is None else f"{str(name)[:40]} of {size // WEIGHTED.get(name, 1)}"


def _layers_of(shapes):
    """Return how often the family has a layer of this class with a last weight of this size."""
    last = {}  # {path of the layer: size of its last weight}; a table lists a layer's weights in their order
    for name, shape in shapes.items():
        last[re.sub(r"(/cell)?/vars/\d+$", "", name)] = shape[-1]
    return Counter((_class_of(path.split("/")[-1]), size) for path, size in last.items())


def _class_of(layer):
    """Keras calls the second Conv2DTranspose of a file `conv2d_transpose_1`."""
    by_name = {re.sub(r"(?<=\w)(?=[A-Z][a-z])", "_", name).lower(): name for name in WEIGHTED}
    return by_name.get(re.sub(r"_\d+$", "", layer), layer)
