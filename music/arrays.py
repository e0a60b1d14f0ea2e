"""NumPy's .npy format, read without trust: no pickle, no Python literal, no size that is not there."""

import math
import re

import numpy as np

from music.refusal import Refusal

_MAGIC = (b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00")
_HEADER = re.compile(
    rb"\{'descr': '([<|][bfiu][1248])', 'fortran_order': (False|True), 'shape': \(((?:\d{1,12}L?,? ?){0,4})\), ?\} *\n"
)


class ArrayError(Refusal):
    """The bytes are no array of plain numbers of this kind; one sentence."""


def read(content, name, kinds):
    """Return the array in the bytes of a .npy file: its own shape, one of these kinds ("<f4", "|u1", ...), read-only.

    Raises ArrayError, which calls the array by `name`.
    """
    start = 12 if content[6:7] == b"\x02" else 10
    header = _HEADER.match(content, start)
    if not content.startswith(_MAGIC) or header is None:
        problem = "npz.object_array" if b"'|O'" in content[:256] else "npz.header"
        raise ArrayError(f"{name} is not an array of plain numbers.", problem)
    shape = [int(size) for size in re.findall(rb"\d+", header[3])]
    dtype = np.dtype(header[1].decode())
    if len(content) - header.end() != math.prod(shape) * dtype.itemsize:
        raise ArrayError(f"{name} does not hold as many numbers as it says.", "npz.shape")
    if dtype.str not in kinds:
        raise ArrayError(f"{name} does not hold the right kind of numbers.", "npz.dtype")
    array = np.frombuffer(content, dtype, math.prod(shape), header.end())
    return array.reshape(shape, order="F" if header[2] == b"True" else "C")
