"""A job is claimed once, kept by a lease, put back when its worker dies, and cancelled for good."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from generation.leases import LEASE, MOST_ATTEMPTS, Stopped
from generation.models import Job
from generation.tasks import SOON_AFTER, look_after

RUN_JOB = "generation.tasks.run_job"


def deliveries(job):
    queued = DBTaskResult.objects.filter(task_path=RUN_JOB, status="READY")
    return sum(row.args_kwargs["args"] == [str(job.pk)] for row in queued)


def let_lease_run_out(job):
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_ten_workers_claim_a_job_at_once_and_one_gets_it(job):
    def claim(worker):
        try:
            return Job.objects.claim(job.pk, worker)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as workers:
        claims = list(workers.map(claim, [f"worker {i}" for i in range(10)]))

    winners = [claimed.worker for claimed in claims if claimed is not None]
    job.refresh_from_db()
    assert (len(winners), job.worker, job.state, job.attempts) == (1, winners[0], "running", 1)


@pytest.mark.django_db(transaction=True)
def test_a_job_is_queued_once_it_is_committed(job):
    assert (deliveries(job), job.state, job.n_total) == (1, "waiting", 2)


@pytest.mark.django_db
def test_a_job_is_not_queued_before_its_row_can_be_found(job):
    assert deliveries(job) == 0


@pytest.mark.django_db(transaction=True)
def test_a_dead_workers_job_is_put_back_and_another_claims_it(job):
    dead = Job.objects.claim(job.pk, "dead")
    let_lease_run_out(job)

    swept = Job.objects.sweep()

    assert (swept, deliveries(job)) == (1, 2)
    assert Job.objects.claim(job.pk, "alive").attempts == 2
    with pytest.raises(Stopped):
        dead.keep(n_done=1)
    job.refresh_from_db()
    assert (job.worker, job.n_done) == ("alive", 0)


@pytest.mark.django_db(transaction=True)
def test_a_sweep_leaves_alone_whose_worker_lives(job):
    claimed = Job.objects.claim(job.pk, "alive")
    let_lease_run_out(job)
    claimed.keep()

    assert (Job.objects.sweep(), deliveries(job)) == (0, 1)
    job.refresh_from_db()
    assert LEASE * 0.9 < job.lease_until - timezone.now() <= LEASE


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_put_a_job_back_once(job):
    Job.objects.claim(job.pk, "dead")
    let_lease_run_out(job)
    found_by_both = Job.objects.get(pk=job.pk)

    assert (Job.objects.sweep(), found_by_both.put_back(), deliveries(job)) == (1, False, 2)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_the_queue_lost_is_queued_again(job):
    DBTaskResult.objects.all().delete()
    let_lease_run_out(job)

    assert (Job.objects.sweep(), deliveries(job)) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_kills_its_worker_each_time_fails_in_the_end(job):
    for _ in range(MOST_ATTEMPTS):
        assert Job.objects.claim(job.pk, "dead") is not None
        let_lease_run_out(job)
        Job.objects.sweep()
        Job.objects.filter(pk=job.pk).update(not_before=None)  # it has rested

    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "The worker stopped 3 times while it worked on this job.")
    assert Job.objects.claim(job.pk, "alive") is None


@pytest.mark.django_db
def test_a_waiting_job_that_was_cancelled_never_starts(job):
    assert job.cancel()

    assert Job.objects.claim(job.pk, "worker") is None


@pytest.mark.django_db
def test_a_finished_job_is_not_cancelled(job):
    Job.objects.claim(job.pk, "worker").finish()

    assert not job.cancel()
    job.refresh_from_db()
    assert (job.state, job.n_done) == ("done", 2)


@pytest.mark.django_db
def test_a_worker_cannot_finish_what_was_cancelled(job):
    claimed = Job.objects.claim(job.pk, "worker")
    job.cancel()

    with pytest.raises(Stopped):
        claimed.finish()
    job.refresh_from_db()
    assert (job.state, job.n_done) == ("cancelled", 0)


@pytest.mark.django_db
def test_researchers_see_their_own_jobs(job, ada, ben):
    assert list(Job.objects.visible_to(ada)) == [job]
    assert list(Job.objects.visible_to(ben)) == []


@pytest.mark.django_db(transaction=True)
def test_somebody_comes_back_to_a_job_for_as_long_as_it_runs(job):
    Job.objects.claim(job.pk, "worker")
    guards = DBTaskResult.objects.filter(task_path="generation.tasks.look_after")

    look_after.call(str(job.pk))

    job.refresh_from_db()
    assert guards.get().run_after == job.lease_until + SOON_AFTER
    guards.delete()
    job.cancel()
    look_after.call(str(job.pk))
    assert not guards.exists()


@pytest.mark.django_db(transaction=True)
def test_whoever_comes_back_to_a_dead_workers_job_puts_it_back(job):
    Job.objects.claim(job.pk, "dead")
    let_lease_run_out(job)

    look_after.call(str(job.pk))

    job.refresh_from_db()
    assert (job.state, deliveries(job)) == ("waiting", 2)
