"""Weights as files of each kind that a checkpoint may come in, written by the usual libraries or by hand."""

import io
import json
import struct
import zipfile

import h5py


def as_h5(weights, **options):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in weights.items():
            file.create_dataset(name, data=array, **options)
    return content.getvalue()


def as_safetensors(weights, **changes):
    header, at = {}, 0
    for name, array in weights.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    packed = json.dumps(header | changes).encode()
    return struct.pack("<Q", len(packed)) + packed + b"".join(array.tobytes() for array in weights.values())


def as_keras(weights, card, config=b'{"class_name": "Functional", "config": {"name": "a stub"}}'):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in (("config.json", config), ("metadata.json", b"{}"), ("model.weights.h5", weights)):
            archive.writestr(name, data)
        archive.writestr("card.json", card if isinstance(card, str) else json.dumps(card))
    return content.getvalue()
