import time

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from generation import tidying
from generation.models import Job, Upload
from study import tasks


class Command(BaseCommand):
    help = "Put back into the queue what a dead worker left behind, and remove its files. Workers do so themselves; this is for a timer."

    def add_arguments(self, parser):
        parser.add_argument("--every", type=float, metavar="SECONDS", help="go on doing so")

    def handle(self, *, every, **options):
        self._sweep()
        while every:
            time.sleep(every)
            close_old_connections()
            self._sweep()

    def _sweep(self):
        Upload.objects.sweep()
        tidying.sweep()
        n_left = Job.objects.sweep() + tasks.sweep()
        if n_left:
            self.stdout.write(f"Put back into the queue: {n_left}.")
