"""A job in its worker's hands: kept by a lease, ended, given back, put back, and what its log says of all that.

Every change asks in the same statement whether the job is still its worker's.
"""

from datetime import timedelta

from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Right
from django.utils import timezone

# A worker renews its lease every second or two; a minute bears a slow disk, and a dead worker's job waits no longer.
LEASE = timedelta(seconds=60)
# A job that no worker took in this time is put into the queue again: the queue may have lost it.
QUEUE_PATIENCE = timedelta(hours=1)
# A job that takes its worker down with it must not do so for ever, nor one for which the disk never has room.
MOST_ATTEMPTS = 3
# How long a job rests after its first and its second attempt, if a fault of the machine ended it.
RESTS = (timedelta(seconds=10), timedelta(minutes=2))
LONGEST_LOG = 20_000  # characters; of a longer one the beginning goes


class Stopped(Exception):
    """The job is no longer this worker's: somebody cancelled it, or its lease ran out and another worker has it."""


def entry(text):
    """Return the log with one entry more, as the database puts it together: two may write at once."""
    line = f"{timezone.now():%Y-%m-%d %H:%M:%S} {text}\n"
    return Right(Concat("log", Value(line)), LONGEST_LOG)


class Leased(models.Model):
    """What a worker does with a job's row, and what is done with one whose worker is gone."""

    class Meta:
        abstract = True

    def keep(self, said="", **progress):
        """Renew the lease and note progress. Raises Stopped if the job is no longer this worker's.

        said: what the log is to say of it; a new stage is said by itself
        """
        said = said or self._news(progress.get("stage", ""))
        noted = {"log": entry(said)} if said else {}
        if not self._mine().update(**{"lease_until": timezone.now() + LEASE, **progress, **noted}):
            raise Stopped
        for name, value in progress.items():
            setattr(self, name, value)

    def say(self, text):
        """Write into the log, whoever's the job is by now."""
        type(self).objects.filter(pk=self.pk).update(log=entry(text))

    def finish(self):
        self._end(self.State.DONE, "done", n_done=self.n_total)

    def fail(self, sentence):
        self._end(self.State.FAILED, f"failed: {sentence}", message=sentence)

    def rest(self, sentence):
        """Give the job back after a fault of the machine, to be tried again later; the last attempt fails it."""
        if self.attempts >= MOST_ATTEMPTS:
            self.fail(f"{sentence} It was tried {self.attempts} times.")
            return
        wait = RESTS[self.attempts - 1]
        again_at = timezone.now() + wait
        with transaction.atomic():
            self.keep(
                f"{sentence} It is tried again in {wait.total_seconds():.0f} s.",
                state=self.State.WAITING,
                stage="",
                seconds_left=None,
                message=f"{sentence} It will be tried again.",
                not_before=again_at,
                lease_until=again_at + QUEUE_PATIENCE,
            )
            self.enqueue()

    def _mine(self):
        return type(self).objects.filter(pk=self.pk, state=self.State.RUNNING, worker=self.worker)

    def _news(self, stage):
        """Return the stage if it is another; one may carry figures after a comma, which change each second."""
        return stage if stage.split(",")[0] != self.stage.split(",")[0] else ""

    def release(self):
        """Give the job back: its worker has to stop, and the next sweep puts it into the queue again.

        That the worker had to stop is not held against the job: the attempt does not count.
        """
        said = entry("given back, for its worker had to stop")
        self._mine().update(lease_until=timezone.now(), attempts=F("attempts") - 1, log=said)

    def cancel(self):
        """Stop the job for good. Its worker sees so within seconds; one that waits never starts. True if it was in time."""
        unfinished = type(self).objects.filter(pk=self.pk, state__in=[self.State.WAITING, self.State.RUNNING])
        return bool(unfinished.update(state=self.State.CANCELLED, finished_at=timezone.now(), log=entry("cancelled")))

    def put_back(self):
        """Enqueue a job whose lease ran out. False if somebody else was quicker."""
        as_found = type(self).objects.filter(
            pk=self.pk, state=self.state, worker=self.worker, lease_until=self.lease_until
        )
        if self.attempts >= MOST_ATTEMPTS:
            sentence = f"The worker stopped {self.attempts} times while it worked on this job."
            return bool(as_found.update(state=self.State.FAILED, message=sentence, finished_at=timezone.now()))
        with transaction.atomic():
            self.not_before = self._rested_at()
            was_first = as_found.update(
                state=self.State.WAITING,
                worker="",
                lease_until=(self.not_before or timezone.now()) + QUEUE_PATIENCE,
                not_before=self.not_before,
                log=entry("put back into the queue, for no worker showed a sign of life"),
            )
            if was_first:
                self.enqueue()
        return bool(was_first)

    def _rested_at(self):
        """When a job whose worker died is tried again: at once after one death, for its lease was wait enough."""
        if self.state == self.State.RUNNING and self.attempts > 1:
            return timezone.now() + RESTS[self.attempts - 1]
        return self.not_before

    def _end(self, state, said, **fields):
        fields = {"message": "", "not_before": None, **fields}
        self.keep(said, state=state, finished_at=timezone.now(), stage="", seconds_left=None, **fields)
