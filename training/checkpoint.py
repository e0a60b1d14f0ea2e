"""A checkpoint: one `.keras` zip of config.json, metadata.json, model.weights.h5 and card.json.

It is read and checked here without Keras: whatever comes in may be broken or hostile, so nothing in it is executed or
unpickled, no size is believed, and every weight must have the name and the shape that the family's table says. Weights
are named as Keras names them, so `keras.models.load_model` reads our files too.
"""

import io
import json
import math
import os
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from music.pianoroll import N_PITCHES, N_TRACKS
from training import weights_file
from training.families import STEPS_PER_BEAT, ConfigurationError, family_named

VERSION = "0.1.0"  # of the card's layout and of the code that wrote it

# How many bytes each member may have once it is unpacked.
MEMBERS = {
    "config.json": 2**20,
    "metadata.json": 2**16,
    "card.json": 256 * 1024,
    "model.weights.h5": weights_file.MAX_BYTES,
}
MAX_FILE_BYTES = 300 * 2**20
MAX_RATIO = 100  # deflate never packs weights or a card this tightly
RATIO_FLOOR = 2**20

# The Keras classes that a network of ours is made of. config.json is compared with them and never executed.
KERAS_CLASSES = {
    *(
        "Functional",
        "Model",
        "Sequential",
        "InputLayer",
        "LSTM",
        "GRU",
        "Dense",
        "Reshape",
        "Conv2D",
        "Conv2DTranspose",
    ),
    *("Concatenate", "DTypePolicy", "Constant", "GlorotUniform", "Orthogonal", "RandomUniform", "Zeros", "Ones"),
    "__keras_tensor__",
}


class CheckpointError(ValueError):
    """The file is no checkpoint of ours; one sentence that names what is wrong."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A card, checked, and the weights that go with it: {name: float32 array}, in the network's order."""

    card: dict
    weights: dict


def read(path):
    """Return the Checkpoint in this file.

    Raises CheckpointError for whatever is not a checkpoint of a family of ours, whole and finite.
    """
    card, content = _opened(path)
    return Checkpoint(card, _weights(content, card))


def inspect(path):
    """Return the card of this file after the same checks as `read`."""
    return read(path).card


def _weights(content, card):
    shapes = family_named(card["family"]).weight_shapes(card["configuration"])
    try:
        return weights_file.read(content, shapes)
    except weights_file.WeightsError as problem:
        raise CheckpointError(str(problem)) from problem


def _packed(weights, card):
    shapes = family_named(card["family"]).weight_shapes(card["configuration"])
    try:
        content = weights_file.packed(weights, shapes)
        weights_file.read(content, shapes)
    except weights_file.WeightsError as problem:
        raise CheckpointError(str(problem)) from problem
    return content


def _opened(path):
    """Return (card, bytes of the weights) after all that can be checked without opening the weights."""
    size = os.path.getsize(path)
    if not size:
        raise CheckpointError("The file is empty.")
    if size > MAX_FILE_BYTES:
        raise CheckpointError(f"The file is larger than {MAX_FILE_BYTES // 2**20} MB.")
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise CheckpointError("The file is not a .keras checkpoint: it is not a zip archive.")
        try:
            with zipfile.ZipFile(file) as archive:
                _check_directory(archive, size)
                return _contents(archive)
        except CheckpointError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as problem:
            raise CheckpointError(f"The zip archive is damaged or cut short: {problem}.") from problem


def _contents(archive):
    # The architecture first: a model of someone else's is told that it is one, not that it lacks a card.
    for name in ("config.json", "model.weights.h5"):
        _check_presence(archive, name)
    _check_architecture(_json(_member(archive, "config.json"), "config.json"))
    for name in ("metadata.json", "card.json"):
        _check_presence(archive, name)
    _json(_member(archive, "metadata.json"), "metadata.json")
    card = checked_card(_json(_member(archive, "card.json"), "card.json"))
    return card, _member(archive, "model.weights.h5")


def _check_presence(archive, name):
    if name not in archive.namelist():
        raise CheckpointError(f"The archive lacks {name}; a checkpoint that Earmark trained has it.")


def _check_directory(archive, size):
    infos = archive.infolist()
    if len(infos) > 64:
        raise CheckpointError(f"The archive has {len(infos)} members; a checkpoint has {len(MEMBERS)}.")
    names = [info.filename for info in infos]
    for info in infos:
        _check_member(info)
    for name in MEMBERS:
        if names.count(name) > 1:
            raise CheckpointError(f"The archive has {name} twice.")
    end = size
    for info in sorted(infos, key=lambda info: info.header_offset, reverse=True):
        if info.header_offset + 30 + len(info.orig_filename.encode()) + info.compress_size > end:
            raise CheckpointError(f"The archive's members overlap at {info.filename}.")
        end = info.header_offset


def _check_member(info):
    name = info.filename
    if name not in MEMBERS:
        raise CheckpointError(f"The archive has a member that no checkpoint has: {name[:60]!a}.")
    if info.flag_bits & 0x1:
        raise CheckpointError(f"{name} is encrypted.")
    if (info.external_attr >> 28) not in (0, 0o10):
        raise CheckpointError(f"{name} is not a regular file but a link or a device.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CheckpointError(f"{name} is packed by another method than deflate.")
    if info.file_size > MEMBERS[name]:
        raise CheckpointError(f"{name} is larger than {MEMBERS[name]:,} bytes.")
    if info.file_size > RATIO_FLOOR and info.file_size > MAX_RATIO * info.compress_size:
        raise CheckpointError(f"{name} unpacks to more than {MAX_RATIO} times its size.")


def _member(archive, name):
    with archive.open(name) as member:
        content = member.read(MEMBERS[name] + 1)
    if len(content) != archive.getinfo(name).file_size:
        raise CheckpointError(f"{name} is not as long as the archive says.")
    return content


def _json(content, name):
    """Return the object that these bytes hold; keys stand once, numbers are finite."""
    try:
        value = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError as problem:
        raise CheckpointError(f"{name} is nested too deeply.") from problem
    except UnicodeDecodeError as problem:
        raise CheckpointError(f"{name} is not UTF-8 text.") from problem
    except ValueError as problem:
        raise CheckpointError(f"{name} is not valid JSON: {str(problem)[:120]}.") from problem
    if not isinstance(value, dict):
        raise CheckpointError(f"{name} is not a JSON object.")
    return value


def _once(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(text):
    raise ValueError(f"{text} is not a number")


def _check_architecture(config):
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        if not isinstance(value, dict):
            continue
        waiting.extend(value.values())
        module, name = value.get("module"), value.get("class_name")
        if name is not None and name not in KERAS_CLASSES:
            raise CheckpointError(f"config.json names a layer that no family here has: {str(name)[:60]!a}.")
        if module is not None and str(module).split(".")[0] not in ("keras", "builtins"):
            raise CheckpointError(f"config.json names a module that is not Keras: {str(module)[:60]!a}.")


def checked_card(card):
    """Return the card with its configuration completed by the family's defaults.

    Raises CheckpointError unless it names a family, a configuration that the family takes, a grid, and statistics
    that sampling can work with.
    """
    try:
        family = family_named(card.get("family"))
        configuration = card.get("configuration")
        if not isinstance(configuration, dict):
            raise CheckpointError("card.json has no configuration.")
        configuration = family.configuration(configuration)
    except ConfigurationError as problem:
        raise CheckpointError(f"card.json: {problem}") from problem
    if card.get("steps_per_beat") not in STEPS_PER_BEAT:
        raise CheckpointError("card.json: steps_per_beat is not 24, 12 or 4.")
    statistics = card.get("statistics")
    if not isinstance(statistics, dict):
        raise CheckpointError("card.json has no statistics of the corpus.")
    _check_numbers("statistics.tempo_bpm", [statistics.get("tempo_bpm")], 1, (20, 400))
    _check_numbers("statistics.density", statistics.get("density"), N_TRACKS, (0, 128))
    _check_numbers("statistics.velocity", statistics.get("velocity"), N_TRACKS, (1, 127))
    calibration = card.get("calibration", {})
    if not isinstance(calibration, dict) or set(calibration) - {"bias"}:
        raise CheckpointError("card.json: calibration may hold bias, and nothing else.")
    bias = calibration.get("bias", [[0.0] * N_PITCHES] * N_TRACKS)
    if not isinstance(bias, list) or len(bias) != N_TRACKS:
        raise CheckpointError(f"card.json: calibration.bias must hold {N_TRACKS} lists, one a track.")
    for track in bias:
        _check_numbers("calibration.bias", track, N_PITCHES, (-12, 12))
    return card | {"configuration": configuration, "calibration": calibration}


def _check_numbers(name, values, count, bounds):
    low, high = bounds
    is_list = isinstance(values, list) and len(values) == count
    if not is_list or not all(_is_number(value) and low <= value <= high for value in values):
        raise CheckpointError(f"card.json: {name} must be {count} numbers from {low} to {high}.")


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def write(path, card, weights, architecture=None):
    """Write a checkpoint; it is there whole or not at all.

    card: dict, at least family, configuration, steps_per_beat and statistics
    weights: {name: float array}, as the family's table says
    architecture: the network as Keras describes it; without it Keras itself cannot load the file, Earmark can

    Raises CheckpointError if `read` would refuse what it was given.
    """
    path = Path(path)
    card = checked_card({"version": VERSION, "created_at": datetime.now(UTC).isoformat(timespec="seconds")} | card)
    content = {
        "metadata.json": _dumped({"keras_version": "3.15.1", "date_saved": card["created_at"]}),
        "config.json": _dumped(architecture or {"class_name": "Functional", "config": {"name": card["family"]}}),
        "model.weights.h5": _packed(weights, card),
        "card.json": _dumped(card),
    }
    for name, limit in MEMBERS.items():
        if len(content[name]) > limit:
            raise CheckpointError(f"{name} would be larger than {limit:,} bytes.")
    _write_whole(path, content)


def _dumped(value):
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()


def _write_whole(path, content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # a fixed date: the bytes tell what is in it, not when
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(packed.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
