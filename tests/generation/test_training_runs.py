"""A training run's jobs: its epochs are kept however it ends, it goes on where it was, and it can be heard meanwhile."""

from contextlib import closing
import pytest

from generation import work
from generation.models import Job

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
