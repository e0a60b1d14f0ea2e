"""The demo's steps, each taken up where an earlier demo left it."""

import datetime
import json
import stat
import uuid

import pytest
from django.conf import settings
from django.core.management.base import CommandError
from tqdm import tqdm

from generation.models import Checkpoint, Clip, Corpus, Job, TrainingRun
from study import demo, opening
from study.management.commands import demo as command
from study.models import Study

pytestmark = pytest.mark.django_db
SMALL = (demo.System("Real", 1), demo.System("Net", 2, "rnn"))


@pytest.fixture(autouse=True)
def no_login_kept():
    kept = settings.DATA_DIR / "demo-login.json"
    kept.unlink(missing_ok=True)
    yield kept
    kept.unlink(missing_ok=True)


@pytest.fixture
def corpus(ada):
    return Corpus.objects.create(owner=ada, name="Pieces", folder="pieces", card={}, checksum="0" * 64)


@pytest.fixture
def checkpoint(ada):
    return Checkpoint.objects.create(owner=ada, name="Net", family="rnn", sha256="1" * 64, card={})


@pytest.fixture
def make_job(ada, checkpoint, corpus, make_clip):
    """make_job(system) -> its finished job, with clips of two seconds."""
    tones = iter(range(200, 2000, 40))

    def make(system):
        about = {"kind": Job.Kind.CLIPS, "checkpoint": checkpoint}
        if system.family is None:
            about = {"kind": Job.Kind.REFERENCES, "corpus": corpus}
        job = Job.objects.create(owner=ada, state=Job.State.DONE, n_total=system.n_clips, **about)
        source = Clip.Source.GENERATED if system.family else Clip.Source.REFERENCE
        for index in range(system.n_clips):
            make_clip(ada, f"{system.name} {index}", 2.0, next(tones), source, job=job, index=index)
        return job

    return make


@pytest.fixture
def jobs(make_job):
    return {system: make_job(system) for system in SMALL}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(demo, "CLIP_SECONDS", 2)


def rows_of(study):
    return [(stimulus.condition.name, stimulus.row, stimulus.label) for stimulus in study.stimuli()]


def test_the_study_has_the_reports_conditions_rows_and_labels(ada, jobs, short):
    (study,) = demo.studies(ada, "Pieces", jobs)

    assert study.state == Study.State.OPEN
    assert rows_of(study) == [
        ("Real", "Real", "Real 1"),
        ("Net", "Net 1", "Net 1"),
        ("Net", "Net 2", "Net 2"),
    ]


def test_the_best_family_has_a_second_study_beside_few_clips_of_the_others(ada, jobs, make_job, short, monkeypatch):
    monkeypatch.setattr(demo, "CLIPS_OF_A_FAMILY", 1)
    best = demo.System("Best", 2, "gru-chain")
    monkeypatch.setattr(demo, "BEST", best)

    reports, families = demo.studies(ada, "Pieces", jobs | {best: make_job(best)})

    assert [condition for condition, _, _ in rows_of(reports)] == ["Real", "Net", "Net"]
    assert [condition for condition, _, _ in rows_of(families)] == ["Real", "Net", "Best"]
    assert families.state == Study.State.OPEN


def test_a_second_demo_finds_the_study_and_one_of_other_clips_does_not(ada, jobs, short, make_job):
    (first,) = demo.studies(ada, "Pieces", jobs)

    (again,) = demo.studies(ada, "Pieces", jobs)
    real, net = SMALL
    (other,) = demo.studies(ada, "Pieces", {real: jobs[real], net: make_job(net)})

    assert again == first
    assert other != first
    assert Study.objects.count() == 2


def test_a_study_that_was_cut_off_before_it_opened_is_opened_now(ada, jobs, short, monkeypatch):
    def killed(study):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(opening, "open_study", killed)
        with pytest.raises(KeyboardInterrupt):
            demo.studies(ada, "Pieces", jobs)

    (study,) = demo.studies(ada, "Pieces", jobs)

    assert (Study.objects.count(), study.state) == (1, Study.State.OPEN)


def test_a_study_that_cannot_be_opened_is_said_in_a_sentence(ada, jobs):
    with pytest.raises(demo.DemoError, match=r"The study cannot be opened\. .*Net 1.* 30"):
        demo.studies(ada, "Pieces", jobs)


@pytest.mark.parametrize("system", [*demo.NETWORKS, demo.BEST], ids=lambda system: system.family)
def test_the_checkpoints_that_come_along_are_taken_once_and_are_small(ada, system):
    taken = demo.shipped(ada, system)

    assert taken.family == taken.card["family"] == system.family
    assert taken.card["corpus"]["name"] == "Freedoom"
    assert 0 < taken.card["minutes"] <= 30.5
    last = taken.card["history"][-1]
    assert last["test_loss"] < taken.card["baselines"]["marginal"]
    assert demo.shipped(ada, system) == taken
    assert sum(path.stat().st_size for path in demo.SHIPPED.iterdir()) <= 8e6


def test_the_demos_own_training_is_asked_for_once_and_shown_until_it_ends(ada, corpus, capsys):
    first, second = demo.training_beside(ada, corpus, 2)
    watch = command.Watch([first, second])

    assert demo.training_beside(ada, corpus, 2) == [first, second]
    assert [job.run.family for job in (first, second)] == ["rnn", "cnn"]

    watch.look()  # it waits: nothing to say
    Job.objects.claim(first.pk, "worker").keep(n_done=40, stage="training, epoch 3, loss 0.0713", seconds_left=72.0)
    watch.look()
    bar = str(watch.bar)
    Job.objects.filter(pk=first.pk).update(state=Job.State.DONE)
    watch.look()

    assert "40/100 % of training rnn" in bar
    assert "epoch 3, loss 0.0713, 72 s left" in bar
    assert watch.unfinished == [second]
    assert "Training rnn: done" in capsys.readouterr().out


def test_the_password_is_shown_again_and_only_its_owner_may_read_it(no_login_kept):
    researcher, password = demo.login()

    assert demo.login() == (researcher, password)
    assert researcher.check_password(password)
    assert stat.S_IMODE(no_login_kept.stat().st_mode) == 0o600
    assert json.loads(no_login_kept.read_text())["password"] == password


def test_a_password_that_was_changed_is_not_shown():
    researcher, _ = demo.login()
    researcher.set_password("one of my own")
    researcher.save()

    assert demo.login() == (researcher, None)


def test_training_for_other_minutes_is_another_run_and_the_same_minutes_are_not(ada, corpus):
    net = SMALL[1]

    first = demo.training(ada, corpus, net, 2)
    again = demo.training(ada, corpus, net, 2)
    longer = demo.training(ada, corpus, net, 30)

    assert again == first
    assert longer != first
    assert sorted(TrainingRun.objects.values_list("minutes", flat=True)) == [2, 30]


def test_after_clips_that_failed_the_next_seed_is_tried(ada, checkpoint):
    net = SMALL[1]
    first = demo.clips(ada, checkpoint, net)
    Job.objects.filter(pk=first.pk).update(state=Job.State.FAILED)

    second = demo.clips(ada, checkpoint, net)

    assert first.settings["seed"] + 1 == second.settings["seed"]
    assert demo.clips(ada, checkpoint, net) == second


def test_a_researchers_own_clips_are_not_the_demos(ada, checkpoint):
    own = Job.objects.plan_clips(ada, checkpoint, n_clips=1, seconds=5, seed=9)

    assert demo.clips(ada, checkpoint, SMALL[1]) != own


@pytest.mark.parametrize(("state", "columns"), [("training, epoch 1234, loss 0.071", 80), ("", 40)])
def test_the_bar_leaves_room_for_what_is_said(state, columns):
    job = Job(run_id=uuid.uuid4() if state else None, stage=state, seconds_left=104.4)

    line = tqdm.format_meter(
        18, 100, 9, ncols=columns, unit=" %", bar_format=command.BAR, postfix=command._state_in_words(job)
    )

    assert len(line) <= columns
    assert "18/100 %" in line
    assert "104 s left" in line
    assert state.removeprefix("training, ") in line


def test_work_that_somebody_else_is_at_is_left_to_them(ada, checkpoint, monkeypatch):
    job = Job.objects.claim(demo.clips(ada, checkpoint, SMALL[1]).pk, "another")
    monkeypatch.setattr(command.time, "sleep", lambda seconds: job.keep())  # it renews its lease meanwhile

    with pytest.raises(CommandError, match="Another make demo, or a worker of this site"):
        command.Command().take_over(Job.objects.get())

    job.refresh_from_db()
    assert (job.state, job.worker) == (Job.State.RUNNING, "another")


def test_work_that_was_cut_off_is_put_back(ada, checkpoint, monkeypatch):
    job = Job.objects.claim(demo.clips(ada, checkpoint, SMALL[1]).pk, "dead")
    past = job.lease_until - datetime.timedelta(minutes=5)
    monkeypatch.setattr(command.time, "sleep", lambda seconds: Job.objects.update(lease_until=past))

    command.Command().take_over(job)

    assert job.state == Job.State.WAITING


def test_ctrl_c_as_often_as_one_likes_is_not_held_against_a_job(ada, checkpoint):
    job = demo.clips(ada, checkpoint, SMALL[1])

    for round_number in range(5):
        Job.objects.claim(job.pk, f"worker {round_number}").release()
        Job.objects.sweep()

    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.WAITING, 0)
