import signal

from django_tasks_db.management.commands import db_worker

from generation import heartbeat

GRACE_SECONDS = 20


class PatientWorker(db_worker.Worker):
    """One that is asked to stop while it works ends what takes no longer than its grace, and gives back what does."""

    grace_seconds: float = GRACE_SECONDS

    def shutdown(self, signum, frame):
        # The queue's own worker waits for as long as the job takes, or ends it when it is asked a second time.
        super().shutdown(signum, frame)
        signal.signal(signal.SIGALRM, self.shutdown)
        signal.setitimer(signal.ITIMER_REAL, max(self.grace_seconds, 0.01))


class Command(db_worker.Command):
    help = "Do what waits in the queue, one thing after the other, and show that a worker lives."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument(
            "--grace", type=float, default=GRACE_SECONDS, metavar="SECONDS", help="to end a job when asked to stop"
        )

    def handle(self, *, grace, **options):
        PatientWorker.grace_seconds = grace
        db_worker.Worker = PatientWorker  # which the command names and cannot be told
        with heartbeat.beating():
            super().handle(**options)
