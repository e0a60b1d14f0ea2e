"""A checkpoint that was trained elsewhere is taken in whole, or refused in one sentence that leaves nothing behind."""

import hashlib
import html
import io
import json
import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from generation import uploads
from generation.models import Checkpoint, Upload
from training import checkpoint as checkpoint_file
from training.families import FAMILIES

pytestmark = pytest.mark.django_db


def everything_stored():
    folders = [Path(settings.MEDIA_ROOT) / "checkpoints", Path(settings.DATA_DIR) / "work"]
    return sorted(path for folder in folders for path in folder.glob("*"))


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return packed.getvalue()


def upload(client, content, filename="tiny.keras", **fields):
    return client.post("/checkpoints/new/", {"file": SimpleUploadedFile(filename, content), **fields})


def refusals(response):
    return response.context["form"].errors.get("file", [])


def test_an_uploaded_checkpoint_is_kept_with_its_card_and_exactly_its_weights(
    client_of, ada, checkpoint_bytes, tmp_path
):
    response = upload(client_of(ada), checkpoint_bytes, name="From the cluster")

    checkpoint = Checkpoint.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/checkpoints/{checkpoint.pk}/")
    assert (checkpoint.owner, checkpoint.name, checkpoint.family) == (ada, "From the cluster", "rnn")
    assert checkpoint.card["history"][1]["test_loss"] == 4.4
    (tmp_path / "brought.keras").write_bytes(checkpoint_bytes)
    brought, kept = checkpoint_file.read(tmp_path / "brought.keras"), checkpoint_file.read(checkpoint.file.path)
    assert all((kept.weights[name] == brought.weights[name]).all() for name in brought.weights)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_checkpoint_of_every_family_is_taken_as_it_is_by_default(client_of, ada, tmp_path, family):
    rng = np.random.default_rng(3)
    shapes = FAMILIES[family].weight_shapes({})
    weights = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    statistics = {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5}
    card = {"family": family, "configuration": {}, "steps_per_beat": 4, "statistics": statistics}
    checkpoint_file.write(tmp_path / "trained.keras", card, weights)

    response = upload(client_of(ada), (tmp_path / "trained.keras").read_bytes())

    assert response.status_code == 302, refusals(response)
    kept = checkpoint_file.read(Checkpoint.objects.get().file.path)
    assert all((kept.weights[name] == weights[name]).all() for name in shapes)


def test_what_is_kept_was_written_here_and_says_what_came(client_of, ada, checkpoint_bytes):
    upload(client_of(ada), checkpoint_bytes)

    checkpoint = Checkpoint.objects.get()
    assert checkpoint.sha256 == hashlib.sha256(Path(checkpoint.file.path).read_bytes()).hexdigest()
    assert checkpoint.card["uploaded"] == {
        "name": "tiny.keras",
        "sha256": hashlib.sha256(checkpoint_bytes).hexdigest(),
    }


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors"])
def test_weights_alone_come_with_their_card_in_a_second_file(client_of, ada, checkpoint_bytes, suffix):
    parts = members(checkpoint_bytes)
    weights = parts["model.weights.h5"] if suffix == ".weights.h5" else as_safetensors(parts["model.weights.h5"])
    card = SimpleUploadedFile("tiny.json", parts["card.json"])

    alone = upload(client_of(ada), weights, filename=f"tiny{suffix}")
    upload(client_of(ada), weights, filename=f"tiny{suffix}", card=card)

    assert refusals(alone)[0].endswith("The weights come without their card; add it, named like them, as .json.")
    assert [(checkpoint.name, checkpoint.family) for checkpoint in Checkpoint.objects.all()] == [("tiny", "rnn")]


def as_safetensors(content):
    with h5py.File(io.BytesIO(content)) as file:
        names = list(FAMILIES["rnn"].weight_shapes({"units": 4}))
        arrays = {name: file[name][:] for name in names}
    header, at = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    packed = json.dumps(header).encode()
    return len(packed).to_bytes(8, "little") + packed + b"".join(array.tobytes() for array in arrays.values())


@pytest.mark.parametrize("name", ["model.pt", "weights.npz", "saved_model.zip", "x.weights.json", "model"])
def test_what_is_no_checkpoint_by_its_name_is_refused_with_the_way_out(client_of, ada, name):
    [refusal] = refusals(upload(client_of(ada), b"anything", filename=name))

    assert 'save with model.save_weights("x.weights.h5")' in refusal or "are not known here" in refusal


def test_without_a_name_it_is_called_as_its_file_is(client_of, ada, checkpoint_bytes):
    upload(client_of(ada), checkpoint_bytes, filename="rnn-large.keras")

    assert Checkpoint.objects.get().name == "rnn-large"


def test_the_name_of_a_file_is_no_path(client_of, ada, checkpoint_bytes):
    upload(client_of(ada), checkpoint_bytes, filename="../../etc/evil.keras")

    checkpoint = Checkpoint.objects.get()
    assert checkpoint.file.name == f"checkpoints/{checkpoint.pk}.keras"


def damaged(content):
    """Each way of being wrong -> the bytes."""
    parts = members(content)
    card = parts["card.json"]
    return {
        "empty": b"",
        "no zip": b"\x89HDF\r\n\x1a\n" + content,
        "cut short": content[: len(content) // 2],
        "another family": zipped(parts | {"card.json": card.replace(b'"rnn"', b'"transformer"')}),
        "wrong shapes": zipped(parts | {"card.json": card.replace(b'"units": 4', b'"units": 8')}),
        "without a card": zipped({name: data for name, data in parts.items() if name != "card.json"}),
        "code in the architecture": zipped(
            parts | {"config.json": b'{"class_name": "Lambda", "module": "keras.layers", "config": {}}'}
        ),
    }


WAYS = ["empty", "no zip", "cut short", "another family", "wrong shapes", "without a card", "code in the architecture"]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_checkpoint_of_ours_is_refused_by_name_and_leaves_nothing(client_of, ada, checkpoint_bytes, way):
    before = everything_stored()

    response = upload(client_of(ada), damaged(checkpoint_bytes)[way], filename="mine.keras")

    [refusal] = refusals(response)
    assert response.status_code == 422
    assert way == "empty" or refusal.startswith("mine.keras: ")
    assert (len(refusal.splitlines()), len(refusal) < 300) == (1, True)
    assert (Checkpoint.objects.count(), everything_stored()) == (0, before)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(client_of, ada, checkpoint_bytes, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 1000)

    response = upload(client_of(ada), checkpoint_bytes)

    size = len(checkpoint_bytes) / 1e6
    assert refusals(response) == [f"tiny.keras: It has {size:.0f} MB; the most is 0 MB."]
    assert not Checkpoint.objects.exists()


def test_a_form_without_a_file_is_refused(client_of, ada):
    response = client_of(ada).post("/checkpoints/new/", {"name": "Nothing"})

    assert (response.status_code, refusals(response)) == (422, ["This field is required."])


def test_a_file_that_kills_its_check_is_refused_and_the_site_goes_on(
    client_of, ada, checkpoint_bytes, tmp_path, monkeypatch
):
    (tmp_path / "generation").mkdir()
    (tmp_path / "generation" / "checking.py").write_text("import os; os.kill(os.getpid(), 11)")
    with monkeypatch.context() as patched:
        patched.setattr("generation.child.ROOT", tmp_path)
        response = upload(client_of(ada), checkpoint_bytes)

    assert refusals(response) == ["tiny.keras: It could not be read within the limits of time and memory."]
    assert upload(client_of(ada), checkpoint_bytes).status_code == 302


def test_a_hidden_field_changes_nothing(client_of, ada, ben, checkpoint_bytes):
    upload(client_of(ada), checkpoint_bytes, owner=ben.pk, sha256="0" * 64, family="cnn")

    checkpoint = Checkpoint.objects.get()
    assert (checkpoint.owner, checkpoint.family) == (ada, "rnn")
    assert checkpoint.sha256 != "0" * 64


def test_a_name_with_markup_is_shown_as_text(client_of, ada, checkpoint_bytes):
    markup = "<script>alert(1)</script>"
    upload(client_of(ada), checkpoint_bytes, name=markup)
    client = client_of(ada)

    pages = [client.get("/checkpoints/"), client.get(f"/checkpoints/{Checkpoint.objects.get().pk}/")]

    for page in pages:
        html = page.content.decode()
        assert (markup in html, "&lt;script&gt;alert(1)" in html) == (False, True)


def test_a_row_that_cannot_be_written_leaves_no_file(ada, checkpoint_bytes, monkeypatch):
    before = everything_stored()

    def refuse(self, **options):
        raise OSError(os.strerror(28))

    monkeypatch.setattr(Checkpoint, "save", refuse)
    with pytest.raises(OSError, match="No space left"):
        uploads.accept_checkpoint(ada, SimpleUploadedFile("tiny.keras", checkpoint_bytes), "Tiny")

    assert everything_stored() == before


def test_a_refused_checkpoint_is_listed_with_its_reason_and_without_its_bytes(client_of, ada, checkpoint_bytes):
    response = upload(client_of(ada), b"no archive at all", "mine.keras")

    (refusal,) = refusals(response)
    listed = Upload.objects.get()
    assert (listed.name, listed.state, listed.reason, bool(listed.file)) == ("mine.keras", "refused", refusal, False)
    assert refusal in html.unescape(client_of(ada).get("/uploads/").content.decode())
    assert client_of(ada).get(f"/uploads/{listed.batch}/").status_code == 200
