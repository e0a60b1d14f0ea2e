"""What a worker does for a job. It survives whatever the job's child does; the row says how it went."""

import json
import logging
import os
import shutil
import socket
import time
import uuid
from contextlib import closing
from itertools import chain
from pathlib import Path

from generation import child, facts, faults, measuring, taking, training_job, watching
from generation.leases import Stopped
from generation.models import Clip, Job
from generation.playing import make_clip
from generation.storing import folder_of, sha256
from generation.watching import Refused, watched
from music import lpd, pianoroll
from training.corpus import CorpusError, open_corpus

logger = logging.getLogger(__name__)

# TensorFlow's start, and then far more than the slowest family needs for a second of music on two busy cores.
LONGEST_START_SECONDS = 300
LONGEST_PER_SECOND_OF_MUSIC = 30
SAMPLING = ("seconds", "temperature", "top_p", "settings")  # what of a job's wishes says how its clips were drawn
INTERNAL = "Something went wrong inside Earmark; its log says more."


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
                yield from measuring.measure_clips(job)
            finally:
                if aside := child.log(folder):
                    job.say(f"its process said aside:\n{aside.rstrip()}")
        job.finish()
    except Stopped:
        raise
    except Exception as failure:
        _note(job, failure)
    yield job


def _note(job, failure):
    """Fail the job with its sentence, or have it tried again where the machine is to blame and not what was asked."""
    sentence = faults.of_machine(failure)
    if sentence:
        logger.error("Job %s came to a stop: %s", job.pk, ascii(str(failure)))
        job.rest(sentence)
    elif isinstance(failure, Refused | child.ChildFailed):
        job.fail(str(failure))
    else:
        logger.error("Job %s failed", job.pk, exc_info=failure)
        job.fail(INTERNAL)


def clips_from_checkpoint(job, folder):
    weights = folder / "checkpoint.keras"
    fetch(job.checkpoint, weights)
    known = {
        "name": job.checkpoint.name,
        "sha256": job.checkpoint.sha256,
        "version": job.checkpoint.card.get("version"),
    }
    provenance = _provenance_of(job, job.checkpoint.card) | {"checkpoint": known}
    yield from _sampled(job, folder, weights, provenance, lambda index: f"{job.checkpoint.name} {index + 1}")


def sample_of_run(job, folder):
    """One clip of the run's last whole epoch. Its weights are copied first: the run goes on and writes others."""
    weights, run = folder / "checkpoint.keras", job.run
    try:
        shutil.copyfile(training_job.current_of(run), weights)
    except FileNotFoundError:
        raise Refused("The run has no whole epoch on this machine's disk yet.") from None
    card = training_job.card_of(weights)
    epoch = card.get("epoch") or card.get("best_epoch") or len(facts.history(card))
    known = {"run": str(run.pk), "epoch": epoch, "checkpoint": {"sha256": sha256(weights), "version": card["version"]}}
    title = f"{run}, epoch {epoch}"[:200]
    yield from _sampled(job, folder, weights, _provenance_of(job, card) | known, lambda _index: title)


def _sampled(job, folder, weights, provenance, title_of):
    """Sample in a child, then play what it sampled. Clips that an earlier worker finished stay as they are."""
    rolls = folder / "rolls"
    for _ in watched(job, sampling(weights, job.settings, rolls, folder), "sampling"):
        yield job
    provenance["sampling"] |= _tempo(rolls)

    def roll_of(index):
        path = rolls / f"clip_{index:03d}.npz"
        if not path.is_file():
            raise Refused(f"Clip {index + 1} was not sampled.")
        return lpd.read(path)

    yield from _played(job, folder, roll_of, title_of, Clip.Source.GENERATED, lambda index: provenance)


def sampling(weights, wishes, rolls, folder):
    """Have a child sample into the folder `rolls`; yields its events.

    wishes: n_clips, seconds, seed, temperature; top_p and the family's settings, which older ones do not name
    """
    settings = [("--set", f"{name}={json.dumps(value)}") for name, value in wishes.get("settings", {}).items()]
    return child.events(
        "training",
        *("sample", weights, "--clips", wishes["n_clips"], "--seconds", wishes["seconds"], "--seed", wishes["seed"]),
        *("--temperature", wishes["temperature"], "--top-p", wishes.get("top_p", 1.0), *chain(*settings)),
        *("--out", rolls, "--rolls-only", "--events"),
        folder=folder,
        longest_seconds=LONGEST_START_SECONDS + LONGEST_PER_SECOND_OF_MUSIC * wishes["seconds"] * wishes["n_clips"],
        limits=limits_of_sampling(),
    )


def limits_of_sampling():
    """Weights that somebody brought are computed with: no network, few files, and no more memory than ten clips of two minutes
    need several times over. A GPU's driver maps more than any limit, so that where there is one, memory has none.
    """
    return {"NOFILE": 256, "network": False} | ({} if Path("/dev/nvidiactl").exists() else {"AS": 8_000_000_000})


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
    """Train, and meanwhile make the samples of this run that are asked for: its worker may be the only one."""
    with closing(_samples_of(job.run)) as samples:
        for seen in training_job.training(job, folder):
            next(samples)
            yield seen


def _samples_of(run):
    """Each `next` goes a little further with a sample that waits, with pauses for whoever asks to do other things.

    Where the run ends first, the sample goes back to the queue.
    """
    while True:
        waiting = run.jobs.filter(kind=Job.Kind.SAMPLE, state=Job.State.WAITING).order_by("created_at").first()
        for _ in steps(waiting.pk) if waiting else ():
            yield from _pause()
        yield from _pause()


def _pause():
    ends_at = time.monotonic() + watching.SECONDS_BETWEEN / 2
    yield
    while time.monotonic() < ends_at:
        yield


# What is done for each kind of job, (job, folder) -> generator; other rooms add their own.
DEEDS = {
    Job.Kind.CLIPS: clips_from_checkpoint,
    Job.Kind.REFERENCES: clips_of_real_music,
    Job.Kind.TRAINING: training,
    Job.Kind.SAMPLE: sample_of_run,
    Job.Kind.UPLOADS: taking.read_uploads,
}


def _new_worker():
    """A name for this one run: two runs of one process are two workers as far as a job is concerned."""
    return f"{socket.gethostname()[:20]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def fetch(checkpoint, path):
    """Copy a checkpoint out of the storage, which need not be this disk, and see that it is the one that was stored."""
    try:
        with checkpoint.file.open("rb") as stored, open(path, "wb") as copy:
            shutil.copyfileobj(stored, copy)
    except FileNotFoundError:
        raise Refused(f"The file of “{checkpoint.name}” is gone from the storage.") from None
    if sha256(path) != checkpoint.sha256:
        raise Refused(f"The file of “{checkpoint.name}” is not what was stored: its checksum differs.")


def _played(job, folder, roll_of, title_of, source, provenance_of):
    """Make the clips that the job still lacks. One that cannot be made costs only itself, and the job says so."""
    job.keep(stage="playing", seconds_left=None)
    made = set(job.clips.values_list("index", flat=True))
    wanted = [index for index in range(job.n_total) if index not in made]
    problems, begun_at = [], time.monotonic()
    for n_played, index in enumerate(wanted):
        if n_played:
            job.keep(seconds_left=(time.monotonic() - begun_at) / n_played * (len(wanted) - n_played))
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


def _provenance_of(job, card):
    """Return what made a clip of a network with this card, as far as it is known before sampling."""
    return {
        "kind": "generated",
        "family": card.get("family"),
        "configuration": card.get("configuration", {}),
        "corpus": card.get("corpus", {}),
        "seed": job.settings["seed"],
        "sampling": {name: job.settings[name] for name in SAMPLING if name in job.settings},
    }


def _tempo(rolls):
    """Return the tempo that the child chose, as it says."""
    try:
        tempo = json.loads((rolls / "clips.json").read_bytes())["tempo_bpm"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {"tempo_bpm": tempo} if isinstance(tempo, int | float) else {}
