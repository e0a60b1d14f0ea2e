"""The demo: from real music to an open study, with the conditions and labels of the report that Earmark began with.

Its networks come with Earmark, trained on the demo's own music; with a folder of one's own music they are trained on
that first. A second study sets the family that plays best beside the report's two.

Every step keeps what it made and takes up what is there already, so a demo that broke off goes on where it was.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.db import transaction

from accounts.models import Change, Researcher
from generation import corpora, freedoom, uploads
from generation.models import Checkpoint, Corpus, Job
from generation.storing import sha256
from study import opening
from study.models import Condition, Scale, Study

CLIP_SECONDS = 30
REPORTS_LISTENERS = 10
TRAINING_SEED = 2022
SAMPLING_SEED = 1
RESEARCHER = "researcher"
SHIPPED = settings.ROOT / "generation" / "shipped"  # of the families' checkpoints, FAMILY.keras
CLIPS_OF_A_FAMILY = 3  # in the second study


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class System:
    """One condition of the report's table."""

    name: str
    n_clips: int
    family: str | None = None  # None: real music


REAL_MUSIC = System("LPD5 Samples", 3)
NETWORKS = (System("Baseline RNN", 4, "rnn"), System("2D CNN", 6, "cnn"))
BEST = System("GRU, tracks chained", CLIPS_OF_A_FAMILY, "gru-chain")


def login():
    """Return (researcher, password); the password is None once the researcher chose another.

    The first call makes the account. Its password is kept beside the database, to be shown again.
    """
    kept = settings.DATA_DIR / "demo-login.json"
    known = Researcher.objects.filter(username=RESEARCHER).first()
    if known is None:
        password = secrets.token_urlsafe(9)
        _keep_secret(kept, json.dumps({"username": RESEARCHER, "password": password}))
        return Researcher.objects.create_superuser(RESEARCHER, password=password), password
    password = json.loads(kept.read_text())["password"] if kept.exists() else ""
    return known, password if known.check_password(password) else None


def _keep_secret(path, text):
    """Write a file that only this user reads, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


def corpus(owner, source, report, say=lambda sentence: None):
    """Return the corpus of this folder of music, or of Freedoom's pieces if `source` is None.

    say: called with a sentence where something takes a while; report: called with (files done, files in all, seconds left) as the files are read
    """
    folder = Path(source).resolve() if source else freedoom.fetch(settings.DATA_DIR / "freedoom", say=say)
    name = folder.name if source else "Freedoom"
    for known in Corpus.objects.filter(owner=owner, card__source=str(folder)):
        if corpora.is_up_to_date(known):
            return known
    return corpora.build(owner, name, folder, report=report)


def shipped(owner, system):
    """Return the checkpoint of this system's family that comes with Earmark, taken as any upload is."""
    path = SHIPPED / f"{system.family}.keras"
    known = Checkpoint.objects.filter(owner=owner, card__uploaded__sha256=sha256(path)).first()
    if known:
        return known
    with path.open("rb") as content:
        return uploads.accept_checkpoint(owner, File(content, path.name), f"{system.name}, as it comes with Earmark")


def training_beside(owner, corpus, minutes):
    """Return the jobs that train the report's networks once the site runs, for its worker to do."""
    jobs = []
    for system in NETWORKS:
        about = {"run__corpus": corpus, "run__family": system.family, "run__minutes": minutes}
        wishes = {"minutes": minutes, "seed": TRAINING_SEED}
        jobs.append(
            _begun(owner=owner, **about) or Job.objects.ask_for_training(owner, system.family, corpus, **wishes)
        )
    return jobs


def training(owner, corpus, system, minutes):
    """Return the job that trains this system's network: a new one, or the one that did it already."""
    about = {"run__corpus": corpus, "run__family": system.family, "run__minutes": minutes}
    return _begun(owner=owner, **about) or Job.objects.plan_training(
        owner, system.family, corpus, minutes, TRAINING_SEED
    )


def clips(owner, checkpoint, system):
    """Return the job that makes this system's clips. After one that failed the next seed gets its chance."""
    about = {"owner": owner, "kind": Job.Kind.CLIPS, "checkpoint": checkpoint}
    seed = SAMPLING_SEED + Job.objects.filter(**about, state=Job.State.FAILED).count()
    wishes = {"n_clips": system.n_clips, "seconds": CLIP_SECONDS, "seed": seed}
    made = {f"settings__{name}": value for name, value in wishes.items()}
    return _begun(**about, **made) or Job.objects.plan_clips(owner, checkpoint, **wishes)


def references(owner, corpus):
    """Return the job that plays the openings of held-out pieces.

    Raises DemoError if the corpus has too few that can be played for as long as a clip is.
    """
    fit = corpora.held_out_with_opening(corpus, CLIP_SECONDS)
    if len(fit) < REAL_MUSIC.n_clips:
        raise DemoError(
            f"Of the pieces that were held out from training, only {len(fit)} have {CLIP_SECONDS} s with drums, bass "
            f"and another track; {REAL_MUSIC.n_clips} are needed as references. Use a larger folder of music."
        )
    wishes = {"pieces": fit[: REAL_MUSIC.n_clips], "seconds": CLIP_SECONDS}
    about = {"owner": owner, "kind": Job.Kind.REFERENCES, "corpus": corpus}
    return _begun(**about, settings=wishes) or Job.objects.plan_references(owner, corpus, **wishes)


def _begun(**about):
    """Return the job of an earlier demo that did this, or began to."""
    useful = [Job.State.WAITING, Job.State.RUNNING, Job.State.DONE]
    return Job.objects.filter(state__in=useful, **about).order_by("created_at").first()


def studies(owner, of_what, jobs):
    """Return the demo's studies, opened: the report's, and where there are clips of the best family, one of all three.

    of_what: what was trained, and on what; jobs: {system: its job of clips}, the references among them
    """
    clips = {system: list(job.clips.order_by("index")) for system, job in jobs.items()}
    reports = {system: clips[system] for system in jobs if system != BEST}
    made = [study(owner, f"The report's listening test: {of_what}", reports)]
    if BEST in clips:
        few = {system: of_it[:CLIPS_OF_A_FAMILY] for system, of_it in clips.items()}
        made.append(study(owner, f"Three families beside real music: {of_what}", few))
    return made


def study(owner, title, clips):
    """Return the study of these clips, opened. One that was cut off while it was opened is opened now.

    clips: {system: [Clip]}
    """
    wanted = {clip.pk for of_it in clips.values() for clip in of_it}
    unclosed = Study.objects.filter(owner=owner).exclude(state=Study.State.CLOSED)
    known = next((one for one in unclosed if {stimulus.clip_id for stimulus in one.stimuli()} == wanted), None)
    known = known or _drafted(owner, title, clips)
    if known.state == Study.State.DRAFT:
        _open(known)
    return known


def _open(study):
    try:
        opening.open_study(study)
    except opening.NotReadyError as problem:
        raise DemoError(f"The study cannot be opened. {problem}") from problem
    except opening.NoLongerOpeningError as busy:
        raise DemoError(
            "An earlier demo was cut off while it opened the study. Run the same command again in a minute."
        ) from busy


@transaction.atomic
def _drafted(owner, title, clips):
    study = Study.objects.create(
        owner=owner,
        title=title,
        length_seconds=CLIP_SECONDS,
        target_sessions=REPORTS_LISTENERS,
    )
    Scale.objects.create(study=study)
    for position, (system, of_it) in enumerate(clips.items()):
        is_reference = system.family is None
        condition = Condition.objects.create(
            study=study, name=system.name, position=position, is_reference=is_reference
        )
        condition.choose(of_it)
    Change.objects.note(owner, "made it by the demo", study)
    return study
