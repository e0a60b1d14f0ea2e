"""Faults of the machine are waited out, a full disk first of all; what is wrong with the job itself fails it at once."""

import errno
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django_tasks_db.models import DBTaskResult

from generation import child, faults, tidying, work
from generation.forms import UploadsForm
from generation.leases import LONGEST_LOG, MOST_ATTEMPTS, RESTS
from generation.models import Checkpoint, Job, Upload
from generation.tasks import look_after

pytestmark = pytest.mark.django_db(transaction=True)

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def becomes(monkeypatch):
    """becomes(failure): what every job of clips comes to from now on; None: it succeeds."""

    def set_deed(failure):
        def deed(job, folder):
            yield job
            if failure:
                raise failure

        monkeypatch.setitem(work.DEEDS, Job.Kind.CLIPS, deed)

    return set_deed


def after_its_rest(job):
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() - timedelta(seconds=1))


def state(job):
    job.refresh_from_db()
    return job.state, job.attempts, job.message


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (FULL, faults.DISK_FULL),
        (OSError(errno.EFBIG, "File too large"), faults.DISK_FULL),
        (OperationalError("database or disk is full"), faults.DISK_FULL),
        (child.ChildFailed("x: No space left on device.", "disk.full"), faults.DISK_FULL),
        (OSError(errno.EIO, "Input/output error"), "The disk could not be read or written (Input/output error)."),
        (OperationalError("server closed the connection"), "The database could not be reached."),
    ],
)
def test_a_fault_of_the_machine_is_waited_out_and_the_job_then_succeeds(job, becomes, failure, sentence):
    becomes(failure)
    work.run(job.pk)
    assert state(job) == ("waiting", 1, f"{sentence} It will be tried again.")

    becomes(None)
    after_its_rest(job)
    work.run(job.pk)

    assert state(job) == ("done", 2, "")


def test_the_rests_grow_and_the_third_attempt_is_the_last(job, becomes):
    becomes(FULL)
    rests = []

    for _ in range(MOST_ATTEMPTS):
        begun = timezone.now()
        work.run(job.pk)
        job.refresh_from_db()
        rests.append(job.not_before and job.not_before - begun)
        after_its_rest(job)

    assert [round(rest.total_seconds(), -1) for rest in rests[:2]] == [rest.total_seconds() for rest in RESTS]
    assert rests[2] is None
    assert state(job) == ("failed", 3, f"{faults.DISK_FULL} It was tried 3 times.")


def test_a_job_that_rests_is_not_begun_by_an_early_delivery(job, becomes):
    becomes(FULL)
    work.run(job.pk)

    work.run(job.pk)

    assert state(job)[:2] == ("waiting", 1)


def test_the_queue_delivers_it_again_when_it_has_rested(job, becomes):
    becomes(FULL)
    DBTaskResult.objects.all().delete()

    work.run(job.pk)

    job.refresh_from_db()
    assert [row.run_after for row in DBTaskResult.objects.filter(task_path="generation.tasks.run_job")] == [
        job.not_before
    ]


@pytest.mark.parametrize("failure", [child.ChildFailed("It is broken."), work.Refused("It is broken.")])
def test_what_is_wrong_with_the_job_itself_fails_it_at_once(job, becomes, failure):
    becomes(failure)

    work.run(job.pk)

    assert state(job) == ("failed", 1, "It is broken.")


def test_a_worker_that_dies_again_lets_its_job_rest(job):
    for attempt in (1, 2):
        assert Job.objects.claim(job.pk, f"worker {attempt}")
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        Job.objects.sweep()

    job.refresh_from_db()
    assert job.not_before - timezone.now() > RESTS[1] * 0.9
    assert Job.objects.claim(job.pk, "worker 3") is None


def test_a_job_whose_worker_died_before_it_claimed_it_is_delivered_again(job):
    DBTaskResult.objects.all().delete()  # the queue thinks that it delivered the job

    look_after.call(str(job.pk))

    assert DBTaskResult.objects.filter(task_path="generation.tasks.run_job").count() == 1


def test_the_log_says_what_happened_when_and_names_no_folder_of_the_machine(client_of, ada, job, monkeypatch):
    def deed(job, folder):
        job.keep(stage="sampling")
        job.keep(stage="sampling, clip 2")
        (folder / "log.txt").write_text('File "/srv/earmark/music/lpd.py", line 3: no /home/ada/x.npz\n')
        yield job

    monkeypatch.setitem(work.DEEDS, Job.Kind.CLIPS, deed)
    work.run(job.pk)
    job.refresh_from_db()

    said = [line[20:] if line[:2] == "20" else line for line in job.log.splitlines()]
    assert said == [
        "begun by a worker",
        "sampling",
        "its process said aside:",
        'File "…/lpd.py", line 3: no …/x.npz',
        "done",
    ]
    assert "begun by a worker" in client_of(ada).get(f"/jobs/{job.pk}/").content.decode()


def test_a_long_log_keeps_its_end(job):
    for word in ("first", "x" * LONGEST_LOG, "last"):
        job.say(word)

    job.refresh_from_db()
    assert (len(job.log), "first" in job.log, job.log.endswith("last\n")) == (LONGEST_LOG, False, True)


def stored():
    return [path for path in Path(default_storage.location).rglob("*") if path.is_file()]


def test_references_that_find_the_disk_full_are_made_once_there_is_room(ada, corpus, playable, small_disk):
    job = Job.objects.ask_for_references(ada, corpus, playable[:1], 5)
    small_disk()

    work.run(job.pk)

    assert state(job)[::2] == ("waiting", f"{faults.DISK_FULL} It will be tried again.")
    assert (job.clips.count(), stored(), tidying.abandoned_work()) == (0, [], [])
    small_disk()
    after_its_rest(job)
    work.run(job.pk)
    assert state(job) == ("done", 2, "")
    assert len(stored()) == 2


def answer_to(researcher, path, fields):
    client = Client(raise_request_exception=False)
    client.force_login(researcher)
    response = client.post(path, fields)
    return response.status_code, "The disk is full" in response.content.decode()


def brought(content, name="tiny.keras"):
    return SimpleUploadedFile(name, content)


def test_an_upload_that_finds_the_disk_full_is_told_so_and_nothing_is_kept(ada, checkpoint_bytes, small_disk):
    batch = str(uuid.uuid4())
    small_disk()

    kept = answer_to(ada, "/uploads/files/", {"sent": brought(checkpoint_bytes), "batch": batch, "seconds": "30"})
    checked = answer_to(ada, "/checkpoints/new/", {"file": brought(checkpoint_bytes)})

    assert (kept, checked) == ((507, True), (507, True))
    assert (Upload.objects.count(), Checkpoint.objects.count(), stored(), tidying.abandoned_work()) == (0, 0, [], [])
    small_disk()
    assert answer_to(ada, "/checkpoints/new/", {"file": brought(checkpoint_bytes)})[0] == 302


def test_an_upload_too_large_for_the_memory_is_told_so_too(ada, small_disk):
    small_disk()

    answer = answer_to(ada, "/checkpoints/new/", {"file": brought(bytes(2_800_000))})

    assert (answer, stored(), tidying.abandoned_work()) == ((507, True), [], [])


def test_files_that_wait_to_be_read_are_not_refused_because_the_disk_is_full(ada, checkpoint_bytes, small_disk):
    form = UploadsForm(
        {"batch": str(uuid.uuid4()), "seconds": "30"}, MultiValueDict({"sent": [brought(checkpoint_bytes)]}), owner=ada
    )
    assert form.is_valid()
    form.receive()
    job = Job.objects.ask_for_reading(ada, Upload.objects.all(), 30)
    small_disk()

    work.run(job.pk)

    assert state(job)[0] == "waiting"
    assert Upload.objects.get().state == "received"
    small_disk()
    after_its_rest(job)
    work.run(job.pk)
    assert (state(job)[0], Upload.objects.get().state) == ("done", "taken")
