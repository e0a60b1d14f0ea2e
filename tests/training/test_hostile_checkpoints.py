"""Every class of damage that the hostile collection has, done to checkpoints of each family of ours.

The collection's own checkpoints are of another family, which is an easy refusal. These are ours in all but one thing.
"""

import io
import json
import stat
import struct
import warnings
import zipfile
import zlib

import h5py
import numpy as np
import pytest

from tests.training.packing import as_h5, as_keras, as_safetensors
from training.checkpoint import CheckpointError


def problem_of(read, *arguments):
    with pytest.raises(CheckpointError) as caught:
        read(*arguments)
    sentence = str(caught.value)
    assert (sentence.endswith("."), "\n" in sentence, len(sentence) < 300) == (True, False, True)
    return caught.value.problem


# The archive


def central(content):
    """Where the entries of the archive's directory stand, in the members' order."""
    found = [content.index(b"PK\x01\x02")]
    while (after := content.find(b"PK\x01\x02", found[-1] + 4)) > 0:
        found.append(after)
    return found


def patched(content, at, packed):
    return content[:at] + packed + content[at + len(packed) :]


def with_flag(content):
    at = central(content)[2]
    return patched(content, at + 8, struct.pack("<H", 1))


def with_size(content):
    at = central(content)[2]
    return patched(content, at + 24, struct.pack("<I", 9))


def with_method(content):
    return patched(content, central(content)[2] + 10, struct.pack("<H", 12))


def with_shared_bytes(content):
    """The last member is said to lie where the first one does."""
    first, *_, last = central(content)
    return patched(content, last + 42, content[first + 42 : first + 46])


def with_other_local_name(content):
    return content.replace(b"metadata.json", b"metadata.jsox", 1)


def with_flipped_weights(content):
    at = content.index(b"\x89HDF") + 3_000
    return patched(content, at, bytes([content[at] ^ 1]))


def with_member(name, data=b"x", mode=0, method=zipfile.ZIP_STORED):
    def change(content):
        file = io.BytesIO(content)
        with warnings.catch_warnings(), zipfile.ZipFile(file, "a") as archive:
            warnings.simplefilter("ignore")  # zipfile warns of a name that stands twice
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, method
            archive.writestr(info, data)
        return file.getvalue()

    return change


ARCHIVES = {
    "encrypted": (with_flag, "zip.encrypted"),
    "bomb": (with_member("assets/x", bytes(20 * 2**20), method=zipfile.ZIP_DEFLATED), "zip.ratio"),
    "bzip2": (with_member("assets/x", bytes(9), method=zipfile.ZIP_BZIP2), "zip.method"),
    "another method than the bytes are packed by": (with_method, "zip.method"),
    "a lie about its size": (with_size, "zip.size_mismatch"),
    "duplicate": (with_member("card.json", b"{}"), "zip.duplicate"),
    "duplicate but for capitals": (with_member("Card.json", b"{}"), "zip.duplicate"),
    "duplicate but for its spelling": (
        lambda content: with_member("e\u0301.txt")(with_member("\u00e9.txt")(content)),
        "zip.duplicate",
    ),
    "absolute": (with_member("/etc/passwd"), "zip.member_name"),
    "climbing": (with_member("../../x"), "zip.member_name"),
    "climbing within": (with_member("assets/../../x"), "zip.member_name"),
    "backslash": (with_member("assets\\x"), "zip.member_name"),
    "drive": (with_member("C:x"), "zip.member_name"),
    "control characters": (with_member("a\nb"), "zip.member_name"),
    "symlink": (with_member("assets/x", b"/etc/passwd", stat.S_IFLNK | 0o777), "zip.symlink"),
    "device": (with_member("assets/x", b"", stat.S_IFBLK | 0o600), "zip.special_file"),
    "pipe": (with_member("assets/x", b"", stat.S_IFIFO | 0o600), "zip.special_file"),
    "overlap": (with_shared_bytes, "zip.overlap"),
    "two names": (with_other_local_name, "zip.member_name"),
    "archive within": (with_member("assets/x.zip", b"PK\x03\x04"), "zip.unexpected_member"),
    "pickle": (with_member("model.weights.npz"), "npz.object_array"),
    "truncated": (lambda content: content[: len(content) // 2], "zip.unreadable"),
    "cut at its end": (lambda content: content[:-5], "zip.unreadable"),
    "flipped": (with_flipped_weights, "zip.crc"),
    "html": (lambda content: b"<html>" + content, "zip.signature"),
}


@pytest.mark.parametrize("damage", ARCHIVES)
def test_an_archive_of_ours_that_lies_is_refused(brought, named, damage):
    card, weights = named
    change, problem = ARCHIVES[damage]
    content = as_keras(as_h5(weights), card)
    brought("x.keras", content)

    assert problem_of(brought, "x.keras", change(content)) == problem


def test_too_many_members_are_refused(brought, named):
    card, weights = named
    content = io.BytesIO(as_keras(as_h5(weights), card))
    with zipfile.ZipFile(content, "a") as archive:
        for number in range(70):
            archive.writestr(f"assets/{number}", b"")

    assert problem_of(brought, "x.keras", content.getvalue()) == "zip.too_many_members"


# HDF5


def external_link(file, kernel):
    del file[kernel]
    file[kernel] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(file, kernel):
    file.move(kernel, "elsewhere")
    file[kernel] = h5py.SoftLink("/elsewhere")


def dangling_link(file, kernel):
    del file[kernel]
    file[kernel] = h5py.SoftLink("/nowhere")


def second_name(file, kernel):
    file["layers/again"] = file[kernel]


def group_within_itself(file, kernel):
    file["layers/again"] = file["layers"]


def external_storage(file, kernel):
    shape = file[kernel].shape
    del file[kernel]
    file.create_dataset(kernel, shape, "f4", external=[("/etc/passwd", 0, int(np.prod(shape)) * 4)])


def virtual_dataset(file, kernel):
    shape = file[kernel].shape
    del file[kernel]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset(kernel, layout)


def stored(**options):
    def change(file, kernel):
        array = file[kernel][:]
        del file[kernel]
        file.create_dataset(kernel, data=array, chunks=array.shape, **options)

    return change


def as_type(dtype):
    def change(file, kernel):
        shape = file[kernel].shape
        del file[kernel]
        file.create_dataset(kernel, shape, dtype)

    return change


def of_shape(*shape):
    def change(file, kernel):
        del file[kernel]
        file.create_dataset(kernel, shape, "f4", chunks=(2**8,) * len(shape))

    return change


def chunk_bomb(file, kernel):
    shape = file[kernel].shape
    del file[kernel]
    dataset = file.create_dataset(kernel, shape, "f4", chunks=shape, compression="gzip")
    dataset.id.write_direct_chunk((0,) * len(shape), zlib.compress(bytes(32 * 2**20)))


def chunk_that_does_not_end(file, kernel):
    shape = file[kernel].shape
    del file[kernel]
    dataset = file.create_dataset(kernel, shape, "f4", chunks=shape, compression="gzip")
    dataset.id.write_direct_chunk((0,) * len(shape), zlib.compress(bytes(400))[:-6])


def chunks_larger_than_the_array(file, kernel):
    shape = file[kernel].shape
    del file[kernel]
    most = tuple(None for _ in shape)
    file.create_dataset(kernel, shape, "f4", maxshape=most, chunks=(2 ** (22 // len(shape)),) * len(shape))


def group_for_an_array(file, kernel):
    del file[kernel]
    file.create_group(kernel)


def named_type(file, kernel):
    file["layers/type"] = np.dtype("f4")


def many_groups(file, kernel):
    for number in range(5_001):
        file.create_group(f"g{number}")


def without_numbers(file, kernel):
    del file[kernel]
    file[kernel] = h5py.Empty("f4")


WEIGHTS = {
    "external link": (external_link, "h5.external_link"),
    "soft link": (soft_link, "h5.soft_link"),
    "dangling link": (dangling_link, "h5.soft_link"),
    "hard link to an array": (second_name, "weights.unexpected"),
    "hard link to its own group": (group_within_itself, "h5.too_deep"),
    "external storage": (external_storage, "h5.external_storage"),
    "virtual dataset": (virtual_dataset, "h5.virtual_dataset"),
    "lzf": (stored(compression="lzf"), "h5.filter"),
    "scale-offset": (stored(scaleoffset=4), "h5.filter"),
    "chunk bomb": (chunk_bomb, "h5.chunk"),
    "endless chunk": (chunk_that_does_not_end, "h5.chunk"),
    "large chunks": (chunks_larger_than_the_array, "h5.chunk"),
    "shape bomb": (of_shape(2**20, 2**20, 2**20), "h5.shape"),
    "no numbers": (without_numbers, "h5.unreadable"),
    "double": (as_type("f8"), "h5.dtype"),
    "whole numbers": (as_type("i4"), "h5.dtype"),
    "other byte order": (as_type(">f4"), "h5.dtype"),
    "texts": (as_type(h5py.string_dtype()), "h5.dtype"),
    "references": (as_type(h5py.ref_dtype), "h5.dtype"),
    "compound": (as_type([("a", "f4"), ("b", "f4")]), "h5.dtype"),
    "group for an array": (group_for_an_array, "weights.missing"),
    "named type": (named_type, "h5.object_type"),
    "many groups": (many_groups, "h5.too_many_objects"),
    "deep groups": (lambda file, kernel: file.create_group("/".join("g" * 14)), "h5.too_deep"),
    "climbing name": (lambda file, kernel: file.create_dataset("layers/../../x", data=[1.0]), "weights.unexpected"),
    "large attribute": (lambda file, kernel: file.attrs.create("a", np.bytes_(b"x" * 9_000)), "h5.attribute"),
    "whole model": (lambda file, kernel: file.attrs.create("model_config", "{}"), "keras.forbidden_class"),
}


def damaged_h5(weights, change):
    content = io.BytesIO(as_h5(weights))
    with h5py.File(content, "r+") as file:
        change(file, next(iter(weights)))
    return content.getvalue()


@pytest.mark.parametrize("damage", WEIGHTS)
def test_weights_of_ours_that_point_elsewhere_or_lie_are_refused(brought, named, damage):
    card, weights = named
    change, problem = WEIGHTS[damage]
    content = damaged_h5(weights, change)

    assert problem_of(brought, "x.weights.h5", content, card) == problem
    assert problem_of(brought, "x.keras", as_keras(content, card)) == problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content[: len(content) // 2], "h5.unreadable"),
        (lambda content: content[:9], "h5.unreadable"),
        (lambda content: bytes(512) + content, "h5.signature"),
        (lambda content: b"\x80\x04K\x01.", "h5.signature"),
        (lambda content: b"", "file.empty"),
    ],
    ids=["half", "signature alone", "something before it", "pickle", "empty"],
)
def test_weights_that_are_no_whole_hdf5_file_are_refused(brought, named, change, problem):
    card, weights = named

    assert problem_of(brought, "x.weights.h5", change(as_h5(weights)), card) == problem


# The card


def with_text(card, text):
    """The card with one more thing in it, which `json.dumps` would not write."""
    return json.dumps(card)[:-1] + f', "note": {text}}}'


CARDS = {
    "deep": ("[" * 65 + "]" * 65, "json.too_deep"),
    "deeper than Python goes": ("[" * 60_000 + "]" * 60_000, "json.too_deep"),
    "deep objects": ('{"a":' * 200 + "1" + "}" * 200, "json.too_deep"),
    "NaN": ("NaN", "json.number"),
    "infinity": ("-Infinity", "json.number"),
    "larger than a float": ("1e999", "json.number"),
    "a thousand digits": ("9" * 1_000, "json.number"),
    "duplicate": ('{"a": 1, "a": 2}', "json.duplicate"),
    "duplicate under another spelling": ('{"a": 1, "\\u0061": 2}', "json.duplicate"),
    "duplicate family": ('1, "family": "rnn"', "json.duplicate"),
    "NUL": ('"a\\u0000b"', "json.encoding"),
    "half a character": ('{"\\ud800": 1}', "json.encoding"),
    "a comment": ("/* */ 1", "json.syntax"),
    "too large": ('"' + "x" * 300_000 + '"', "json.size"),
}


@pytest.mark.parametrize("damage", CARDS)
def test_a_card_of_ours_that_is_no_honest_json_is_refused(brought, named, damage, tmp_path):
    card, weights = named
    text, problem = CARDS[damage]
    packed = as_h5(weights)

    (tmp_path / "x.json").write_text(with_text(card, text))
    assert problem_of(lambda: brought_beside(tmp_path, packed)) == problem
    content = as_keras(packed, with_text(card, text))
    assert problem_of(brought, "x.keras", content) == problem


def brought_beside(folder, packed):
    from training import checkpoint

    (folder / "x.weights.h5").write_bytes(packed)
    return checkpoint.read(folder / "x.weights.h5", folder / "x.json")


HUGE = 10**398


@pytest.mark.parametrize(
    "change",
    [
        {"steps_per_beat": HUGE},
        {"configuration": {"learning_rate": HUGE}},
        {"configuration": {"batch_size": -HUGE}},
        {"configuration": {"order": [[[[["drums"]]]]]}},
        {"configuration": {"learning_rate": "x" * 9_000}},
        {"statistics": {"tempo_bpm": HUGE, "density": [1.0] * 5, "velocity": [80.0] * 5}},
        {"statistics": {"tempo_bpm": 120.0, "density": [HUGE] * 5, "velocity": [80.0] * 5}},
        {"calibration": {"bias": [[-HUGE] * 128] * 5}},
        {"calibration": {"arrangements": [[HUGE] * 6]}},
        {"family": ["rnn"]},
        {"family": {}},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_card_with_impossible_numbers_is_refused(brought, named, change):
    card, weights = named
    configuration = {"configuration": card["configuration"] | change.get("configuration", {})}

    assert problem_of(brought, "x.weights.h5", as_h5(weights), card | change | configuration) == "card.content"


# safetensors


def header_of(content):
    (size,) = struct.unpack("<Q", content[:8])
    return content[8 : 8 + size], content[8 + size :]


def with_length(length):
    return lambda content: struct.pack("<Q", length) + content[8:]


def with_header(change):
    """The same numbers under another header: change(bytes of the header that it has)."""

    def changed(content):
        header, body = header_of(content)
        header = change(header)
        return struct.pack("<Q", len(header)) + header + body

    return changed


def with_entry(change):
    """The first tensor of the header otherwise: change(its entry)."""

    def changed(header):
        table = json.loads(header)
        name = next(iter(table))
        return json.dumps({**table, name: table[name] | change(table[name])}).encode()

    return with_header(changed)


SAFETENSORS = {
    "length 2^63": (with_length(2**63), "safetensors.header"),
    "length 0": (with_length(0), "safetensors.header"),
    "length of more than the file": (with_length(10**7), "safetensors.header"),
    "length of half the header": (with_header(lambda header: header[: len(header) // 2]), "safetensors.header"),
    "duplicate": (with_header(lambda header: header[:-1] + b"," + header[1:]), "safetensors.header"),
    "deep": (
        with_header(lambda header: header[:-1] + b', "__metadata__": ' + b"[" * 99 + b"]" * 99 + b"}"),
        "safetensors.header",
    ),
    "NaN": (with_header(lambda header: header[:-1] + b', "a": NaN}'), "safetensors.header"),
    "a list": (with_header(lambda header: b"[" + header + b"]"), "safetensors.header"),
    "metadata that is no text": (
        with_header(lambda header: header[:-1] + b', "__metadata__": {"a": 1}}'),
        "safetensors.header",
    ),
    "markup": (with_header(lambda header: header[:-1] + b', "__metadata__": {"a": "<svg>"}}'), "text.markup"),
    "bfloat": (with_entry(lambda entry: {"dtype": "BF16"}), "weights.dtype"),
    "half as many bytes as it says": (with_entry(lambda entry: {"dtype": "F16"}), "safetensors.offsets"),
    "beyond the end": (with_entry(lambda entry: {"data_offsets": [0, 10**12]}), "safetensors.offsets"),
    "backwards": (with_entry(lambda entry: {"data_offsets": entry["data_offsets"][::-1]}), "safetensors.offsets"),
    "below zero": (with_entry(lambda entry: {"data_offsets": [-4, 0]}), "safetensors.header"),
    "numbers of yes and no": (with_entry(lambda entry: {"data_offsets": [False, True]}), "safetensors.header"),
    "shape bomb": (with_entry(lambda entry: {"shape": [2**40, 2**40]}), "safetensors.offsets"),
    "many dimensions": (with_entry(lambda entry: {"shape": [1] * 99}), "safetensors.header"),
    "transposed": (with_entry(lambda entry: {"shape": entry["shape"][::-1]}), "weights.shape"),
    "one dimension more": (with_entry(lambda entry: {"shape": [*entry["shape"], 1]}), "weights.shape"),
    "bytes after the last tensor": (lambda content: content + bytes(4), "safetensors.offsets"),
    "cut": (lambda content: content[:-4], "safetensors.offsets"),
    "length alone": (lambda content: content[:8], "safetensors.header"),
}


@pytest.mark.parametrize("damage", SAFETENSORS)
def test_a_safetensors_file_of_ours_whose_header_lies_is_refused(brought, named, damage):
    card, weights = named
    change, problem = SAFETENSORS[damage]

    assert problem_of(brought, "x.safetensors", change(as_safetensors(weights)), card) == problem


def test_two_tensors_on_the_same_bytes_are_refused(brought, named):
    card, weights = named

    def overlapping(header):
        table = json.loads(header)
        second = list(table)[1]
        begin, end = table[second]["data_offsets"]
        table[second]["data_offsets"] = [begin - 4, end - 4]
        return json.dumps(table).encode()

    content = with_header(overlapping)(as_safetensors(weights))
    assert problem_of(brought, "x.safetensors", content, card) == "safetensors.offsets"
