"""What the queue delivers. A delivery may come twice or late: claiming a job makes both harmless."""

from django.utils import timezone
from django_tasks import task

from generation import work
from generation.models import LEASE, Job


@task()
def run_job(job_id):
    Job.objects.sweep()
    if look_after.get_backend().supports_defer:
        look_after.using(run_after=timezone.now() + LEASE).enqueue(job_id)
    work.run(job_id)


@task(priority=10)
def look_after(job_id):
    """Come back as long as the job runs: whichever worker lives then finds out that this one died."""
    Job.objects.sweep()
    if Job.objects.filter(pk=job_id, state=Job.State.RUNNING).exists():
        look_after.using(run_after=timezone.now() + LEASE).enqueue(job_id)
