"""Faults of the machine are waited out, a full disk first of all; what is wrong with the job itself fails it at once."""

import errno
import subprocess
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from generation import child, faults, storing, tidying, work
from generation.models import LONGEST_LOG, MOST_ATTEMPTS, RESTS, Job
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


@pytest.fixture
def small_disk(settings, tmp_path, monkeypatch):
    """small_disk(): fill the disk to the brim; called again, make room. A real one of 3 MB where this user may mount it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], check=False, capture_output=True)
    is_real = mounted.returncode == 0
    settings.MEDIA_ROOT, settings.DATA_DIR = disk / "media", disk
    settings.FILE_UPLOAD_TEMP_DIR = disk / "work"
    for folder in ("media", "work"):
        (disk / folder).mkdir()
    ballast = disk / "ballast"

    def turn():
        if not is_real:
            monkeypatch.setattr(storing, "_sync", _refuse if storing._sync is not _refuse else _let)
        elif ballast.exists():
            ballast.unlink()
        else:
            _fill(ballast)

    yield turn
    if is_real:
        subprocess.run(["umount", "--lazy", disk], check=True)


def _fill(path):
    with open(path, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def _refuse(path):
    raise FULL


def _let(path):
    pass


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
