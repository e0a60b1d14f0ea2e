"""Checkpoints from elsewhere, in three formats: hostile ones, ours with every kind of damage, and chance."""

import csv
import hashlib
import io
import json
import struct
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tiny_gru
from tests.training.packing import as_h5, as_keras, as_safetensors
from training import checkpoint, safetensors_file, weights_file
from training.checkpoint import CheckpointError
from training.families import FAMILIES

CHECKPOINT_KINDS = ("keras", "keras_h5", "weights_h5", "safetensors")
KERNEL = "layers/dense/vars/0"


@pytest.fixture
def tiny_card(shared, tmp_path, monkeypatch):
    """A card of the collection's family, which the test registers."""
    monkeypatch.setitem(FAMILIES, "tiny_gru", tiny_gru.family())
    path = tmp_path / "card.json"
    path.write_text(json.dumps(tiny_gru.CARD))
    return path


def collection(folder, *classes):
    rows = csv.DictReader((folder / "MANIFEST.csv").read_text().splitlines())
    return [row for row in rows if row["kind"] in CHECKPOINT_KINDS and row["class"] in classes]


def test_each_hostile_checkpoint_is_refused_for_what_is_wrong_with_it(shared, tiny_card):
    folder = shared / "data" / "uploads"
    wrong = {}

    for row in collection(folder, "hostile"):
        with pytest.raises(CheckpointError) as caught:
            checkpoint.read(folder / row["file"], tiny_card)
        if caught.value.problem not in row["problem_code"].split("|"):
            wrong[row["file"]] = (caught.value.problem, row["problem_code"], str(caught.value))

    assert wrong == {}


def test_the_valid_checkpoints_of_the_collection_hold_one_set_of_weights(shared, tiny_card):
    folder = shared / "data" / "uploads"
    files = [row["file"] for row in collection(folder, "control")]

    found = {file: checkpoint.read(folder / file, tiny_card).weights for file in files}

    with h5py.File(folder / "ok01_plain.weights.h5") as file:
        plain = {name: file[name][:] for name in found["ok01_plain.weights.h5"]}
    assert len(files) == 5
    for file, weights in found.items():
        as_close = 1e-3 if "float16" in file else 0
        assert all(np.abs(weights[name] - plain[name]).max() <= as_close for name in plain), file


# Our own families


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("x.weights.h5", as_h5),
        ("x.weights.h5", lambda weights: as_h5(weights, compression="gzip", shuffle=True, fletcher32=True)),
        ("x.safetensors", as_safetensors),
        ("x.safetensors", lambda weights: as_safetensors(weights, __metadata__={"format": "pt"})),
    ],
    ids=["h5", "packed h5", "safetensors", "safetensors with metadata"],
)
def test_weights_alone_are_a_checkpoint_with_their_card(brought, named, name, packed):
    card, weights = named

    read = brought(name, packed(weights), card)

    assert read.card["family"] == card["family"]
    assert list(read.weights) == list(weights)
    assert all((read.weights[key] == weights[key]).all() for key in weights)


@pytest.mark.parametrize("name", ["x.weights.h5", "x.safetensors"])
def test_weights_without_their_card_are_refused_with_the_way_out(brought, named, name):
    _, weights = named

    with pytest.raises(CheckpointError, match=r"add it, named like them, as \.json\."):
        brought(name, as_h5(weights) if name.endswith("h5") else as_safetensors(weights))


def test_a_card_beside_the_archive_stands_in_for_the_one_that_is_missing(brought, named, tmp_path):
    card, weights = named
    checkpoint.write(tmp_path / "whole.keras", card, weights)
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as without:
            for name in set(archive.namelist()) - {"card.json"}:
                without.writestr(name, archive.read(name))

    assert brought("x.keras", content.getvalue(), card).card["family"] == card["family"]
    with pytest.raises(CheckpointError, match=r"lacks card\.json"):
        brought("x.keras", content.getvalue())


def test_a_network_that_differs_from_its_card_is_refused(brought, tmp_path, a_card, some_weights):
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 645}}
    lstm = {"module": "keras.layers", "class_name": "LSTM", "config": {"units": 4}}
    checkpoint.write(tmp_path / "same.keras", a_card(), some_weights(), {"config": {"layers": [lstm, dense]}})

    for layers in ([dense], [lstm, dense, dense], [{**lstm, "config": {"units": 8}}, dense]):
        with pytest.raises(CheckpointError, match="another network than the card") as caught:
            checkpoint.write(tmp_path / "x.keras", a_card(), some_weights(), {"config": {"layers": layers}})
        assert caught.value.problem == "keras.layers"
    assert "it has LSTM of 8 where the card's has LSTM of 4." in str(caught.value)
    assert checkpoint.read(tmp_path / "same.keras").card["family"] == "rnn"


def changed(weights, name, array):
    return {**weights, name: array}


DAMAGE = {
    "weights.shape": lambda w, k: changed(w, k, np.zeros((*w[k].shape[:-1], w[k].shape[-1] + 1), "f4")),
    "weights.unexpected": lambda w, k: changed(w, "layers/extra/vars/0", w[k]),
    "weights.missing": lambda w, k: {name: array for name, array in w.items() if name != k},
    "weights.non_finite": lambda w, k: changed(w, k, np.full_like(w[k], np.nan)),
    "weights.magnitude": lambda w, k: changed(w, k, np.full_like(w[k], 3e38)),
}


@pytest.mark.parametrize("problem", sorted(DAMAGE))
@pytest.mark.parametrize("name", ["x.weights.h5", "x.safetensors", "x.keras"])
def test_damaged_weights_of_our_families_are_refused_in_every_format(brought, named, problem, name):
    card, weights = named
    kernel = list(weights)[-2]
    damaged = DAMAGE[problem](weights, kernel)
    content = as_safetensors(damaged) if name == "x.safetensors" else as_h5(damaged)

    with pytest.raises(CheckpointError) as caught:
        brought(name, as_keras(content, card) if name == "x.keras" else content, card)

    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"dtype": "BOOL"}, "weights.dtype"),
        ({"data_offsets": [0, 2**63]}, "safetensors.offsets"),
        ({"data_offsets": [4, 8]}, "safetensors.offsets"),
        ({"shape": [2**40, 2**40]}, "safetensors.offsets"),
        ({"shape": [-1]}, "safetensors.header"),
        ({"shape": [1.5]}, "safetensors.header"),
        ({"more": 1}, "safetensors.header"),
        ({"dtype": 4}, "safetensors.header"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(some_weights, change, problem):
    weights = some_weights()
    name, array = next(iter(weights.items()))
    entry = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [0, array.nbytes]} | change

    with pytest.raises(safetensors_file.Refusal) as caught:
        safetensors_file.read(as_safetensors(weights, **{name: entry}), {n: a.shape for n, a in weights.items()})

    assert caught.value.problem == problem


def test_a_card_that_knows_the_checksum_of_its_weights_holds_them_to_it(brought, a_card, some_weights):
    content = as_safetensors(some_weights())
    card = a_card() | {"weights_sha256": hashlib.sha256(content).hexdigest()}
    flipped = bytearray(content)
    flipped[-9] ^= 1

    assert "weights_sha256" not in brought("x.safetensors", content, card).card
    with pytest.raises(CheckpointError, match="not the one that its card speaks of"):
        brought("x.safetensors", bytes(flipped), card)


# Chance

SMALL = {"a/vars/0": (3, 4), "a/vars/1": (4,)}
ARRAYS = {name: np.arange(np.prod(shape), dtype="f4").reshape(shape) / 7 for name, shape in SMALL.items()}
PLAIN, PACKED = as_h5(ARRAYS), as_h5(ARRAYS, compression="gzip", shuffle=True, fletcher32=True)
SAFE = as_safetensors(ARRAYS)


def flips(content):
    """Every bit that decides how the file is read, and a spread of the others."""
    return range(0, 8 * len(content), max(1, len(content) // 300))


def test_a_flipped_bit_of_an_hdf5_file_is_refused_or_read_as_hdf5_reads_it():
    """Numbers without a checksum are what they are; but nothing that HDF5 reads otherwise may be read here."""
    outcomes = {"refused": 0, "same": 0}

    for bit in flips(PLAIN):
        flipped = bytearray(PLAIN)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = weights_file.read(bytes(flipped), SMALL)
        except weights_file.WeightsError:
            outcomes["refused"] += 1
            continue
        with h5py.File(io.BytesIO(bytes(flipped))) as file:
            assert all(np.array_equal(read[name], file[name][:]) for name in SMALL), bit
        outcomes["same"] += 1

    assert min(outcomes.values()) > 50


def test_a_flipped_bit_of_a_packed_chunk_never_passes():
    """Adler's and Fletcher's checksums stand behind each chunk: other arrays than the right ones cannot come out."""
    for bit in flips(PACKED):
        flipped = bytearray(PACKED)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = weights_file.read(bytes(flipped), SMALL)
        except weights_file.WeightsError:
            continue
        assert all(np.array_equal(read[name], ARRAYS[name]) for name in SMALL), bit


def test_a_flipped_bit_of_an_archive_is_refused_or_changes_no_array(brought, a_card, some_weights):
    card, weights = a_card(), some_weights()
    content = as_keras(as_h5(weights), card)
    n_refused = 0

    for bit in [
        *range(8 * 60),
        *range(8 * (len(content) - 300), 8 * len(content), 4),
        *range(3200, 8 * len(content), 40_001),
    ]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = brought("x.keras", bytes(flipped))
        except CheckpointError:
            n_refused += 1
            continue
        assert all((read.weights[name] == weights[name]).all() for name in weights), bit

    assert n_refused > 100


def test_a_flipped_bit_of_a_safetensors_header_is_refused_or_changes_no_array():
    (n_header,) = struct.unpack("<Q", SAFE[:8])

    for bit in range(8 * (8 + n_header)):
        flipped = bytearray(SAFE)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = safetensors_file.read(bytes(flipped), SMALL)
        except safetensors_file.Refusal:
            continue
        assert all(np.array_equal(read[name], ARRAYS[name]) for name in SMALL), bit


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(st.data(), st.sampled_from([PLAIN, PACKED]))
def test_an_hdf5_file_with_anything_written_over_it_is_refused_or_read(data, content):
    content = overwritten(data, content)

    try:
        read = weights_file.read(content, SMALL)
    except weights_file.WeightsError:
        return

    assert {name: array.shape for name, array in read.items()} == SMALL


@FUZZ
@given(st.data())
def test_a_safetensors_file_with_anything_written_over_it_is_refused_or_read(data):
    content = overwritten(data, SAFE)

    try:
        read = safetensors_file.read(content, SMALL)
    except safetensors_file.Refusal:
        return

    assert {name: array.shape for name, array in read.items()} == SMALL


def overwritten(data, content):
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + len(piece)] = piece
    return bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else bytes(content)
