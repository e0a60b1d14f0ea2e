import json
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from training import checkpoint, code_version, loop
from training.families import ConfigurationError
from training.loop import Plan, TrainingError

TINY = {"units": 8, "batch_size": 16, "epoch_windows": 160, "test_windows": 32}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rnn.keras"


def plan(**changes):
    return Plan(**{"family": "rnn", "configuration": TINY, "epochs": 2, "seed": 4, **changes})


def without_times(card):
    history = [{key: entry[key] for key in ("epoch", "train_loss", "test_loss")} for entry in card["history"]]
    return card | {"history": history, "minutes": None, "created_at": None}


def test_the_same_seed_trains_the_same_network_and_another_seed_another(corpus, tmp_path):
    cards = [loop.train(plan(seed=seed), corpus, tmp_path / f"{i}.keras") for i, seed in enumerate([4, 4, 5])]
    weights = [checkpoint.read(tmp_path / f"{i}.keras").weights for i in range(3)]

    assert without_times(cards[0]) == without_times(cards[1])
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert cards[0]["history"][0]["train_loss"] != cards[2]["history"][0]["train_loss"]


def test_no_epoch_repeats_the_windows_of_another(corpus, out, monkeypatch):
    seen = []
    drawn = loop.Run._drawn

    def remember(run, *arguments):
        sounds, chance = drawn(run, *arguments)
        seen.append(chance.tobytes())
        return sounds, chance

    monkeypatch.setattr(loop.Run, "_drawn", remember)

    loop.train(plan(epochs=3), corpus, out)

    assert len(set(seen)) == len(seen) == 2 + 3 * 10  # what is tested on, what rates are counted on, and the steps


def test_a_resumed_run_ends_where_an_unbroken_one_does(corpus, tmp_path):
    unbroken = loop.train(plan(epochs=4), corpus, tmp_path / "unbroken.keras")

    loop.train(plan(epochs=2), corpus, tmp_path / "broken.keras")
    resumed = loop.train(plan(epochs=4), corpus, tmp_path / "broken.keras", resume=True)

    assert without_times(resumed) == without_times(unbroken)
    files = [checkpoint.read(tmp_path / name).weights for name in ("unbroken.keras", "broken.keras")]
    assert all((files[0][name] == files[1][name]).all() for name in files[0])
    seconds = [entry["seconds"] for entry in resumed["history"]]
    assert seconds == sorted(seconds)


def test_a_run_that_is_told_to_stop_drops_the_broken_epoch_and_can_be_resumed(corpus, tmp_path):
    unbroken = loop.train(plan(epochs=3), corpus, tmp_path / "unbroken.keras")
    steps = []

    def stop_within_the_second_epoch():
        return len(steps) == 15

    def report(event, **values):
        steps.extend([event] if event == "progress" else [])

    stopped = loop.train(
        plan(epochs=3), corpus, tmp_path / "x.keras", report=report, should_stop=stop_within_the_second_epoch
    )
    resumed = loop.train(plan(epochs=3), corpus, tmp_path / "x.keras", resume=True)

    assert len(steps) == 15
    assert [entry["epoch"] for entry in stopped["history"]] == [1]
    assert without_times(resumed) == without_times(unbroken)


def test_a_run_that_is_stopped_in_its_first_epoch_keeps_what_it_has_and_goes_on_as_if_it_had_not_been(
    corpus, out, tmp_path
):
    card = loop.train(plan(epochs=3), corpus, out, should_stop=lambda: True)

    assert [entry["epoch"] for entry in card["history"]] == [1]
    assert checkpoint.inspect(out)["best_epoch"] == 1
    unbroken = loop.train(plan(epochs=3), corpus, tmp_path / "unbroken.keras")
    resumed = loop.train(plan(epochs=3), corpus, out, resume=True)
    assert without_times(resumed) == without_times(unbroken)


def test_a_run_whose_best_epoch_is_gone_says_so(corpus, out):
    loop.train(plan(epochs=1), corpus, out)
    out.unlink()

    with pytest.raises(loop.TrainingError, match="the best epoch of the run, is gone"):
        loop.train(plan(epochs=2), corpus, out, resume=True)


def test_the_best_epoch_is_kept_though_later_ones_are_worse(corpus, out, monkeypatch):
    losses = iter([9.0, 3.0, 1.0, 2.0])  # the first one is read before training
    monkeypatch.setattr(loop.Run, "test_loss", lambda run: next(losses))
    kept = []
    keep = loop.Run._keep

    def remember(run, entry):
        keep(run, entry)
        kept.append(run.best_weights)

    monkeypatch.setattr(loop.Run, "_keep", remember)

    card = loop.train(plan(epochs=3), corpus, out)

    assert card["best_epoch"] == 2
    assert [entry["test_loss"] for entry in checkpoint.inspect(out)["history"]] == [3.0, 1.0, 2.0]
    read = checkpoint.read(out).weights
    assert len(kept) == 2
    assert all((read[name] == kept[1][name]).all() for name in read)
    assert not all((read[name] == kept[0][name]).all() for name in read)
    last = checkpoint.read(out.parent / "rnn.run" / loop.CURRENT)
    assert (last.card["epoch"], last.card["best_epoch"], last.card["code"]) == (3, 2, code_version.fingerprint())
    assert not all((read[name] == last.weights[name]).all() for name in read)


def test_a_run_without_a_better_epoch_ends_when_patience_does_and_a_resumed_one_counts_on(corpus, out, monkeypatch):
    losses = iter([9.0, 3.0, 1.0, 2.0, 1.5, 9.0, 1.6])
    monkeypatch.setattr(loop.Run, "test_loss", lambda run: next(losses))

    card = loop.train(plan(epochs=9, patience=2), corpus, out)
    assert [entry["test_loss"] for entry in card["history"]] == [3.0, 1.0, 2.0, 1.5]

    card = loop.train(plan(epochs=9, patience=3), corpus, out, resume=True)
    assert [entry["test_loss"] for entry in card["history"]] == [3.0, 1.0, 2.0, 1.5, 1.6]


def test_a_run_that_ended_within_its_first_epoch_is_resumed_from_the_start(corpus, tmp_path):
    unbroken = loop.train(plan(epochs=1), corpus, tmp_path / "unbroken.keras")

    class Killed(Exception):
        pass

    def die(event, **values):
        raise Killed

    with pytest.raises(Killed):
        loop.train(plan(epochs=1), corpus, tmp_path / "x.keras", report=die)
    resumed = loop.train(plan(epochs=1), corpus, tmp_path / "x.keras", resume=True)

    assert without_times(resumed) == without_times(unbroken)


def test_tensorboard_reads_each_epochs_losses_beside_the_baselines(corpus, out):
    card = loop.train(plan(epochs=1), corpus, out)
    card = loop.train(plan(epochs=2), corpus, out, resume=True)

    told = {}
    for file in (out.parent / "rnn.run" / "tensorboard").iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = event_pb2.Event.FromString(record.numpy())
            for value in event.summary.value:
                told[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    expected = {}
    for entry in card["history"]:
        losses = {"train": entry["train_loss"], "test": entry["test_loss"], **card["baselines"]}
        expected |= {(f"loss/{name}", entry["epoch"]): pytest.approx(loss) for name, loss in losses.items()}
    assert told == expected


def test_in_mixed_precision_a_network_learns_about_as_much_and_its_weights_stay_single(corpus, tmp_path):
    single, mixed = (loop.train(plan(mixed=choice), corpus, tmp_path / f"{choice}.keras") for choice in (False, True))

    assert (single["precision"], mixed["precision"]) == ("float32", "mixed_bfloat16")
    losses = [card["history"][-1]["test_loss"] for card in (single, mixed)]
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.02)
    assert {array.dtype for array in checkpoint.read(tmp_path / "True.keras").weights.values()} == {np.dtype("f4")}


def test_minutes_bound_the_run_evaluation_included(corpus, out):
    bounded = plan(epochs=None, minutes=6 / 60, configuration=TINY | {"epoch_windows": 10_000_000})
    started = time.monotonic()

    card = loop.train(bounded, corpus, out)

    assert 3 < time.monotonic() - started < 8  # an epoch of ten million windows would take hours
    assert len(card["history"]) >= 1


def test_what_a_run_tells_of_itself(corpus, out):
    told = []

    loop.train(plan(), corpus, out, report=lambda event, **values: told.append({"event": event, **values}))

    epochs = [event for event in told if event["event"] == "epoch"]
    progress = [event for event in told if event["event"] == "progress"]
    assert [event["epoch"] for event in epochs] == [1, 2]
    assert set(epochs[0]) == {"event", "epoch", "train_loss", "test_loss", "seconds", "seconds_left", "best"}
    assert [(event["done"], event["total"]) for event in progress] == [(i, 10) for i in range(1, 11)] * 2
    assert all(event["seconds_left"] >= 0 for event in told)
    history = json.loads((out.parent / "rnn.run" / "history.json").read_text())["history"]
    assert [entry["test_loss"] for entry in history] == [event["test_loss"] for event in epochs]


def test_a_checkpoint_carries_no_optimiser_and_the_run_does(corpus, out):
    loop.train(plan(), corpus, out)

    with np.load(out.parent / "rnn.run" / "last.npz") as last:
        kept = [name for name in last.files if name.startswith("optimizer")]
    assert len(kept) > len(checkpoint.read(out).weights)
    assert sorted(path.name for path in out.parent.iterdir()) == ["rnn.keras", "rnn.run"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": 5}, "has another seed: 4"),
        ({"configuration": TINY | {"units": 9}}, "has another configuration"),
        ({"family": "cnn", "configuration": {"filters": 2}}, "has another family: rnn"),
    ],
)
def test_a_run_of_something_else_is_not_resumed(corpus, out, changes, sentence):
    loop.train(plan(epochs=1), corpus, out)
    before = out.read_bytes()

    with pytest.raises(TrainingError, match=sentence):
        loop.train(plan(**changes), corpus, out, resume=True)

    assert out.read_bytes() == before


def test_there_must_be_a_run_to_resume_and_a_bound(corpus, out):
    with pytest.raises(TrainingError, match="There is no run to resume in"):
        loop.train(plan(), corpus, out, resume=True)
    with pytest.raises(TrainingError, match="Say how long to train"):
        loop.train(plan(epochs=None), corpus, out)
    with pytest.raises(ConfigurationError, match="There is no family 'gan'"):
        loop.train(plan(family="gan"), corpus, out)
    assert list(out.parent.iterdir()) == []


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(corpus, out, monkeypatch):
    monkeypatch.setattr(loop.Run, "_compiled", lambda run: (lambda *_: float("nan"), lambda *_: 1.0))

    with pytest.raises(TrainingError, match="no longer a number in epoch 1; try a smaller learning_rate"):
        loop.train(plan(), corpus, out)


def test_a_very_long_history_fits_into_a_card():
    history = [{"epoch": i + 1} for i in range(5500)]

    kept = loop.thinned(history, history[77])

    assert len(kept) <= loop.MAX_CARD_EPOCHS
    assert history[77] in kept
    assert (kept[0], kept[-1]) == (history[0], history[-1])
    assert loop.thinned(history[:500], history[3]) == history[:500]
