"""Studies as a researcher meets them: a draft of short real sounds, and one whose ratings are those of the report."""

import csv
import datetime
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from generation.models import Clip
from study.models import Condition, Rating, Scale, Session, Stimulus, Study, Trial
from study.recounting import recount

PAPER = Path(__file__).parent / "fixtures" / "paper_table.csv"
NAMES = {"lpd5": "LPD5 Samples", "baseline_rnn": "Baseline RNN", "cnn2d": "2D CNN"}
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def clip_row(owner, title="Clip", **fields):
    """A clip as the pages list it, without its files."""
    fields = {"source": Clip.Source.GENERATED, "seconds": 30, "loudness_lufs": -23, **fields}
    return Clip.objects.create(owner=owner, title=title, **fields)


@pytest.fixture
def make_draft(ada, make_clip, settings, tmp_path):
    """make_draft(conditions={"CNN": 2}, ...): a draft of Ada's that plays two seconds of each clip."""
    settings.MEDIA_ROOT = tmp_path

    def make(conditions=None, owner=ada, seconds=2.2, **fields):
        fields = {"title": "Pilot", "length_seconds": 2, "min_heard_seconds": 1, **fields}
        study = Study.objects.create(owner=owner, **fields)
        Scale.objects.create(study=study)
        for position, (name, n_clips) in enumerate((conditions or {"CNN": 2, "Real": 1}).items(), start=1):
            condition = Condition.objects.create(study=study, name=name, position=position, is_reference=name == "Real")
            hertz = [200 + 50 * position + 30 * k for k in range(n_clips)]
            condition.choose([make_clip(owner, title=f"{name} clip", seconds=seconds, hertz=h) for h in hertz])
        return study

    return make


@pytest.fixture
def draft(make_draft):
    return make_draft()


@pytest.fixture
def paper_study(ada):
    """An open study in which ten participants gave the ratings that the report's table stands for."""
    study = Study.objects.create(
        owner=ada, slug="paper", title="The report", state=Study.State.OPEN, opened_at=NOON, target_sessions=10
    )
    scale = Scale.objects.create(study=study)
    with PAPER.open() as file:
        lines = list(csv.DictReader(file))
    stimuli = _stimuli(study, sorted({(line["condition"], line["item"]) for line in lines}, key=lambda key: key[1]))
    for number, rater in enumerate(sorted({line["rater"] for line in lines})):
        session = Session.objects.create(study=study, number=number, seed=number, finished_at=timezone.now())
        _rate(session, scale, stimuli, [line for line in lines if line["rater"] == rater])
    recount(study)
    return study


def _stimuli(study, items):
    stimuli = {}
    for position, (key, name) in enumerate(NAMES.items(), start=1):
        condition = Condition.objects.create(study=study, name=name, position=position, is_reference=key == "lpd5")
        mine = [item for of, item in items if of == key]
        condition.choose([clip_row(study.owner, item) for item in mine])
        stimuli |= dict(zip(mine, condition.stimuli.all(), strict=True))
    Stimulus.objects.update(sound="sounds/made.mp3")
    return stimuli


def _rate(session, scale, stimuli, lines):
    for line in lines:
        position = int(line["order"])
        shown_at = NOON + datetime.timedelta(minutes=position)
        trial = Trial.objects.create(
            session=session,
            stimulus=stimuli[line["item"]],
            position=position,
            shown_at=shown_at,
            rated_at=shown_at + datetime.timedelta(seconds=31.5),
            heard_seconds=30.0,
            plays=1,
        )
        Rating.objects.create(trial=trial, scale=scale, value=int(line["rating"]))


def store(stimulus, content=b"half a sound"):
    stimulus.sound.save("half.mp3", ContentFile(content))


def silent_for(study, seconds):
    """Have the study's opening show its last sign of life so long ago."""
    study.opening_at = timezone.now() - datetime.timedelta(seconds=seconds)
    study.save(update_fields=["opening_at"])
    return study.opening_at
