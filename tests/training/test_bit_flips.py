"""One bit of a file is turned over: it is refused, or it holds exactly what it held."""

import hashlib
import io
import json

import numpy as np
import pytest

from generation import csv_table
from music import archive, audio, lpd, midi
from music.refusal import Refusal
from tests import tiny_gru
from training import checkpoint
from training.families import FAMILIES

FLIPS = 60


def controls(folder, *suffixes):
    return sorted(path for path in folder.iterdir() if path.name.startswith("ok") and path.name.endswith(suffixes))


def flipped(content, seed):
    """Yield the content with one bit turned over, at places all over it and at its beginning and end."""
    chance = np.random.default_rng(seed)
    places = {*range(0, 64, 8), len(content) - 1, *chance.integers(0, len(content), FLIPS).tolist()}
    for place in sorted(place for place in places if place < len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << int(chance.integers(8))
        yield bytes(changed)


def test_a_checkpoint_whose_card_knows_its_checksum_is_refused_or_the_same(shared, tmp_path, monkeypatch):
    monkeypatch.setitem(FAMILIES, "tiny_gru", tiny_gru.family())
    files = controls(shared / "data" / "uploads", ".h5", ".safetensors", ".keras")
    assert len(files) >= 5

    n_refused = 0
    for path in files:
        content = path.read_bytes()
        card = tmp_path / "card.json"
        alone = path.suffix != ".keras"
        checksum = {"weights_sha256": hashlib.sha256(content).hexdigest()} if alone else {}
        card.write_text(json.dumps(tiny_gru.CARD | checksum))
        whole = checkpoint.read(path, card).weights
        for number, changed in enumerate(flipped(content, path.stat().st_size)):
            here = tmp_path / f"{number}{path.suffix if alone else '.keras'}"
            here.write_bytes(changed)
            try:
                found = checkpoint.read(here, card).weights
            except Refusal:
                n_refused += 1
                continue
            assert all(np.array_equal(found[name], whole[name]) for name in whole), (path.name, number)
    assert n_refused > FLIPS


def test_a_roll_is_refused_or_the_same(shared, tmp_path):
    files = controls(shared / "data" / "uploads", ".npz")

    n_refused = 0
    for path in files:
        whole = lpd.read(path)
        for number, changed in enumerate(flipped(path.read_bytes(), 1)):
            here = tmp_path / f"{number}.npz"
            here.write_bytes(changed)
            try:
                found = lpd.read(here)
            except Refusal:
                n_refused += 1
                continue
            assert (found.notes == whole.notes).all(), (path.name, number)
            assert (found.tempo_bpm == whole.tempo_bpm).all()
    assert files
    assert n_refused


def members(content):
    opened = archive.Archive(io.BytesIO(content))
    return {name: opened.read(name) for name in opened.members}


# The kinds whose bytes stand under checksums: what a flipped bit leaves readable is what it was.
CHECKED = {
    ".zip": lambda content: {name: np.frombuffer(data, np.uint8) for name, data in members(content).items()},
    ".flac": lambda content: {"samples": audio.read(io.BytesIO(content), 60)},
}
# The others may be other music or another table than they were, but only such as could have been brought.
UNCHECKED = {
    ".mid": lambda content: midi.read(io.BytesIO(content)).notes,
    ".csv": lambda content: csv_table.read(content, 1_000),
    ".wav": lambda content: audio.read(io.BytesIO(content), 60),
}


@pytest.mark.parametrize("kind", sorted(CHECKED | UNCHECKED))
def test_every_other_control_is_refused_or_read_and_the_same_where_it_has_checksums(shared, kind):
    read, files = (CHECKED | UNCHECKED)[kind], controls(shared / "data" / "uploads", kind)

    assert files
    for path in files:
        content = path.read_bytes()
        whole = read(content)
        for number, changed in enumerate(flipped(content, 3)):
            try:
                found = read(changed)
            except Refusal:
                continue
            if kind in CHECKED:
                assert found.keys() == whole.keys(), (path.name, number)
                assert all(np.array_equal(found[name], whole[name]) for name in whole), (path.name, number)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_an_archive_of_every_family_is_refused_or_the_same(family, tmp_path, a_card, some_weights):
    checkpoint.write(tmp_path / "whole.keras", a_card(family), some_weights(family))
    content, whole = (tmp_path / "whole.keras").read_bytes(), checkpoint.read(tmp_path / "whole.keras").weights

    for number, changed in enumerate(flipped(content, 2)):
        here = tmp_path / f"{number}.keras"
        here.write_bytes(changed)
        try:
            found = checkpoint.read(here).weights
        except Refusal:
            continue
        assert all(np.array_equal(found[name], whole[name]) for name in whole), number
