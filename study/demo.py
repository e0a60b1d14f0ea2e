"""The demo: from real music to an open study, with the conditions and labels of the report that Earmark began with.

Every step keeps what it made and takes up what is there already, so a demo that broke off goes on where it was.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.models import Researcher
from generation import corpora, freedoom
from generation.models import Corpus, Job
from study import opening
from study.models import Condition, Scale, Study

CLIP_SECONDS = 30
TRAINING_SEED = 2022
SAMPLING_SEED = 1
TEMPERATURE = 1.0
RESEARCHER = "researcher"


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


def login():
    """Return (researcher, password). The first call makes the account; its password is kept beside the database."""
    kept = settings.DATA_DIR / "demo-login.json"
    if kept.exists():
        password = json.loads(kept.read_text())["password"]
    else:
        password = secrets.token_urlsafe(9)
        kept.touch(mode=0o600)
        kept.write_text(json.dumps({"username": RESEARCHER, "password": password}))
    researcher, is_new = Researcher.objects.get_or_create(
        username=RESEARCHER, defaults={"is_staff": True, "is_superuser": True}
    )
    if is_new:
        researcher.set_password(password)
        researcher.save()
    return researcher, password


def corpus(owner, source, report):
    """Return the corpus of this folder of music, or of Freedoom's pieces if `source` is None.

    report: called with (files done, files in all, seconds left) as the files are read
    """
    folder = Path(source).resolve() if source else freedoom.fetch(settings.DATA_DIR / "freedoom")
    name = folder.name if source else "Freedoom"
    known = Corpus.objects.filter(owner=owner, card__source=str(folder)).first()
    if known:
        return known
    return corpora.build(owner, name, folder, report=report)


def training(owner, corpus, system, minutes):
    """Return the job that trains this system's network: a new one, or the one that did it already."""
    about = {"run__corpus": corpus, "run__family": system.family, "run__minutes": minutes}
    return _begun(owner, **about) or Job.objects.plan_training(owner, system.family, corpus, minutes, TRAINING_SEED)


def clips(owner, checkpoint, system):
    wishes = {"seconds": CLIP_SECONDS, "seed": SAMPLING_SEED, "temperature": TEMPERATURE}
    return _begun(owner, checkpoint=checkpoint) or Job.objects.plan_clips(owner, checkpoint, system.n_clips, **wishes)


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
    chosen = fit[: REAL_MUSIC.n_clips]
    return _begun(owner, corpus=corpus, kind=Job.Kind.REFERENCES) or Job.objects.plan_references(
        owner, corpus, chosen, CLIP_SECONDS
    )


def _begun(owner, **about):
    """Return the job of an earlier demo that did this, or began to."""
    useful = [Job.State.WAITING, Job.State.RUNNING, Job.State.DONE]
    return Job.objects.filter(owner=owner, state__in=useful, **about).order_by("created_at").first()


def study(owner, corpus, minutes, jobs):
    """Return the demo's study of these clips, opened.

    jobs: {system: its job of clips}, the references among them
    """
    title = f"The report's listening test: {corpus.name}, {minutes:g} minutes a network"
    known = Study.objects.filter(owner=owner, title=title, state=Study.State.OPEN).first()
    if known:
        return known
    with transaction.atomic():
        Study.objects.filter(owner=owner, title=title, state=Study.State.DRAFT).delete()
        made = Study.objects.create(owner=owner, title=title, length_seconds=CLIP_SECONDS)
        Scale.objects.create(study=made)
        for position, (system, job) in enumerate(jobs.items()):
            _condition(made, position, system, job)
    opening.open_study(made)
    return made


def _condition(study, position, system, job):
    condition = Condition.objects.create(
        study=study, name=system.name, position=position, is_reference=system.family is None
    )
    condition.choose(list(job.clips.order_by("index")))
