"""A training run's jobs: its epochs are kept however it ends, it goes on where it was, and it can be heard meanwhile."""

import json
from contextlib import closing
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from generation import child, training_job, watching, work
from generation.models import Job, TrainingRun

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = {"units": 4, "batch_size": 8, "epoch_windows": 16, "test_windows": 16}


@pytest.fixture
def worker(training):
    """A worker that has begun with the training."""
    with closing(work.steps(training.pk)) as steps:
        yield steps


@pytest.fixture
def training(ada, corpus):
    """A training of the smallest RNN that would go on for a thousand epochs."""
    return Job.objects.ask_for_training(ada, "rnn", corpus, epochs=1000, seed=3, configuration=SMALL)


def work_until(steps, reached):
    """Have the worker work until something is so."""
    for _ in steps:
        if reached():
            return


def epochs_of(job):
    job.run.refresh_from_db()
    return [epoch["epoch"] for epoch in job.run.history]


def test_a_run_is_heard_while_it_trains_then_cancelled_and_resumed(ada, training, worker):
    work_until(worker, lambda: len(epochs_of(training)) >= 2)
    assert set(training.run.baselines) == {"marginal", "hold"}

    sample = Job.objects.ask_for_sample(ada, training.run, seconds=5, seed=1)
    work_until(worker, lambda: Job.objects.get(pk=sample.pk).is_finished)

    sample.refresh_from_db()
    assert (sample.state, sample.message) == ("done", ""), sample.log
    [clip] = sample.clips.all()
    training.refresh_from_db()
    assert training.state == "running"
    assert (clip.provenance["run"], clip.provenance["configuration"]["units"]) == (str(training.run.pk), 4)
    assert clip.title == f"Baseline RNN on Ten pieces, epoch {clip.provenance['epoch']}"
    assert clip.provenance["epoch"] in epochs_of(training)

    training.cancel()
    work_until(worker, lambda: False)

    trained = len(epochs_of(training))
    kept = training.run.checkpoint
    assert (kept.owner, kept.card["configuration"]["units"]) == (ada, 4)
    assert kept.name.startswith("Baseline RNN on Ten pieces, stopped after epoch ")

    resumed = Job.objects.ask_to_resume(ada, training.run, epochs=trained + 2)
    work.run(resumed.pk)

    resumed.refresh_from_db()
    assert (resumed.state, resumed.message) == ("done", "")
    assert epochs_of(training) == list(range(1, trained + 3))
    assert training.run.checkpoint.name == "Baseline RNN on Ten pieces"
    assert [epoch["epoch"] for epoch in training.run.checkpoint.card["history"]] == list(range(1, trained + 3))


def test_what_is_heard_of_a_run_is_its_last_epoch_and_not_its_best(training):
    best = training_job.file_of(training.run)
    assert training_job.current_of(training.run) == best  # a run that was begun before last epochs were left

    current = best.with_suffix(".run") / "current.keras"
    current.parent.mkdir(parents=True)
    current.write_bytes(b"")

    assert training_job.current_of(training.run) == current


# Stands in for `python -m training`: notes how it was called, trains one epoch more than there were, and does as told.
TRAINS = """
import json, os, pathlib, signal, sys, time
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
state = out.with_suffix(".run"); state.mkdir(exist_ok=True)
with open({calls!r}, "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
told = state / "history.json"
history = json.loads(told.read_text())["history"] if told.exists() else []
n = len(history) + 1
history.append(dict(epoch=n, train_loss=2.0 / n, test_loss=2.5 / n, seconds=30.0 * n))
told.write_text(json.dumps(dict(history=history, baselines=dict(marginal=2.4, hold=1.9))))
(state / "last.npz").write_bytes(b"state")
out.write_bytes(pathlib.Path({weights!r}).read_bytes())
print(json.dumps(dict(event="epoch", **history[-1], seconds_left=60)), flush=True)
{then}
"""
WAITS = "time.sleep(60)"
DIES = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def trains(tmp_path, monkeypatch, checkpoint_bytes):
    """trains(then): after its epoch the training child does so; returns the arguments of each call so far."""
    monkeypatch.setattr(child, "ROOT", tmp_path)
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(child, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(watching, "SECONDS_BETWEEN", 0.1)
    calls, weights = tmp_path / "calls", tmp_path / "tiny.keras"
    weights.write_bytes(checkpoint_bytes)

    def becomes(then=""):
        source = TRAINS.format(calls=str(calls), weights=str(weights), then=then)
        (tmp_path / "training.py").write_text(source)
        return lambda: [json.loads(line) for line in calls.read_text().splitlines()]

    return becomes


@pytest.fixture
def short(ada, corpus):
    """A training of two minutes."""
    return Job.objects.ask_for_training(ada, "rnn", corpus, minutes=2, seed=3, configuration={"units": 4})


def value(call, option):
    return call[call.index(option) + 1]


def test_the_child_is_told_the_bound_the_seed_and_every_setting(ada, corpus, trains):
    calls = trains()
    wishes = {"minutes": 2, "epochs": 9, "patience": 4, "seed": 3, "configuration": {"units": 4, "rest": False}}
    job = Job.objects.ask_for_training(ada, "rnn", corpus, **wishes)

    work.run(job.pk)

    [call] = calls()
    given = {text for option, text in pairwise(call) if option == "--set"}
    assert call[:2] == ["train", "rnn"]
    assert [value(call, option) for option in ("--minutes", "--epochs", "--patience", "--seed")] == [
        "2.0",
        "9",
        "4",
        "3",
    ]
    assert {"units=4", "rest=false", "batch_size=128"} <= given
    assert "--resume" not in call


def test_a_dead_workers_run_goes_on_where_it_was_for_the_time_that_is_left(short, trains):
    calls = trains(WAITS)
    first = work.steps(short.pk)
    work_until(first, lambda: epochs_of(short) == [1])
    first.close()  # the worker is told to stop

    Job.objects.sweep()
    trains()
    work.run(short.pk)

    short.refresh_from_db()
    begun, resumed = calls()
    assert (short.state, epochs_of(short)) == ("done", [1, 2])
    assert ("--resume" in begun, "--resume" in resumed) == (False, True)
    assert (value(begun, "--minutes"), value(resumed, "--minutes")) == ("2.0", "1.5")


def test_a_run_that_was_resumed_trains_for_as_long_as_was_asked_then(ada, short, trains):
    calls = trains()
    work.run(short.pk)
    short.run.refresh_from_db()

    resumed = Job.objects.ask_to_resume(ada, short.run, minutes=5)
    work.run(resumed.pk)

    assert [value(call, "--minutes") for call in calls()] == ["2.0", "5.0"]
    assert epochs_of(short) == [1, 2]


def test_a_run_whose_child_dies_keeps_its_epochs_and_fails_in_one_sentence(short, trains):
    trains(DIES)

    work.run(short.pk)

    short.refresh_from_db()
    assert (short.state, short.message.endswith("(signal 9), perhaps for want of memory.")) == ("failed", True)
    assert (epochs_of(short), short.run.baselines) == ([1], {"marginal": 2.4, "hold": 1.9})
    assert short.run.checkpoint.file.size > 0


def test_a_cancelled_run_keeps_its_epochs_as_a_checkpoint(ada, short, trains):
    trains(WAITS)
    worker = work.steps(short.pk)
    work_until(worker, lambda: epochs_of(short) == [1])

    short.cancel()
    list(worker)

    short.refresh_from_db()
    assert (short.state, epochs_of(short)) == ("cancelled", [1])
    kept = short.run.checkpoint
    assert (kept.owner, kept.name) == (ada, "Baseline RNN on Ten pieces, stopped after epoch 2")  # as its card says


def test_a_run_cancelled_before_its_first_epoch_leaves_no_checkpoint(short, trains, tmp_path):
    trains()
    (tmp_path / "training.py").write_text("import time; time.sleep(60)")
    worker = work.steps(short.pk)
    next(worker)

    short.cancel()
    list(worker)

    assert (short.run.checkpoint, short.run.history) == (None, [])


def test_another_worker_is_kept_out_of_a_runs_folder(ada, short, trains, monkeypatch):
    monkeypatch.setattr(training_job, "PATIENCE_SECONDS", 0.3)
    trains(WAITS)
    worker = work.steps(short.pk)
    work_until(worker, lambda: epochs_of(short) == [1])
    short.cancel()  # its child has not heard so yet

    resumed = Job.objects.ask_to_resume(ada, short.run, minutes=1)
    work.run(resumed.pk)
    worker.close()

    resumed.refresh_from_db()
    sentence = "Another worker is still busy with this run; resume it a little later."
    assert (resumed.state, resumed.message) == ("failed", sentence)


def test_a_run_is_trained_by_one_job_at_a_time(ada, short):
    with pytest.raises(IntegrityError):
        Job.objects.plan_to_resume(ada, short.run, minutes=1)


def test_a_sample_of_a_run_that_is_not_on_this_disk_says_so(ada, short):
    sample = Job.objects.ask_for_sample(ada, short.run, seconds=5, seed=1)

    work.run(sample.pk)

    sample.refresh_from_db()
    sentence = "The run has no whole epoch on this machine's disk yet."
    assert (sample.state, sample.message) == ("failed", sentence)


def test_the_command_trains_with_settings_and_goes_on_with_its_run(ada, corpus, trains, capsys):
    calls = trains()

    call_command("train", "rnn", corpus="Ten pieces", epochs=1, settings_given=["units=4", "rest=false"])
    run = TrainingRun.objects.get()
    call_command("train", resume=str(run.pk), epochs=2)

    begun, resumed = calls()
    assert (run.epochs, {"units=4", "rest=false"} <= set(begun)) == (1, True)
    assert (value(begun, "--epochs"), value(resumed, "--epochs"), resumed[-1]) == ("1", "3", "--resume")
    assert capsys.readouterr().out.splitlines() == [
        "Baseline RNN on Ten pieces: test loss 2.5000 after 1 epochs.",
        f"The run is {run.pk}.",
        "Baseline RNN on Ten pieces: test loss 1.2500 after 2 epochs.",
        f"The run is {run.pk}.",
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["rnn"], "Say which family to train and on which --corpus, or which run to --resume."),
        (["rnn", "--corpus", "Ten pieces"], "minutes: Say how long to train: a time, a number of epochs, or both."),
        (["rnn", "--corpus", "Ten pieces", "--epochs", "1", "--set", "filters=3"], "--set takes NAME=VALUE of units, "),
        (["rnn", "--corpus", "Ten pieces", "--epochs", "1", "--set", "units=3"], "Units: Ensure this value is greater"),
        (["rnn", "--resume", "RUN", "--epochs", "1"], "A run that is resumed keeps its family, corpus and settings"),
        (["--resume", "00000000-0000-0000-0000-000000000000"], "There is no training run named 00000000-"),
        (["--resume", "RUN", "--epochs", "1"], "The run is underway already."),
        (["--resume", "RUN"], "Minutes more: Say how long to train"),
    ],
)
def test_the_command_refuses_in_one_sentence_what_it_cannot_train(short, given, sentence):
    arguments = [str(short.run_id) if argument == "RUN" else argument for argument in given]

    with pytest.raises(CommandError) as refusal:
        call_command("train", *arguments)

    assert str(refusal.value).startswith(sentence)
    assert Job.objects.count() == 1
