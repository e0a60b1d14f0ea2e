import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from training import checkpoint
from training.checkpoint import CheckpointError

BIAS = "layers/dense/vars/1"
CANARY = "no byte of this may come out"


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(path)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 300
    return sentence


def rezipped(path, changes, method=zipfile.ZIP_STORED):
    """Write the checkpoint again with some members changed: {name: bytes, or None to leave it out}."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def with_card(path, **changes):
    with zipfile.ZipFile(path) as archive:
        card = json.loads(archive.read("card.json")) | changes
    return rezipped(path, {"card.json": json.dumps(card).encode()})


def with_weights(path, change):
    """Let `change` have the open HDF5 file of the checkpoint's weights."""
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r+") as file:
        change(file)
    return rezipped(path, {"model.weights.h5": content.getvalue()})


def replaced(name, **options):
    """A change of the weights that puts another dataset in the place of one."""

    def change(file):
        del file[name]
        file.create_dataset(name, **options)

    return change


@pytest.mark.parametrize("family", ["rnn", "cnn"])
def test_what_was_written_is_read(tmp_path, family, a_card, some_weights):
    weights = some_weights(family)

    checkpoint.write(tmp_path / "x.keras", a_card(family, seed=5, history=[{"epoch": 1}]), weights)
    read = checkpoint.read(tmp_path / "x.keras")

    assert list(read.weights) == list(weights)
    assert all((read.weights[name] == weights[name]).all() for name in weights)
    assert (read.card["seed"], read.card["history"]) == (5, [{"epoch": 1}])
    assert read.card["version"] == checkpoint.VERSION
    assert checkpoint.inspect(tmp_path / "x.keras") == read.card
    assert [path.name for path in tmp_path.iterdir()] == ["x.keras"]


def test_the_same_checkpoint_has_the_same_bytes(tmp_path, a_card, some_weights):
    card = a_card(created_at="2026-01-01T00:00:00+00:00")
    for name in ("a", "b"):
        checkpoint.write(tmp_path / name, card, some_weights("rnn"))

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_deflated_archive_and_packed_weights_are_read_as_well(checkpoint_file):
    before = checkpoint.read(checkpoint_file)

    def pack(file):
        for name, array in before.weights.items():
            del file[name]
            file.create_dataset(name, data=array, compression="gzip", shuffle=True, fletcher32=True, chunks=True)

    rezipped(with_weights(checkpoint_file, pack), {}, zipfile.ZIP_DEFLATED)

    after = checkpoint.read(checkpoint_file)
    assert all((after.weights[name] == before.weights[name]).all() for name in before.weights)


def test_half_precision_and_the_optimisers_state_do_no_harm(checkpoint_file):
    before = checkpoint.read(checkpoint_file)

    def change(file):
        file.create_dataset("optimizer/vars/0", data=np.zeros(7, np.int64))
        replaced(BIAS, data=before.weights[BIAS].astype(np.float16))(file)

    after = checkpoint.read(with_weights(checkpoint_file, change))

    assert list(after.weights) == list(before.weights)
    assert after.weights[BIAS] == pytest.approx(before.weights[BIAS], abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"family": "gan"}, "card.json: There is no family 'gan'; there are rnn, cnn"),
        ({"family": "cnn", "configuration": {"filters": 2}}, "which this family does not have."),
        ({"configuration": {"units": 8}}, "has shape (645, 16), not (645, 32)."),
        ({"configuration": {"units": 10**9}}, "units must be a whole number from 4 to 1024"),
        ({"configuration": {"hidden": 3}}, "rnn has no setting 'hidden'"),
        ({"configuration": [4]}, "card.json has no configuration."),
        ({"steps_per_beat": 7}, "steps_per_beat is not 24, 12 or 4."),
        ({"statistics": None}, "card.json has no statistics of the corpus."),
        ({"statistics": {"tempo_bpm": 0}}, "statistics.tempo_bpm must be 1 numbers from 20 to 400."),
        ({"calibration": {"level": 1}}, "calibration may hold bias and arrangements, and nothing else."),
        ({"calibration": {"arrangements": [[0] * 5]}}, "calibration.arrangements must be 6 numbers from 0 to 11."),
        (
            {"calibration": {"arrangements": [[6, 0, 0, 0, 0, 0]]}},
            "calibration.arrangements names a class that there is not.",
        ),
        ({"calibration": {"arrangements": [[0] * 6] * 1001}}, "calibration.arrangements must be at most 1000 rows."),
        ({"calibration": {"bias": [0.0]}}, "calibration.bias must hold 5 lists, one a track."),
        ({"calibration": {"bias": [[99] * 128] * 5}}, "calibration.bias must be 128 numbers from -12 to 12."),
    ],
)
def test_a_card_that_does_not_fit_is_refused(checkpoint_file, changes, sentence):
    assert sentence in refusal(with_card(checkpoint_file, **changes))


@pytest.mark.parametrize(
    ("member", "content", "sentence"),
    [
        ("card.json", None, "The archive lacks card.json"),
        ("config.json", None, "The archive lacks config.json"),
        ("model.weights.h5", None, "The archive lacks model.weights.h5"),
        ("card.json", b"{", "card.json is not valid JSON"),
        ("card.json", b'{"family": "rnn", "family": "cnn"}', "a key stands twice"),
        ("card.json", b'{"seed": NaN}', "NaN is not a number"),
        ("card.json", b"\xff\xfe", "card.json is not UTF-8 text."),
        ("card.json", b"[" * 100_000, "card.json is nested too deeply."),
        ("card.json", b"[]", "card.json is not a JSON object."),
        ("card.json", b" " * 300_000, "card.json is larger than 262,144 bytes."),
        ("config.json", b'{"class_name": "Lambda"}', "config.json names a layer that no family here has: 'Lambda'."),
        ("config.json", b'{"a": [{"module": "os"}]}', "config.json names a module that is not Keras: 'os'."),
        ("../../evil", b"x", "a member whose name is no plain path: ../../evil."),
        ("assets\\x", b"x", "a member whose name is no plain path"),
        ("assets/x", b"x", "a member that no checkpoint has: 'assets/x'."),
        ("model.weights.npz", b"x", 'is not read; save with model.save_weights("x.weights.h5").'),
        ("model.weights.h5", b"", "The weights are not an HDF5 file."),
        ("model.weights.h5", b"<html>" * 100, "The weights are not an HDF5 file."),
    ],
)
def test_a_member_that_is_missing_or_wrong_is_named(checkpoint_file, member, content, sentence):
    assert sentence in refusal(rezipped(checkpoint_file, {member: content}))


def test_a_link_among_the_members_is_refused(checkpoint_file):
    with zipfile.ZipFile(checkpoint_file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(checkpoint_file, "w") as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name == "card.json" else 0o100644) << 16
            archive.writestr(info, data)

    assert refusal(checkpoint_file) == "card.json is not a regular file but a link."


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_can_hide_gigabytes_is_refused(checkpoint_file, method):
    assert "is packed by another method than deflate." in refusal(rezipped(checkpoint_file, {}, method))


def test_a_bomb_is_refused_before_it_is_unpacked(checkpoint_file):
    bomb = rezipped(checkpoint_file, {"model.weights.h5": bytes(50 * 2**20)}, zipfile.ZIP_DEFLATED)

    assert refusal(bomb) == "model.weights.h5 unpacks to more than 100 times its size."


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_member_that_stands_twice_is_refused(checkpoint_file):
    with zipfile.ZipFile(checkpoint_file, "a") as archive:
        archive.writestr("card.json", b"{}")

    assert refusal(checkpoint_file) == "The archive has card.json twice."


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6, 0.999])
def test_a_file_that_was_cut_short_is_refused(checkpoint_file, share):
    whole = checkpoint_file.read_bytes()
    checkpoint_file.write_bytes(whole[: int(share * len(whole))])

    assert any(words in refusal(checkpoint_file) for words in ("is empty", "damaged or cut short", "not a zip archive"))


def test_a_flipped_byte_is_noticed(checkpoint_file):
    whole = bytearray(checkpoint_file.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    checkpoint_file.write_bytes(bytes(whole))

    assert refusal(checkpoint_file) == "model.weights.h5 is damaged: its checksum differs."


def test_overlapping_members_are_refused(checkpoint_file):
    """Two entries of the directory that point at the same bytes, as bombs of many files in one do."""
    content = checkpoint_file.read_bytes()
    at = content.rindex(b"PK\x01\x02")
    first = content.index(b"PK\x01\x02")
    offset = content[first + 42 : first + 46]
    checkpoint_file.write_bytes(content[: at + 42] + offset + content[at + 46 :])

    assert any(words in refusal(checkpoint_file) for words in ("overlap", "damaged"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file: file.__delitem__(BIAS), f"The weights lack {BIAS}, of shape (645,)"),
        (replaced(BIAS, data=np.zeros(646, "f4")), f"{BIAS} has shape (646,), not (645,)."),
        (replaced(BIAS, data=np.zeros((645, 1), "f4")), f"{BIAS} has shape (645, 1), not (645,)."),
        (replaced(BIAS, data=np.zeros(645, "f8")), f"{BIAS} is not of type float32 or float16."),
        (replaced(BIAS, data=np.zeros(645, "i4")), f"{BIAS} is not of type float32 or float16."),
        (replaced(BIAS, data=np.full(645, np.nan, "f4")), f"{BIAS} holds values that are not finite."),
        (replaced(BIAS, data=np.full(645, -np.inf, "f4")), f"{BIAS} holds values that are not finite."),
        (replaced(BIAS, data=np.full(645, 3e38, "f4")), f"{BIAS} holds values beyond 10,000."),
        (replaced(BIAS, shape=(645,), dtype="f4", chunks=(645,), compression="lzf"), "another filter than deflate."),
        (replaced("layers/dense/vars/1", shape=(10**9,), dtype="f4", chunks=(2**20,)), "has shape (1000000000,)"),
        (lambda file: file.create_dataset("layers/dense/vars/2", data=[1.0]), "which this family does not have."),
        (lambda file: file.attrs.create("note", np.bytes_(b"x" * 20_000)), "has an attribute of 20,000 bytes."),
        (lambda file: [file.create_group(f"g{i}") for i in range(5_001)], "hold more than 5,000 objects."),
        (lambda file: file.create_group("/".join("g" * 14)), "nested more than 12 deep."),
    ],
)
def test_weights_that_are_not_the_familys_are_refused(checkpoint_file, change, sentence):
    assert sentence in refusal(with_weights(checkpoint_file, change))


@pytest.fixture
def canary(tmp_path):
    """An HDF5 file beside the checkpoint, and a plain one, which no upload may reach."""
    with h5py.File(tmp_path / "canary.h5", "w") as file:
        file.create_dataset("secret", data=np.full(645, 0.5, "f4"))
    (tmp_path / "canary.txt").write_text(CANARY * 200)
    return tmp_path


def external_link(file, canary):
    del file[BIAS]
    file[BIAS] = h5py.ExternalLink(str(canary / "canary.h5"), "/secret")


def soft_link(file, canary):
    del file[BIAS]
    file[BIAS] = h5py.SoftLink("/layers/dense/vars/0")


def external_storage(file, canary):
    del file[BIAS]
    file.create_dataset(BIAS, (645,), "f4", external=[(str(canary / "canary.txt"), 0, 645 * 4)])


def virtual_dataset(file, canary):
    del file[BIAS]
    layout = h5py.VirtualLayout((645,), "f4")
    layout[:] = h5py.VirtualSource(str(canary / "canary.h5"), "secret", (645,))
    file.create_virtual_dataset(BIAS, layout)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (external_link, f"'{BIAS}' in the weights is a link to elsewhere."),
        (soft_link, f"'{BIAS}' in the weights is a link to elsewhere."),
        (external_storage, f"{BIAS} lies in another file."),
        (virtual_dataset, f"{BIAS} lies in another file."),
    ],
)
def test_weights_that_point_elsewhere_are_refused(checkpoint_file, canary, change, sentence):
    assert refusal(with_weights(checkpoint_file, lambda file: change(file, canary))) == sentence


def test_a_chunk_that_inflates_beyond_its_size_is_refused(checkpoint_file):
    import zlib

    def change(file):
        del file[BIAS]
        dataset = file.create_dataset(BIAS, (645,), "f4", chunks=(645,), compression="gzip")
        dataset.id.write_direct_chunk((0,), zlib.compress(bytes(64 * 2**20)))

    assert refusal(with_weights(checkpoint_file, change)) == f"{BIAS} unpacks to another size than it says."


def test_a_group_that_holds_itself_does_not_hang_the_check(checkpoint_file):
    def change(file):
        loop = file.create_group("loop")
        loop["again"] = loop

    assert "nested more than 12 deep." in refusal(with_weights(checkpoint_file, change))


def test_what_cannot_be_read_again_is_not_written(tmp_path, a_card, some_weights):
    weights = some_weights("rnn")
    weights[BIAS] = np.full(645, np.nan, "f4")

    with pytest.raises(CheckpointError, match="not finite"):
        checkpoint.write(tmp_path / "x.keras", a_card(), weights)

    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_checkpoint_that_was_there(checkpoint_file, a_card, some_weights):
    before = checkpoint_file.read_bytes()

    with pytest.raises(CheckpointError):
        checkpoint.write(checkpoint_file, a_card(configuration={"units": 8}), some_weights("rnn"))

    assert checkpoint_file.read_bytes() == before


def test_half_precision_takes_half_the_room_and_is_read_as_it_was_written(tmp_path, a_card, some_weights):
    weights = {name: array.astype(np.float16) for name, array in some_weights().items()}
    for name, arrays in (("half", weights), ("whole", some_weights())):
        checkpoint.write(tmp_path / f"{name}.keras", a_card(), arrays)

    read = checkpoint.read(tmp_path / "half.keras").weights

    assert all((read[name] == weights[name]).all() for name in weights)
    n_bytes = sum(array.nbytes for array in weights.values())
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("half", "whole")]
    assert sizes[1] - sizes[0] >= 0.9 * n_bytes
