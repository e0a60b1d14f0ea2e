"""What a worker does for a job. It survives whatever the job's child does; the row says how it went."""

import json
import logging
import os
import shutil
import socket
import time
import uuid

from django.db import transaction
from django.utils import timezone

from generation import child, facts, taking, uploads
from generation.models import Clip, Job, Stopped, TrainingRun
from generation.playing import make_clip
from generation.storing import folder_of, sha256
from music import lpd, pianoroll
from training.corpus import CorpusError, open_corpus

logger = logging.getLogger(__name__)

# TensorFlow's start, and then far more than the slowest family needs for a second of music on two busy cores.
LONGEST_START_SECONDS = 300
LONGEST_PER_SECOND_OF_MUSIC = 30
SECONDS_BETWEEN = 1.0  # between two looks at whether the job is still wanted; a child may speak far more often
INTERNAL = "Something went wrong inside Earmark; its log says more."


class Refused(Exception):
    """The job cannot be done; the text is one sentence for the person who asked."""


def run(job_id):
    """Do the job if nobody else did or does. Never raises for anything that the job is to blame for."""
    for _ in steps(job_id):
        pass


def steps(job_id):
    """Do the job and yield it whenever it has come further: a command draws its progress bar from that.

    Whoever stops looking (Ctrl-C, the worker's end) gives the job back to the queue.
    """
    job = Job.objects.claim(job_id, _new_worker())
    if job is None:
        return
    try:
        yield from _worked(job)
    except Stopped:
        logger.info("Job %s was cancelled, or is another worker's now", job.pk)
    except BaseException:
        job.release()
        raise


def _worked(job):
    try:
        with folder_of(job) as folder:
            try:
                yield from DEEDS[job.kind](job, folder)
            finally:
                Job.objects.filter(pk=job.pk).update(log=child.log(folder))
        job.finish()
    except (Refused, child.ChildFailed) as failure:
        job.fail(str(failure))
    except Stopped:
        raise
    except Exception:
        logger.exception("Job %s failed", job.pk)
        job.fail(INTERNAL)
    yield job


def clips_from_checkpoint(job, folder):
    """Sample in a child, then play what it sampled. Clips that an earlier worker finished stay as they are."""
    wishes = job.settings
    weights, rolls = folder / "checkpoint.keras", folder / "rolls"
    _fetch(job.checkpoint, weights)
    asked = child.events(
        "training",
        *("sample", weights, "--clips", wishes["n_clips"], "--seconds", wishes["seconds"], "--seed", wishes["seed"]),
        *("--temperature", wishes["temperature"], "--out", rolls, "--rolls-only", "--events"),
        folder=folder,
        longest_seconds=LONGEST_START_SECONDS + LONGEST_PER_SECOND_OF_MUSIC * wishes["seconds"] * wishes["n_clips"],
    )
    yield from _followed(job, asked, "sampling")
    provenance = _provenance_of_samples(job, rolls)

    def roll_of(index):
        path = rolls / f"clip_{index:03d}.npz"
        if not path.is_file():
            raise Refused(f"Clip {index + 1} was not sampled.")
        return lpd.read(path)

    def title_of(index):
        return f"{job.checkpoint.name} {index + 1}"

    yield from _played(job, folder, roll_of, title_of, Clip.Source.GENERATED, lambda index: provenance)


def clips_of_real_music(job, folder):
    try:
        pieces = open_corpus(job.corpus.path)
    except CorpusError as error:
        raise Refused(f"The corpus “{job.corpus.name}” is not on this disk.") from error
    chosen, seconds = job.settings["pieces"], job.settings["seconds"]

    def roll_of(index):
        return pianoroll.opening(pieces.roll(chosen[index]), seconds)

    def title_of(index):
        return pieces.pieces[chosen[index]].title[:200]

    def provenance_of(index):
        piece = pieces.pieces[chosen[index]]
        return {
            "kind": "reference",
            "corpus": {"name": job.corpus.name, "checksum": job.corpus.checksum},
            "piece": {"md5": piece.md5, "title": piece.title, "split": piece.split},
            "seconds": seconds,
        }

    yield from _played(job, folder, roll_of, title_of, Clip.Source.REFERENCE, provenance_of)


def training(job, folder):
    """Train in a child. The run's folder stays, so that a run which was stopped can go on from it."""
    run = job.run
    run.folder.mkdir(parents=True, exist_ok=True)
    file = run.folder / "checkpoint.keras"
    asked = child.events(
        "training",
        *("train", run.family, "--corpus", job.corpus.path, "--out", file),
        *("--minutes", run.minutes, "--seed", run.seed, "--events"),
        folder=folder,
        longest_seconds=LONGEST_START_SECONDS + 2 * 60 * run.minutes,
    )
    history = []
    for event in _watched(job, asked, "training"):
        if event is not None and event["event"] == "epoch":
            history.append({key: value for key, value in event.items() if key in EPOCH_KEYS})
            TrainingRun.objects.filter(pk=run.pk).update(history=history)
            run.history = history
        yield job
    card = uploads.checked_card(file, folder)
    with transaction.atomic():
        job.keep(stage="storing")
        TrainingRun.objects.filter(pk=run.pk).update(
            history=facts.history(card), baselines=facts.baselines(card), configuration=card["configuration"]
        )
        shutil.copyfile(file, folder / "finished.keras")
        uploads.store(job.owner, folder / "finished.keras", f"{run}"[:200], card, run=run)


DEEDS = {
    Job.Kind.CLIPS: clips_from_checkpoint,
    Job.Kind.REFERENCES: clips_of_real_music,
    Job.Kind.TRAINING: training,
    Job.Kind.UPLOADS: taking.read_uploads,
}
EPOCH_KEYS = {"epoch", "train_loss", "test_loss", "seconds"}


def _new_worker():
    """A name for this one run: two runs of one process are two workers as far as a job is concerned."""
    return f"{socket.gethostname()[:20]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def _fetch(checkpoint, path):
    """Copy a checkpoint out of the storage, which need not be this disk, and see that it is the one that was stored."""
    try:
        with checkpoint.file.open("rb") as stored, open(path, "wb") as copy:
            shutil.copyfileobj(stored, copy)
    except FileNotFoundError:
        raise Refused(f"The file of “{checkpoint.name}” is gone from the storage.") from None
    if sha256(path) != checkpoint.sha256:
        raise Refused(f"The file of “{checkpoint.name}” is not what was stored: its checksum differs.")


def _watched(job, asked, stage):
    """Pass on a child's events, renewing the lease as time goes by."""
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


def _followed(job, asked, stage):
    for _ in _watched(job, asked, stage):
        yield job


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


def _played(job, folder, roll_of, title_of, source, provenance_of):
    """Make the clips that the job still lacks. One that cannot be made costs only itself, and the job says so."""
    job.keep(stage="playing", seconds_left=None)
    made = set(job.clips.values_list("index", flat=True))
    problems = []
    for index in range(job.n_total):
        if index in made:
            continue
        try:
            make_clip(
                job,
                index,
                roll_of(index),
                folder,
                title=title_of(index),
                source=source,
                provenance=provenance_of(index),
            )
        except ValueError as error:
            problems.append(f"“{title_of(index)}”: {str(error).rstrip('.')}.")
        yield job
    if problems:
        raise Refused(f"{len(problems)} of {job.n_total} clips could not be made. {' '.join(problems)}"[:2000])


def _provenance_of_samples(job, rolls):
    checkpoint, card = job.checkpoint, job.checkpoint.card
    sampling = {"seconds": job.settings["seconds"], "temperature": job.settings["temperature"]}
    return {
        "kind": "generated",
        "checkpoint": {"name": checkpoint.name, "sha256": checkpoint.sha256, "version": card.get("version")},
        "family": checkpoint.family,
        "configuration": card.get("configuration", {}),
        "corpus": card.get("corpus", {}),
        "seed": job.settings["seed"],
        "sampling": sampling | _tempo(rolls),
    }


def _tempo(rolls):
    """Return the tempo that the child chose, as it says."""
    try:
        tempo = json.loads((rolls / "clips.json").read_bytes())["tempo_bpm"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {"tempo_bpm": tempo} if isinstance(tempo, int | float) else {}
