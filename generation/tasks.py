"""What the queue delivers. A delivery may come twice or late: claiming a job makes both harmless."""

from datetime import timedelta

from django.utils import timezone
from django_tasks import task

from generation import tidying, work
from generation.leases import LEASE
from generation.models import Job

SOON_AFTER = timedelta(seconds=1)


@task()
def run_job(job_id):
    # First of all: from here on somebody comes back to the job, wherever this worker dies.
    if look_after.get_backend().supports_defer:
        _come_back(job_id, timezone.now() + LEASE)
    Job.objects.sweep()
    tidying.sweep_now_and_then()
    work.run(job_id)


@task(priority=10)
def look_after(job_id):
    """Come back whenever the lease would have run out: whichever worker lives then finds out that this one died."""
    waiting = Job.objects.filter(pk=job_id, state=Job.State.WAITING, not_before=None).first()
    if waiting is not None:
        waiting.put_back()  # it was delivered, and its worker died before it could claim it
    Job.objects.sweep()
    running = Job.objects.filter(pk=job_id, state=Job.State.RUNNING).first()
    if running is not None:
        _come_back(job_id, running.lease_until)


def _come_back(job_id, when):
    look_after.using(run_after=when + SOON_AFTER).enqueue(job_id)
