"""What a worker does for a training: the child, the run's history as it grows, and the checkpoint that it leaves.

The run's folder holds what `python -m training train` wrote: checkpoint.keras (the best epoch) from the first epoch on,
checkpoint.run/ (the last state, the last epoch as current.keras, and history.json). It stays, so that whatever stopped the run, the next job goes on.
"""

import fcntl
import json
import shutil
import time
from contextlib import contextmanager, suppress

from django.db import transaction

from generation import child, facts, uploads
from generation.leases import Stopped
from generation.models import Job, TrainingRun
from generation.storing import sha256
from generation.watching import Refused, watched
from training import checkpoint

LONGEST_START_SECONDS = 300  # TensorFlow's start, on a busy machine
MOST_MINUTES = 24 * 60  # of one job, also of one that is bounded by epochs
PATIENCE_SECONDS = 30  # with the worker of a cancelled job: its child has three to end


def training(job, folder):
    """Train in a child. However it ends, what its whole epochs learnt is kept as a checkpoint."""
    run = job.run
    run.folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(run.folder):
        try:
            for event in watched(job, _child(job, folder), "training"):
                if event is not None and event["event"] == "epoch":
                    _note(run)
                yield job
        except Stopped:
            if _is_cancelled(job):  # else the job, and the folder, are another worker's now
                _keep_what_there_is(job, folder)
            raise
        except child.ChildFailed:
            _keep_what_there_is(job, folder)
            raise
        card = card_of(file_of(run))
        with transaction.atomic():
            job.keep(stage="storing")
            _keep(job, folder, f"{run}", card)


def file_of(run):
    """Where the best epoch's weights are while it trains."""
    return run.folder / "checkpoint.keras"


def current_of(run):
    """Where the last whole epoch's weights are while it trains; those of the best where a run left no others."""
    current = _state(run) / "current.keras"
    return current if current.exists() else file_of(run)


def card_of(file):
    """Return the card of a checkpoint that a run wrote here: nobody's upload, so it is read without a child."""
    try:
        return checkpoint.inspect(file)
    except (OSError, checkpoint.CheckpointError) as problem:
        raise Refused(f"The run left no checkpoint that can be used: {problem}") from problem


def _child(job, folder):
    minutes = _minutes_left(job)
    return child.events(
        "training", *_arguments(job, minutes), folder=folder, longest_seconds=LONGEST_START_SECONDS + 2 * 60 * minutes
    )


def _arguments(job, minutes):
    run = job.run
    yield from ("train", run.family, "--corpus", job.corpus.path, "--out", file_of(run), "--seed", run.seed, "--events")
    yield from ("--minutes", round(minutes, 3))
    for bound in ("epochs", "patience"):
        if job.settings.get(bound) is not None:
            yield from (f"--{bound}", job.settings[bound])
    for name, value in run.configuration.items():
        yield from ("--set", f"{name}={json.dumps(value)}")
    if (_state(run) / "last.npz").exists():
        yield "--resume"


def _minutes_left(job):
    """The job's bound, less what it trained already if an earlier worker of it died."""
    history = facts.history(_told(job.run))
    spent = history[-1].get("seconds", 0) - job.settings.get("seconds_before", 0) if history else 0
    return max((job.settings.get("minutes") or MOST_MINUTES) - max(spent, 0) / 60, 0)


def _state(run):
    return file_of(run).with_suffix(".run")


def _told(run):
    """Return what the run's folder says of it: its history and its baselines."""
    try:
        told = json.loads((_state(run) / "history.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _note(run):
    """Bring the row up to what the folder says; a run that was resumed brings its earlier epochs along."""
    told = _told(run)
    run.history, run.baselines = facts.history(told), facts.baselines(told)
    TrainingRun.objects.filter(pk=run.pk).update(history=run.history, baselines=run.baselines)


def _is_cancelled(job):
    return Job.objects.filter(pk=job.pk, state=Job.State.CANCELLED).exists()


def _keep_what_there_is(job, folder):
    """Keep the best epoch of a run that was stopped, if it has one."""
    file = file_of(job.run)
    with suppress(Refused):
        if file.exists():
            card = card_of(file)
            _keep(job, folder, f"{job.run}, stopped after epoch {len(facts.history(card))}", card)


def _keep(job, folder, name, card):
    run, file = job.run, file_of(job.run)
    _note(run)
    TrainingRun.objects.filter(pk=run.pk).update(configuration=card["configuration"])
    if not run.checkpoints.filter(sha256=sha256(file)).exists():
        finished = folder / "finished.keras"
        shutil.copyfile(file, finished)
        uploads.store(job.owner, finished, name[:200], card, run=run)


@contextmanager
def _alone_in(folder):
    """Keep other workers out of a run's folder. Raises Refused if one does not leave."""
    patient_until = time.monotonic() + PATIENCE_SECONDS
    with open(folder / "lock", "w") as lock:
        while not _locked(lock):
            if time.monotonic() > patient_until:
                raise Refused("Another worker is still busy with this run; resume it a little later.")
            time.sleep(0.2)
        yield


def _locked(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
