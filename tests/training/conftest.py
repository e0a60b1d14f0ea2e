"""What the tests of training share: a small corpus of real music, and a tiny network of each family, trained a little."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from music import pianoroll
from music.pianoroll import BASS, DRUMS, STRINGS
from training import checkpoint
from training import corpus as corpora
from training.families import FAMILIES, Whole

ROOT = Path(__file__).parents[2]
FREEDOOM = ROOT / "tests" / "fixtures" / "freedoom"
TINY_CNN = {"filters": 4, "learning_rate": 0.01, "batch_size": 8, "epoch_windows": 200, "test_windows": 32}
TINY = {
    "rnn": {"units": 16, "batch_size": 32, "epoch_windows": 640, "test_windows": 64},
    "cnn": TINY_CNN,
    "cnn-factorised": TINY_CNN,
    "cnn-per-track": TINY_CNN,
    "gru-chain": {"units": 32, "width": 16, "voices": 2, "batch_size": 8, "epoch_windows": 160, "test_windows": 16},
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Four pieces of Freedoom, three to train on and one to test on."""
    return corpora.build(FREEDOOM, tmp_path_factory.mktemp("corpora") / "freedoom")


@pytest.fixture(scope="session", autouse=True)
def quick_baselines():
    """Baselines counted on fewer windows: they are read anew at the start of each run, and there are many runs here."""
    from training import loop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "BASELINE_WINDOWS", 256)
        yield


@dataclass(frozen=True)
class Trained:
    family: str
    file: Path
    card: dict


@pytest.fixture(scope="session", params=sorted(FAMILIES))
def trained(request, corpus, tmp_path_factory):
    """A tiny network of each family after three epochs."""
    from training import loop

    file = tmp_path_factory.mktemp("trained") / f"{request.param}.keras"
    plan = loop.Plan(request.param, TINY[request.param], epochs=3, seed=7)
    return Trained(request.param, file, loop.train(plan, corpus, file))


@pytest.fixture
def make_roll():
    """make_roll(beats=20, seed=1): drums, bass and strings at random places."""

    def make(beats=20, seed=1, tracks=(DRUMS, BASS, STRINGS), n_notes=60):
        rng = np.random.default_rng(seed)
        notes = np.zeros(n_notes, pianoroll.NOTE)
        notes["onset"] = rng.choice(beats * 24 - 24, n_notes, replace=False)
        notes["track"] = rng.choice(tracks, n_notes)
        notes["end"] = notes["onset"] + np.where(notes["track"] == DRUMS, 1, rng.integers(2, 24, n_notes))
        notes["pitch"] = rng.permutation(n_notes) + 30  # each pitch once, so that nothing overlaps
        notes["velocity"] = rng.integers(40, 120, n_notes)
        return pianoroll.roll_of(notes, beats * 24)

    return make


@pytest.fixture
def a_card():
    """a_card("cnn", seed=3): the least that a checkpoint's card must say, and what is given."""

    def make(family="rnn", configuration=None, **changes):
        return {
            "family": family,
            "configuration": configuration or {"rnn": {"units": 4}, "cnn": {"filters": 2}}.get(family, {}),
            "steps_per_beat": 24,
            "statistics": {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5},
            **changes,
        }

    return make


@pytest.fixture
def some_weights(a_card):
    """some_weights("cnn"): weights of the right names and shapes, drawn by chance."""

    def make(family="rnn"):
        rng = np.random.default_rng(3)
        shapes = FAMILIES[family].weight_shapes(a_card(family)["configuration"])
        return {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}

    return make


@pytest.fixture
def checkpoint_file(tmp_path, a_card, some_weights):
    """A valid checkpoint of the smallest RNN."""
    path = tmp_path / "valid.keras"
    checkpoint.write(path, a_card(), some_weights())
    return path


@pytest.fixture(params=sorted(FAMILIES))
def named(request, a_card):
    """(card, weights) of each family of ours, as small as it can be."""
    family = FAMILIES[request.param]
    least = {name: field.low for name, field in family.fields.items() if isinstance(field, Whole)}
    shapes = family.weight_shapes(least)
    rng = np.random.default_rng(3)
    return a_card(family.name, least), {name: rng.normal(0, 0.1, shape).astype("f4") for name, shape in shapes.items()}


@pytest.fixture
def brought(tmp_path):
    """brought("x.weights.h5", content, card): the checkpoint that is read from these two files."""

    def read(name, content, card=None):
        (tmp_path / name).write_bytes(content)
        if card is not None:
            (tmp_path / "x.json").write_text(json.dumps(card))
        return checkpoint.read(tmp_path / name, tmp_path / "x.json" if card is not None else None)

    return read


@pytest.fixture
def start_training():
    """start_training("train", "rnn", ...): the running process of `python -m training ... --events`, ended with the test."""
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", "training", *map(str, arguments), "--events"]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run_training(start_training):
    """run_training("sample", ...): (exit code, events) of the command."""

    def run(*arguments):
        process = start_training(*arguments)
        output, _ = process.communicate(timeout=120)
        return process.returncode, [json.loads(line) for line in output.splitlines()]

    return run
