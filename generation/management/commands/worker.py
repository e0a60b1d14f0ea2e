from django_tasks_db.management.commands import db_worker

from generation import heartbeat


class Command(db_worker.Command):
    help = "Do what waits in the queue, one thing after the other, and show that a worker lives."

    def handle(self, **options):
        with heartbeat.beating():
            super().handle(**options)
