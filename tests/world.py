"""One of everything that Ada has, shared with Vera who looks and Emil who changes, and everybody who may come to a page."""

import uuid
from dataclasses import dataclass, field

import pytest
from django.core.files import File
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Invitation, Share
from accounts.people import reset_address
from generation import measuring
from generation.models import Checkpoint, Clip, Job, Upload
from music import lpd, pianoroll
from study.models import Analysis, Condition, Scale, Stimulus, Study
from tests import console

EPOCH = {"epoch": 1, "train_loss": 2.0, "test_loss": 2.5, "seconds": 3.0}
FIGURE = {
    "name": "averages",
    "spec": {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": [{"a": 1}]},
        "mark": "point",
        "encoding": {"x": {"field": "a", "type": "quantitative"}},
    },
}
# Words that only Ada's things hold; what a stranger is answered never has one of them.
SECRET = "Zeisig"


@dataclass
class World:
    things: dict
    studies: dict  # draft, open, closed
    clients: dict = field(default_factory=dict)  # who -> client
    session: object = None  # a participant's
    of_accounts: dict = field(default_factory=dict)  # page -> what its address names

    def shared_with(self, thing):
        return Share.objects.about(thing).first().pk

    def address(self, name, study):
        """The address of a page, about a study or about the one thing of its kind."""
        namespace, _, page = name.rpartition(":")
        if namespace == "study":
            return self._of_study(page, self.studies[study])
        if namespace in ("", "accounts"):
            return reverse(name, args=self.of_accounts.get(page, []))
        kind, *more = OF_THINGS.get(page, (None,))
        if page in ("neighbour_picture", "neighbour_sound"):
            return reverse(name, args=[self.things["clip"].pk, 0])
        about = [] if kind is None else [self.things[kind] if kind == "batch" else self.things[kind].pk]
        return reverse(name, args=about + [self.shared_with(self.things[kind]) for _ in more])

    def _of_study(self, page, study):
        if page in OF_SESSIONS:
            return reverse(f"study:{page}", args=[self.session.code, *OF_SESSIONS[page]])
        if page == "sound":
            return reverse("study:sound", args=[self.session.trials.first().address])
        if page in ("import_columns", "coverage"):
            return reverse(f"study:{page}", args=[self.things[page].pk])
        if page in ("import", "welcome"):
            return reverse(f"study:{page}", args=[] if page == "import" else [study.slug])
        return console.address(page, study)


OF_SESSIONS = {"step": (), "withdraw": (), "rate": (1,), "shown": (1,), "heard": (1,)}


def archive_of(kind):
    return [f"{deed}_{kind}" for deed in ("archive", "unarchive", "delete")]


# Page of generation -> the thing that its address names; with "share" the share of it too.
OF_THINGS = {
    **dict.fromkeys(["checkpoint", "checkpoint_loss", "share_checkpoint", *archive_of("checkpoint")], ("checkpoint",)),
    "end_share_of_checkpoint": ("checkpoint", "share"),
    **dict.fromkeys(["batch", "batch_rows", "read"], ("batch",)),
    **dict.fromkeys(["job", "job_progress", "job_clips", "cancel_job"], ("job",)),
    **dict.fromkeys(["clip", "clip_picture", "clip_sound", "clip_roll", "share_clip", *archive_of("clip")], ("clip",)),
    "end_share_of_clip": ("clip", "share"),
    **dict.fromkeys(["run", "run_progress", "run_epochs", "resume_run", "sample_run", "run_loss"], ("run",)),
    "sample": ("sample",),
    **dict.fromkeys(["corpus", "references"], ("corpus",)),
}


@pytest.fixture
def world(ada, ben, corpus, make_clip, django_user_model, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    corpus.name = f"{SECRET} corpus"
    corpus.save()
    things = {**_made(ada, corpus, make_clip, tmp_path), **_brought(ada), "corpus": corpus}
    measuring.measure(things["clip"])
    studies = {state: _study(ada, things["clip"], state) for state in Study.State.values}
    _analyse(ada, studies["closed"])
    world = World(things, studies)
    people = {
        "stranger": ben,
        "viewer": django_user_model.objects.create_user("vera"),
        "editor": django_user_model.objects.create_user("emil"),
        "owner": ada,
        "staff": django_user_model.objects.create_superuser("sue"),
    }
    for thing in (*studies.values(), things["clip"], things["checkpoint"]):
        Share.objects.give(thing, people["viewer"], "viewer")
        Share.objects.give(thing, people["editor"], "editor")
    world.session = studies["open"].admit()
    world.of_accounts = _accounts(ada, people["stranger"])
    world.clients = {"anonymous": Client(), "participant": Client()}
    world.clients["participant"].get(f"/t/{world.session.code}/")
    for who, researcher in people.items():
        world.clients[who] = Client()
        world.clients[who].force_login(researcher)
    return world


def _made(ada, corpus, make_clip, tmp_path):
    card = {"family": "rnn", "history": [EPOCH], "baselines": {"marginal": 2.4, "hold": 1.9}}
    checkpoint = Checkpoint.objects.create(owner=ada, name=f"{SECRET} RNN", family="rnn", card=card, file="none")
    run = Job.objects.plan_training(ada, "rnn", corpus, minutes=1).run
    run.history, run.baselines = [EPOCH], card["baselines"]
    run.save()
    job = Job.objects.plan_clips(ada, checkpoint, n_clips=2, seconds=5, seed=7)
    clip = make_clip(ada, title=f"{SECRET} clip", seconds=2.2, checkpoint=checkpoint)
    lpd.write(tmp_path / "roll.npz", pianoroll.roll_of([(0, 12, 1, 60, 90)], 480))
    with (tmp_path / "roll.npz").open("rb") as file:
        clip.roll.save("roll.npz", File(file))
    sample = Job.objects.plan_sample(ada, run, seconds=5, seed=1)
    return {"checkpoint": checkpoint, "run": run, "job": job, "clip": clip, "sample": sample}


def _brought(ada):
    batch = uuid.uuid4()
    table = ContentFile(f"session,condition,stimulus,rating\n1,{SECRET},x,5\n".encode(), name=f"{SECRET}.csv")
    Upload.objects.receive(ada, table, batch)
    ratings = Upload.objects.receive(ada, table, uuid.uuid4())
    coverage = Job.objects.plan_other(ada, Job.Kind.COVERAGE, 4, f"{SECRET} design", "/studies/plan/")
    return {"batch": batch, "import_columns": ratings, "coverage": coverage}


def _study(ada, clip, state):
    study = Study.objects.create(
        owner=ada, title=f"{SECRET} study", slug=f"of-{state}", state=state, length_seconds=2, opened_at=timezone.now()
    )
    Scale.objects.create(study=study)
    others = [
        Clip.objects.create(owner=ada, title=f"{SECRET} {k}", source="uploaded", seconds=3, loudness_lufs=-23)
        for k in (1, 2)
    ]
    for position, clips in enumerate(([clip, others[0]], [others[1]]), start=1):
        condition = Condition.objects.create(study=study, name=f"{SECRET} {position}", position=position)
        condition.choose(clips)
    for stimulus in study.stimuli() if state != "draft" else ():
        stimulus.sound.save("sound.mp3", ContentFile(b"sound"))
    return study


def _accounts(ada, other):
    invitation, token = Invitation.objects.invite(ada, f"{SECRET} guest")
    reset = reset_address(other).split("/")[-3:-1]
    about_other = dict.fromkeys(("suspend", "restore", "reset_link"), (other.pk,))
    return {"join": (token,), "take_back": (invitation.pk,), "password_reset_confirm": reset, **about_other}


def _analyse(ada, study):
    job = Job.objects.plan_other(ada, Job.Kind.ANALYSIS, 4, study.title, reverse("study:results", args=[study.slug]))
    analysis = Analysis(study=study, job=job, done_at=timezone.now())
    analysis.results = {"scale": "", "about": {"ratings": 0, "checksum": "c0ffee"}, "screened": None}
    analysis.figures = {"": [FIGURE]}
    analysis.file.save("", ContentFile(b"zip"), save=False)
    analysis.save()
    assert Stimulus.objects.filter(condition__study=study).exists()
