"""Keras' description of a network, compared with a family and never executed.

`config.json` can name any class, function or layer that runs code of its own. Here it is data: the classes must be those
that a network of ours is made of, and the layers with weights must be the family's: as large as its table says, with the
activations and strides that it has. How a network was compiled, which says how it was trained, is left out of account.
"""

import re
from collections import Counter

from music.refusal import Refusal
from training.layers import STRIDES

# Layers with weights -> how many numbers their last weight has for each unit or filter.
WEIGHTED = {"LSTM": 4, "GRU": 3, "Dense": 1, "Conv2D": 1, "Conv2DTranspose": 1, "Embedding": 1}
SIZES = ("units", "filters", "output_dim")
UNWEIGHTED = {
    *("Functional", "Model", "Sequential", "InputLayer", "Reshape", "Concatenate", "DTypePolicy", "__keras_tensor__"),
    *("Constant", "GlorotUniform", "Orthogonal", "RandomUniform", "Zeros", "Ones"),
}
MOST_LAYERS = 200
# What decides the answer of a layer and is the same in all our networks; a description may leave out what is usual.
USUAL = {
    "LSTM": {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": False, "stateful": False},
    "GRU": {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": False, "stateful": False}
    | {"reset_after": True},
    "Dense": {},
    "Conv2D": {"padding": "same", "kernel_size": (3, 3), "dilation_rate": (1, 1), "groups": 1}
    | {"data_format": "channels_last"},
    "Conv2DTranspose": {"padding": "same", "kernel_size": (3, 3), "dilation_rate": (1, 1)}
    | {"data_format": "channels_last"},
    "Embedding": {},
}
WITH_ACTIVATION, WITH_STRIDES = ("Dense", "Conv2D", "Conv2DTranspose"), ("Conv2D", "Conv2DTranspose")


class ArchitectureError(Refusal):
    """The description is not of a network of ours; one sentence."""


def check(config, shapes=None):
    """Look through a description.

    config: dict as in config.json
    shapes: {weight name: shape} of the family, to compare the layers with; None looks at the classes alone

    Raises ArchitectureError for a class or module that no network of ours has, and for layers that are not the family's.
    """
    layers, answers = Counter(), Counter()
    for part in _parts({name: value for name, value in config.items() if name != "compile_config"}):
        _check_part(part)
        if part.get("class_name") in WEIGHTED and isinstance(part.get("config"), dict):
            layers[part["class_name"], _size(part)] += 1
            answers[_answer_of(part)] += 1
    if sum(layers.values()) > MOST_LAYERS:
        raise ArchitectureError(f"config.json has more than {MOST_LAYERS} layers.", "keras.forbidden_class")
    if shapes is None or _is_stub(config):
        return
    if layers != (wanted := _layers_of(shapes)):
        has, lacks = (_in_words(one - other) for one, other in ((layers, wanted), (wanted, layers)))
        raise ArchitectureError(
            f"config.json describes another network than the card: it has {has} where the card's has {lacks}.",
            "keras.layers",
        )
    if answers != (meant := _answers_of(shapes)):
        (name, *has), (_, *wants) = min(answers - meant, key=str), min(meant - answers, key=str)
        raise ArchitectureError(
            f"config.json describes another network than the card: {name} {_answer_in_words(has)} where the card's "
            f"{_answer_in_words(wants)}.",
            "keras.layers",
        )


def _is_stub(config):
    """Is it what our own writer leaves where nobody described the network: its name and no layer?"""
    return set(config) == {"class_name", "config"} and set(_table(config["config"])) == {"name"}


def _table(value):
    return value if isinstance(value, dict) else {}


def _answer_of(part):
    """Return (class, activation, strides) of a layer, None for what its class has not.

    Raises ArchitectureError where it is set to what no layer of ours is set to.
    """
    name, config = part["class_name"], part["config"]
    for setting, usual in USUAL[name].items():
        if _plain(config.get(setting, usual)) != usual:
            raise ArchitectureError(
                f"config.json has a {name} with {setting} {str(config[setting])[:40]!a}, which no family here has.",
                "keras.layers",
            )
    if config.get("use_bias", True) is not True:
        raise ArchitectureError(f"config.json has a {name} without a bias, which no family here has.", "keras.layers")
    activation = str(config.get("activation", "linear"))[:40] if name in WITH_ACTIVATION else None
    return name, activation, _plain(config.get("strides", (1, 1))) if name in WITH_STRIDES else None


def _plain(value):
    """A list as a tuple; 3 for both directions is 3 for each; anything that cannot be compared as its text."""
    if isinstance(value, list):
        value = tuple(value)
    return value if isinstance(value, str | int | bool | tuple) and _is_hashable(value) else str(value)


def _is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _answers_of(shapes):
    """Return how often the family has a layer of this class with this activation and these strides."""
    paths = dict.fromkeys(re.sub(r"(/cell)?/vars/\d+$", "", name) for name in shapes)
    n_dense = sum(_class_of(path.split("/")[-1]) == "Dense" for path in paths)
    return Counter(_answer_at(path.split("/")[-1], n_dense) for path in paths)


def _answer_at(layer, n_dense):
    name, number = _class_of(layer), int(re.search(r"_(\d+)$", layer)[1]) if re.search(r"_\d+$", layer) else 0
    if name == "Conv2D":
        return name, "relu", STRIDES[number % len(STRIDES)]
    if name == "Conv2DTranspose":
        number %= len(STRIDES)
        return name, "linear" if number == len(STRIDES) - 1 else "relu", STRIDES[::-1][number]
    if name == "Dense":
        # A frame, then of each head what is heard before it and what it says.
        return name, "relu" if 1 <= number <= n_dense // 2 else "linear", None
    return name, None, None


def _answer_in_words(answer):
    activation, strides = answer
    return (
        " and ".join([f"has {activation}"] * (activation is not None) + [f"strides {strides}"] * (strides is not None))
        or "differs"
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
