"""Kill -9 of a worker at random points of a job that samples and plays clips: a second one finishes it, once and whole.

A job is asked for, a worker takes it and is killed; another starts that moment. It must be taken up within the lease and
ten seconds, and its clips be there, each once, each with the bytes that its row names, and after a sweep nothing else.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.site import fresh_site, postgres

N_CLIPS, SECONDS = 3, 5
TINY = {"units": 4}
SPARE_SECONDS = 10  # that the second worker may take beyond the lease
PATIENCE_SECONDS = 120


def make_checkpoint(folder):
    """Return a checkpoint of the smallest RNN, its weights drawn by chance."""
    import numpy as np
    from django.contrib.auth import get_user_model

    from generation import uploads
    from training import checkpoint
    from training.families import FAMILIES

    chance = np.random.default_rng(0)
    shapes = FAMILIES["rnn"].weight_shapes(TINY)
    card = {"family": "rnn", "configuration": TINY, "steps_per_beat": 24, "seed": 5, "corpus": {"checksum": "c0ffee"}}
    card |= {"statistics": {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5}}
    path = folder / "tiny.keras"
    checkpoint.write(path, card, {name: chance.normal(0, 0.1, shape).astype("f4") for name, shape in shapes.items()})
    owner, _ = get_user_model().objects.get_or_create(username="bench")
    return uploads.store(owner, path, "Tiny RNN", checkpoint.inspect(path))


def serve():
    """A worker as `manage.py db_worker` is one."""
    from django.core.management import call_command

    os.setsid()
    call_command("db_worker", startup_delay=False, interval=0.2, reload=False, verbosity=0)


def start_worker():
    from django.db import connections

    connections.close_all()  # or the worker would share this process' connection
    worker = multiprocessing.get_context("fork").Process(target=serve)
    worker.start()
    return worker


def kill(worker):
    """As the kernel does for want of memory: the worker alone, its child must find out by itself."""
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()


def ask(checkpoint, seed):
    from generation.models import Job

    return Job.objects.ask_for_clips(checkpoint.owner, checkpoint, N_CLIPS, SECONDS, seed)


def wait_for(job):
    """Return the job once it has ended, or the last that was seen of it."""
    until = time.monotonic() + PATIENCE_SECONDS
    job.refresh_from_db()
    while not job.is_finished and time.monotonic() < until:
        time.sleep(0.1)
        job.refresh_from_db()
    return job


def undisturbed(checkpoint):
    """How many seconds a job takes from its worker's start on, if nobody kills it."""
    job, start = ask(checkpoint, 0), time.monotonic()
    worker = start_worker()
    state = wait_for(job).state
    took = time.monotonic() - start
    kill(worker)
    if state != "done":
        raise RuntimeError(f"the undisturbed job ended as {state}: {job.message}")
    return took


def run(checkpoint, seed, after_seconds):
    """Kill the worker of one job; returns how it went."""
    from django.utils import timezone

    job = ask(checkpoint, seed)
    first = start_worker()
    time.sleep(after_seconds)
    kill(first)
    killed_at, point = timezone.now(), _point(job)
    second = start_worker()
    wait_for(job)
    ended_at = timezone.now()
    kill(second)
    return {
        "at": point,
        "after_seconds": round(after_seconds, 2),
        "state": job.state,
        "taken_up_seconds": round(max((job.started_at - killed_at).total_seconds(), 0), 1),
        "finished_seconds": round((ended_at - killed_at).total_seconds(), 1),
    }


def _point(job):
    """Where the job was when its worker died."""
    job.refresh_from_db()
    return f"{job.state} {job.stage} {job.n_done}".strip()


def faults():
    """Return how much is wrong after all jobs ended: clips, files, what lies about."""
    from generation import tidying
    from generation.models import Clip, Job
    from generation.storing import sha256

    tidying.sweep(older_than=timedelta())
    clips = list(Clip.objects.all())
    sets = {
        job: sorted(clip.index for clip in clips if clip.job_id == job)
        for job in Job.objects.values_list("pk", flat=True)
    }
    return {
        "wrong_sets": sum(indices != list(range(N_CLIPS)) for indices in sets.values()),
        "half_clips": sum(
            sha256(getattr(clip, name).path) != clip.provenance["sha256"][name]
            for clip in clips
            for name in ("roll", "master")
        ),
        "left_after_sweep": len(tidying.files_without_row()) + len(tidying.abandoned_work()),
    }


def measure(folder, options):
    from generation import leases, models, tasks

    leases.LEASE = models.LEASE = tasks.LEASE = timedelta(seconds=options.lease)
    checkpoint, chance = make_checkpoint(folder), random.Random(options.seed)
    span = undisturbed(checkpoint)
    runs = [run(checkpoint, number, chance.uniform(0, 0.95 * span)) for number in range(1, options.kills + 1)]
    return {
        "kills": len(runs),
        "lease_seconds": options.lease,
        "undisturbed_seconds": round(span, 1),
        "done": sum(one["state"] == "done" for one in runs),
        # However slow the machine: the waiting is bounded, and then a job takes what it takes.
        "in_time": sum(one["taken_up_seconds"] <= options.lease + SPARE_SECONDS for one in runs),
        "taken_up_seconds": max(one["taken_up_seconds"] for one in runs),
        "finished_seconds": max(one["finished_seconds"] for one in runs),
        **faults(),
        "runs": runs,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--lease", type=float, default=10, help="seconds; the site's own is a minute")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    if options.postgres:
        with postgres() as url:
            report = with_site(options, url) if url else {"skipped": "no PostgreSQL on this machine"}
    else:
        report = with_site(options)
    print(json.dumps(report))


def with_site(options, url=None):
    from django.db import connections

    with fresh_site(url) as site:
        report = measure(Path(site.folder), options)
        connections.close_all()
    return report


if __name__ == "__main__":
    main()
