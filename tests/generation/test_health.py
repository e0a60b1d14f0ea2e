"""/healthz tells whether database, media, queue and worker live, each by itself, and nothing else."""

import os
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from generation import health, heartbeat
from generation.leases import LEASE
from generation.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(settings, tmp_path):
    """A healthy site: its own empty media, and a worker that has just said that it lives."""
    settings.DATA_DIR, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    heartbeat.path().touch()
    return tmp_path


def asked(client, **headers):
    answer = client.get("/healthz", headers=headers)
    return answer.status_code, answer.json()


def ill(answer):
    status, found = answer
    assert (status, found.pop("ok")) == (503, False)
    return {name for name, part in found.items() if not part["ok"]}


def test_a_site_that_lives_says_so(client, site):
    assert asked(client) == (
        200,
        {
            "ok": True,
            "database": {"ok": True},
            "media": {"ok": True},
            "queue": {"ok": True, "oldest_waiting_seconds": None},
            "worker": {"ok": True, "last_sign_of_life_seconds": 0},
        },
    )
    assert os.listdir(site / "media") == []


def test_it_costs_two_statements_and_no_cache_keeps_it(client, site, django_assert_num_queries):
    with django_assert_num_queries(2):
        answer = client.get("/healthz")

    assert "no-store" in answer["Cache-Control"]
    assert client.post("/healthz").status_code == 405


def test_a_database_that_is_gone(client, site, monkeypatch):
    def gone(*args):
        raise ConnectionError("secret-host:5432 refused user earmark")

    monkeypatch.setattr(connection, "cursor", gone)

    answer = client.get("/healthz")

    assert ill((answer.status_code, answer.json())) == {"database", "queue"}
    assert "secret-host" not in answer.content.decode()


def test_media_that_cannot_be_written(client, site):
    (site / "media").write_text("a file where the folder should be")

    answer = client.get("/healthz")

    assert ill((answer.status_code, answer.json())) == {"media"}
    assert str(site) not in answer.content.decode()


def test_a_job_that_waits_while_nobody_works(client, site, job):
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - health.QUEUE_PATIENCE - timedelta(seconds=5))

    answer = asked(client)

    assert answer[1]["queue"] == {"ok": False, "oldest_waiting_seconds": 605}
    assert ill(answer) == {"queue"}


@pytest.mark.parametrize(("lease_left", "is_well"), [(LEASE, True), (-timedelta(seconds=1), False)])
def test_a_job_may_wait_behind_another_whose_worker_lives(client, site, job, checkpoint, lease_left, is_well):
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(hours=3))
    other = Job.objects.ask_for_clips(job.owner, checkpoint, n_clips=1, seconds=5, seed=1)
    Job.objects.claim(other.pk, "worker")
    Job.objects.filter(pk=other.pk).update(lease_until=timezone.now() + lease_left)

    assert asked(client)[1]["queue"]["ok"] == is_well


def test_a_worker_that_never_was_and_one_that_is_silent(client, site):
    heartbeat.path().unlink()
    never = asked(client)
    heartbeat.path().touch()
    long_ago = time.time() - heartbeat.LIFE_SECONDS - 5
    os.utime(heartbeat.path(), (long_ago, long_ago))
    silent = asked(client)

    assert never[1]["worker"] == {"ok": False, "last_sign_of_life_seconds": None}
    assert silent[1]["worker"] == {"ok": False, "last_sign_of_life_seconds": heartbeat.LIFE_SECONDS + 5}
    assert ill(never) == ill(silent) == {"worker"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machine_need_not_know_the_sites_name(client, site, settings, host):
    settings.ALLOWED_HOSTS = ["listen.example.org"]
    settings.SECURE_SSL_REDIRECT, settings.SECURE_REDIRECT_EXEMPT = True, [r"^healthz$"]

    assert asked(client, host=host)[0] == 200
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/accounts/login/", headers={"host": host}).status_code == 400
