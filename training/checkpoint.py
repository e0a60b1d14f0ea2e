"""A checkpoint: one `.keras` zip of config.json, metadata.json, model.weights.h5 and card.json.

Weights alone, as `.weights.h5` or `.safetensors`, are a checkpoint with their card as a second file. Whatever comes in
is read and checked here without Keras: it may be broken or hostile, so nothing in it is executed or unpickled, no size
is believed, and every weight must have the name and the shape that the family's table says. Weights are named as Keras
names them, so `keras.models.load_model` reads our files too.
"""

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from music.archive import Archive, Limits
from music.refusal import Refusal, is_plain
from training import architecture, json_file, safetensors_file, weights_file
from training import card as card_of_checkpoint
from training.families import family_named

VERSION = "0.1.0"  # of the card's layout; a trained card's `code` tells the code apart

# How many bytes each member may have once it is unpacked.
MEMBERS = {
    "config.json": 2**20,
    "metadata.json": 2**16,
    "card.json": card_of_checkpoint.MAX_BYTES,
    "model.weights.h5": weights_file.MAX_BYTES,
}
MAX_FILE_BYTES = 300 * 2**20
HINT = 'save with model.save_weights("x.weights.h5")'
# What the card that comes beside a file of weights may say of it: then a flipped bit is noticed as well.
CHECKSUM = "weights_sha256"


class CheckpointError(Refusal):
    """The file is no checkpoint of ours; one sentence that names what is wrong."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A card, checked, and the weights that go with it: {name: float32 array}, in the network's order."""

    card: dict
    weights: dict


def read(path, card=None):
    """Return the Checkpoint in this file.

    path: `.weights.h5` and `.safetensors` hold weights alone; anything else must be a `.keras` archive
    card: path of the card, where it is a file of its own; the one in an archive goes before it

    Raises CheckpointError for whatever is not a checkpoint of a family of ours, whole and finite.
    """
    path = Path(path)
    try:
        content = _bytes(path)
        given = None if card is None else json_file.read(_bytes(Path(card)), "The card", card_of_checkpoint.MAX_BYTES)
        if path.suffix in WEIGHTS:
            return _of_weights(content, given, WEIGHTS[path.suffix])
        return _of_archive(content, given)
    except CheckpointError:
        raise
    except Refusal as refusal:
        raise CheckpointError(str(refusal), refusal.problem) from refusal


def inspect(path):
    """Return the card of this file after the same checks as `read`."""
    return read(path).card


WEIGHTS = {".h5": weights_file.read, ".safetensors": safetensors_file.read}


def _bytes(path):
    size = os.path.getsize(path)
    if not size:
        raise CheckpointError("The file is empty.", "file.empty")
    if size > MAX_FILE_BYTES:
        raise CheckpointError(f"The file is larger than {MAX_FILE_BYTES // 2**20} MB.", "file.size")
    return path.read_bytes()


def _of_weights(content, card, read_weights):
    if card is None:
        raise CheckpointError("The weights come without their card; add it, named like them, as .json.", "card.missing")
    announced = card.pop(CHECKSUM, None)
    if announced not in (None, hashlib.sha256(content).hexdigest()):
        raise CheckpointError(
            f"The file is not the one that its card speaks of: {CHECKSUM} differs.", "weights.checksum"
        )
    card = card_of_checkpoint.checked(card)
    return Checkpoint(card, read_weights(content, _shapes(card)))


def _of_archive(content, card):
    archive = Archive(io.BytesIO(content), Limits(n_members=64, member_bytes=weights_file.MAX_BYTES))
    _check_members(archive)
    # The architecture first: a model of someone else's is told that it is one, not that it lacks a card.
    config = _json(archive, "config.json")
    architecture.check(config)
    if "metadata.json" in archive:
        _json(archive, "metadata.json")
    if "card.json" in archive or card is None:
        card = _json(archive, "card.json")
    card = card_of_checkpoint.checked({name: value for name, value in card.items() if name != CHECKSUM})
    shapes = _shapes(card)
    architecture.check(config, shapes)
    return Checkpoint(card, weights_file.read(archive.read("model.weights.h5"), shapes))


def _shapes(card):
    return family_named(card["family"]).weight_shapes(card["configuration"])


def _check_members(archive):
    for name, info in archive.members.items():
        if name.endswith(".npz"):
            raise CheckpointError(f"{name} may hold pickled code and is not read; {HINT}.", "npz.object_array")
        if name not in MEMBERS:
            shown = name if is_plain(name, 60) else ascii(name[:60])
            raise CheckpointError(
                f"The archive has a member that no checkpoint has: {shown!a}.", "zip.unexpected_member"
            )
        if info.file_size > MEMBERS[name]:
            problem = "json.size" if name.endswith(".json") else "file.size"
            raise CheckpointError(f"{name} is larger than {MEMBERS[name]:,} bytes.", problem)
    for name, problem in (("config.json", "keras.no_config"), ("model.weights.h5", "keras.no_weights")):
        _check_presence(archive, name, problem)


def _check_presence(archive, name, problem):
    if name not in archive:
        raise CheckpointError(f"The archive lacks {name}; a checkpoint that Earmark trained has it.", problem)


def _json(archive, name):
    _check_presence(archive, name, "card.missing")
    return json_file.read(archive.read(name), name, MEMBERS[name])


def write(path, card, weights, config=None):
    """Write a checkpoint; it is there whole or not at all.

    card: dict, at least family, configuration, steps_per_beat and statistics
    weights: {name: float array}, as the family's table says
    config: the network as Keras describes it; without it Keras itself cannot load the file, Earmark can

    Raises CheckpointError if `read` would refuse what it was given.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        card = card_of_checkpoint.checked({"version": VERSION, "created_at": now} | card)
        content = {
            "metadata.json": _dumped({"keras_version": "3.15.1", "date_saved": card["created_at"]}),
            "config.json": _dumped(config or {"class_name": "Functional", "config": {"name": card["family"]}}),
            "model.weights.h5": weights_file.packed(weights, _shapes(card)),
            "card.json": _dumped(card),
        }
        packed = _zipped(content)
        _of_archive(packed, None)
    except CheckpointError:
        raise
    except Refusal as refusal:
        raise CheckpointError(str(refusal), refusal.problem) from refusal
    _write_whole(Path(path), packed)


def _dumped(value):
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()


def _zipped(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # a fixed date: the bytes tell what is in it, not when
    return packed.getvalue()


def _write_whole(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
