"""A worker that is asked to stop ends in its own good time, and what it could not end goes back to the queue."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from generation import heartbeat
from generation.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


@contextmanager
def worker(grace):
    """A worker's process on the tests' own database; killed if it does not end."""
    options = ["--grace", str(grace), "--interval", "0.1", "--no-startup-delay", "--verbosity", "0"]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "settings.test"}
    with subprocess.Popen([sys.executable, "manage.py", "worker", *options], cwd=ROOT, env=environment) as process:
        yield process
        process.kill()


def wait_until(is_so):
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


@pytest.mark.parametrize(("grace", "state", "is_lost"), [(0.1, "running", True), (PATIENCE_SECONDS, "done", False)])
def test_a_job_that_outlasts_the_grace_is_given_back_and_a_short_one_is_ended(job, grace, state, is_lost):
    with worker(grace) as process:
        wait_until(lambda: Job.objects.get().state == "running")
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 0

    left = Job.objects.get()
    assert (left.state, left.is_lost) == (state, is_lost)
    assert Job.objects.sweep() == is_lost
    assert Job.objects.get().attempts == (0 if is_lost else 1)


def test_one_without_work_ends_at_once_and_has_shown_that_it_lived(db):
    heartbeat.path().unlink(missing_ok=True)

    with worker(grace=PATIENCE_SECONDS) as process:
        wait_until(lambda: heartbeat.seconds_since() is not None)
        process.send_signal(signal.SIGTERM)

        assert process.wait(10) == 0
