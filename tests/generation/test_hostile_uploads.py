"""The whole collection of hostile and broken uploads through the real form and a real worker, and its valid controls."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import h5py
import numpy as np
import pytest
import soundfile
from django.conf import settings

from generation.models import Checkpoint, Clip, Job, Upload
from tests import tiny_gru
from training.families import FAMILIES

ROOT = Path(__file__).parents[2]
CANARY = "no byte of this may come out"
PLACE = Path("/var/tmp/earmark")
CHECKPOINT_KINDS = ("keras", "keras_h5", "weights_h5", "weights_json", "safetensors")
SLOWEST_SECONDS = 10
MOST_MEMORY_KB = 1_500_000
# A table of ratings goes to another page.
OF_RATINGS = "t11_bad_numbers.csv"


@pytest.fixture
def collection(shared, monkeypatch):
    """The folder of the collection; its payloads would write into markers/ or read the canary."""
    monkeypatch.setitem(FAMILIES, "tiny_gru", tiny_gru.family())
    (PLACE / "markers").mkdir(parents=True, exist_ok=True)
    (PLACE / "canary").mkdir(exist_ok=True)
    with h5py.File(PLACE / "canary" / "canary.weights.h5", "w") as file:
        file.create_dataset("secret", data=np.ones(4, "f4"))
    for name in ("canary.txt", "second.keras"):
        (PLACE / "canary" / name).write_text(CANARY)
    for name in ("canary.wav", "canary.mp3"):
        soundfile.write(PLACE / "canary" / name, np.random.default_rng(0).uniform(-0.5, 0.5, 48_000), 48_000)
    yield shared / "data" / "uploads"
    left = list((PLACE / "markers").iterdir())
    shutil.rmtree(PLACE)
    assert left == []


@pytest.fixture
def worker(transactional_db):
    """A worker in a process of its own, as in production."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.tiny_gru", "worker"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def manifest(folder, *classes):
    rows = csv.DictReader((folder / "MANIFEST.csv").read_text().splitlines())
    return [row for row in rows if row["class"] in classes and row["file"] != OF_RATINGS]


def multipart(files, **fields):
    """The body of a form as an attacker writes it: a file's name goes out byte for byte."""
    parts = [(f'name="{name}"', str(value).encode()) for name, value in fields.items()]
    parts += [(f'name="sent"; filename="{name}"', content) for name, content in files]
    body = b"".join(
        b"--part\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + content + b"\r\n"
        for head, content in parts
    )
    return body + b"--part--\r\n"


def bring(client, *files):
    """Send these files, (name, bytes) each, and return the batch of the form."""
    page = client.get("/uploads/").content.decode()
    batch = re.search(r'name="batch" value="([0-9a-f-]+)"', page)[1]
    body = multipart(files, batch=batch, seconds=30)
    response = client.post("/uploads/", body, content_type="multipart/form-data; boundary=part")
    assert response.status_code in (302, 400, 422)
    assert "x=1" not in str(response.headers)
    return batch


def with_card(row, folder):
    """A file of the collection as it is brought: a checkpoint together with its card."""
    name = row["upload_name_escaped"]
    name = row["file"] if name == "'" else name
    files = [(name, (folder / row["file"]).read_bytes())]
    if row["kind"] in CHECKPOINT_KINDS:
        files.append(("card.json", json.dumps(tiny_gru.CARD).encode()))
    return files


def wait_for_all(worker, seconds):
    ends_at = time.monotonic() + seconds
    while Job.objects.filter(state__in=["waiting", "running"]).exists():
        assert worker.poll() is None, "the worker died"
        assert time.monotonic() < ends_at, "the worker is too slow"
        time.sleep(0.2)


def stored():
    folders = [Path(settings.MEDIA_ROOT), Path(settings.DATA_DIR) / "work"]
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def test_the_collection_is_refused_and_its_controls_are_taken(client_of, ada, collection, worker):
    client = client_of(ada)
    before = stored()
    hostile = {bring(client, *with_card(row, collection)): row for row in manifest(collection, "hostile")}
    wait_for_all(worker, 240)

    refused = {upload.batch: upload for upload in Upload.objects.exclude(name="card.json")}
    wrong = {
        row["file"]: (upload.state, upload.problem, upload.reason)
        for upload, row in ((refused[UUID(batch)], row) for batch, row in hostile.items())
        if upload.state != "refused" or upload.problem not in row["problem_code"].split("|")
    }
    assert (len(hostile) > 130, wrong) == (True, {})
    assert [upload.reason for upload in refused.values() if not is_one_sentence(upload)] == []
    assert (Checkpoint.objects.count(), Clip.objects.count(), stored()) == (0, 0, before)
    assert CANARY not in " ".join(upload.reason for upload in Upload.objects.all())
    slowest = max((job.finished_at - job.started_at).total_seconds() for job in Job.objects.all())
    assert slowest < SLOWEST_SECONDS

    controls = {bring(client, *with_companions(row, collection)): row for row in manifest(collection, "control")}
    wait_for_all(worker, 120)

    left = {
        controls[str(upload.batch)]["file"]: upload.reason
        for upload in Upload.objects.filter(batch__in=controls).exclude(state="taken")
    }
    assert left == {
        "ok24_savedmodel.zip": "ok24_savedmodel.zip: A SavedModel is a program and is not run; "
        'save with model.save_weights("x.weights.h5").'
    }
    assert (Checkpoint.objects.count(), Clip.objects.count()) == (5, 13)
    worker.send_signal(signal.SIGINT)
    said, _ = worker.communicate(timeout=20)
    assert json.loads(said.splitlines()[-1])["largest_child_kb"] < MOST_MEMORY_KB


def is_one_sentence(upload):
    """It names the file, ends once, and is no page of a log."""
    reason = upload.reason.removeprefix(f"{upload.name}: ")
    return reason != upload.reason and reason.endswith(".") and "\n" not in reason and len(reason) < 300


def with_companions(row, folder):
    files = with_card(row, folder)
    if row["file"] != "ok23.csv":
        return files
    sounds = {"a.wav": "ok16_pcm16.wav", "b.wav": "ok17_pcm24_stereo_48k.wav"}
    return [*files, *((name, (folder / file).read_bytes()) for name, file in sounds.items())]


def test_a_hostile_name_reaches_no_path_no_header_and_no_markup(client_of, ada, collection, worker):
    client = client_of(ada)
    before = set(stored())
    rows = manifest(collection, "hostile-name")
    for row in rows:
        escaped = row["upload_name_escaped"].removeprefix("'")
        name = escaped.encode("latin-1", "backslashreplace").decode("unicode_escape")
        bring(client, (name, (collection / row["file"]).read_bytes()))
    wait_for_all(worker, 60)

    page = client.get("/uploads/").content.decode()

    assert Upload.objects.count() >= 4
    for upload in Upload.objects.all():
        assert upload.name.isprintable()
        assert len(upload.name) <= 200
    kept = [path.relative_to(settings.MEDIA_ROOT).as_posix() for path in set(stored()) - before]
    assert [path for path in kept if not re.fullmatch(r"(masters|rolls|checkpoints)/[0-9a-f-]{36}\.\w+", path)] == []
    assert not set("\u202e\r\0") & set(page)
