"""Looking after a child on behalf of a job: its events become the job's progress, and the job's end is the child's."""

import time

from django.utils import timezone

from generation.models import Job

SECONDS_BETWEEN = 1.0  # between two looks at whether the job is still wanted; a child may speak far more often


class Refused(Exception):
    """The job cannot be done; the text is one sentence for the person who asked."""


def watched(job, asked, stage):
    """Pass on a child's events, renewing the lease as time goes by. Raises Stopped once the job is no longer ours."""
    job.keep(stage=stage)
    kept_at = time.monotonic()
    try:
        for event in asked:
            if time.monotonic() - kept_at >= SECONDS_BETWEEN:
                job.keep(**_progress(job, event or {}))
                kept_at = time.monotonic()
            yield event
    finally:
        asked.close()  # also where the job was cancelled: the child ends now, not when Python tidies up


def _progress(job, event):
    """Return what an event says about how far its job is, as fields of the job."""
    left = event.get("seconds_left")
    if not isinstance(left, int | float) or not 0 <= left < 1e7:
        return {}
    progress = {"seconds_left": float(left)}
    if job.kind == Job.Kind.TRAINING:
        elapsed = (timezone.now() - job.started_at).total_seconds()
        progress["n_done"] = min(int(100 * elapsed / (elapsed + left + 1)), 99)
        progress["stage"] = _stage_of_training(event)
    return progress


def _stage_of_training(event):
    epoch, loss = event.get("epoch"), event.get("loss", event.get("train_loss"))
    if isinstance(epoch, int) and isinstance(loss, int | float):
        return f"training, epoch {epoch}, loss {loss:.3f}"
    return "training"
