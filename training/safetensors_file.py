"""safetensors weights, read without its library: a length, a header in JSON, and the numbers, with nothing between."""

import math
import re

import numpy as np

from music.refusal import Refusal
from training import json_file, weights_file

MAX_HEADER_BYTES = 2 * 2**20
DTYPES = {"F16": "<f2", "F32": "<f4"}
METADATA = "__metadata__"


class SafetensorsError(Refusal):
    """The file is not what safetensors files are; one sentence."""


def read(content, shapes):
    """Return {name: float32 array} in the order of `shapes`.

    content: bytes of a .safetensors file
    shapes: {name: shape}, all that it must hold

    Raises SafetensorsError for a header that cannot be true, and WeightsError for other names, shapes, types or values
    than the family's.
    """
    header, body = _parts(content)
    _check_metadata(header.pop(METADATA, {}))
    _check_cover(header, len(body))
    weights_file.check_names(header, shapes)
    for name, entry in header.items():
        weights_file.check_shape(entry["shape"], name, shapes)
    return {name: _values(header[name], name, body) for name in shapes}


def _parts(content):
    """Return (header, bytes of all tensors)."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= size <= min(MAX_HEADER_BYTES, len(content) - 8):
        raise SafetensorsError(
            "The file is no safetensors file: its header has an impossible length.", "safetensors.header"
        )
    try:
        header = json_file.read(content[8 : 8 + size], "The header", MAX_HEADER_BYTES)
    except json_file.JsonError as refusal:
        raise SafetensorsError(str(refusal), "safetensors.header") from refusal
    return header, content[8 + size :]


def _check_metadata(metadata):
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise SafetensorsError("The header's metadata is not a table of texts.", "safetensors.header")
    if any(re.search("[<>]", text) for pair in metadata.items() for text in pair):
        raise SafetensorsError("The header's metadata holds markup.", "text.markup")


def _check_cover(header, n_bytes):
    """The tensors lie one after the other, each as long as its shape says, from the first byte to the last."""
    at = 0
    for name, entry in sorted(header.items(), key=_begin):
        begin, end = entry["data_offsets"]
        if entry["dtype"] not in DTYPES:
            raise SafetensorsError(f"{_shown(name)} is not of type F32 or F16.", "weights.dtype")
        size = math.prod(entry["shape"]) * np.dtype(DTYPES[entry["dtype"]]).itemsize
        if begin != at or end - begin != size:
            raise SafetensorsError(
                f"The place that the header gives {_shown(name)} cannot be true.", "safetensors.offsets"
            )
        at = end
    if at != n_bytes:
        raise SafetensorsError("The header does not speak of all bytes of the file, or of more.", "safetensors.offsets")


def _begin(item):
    """Return where a tensor begins, if its entry is one at all."""
    name, entry = item
    known = isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}
    whole = known and _are_sizes(entry["shape"], 8) and _are_sizes(entry["data_offsets"], 2)
    if not whole or len(entry["data_offsets"]) != 2 or not isinstance(entry["dtype"], str):
        raise SafetensorsError(f"The header's entry of {_shown(name)} is not one.", "safetensors.header")
    return entry["data_offsets"][0], entry["data_offsets"][1]


def _are_sizes(values, most):
    return (
        isinstance(values, list) and len(values) <= most and all(type(value) is int and value >= 0 for value in values)
    )


def _values(entry, name, body):
    begin, end = entry["data_offsets"]
    array = np.frombuffer(body[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return weights_file.checked_values(array, name)


def _shown(name):
    return ascii(name[:60])
