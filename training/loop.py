"""Training: from a corpus to a checkpoint, in epochs of so many random windows, bounded by epochs or by minutes.

FILE.keras holds the best epoch by test loss, and is there from the first epoch on. FILE.run/ beside it holds the last
state, so that a run goes on after whatever ended it: last.npz (weights, optimiser, where the run stands), current.keras
(the last whole epoch, to be heard while the run goes on), history.json for people and other programs, and TensorBoard's
logs (`tensorboard --logdir FILE.run`). Epoch n draws its windows from a stream of its own, seeded by the run's seed and
n, so a resumed run draws what an unbroken one would have.
"""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from training import checkpoint, code_version, networks, windows
from training.devices import Devices
from training.families import family_named

SCALAR = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})
TEST_SEED = 0  # of the windows on which losses are compared: the same ones in every run
BASELINE_WINDOWS = 2048
CALIBRATION_WINDOWS = 192
TRANSPOSITIONS = -5, 7  # semitones, the upper bound excluded: every key once
EVALUATION_BATCH = 64
GRADIENT_NORM = 1.0  # clipped: an LSTM's gradient jumps now and then
CURRENT = "current.keras"
MAX_CARD_EPOCHS = 1000  # a card has 256 kB


class TrainingError(ValueError):
    """The run cannot start or go on; one sentence."""


@dataclass(frozen=True)
class Plan:
    """What to train, and for how long: epochs, minutes, patience, or whichever is over first."""

    family: str
    configuration: dict
    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    patience: int | None = None  # ends after so many epochs without a better test loss
    mixed: bool | None = None  # mixed precision; None where there is a GPU


@dataclass
class Progress:
    """Where a run stands after its last whole epoch."""

    history: list = field(default_factory=list)  # [{epoch, train_loss, test_loss, seconds}]
    best: dict | None = None  # the entry of the best epoch

    @property
    def seconds(self):
        return self.history[-1]["seconds"] if self.history else 0.0

    @property
    def epochs_without_a_better_one(self):
        return len(self.history) - self.best["epoch"] if self.best else 0


def train(plan, corpus, out, resume=False, report=None, should_stop=None):
    """Train a network and write its checkpoint; return the checkpoint's card.

    plan: Plan
    corpus: training.corpus.Corpus
    out: path of the checkpoint; the run's folder lies beside it
    resume: go on from the run's last epoch
    report: called with an event's name and its values: ("progress", done, total, seconds_left, loss) after each step,
        ("epoch", epoch, train_loss, test_loss, seconds, seconds_left) after each epoch
    should_stop: called after each step; True ends the run, which keeps what its whole epochs have learnt

    Raises TrainingError, or ConfigurationError for a plan that the family does not take.
    """
    started = time.monotonic()
    run = Run(plan, corpus, Path(out), report or (lambda *_, **__: None), should_stop or (lambda: False))
    if resume:
        run.restore()
    run.go(started)
    return run.finish()


def run_folder(out):
    """Return the folder of the run that writes this checkpoint."""
    return Path(out).with_suffix(".run")


class Run:
    """One training run: the network, its optimiser, and where it stands."""

    def __init__(self, plan, corpus, out, report, should_stop):
        if plan.epochs is None and plan.minutes is None:
            raise TrainingError("Say how long to train: a number of epochs or of minutes.")
        self.plan, self.corpus, self.out = plan, corpus, out
        self.report, self.should_stop = report, should_stop
        self.family = family_named(plan.family)
        self.configuration = self.family.configuration(plan.configuration)
        networks.set_up(plan.seed)
        self.network = networks.network(plan.family)
        self.devices = Devices(plan.mixed)
        networks.forget_names()
        self.model = self.devices.built(lambda: self.network.build(self.configuration))
        self.optimizer = self.devices.built(self._optimizer)
        self.progress = Progress()
        self.best_weights: dict | None = None
        self.best_calibration: dict = {}
        self._moves = self.configuration.get("transpose", False)
        self.steps_per_beat = networks.grid(plan.family, corpus)
        self.tested, self.chance = self._windows("test", self.configuration["test_windows"], TEST_SEED)
        known, _ = self._windows("train", BASELINE_WINDOWS, TEST_SEED)
        self.calibration_windows, self.rates = known[:CALIBRATION_WINDOWS].copy(), known.mean(axis=(0, 1))
        self.baselines = self.network.baselines(self.configuration, known, self.tested, self.chance)
        self._step, self._loss = self._compiled()

    def _optimizer(self):
        optimizer = keras.optimizers.Adam(self.configuration["learning_rate"], global_clipnorm=GRADIENT_NORM)
        optimizer.build(self.model.trainable_variables)
        return optimizer

    def _compiled(self):
        configuration, network, optimizer = self.configuration, self.network, self.optimizer
        model, variables = self.devices.answering(self.model), self.model.trainable_variables
        n_replicas = self.devices.n_replicas

        @tf.function(reduce_retracing=True)
        def loss(music, chance):
            return network.loss(model, configuration, music, chance)

        def step(music, chance):
            with tf.GradientTape() as tape:
                value = network.loss(model, configuration, music, chance) / n_replicas
            gradients = tape.gradient(value, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return value

        return self.devices.shared(step), loss

    def _windows(self, split, n_windows, seed):
        """Return (music, chance) of so many random windows of this split."""
        rng = np.random.default_rng(seed)
        return self._drawn(self.corpus.of_split(split), n_windows, rng)

    def _drawn(self, pieces, n_windows, rng, moves=False):
        family = self.family
        lengths = n_windows, family.window_steps, rng, family.context_steps
        drawn = windows.draw_on_grid(self.corpus, self.steps_per_beat, pieces, *lengths)
        if moves:
            drawn = windows.transposed(drawn, rng.integers(*TRANSPOSITIONS, n_windows))
        return self.network.prepared(drawn, self.configuration), rng.random(n_windows, np.float32)

    def go(self, started):
        """Train epoch after epoch until the plan's bound, or until told to stop."""
        folder = run_folder(self.out)
        folder.mkdir(parents=True, exist_ok=True)  # from now on there is a run to resume
        self._log = tf.summary.create_file_writer(str(folder / "tensorboard"))
        clock = Clock(started, self.plan, self.progress.seconds, len(self.progress.history))
        with clock.finishing():
            self.test_loss()  # compiles it, and shows how long an evaluation takes
        while not clock.is_over(len(self.progress.history)) and not self._is_out_of_patience():
            losses = self._epoch(len(self.progress.history) + 1, clock)
            if self.should_stop() and self.progress.history:
                return  # an epoch that was cut off is drawn anew when the run is resumed
            is_cut_off = self.should_stop()
            with clock.finishing():
                # A first epoch that was cut off is heard, but not gone on from: resumed, the run draws it whole.
                self._record(float(np.mean(losses)), clock, is_kept=not is_cut_off)
            if is_cut_off:
                return

    def _is_out_of_patience(self):
        patience = self.plan.patience
        return patience is not None and self.progress.epochs_without_a_better_one >= patience

    def _epoch(self, epoch, clock):
        """Take an epoch's steps, or as many as there is time for but at least one; return their losses."""
        rng = np.random.default_rng([self.plan.seed, epoch])
        pieces = self.corpus.of_split("train")
        n_steps = max(1, self.configuration["epoch_windows"] // self.configuration["batch_size"])
        losses = []
        for done in range(1, n_steps + 1):
            losses.append(float(self._step(*self._drawn(pieces, self.configuration["batch_size"], rng, self._moves))))
            if not np.isfinite(losses[-1]):
                raise TrainingError(f"The loss is no longer a number in epoch {epoch}; try a smaller learning_rate.")
            left = clock.seconds_left(epoch - 1 + done / n_steps)
            self.report("progress", done=done, total=n_steps, epoch=epoch, seconds_left=left, loss=np.mean(losses))
            if self.should_stop() or clock.must_finish():
                break
        return losses

    def test_loss(self):
        """Return the mean loss on the test windows."""
        total = 0.0
        for first in range(0, len(self.tested), EVALUATION_BATCH):
            sounds, chance = (part[first : first + EVALUATION_BATCH] for part in (self.tested, self.chance))
            total += float(self._loss(sounds, chance)) * len(sounds)
        return total / len(self.tested)

    def _record(self, train_loss, clock, is_kept=True):
        entry = {
            "epoch": len(self.progress.history) + 1,
            "train_loss": train_loss,
            "test_loss": self.test_loss(),
            "seconds": clock.seconds(),
        }
        self.progress.history.append(entry)
        if self.progress.best is None or entry["test_loss"] < self.progress.best["test_loss"]:
            self._keep(entry)
        if is_kept:
            self._save()
            self._let_be_heard(entry)
        self._tell_tensorboard(entry)
        self.report("epoch", **entry, seconds_left=clock.seconds_left(entry["epoch"]), best=self.progress.best["epoch"])

    def _tell_tensorboard(self, entry):
        losses = {name: entry[f"{name}_loss"] for name in ("train", "test")}
        with self._log.as_default(step=entry["epoch"]):
            for name, loss in (losses | self.baselines).items():
                # As tf.summary.scalar writes it, which needs TensorBoard installed; reading the logs does, training does not.
                tf.summary.write(f"loss/{name}", tf.constant(loss, tf.float32), metadata=SCALAR)
        self._log.flush()

    def _keep(self, entry):
        """Make this epoch the best one so far, and its weights the checkpoint."""
        self.progress.best = entry
        self.best_weights, self.best_calibration = self._learnt()
        self.finish()

    def _learnt(self):
        """Return (weights, calibration) of the network as it is now."""
        known = self.calibration_windows, self.rates
        calibration = self.network.calibration(self.model, self.configuration, *known)
        return networks.weights(self.plan.family, self.configuration, self.model), calibration

    def _let_be_heard(self, entry):
        """Write this epoch's weights, the best or not, as a checkpoint beside the last state."""
        is_best = entry is self.progress.best
        weights, calibration = (self.best_weights, self.best_calibration) if is_best else self._learnt()
        card = self.card() | {"calibration": calibration, "epoch": entry["epoch"]}
        checkpoint.write(run_folder(self.out) / CURRENT, card, weights, networks.architecture(self.model))

    def finish(self):
        """Write the checkpoint of the best epoch with the card as it is now; return the card."""
        if self.best_weights is None:
            raise TrainingError("Nothing was trained: there was no time for a single epoch.")
        card = self.card()
        checkpoint.write(self.out, card, self.best_weights, networks.architecture(self.model))
        return card

    def card(self):
        """Return what the checkpoint says of itself."""
        card, progress = self.corpus.card, self.progress
        return {
            "code": code_version.fingerprint(),
            "family": self.plan.family,
            "title": self.family.title,
            "configuration": self.configuration,
            "n_weights": sum(int(np.prod(shape)) for shape in self.family.weight_shapes(self.configuration).values()),
            "steps_per_beat": self.steps_per_beat,
            "corpus": {key: card[key] for key in ("name", "checksum", "n_pieces", "n_beats")},
            "split": {**card["split"], "by": "md5"},
            "statistics": card["statistics"],
            "calibration": self.best_calibration,
            "seed": self.plan.seed,
            "precision": self.devices.precision,
            "history": thinned(progress.history, progress.best),
            "best_epoch": progress.best["epoch"],
            "baselines": self.baselines,
            "minutes": progress.seconds / 60,
        }

    def _save(self):
        """Write the last state, whole or not at all."""
        folder = run_folder(self.out)
        stand = {
            "family": self.plan.family,
            "configuration": self.configuration,
            "corpus": self.corpus.card["checksum"],
            "seed": self.plan.seed,
            "history": self.progress.history,
            "best": self.progress.best,
        }
        arrays = {f"weight_{i}": variable.numpy() for i, variable in enumerate(self.model.weights)}
        arrays |= {f"optimizer_{i}": np.asarray(value) for i, value in enumerate(self._optimizer_state())}
        beside = folder / f"last.{os.getpid()}.npz"
        np.savez(beside, stand=np.frombuffer(json.dumps(stand).encode(), np.uint8), **arrays)
        os.replace(beside, folder / "last.npz")
        (folder / "history.json").write_text(json.dumps({"history": stand["history"], "baselines": self.baselines}))

    def _optimizer_state(self):
        return [variable.numpy() for variable in self.optimizer.variables]

    def restore(self):
        """Take up the run where its last whole epoch ended.

        Raises TrainingError if there is no such run, or it trained something else.
        """
        path = run_folder(self.out) / "last.npz"
        if path.parent.is_dir() and not path.exists():
            return  # it ended within its first epoch, which is drawn anew
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            stand = json.loads(arrays.pop("stand").tobytes())
        except (OSError, ValueError, KeyError) as problem:
            raise TrainingError(f"There is no run to resume in {path.parent}.") from problem
        self._check_same(stand)
        for kind, variables in (("weight", self.model.weights), ("optimizer", self.optimizer.variables)):
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{kind}_{i}"])
        self.progress = Progress(stand["history"], stand["best"])
        try:
            kept = checkpoint.read(self.out)
        except OSError as problem:
            raise TrainingError(f"{self.out}, the best epoch of the run, is gone; start it anew.") from problem
        self.best_weights, self.best_calibration = kept.weights, kept.card["calibration"]

    def _check_same(self, stand):
        now = {"family": self.plan.family, "configuration": self.configuration, "seed": self.plan.seed}
        now["corpus"] = self.corpus.card["checksum"]
        for name, value in now.items():
            if stand[name] != value:
                raise TrainingError(f"The run in {run_folder(self.out)} has another {name}: {stand[name]}.")


class Clock:
    """Knows when a run must end: the plan's bounds, less the time that an evaluation and the writing take."""

    def __init__(self, started, plan, seconds_before, epochs_before):
        self.started, self.plan = started, plan
        self.seconds_before, self.epochs_before = seconds_before, epochs_before
        self.reserve = 0.0
        self._finish_started = 0.0

    def seconds(self):
        """How long the run has trained, earlier sessions of it included."""
        return self.seconds_before + time.monotonic() - self.started

    def finishing(self):
        return self

    def __enter__(self):
        self._finish_started = time.monotonic()

    def __exit__(self, *_):
        self.reserve = 1.2 * (time.monotonic() - self._finish_started) + 0.5

    def must_finish(self):
        """Is there no time for more than finishing the epoch?"""
        return self.plan.minutes is not None and self._until_deadline() <= self.reserve

    def is_over(self, n_epochs):
        return (self.plan.epochs is not None and n_epochs >= self.plan.epochs) or (
            self.must_finish() and n_epochs > self.epochs_before
        )

    def seconds_left(self, epochs_done):
        """The time until the nearer bound, from the pace so far."""
        bounds = []
        if self.plan.minutes is not None:
            bounds.append(max(0.0, self._until_deadline()))
        if self.plan.epochs is not None:
            pace = (time.monotonic() - self.started) / max(epochs_done - self.epochs_before, 1e-6)
            bounds.append(max(0.0, pace * (self.plan.epochs - epochs_done)))
        return min(bounds)

    def _until_deadline(self):
        return self.started + 60 * self.plan.minutes - time.monotonic()


def thinned(history, best):
    """Return the history, or of a very long one so much that it fits into a card: evenly, with the best and the last."""
    stride = -(-len(history) // MAX_CARD_EPOCHS)
    return [entry for i, entry in enumerate(history) if i % stride == 0 or entry == best or entry is history[-1]]
