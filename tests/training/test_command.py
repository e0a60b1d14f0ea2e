import hashlib
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from music import audio, lpd, midi
from training import checkpoint
from training import corpus as corpora

SHIPPED = Path(__file__).parents[2] / "generation" / "shipped"
TINY = ["--set", "units=8", "--set", "batch_size=16", "--set", "test_windows=32"]


def test_from_a_folder_of_music_to_clips_that_can_be_heard(run_training, request, tmp_path):
    source = request.path.parents[1] / "fixtures" / "freedoom"

    code, events = run_training("corpus", source, "--out", tmp_path / "corpus")
    assert code == 0
    assert events[-1]["event"] == "done"
    assert (events[-1]["kept"], events[-1]["left_out"]) == (4, 2)
    assert len(corpora.open_corpus(tmp_path / "corpus").pieces) == 4

    file = tmp_path / "rnn.keras"
    few = ["--epochs", 2, "--seed", 3, *TINY, "--set", "epoch_windows=64"]
    code, events = run_training("train", "rnn", "--corpus", tmp_path / "corpus", "--out", file, *few)
    assert code == 0
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2]
    assert events[-1]["event"] == "done"
    assert checkpoint.inspect(file)["seed"] == 3

    code, events = run_training("sample", file, "--clips", 2, "--seconds", 3, "--seed", 5, "--out", tmp_path / "clips")
    assert code == 0
    assert [event["done"] for event in events if event["event"] == "progress"][-1] == 4
    clips = json.loads((tmp_path / "clips" / "clips.json").read_text())
    assert (clips["seed"], clips["temperature"], clips["family"]) == (5, 1.0, "rnn")
    assert clips["checkpoint"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [entry["file"] for entry in clips["clips"]] == ["clip_000.npz", "clip_001.npz"]
    for number, entry in enumerate(clips["clips"]):
        stem = tmp_path / "clips" / f"clip_{number:03}"
        content = {kind: stem.with_suffix(f".{kind}").read_bytes() for kind in ("npz", "mid", "mp3")}
        assert {kind: hashlib.sha256(data).hexdigest() for kind, data in content.items()} == entry["sha256"]
        roll = lpd.read(stem.with_suffix(".npz"))
        assert len(midi.read(content["mid"]).notes) == pytest.approx(len(roll.notes), rel=0.05)
        sound = audio.read(stem.with_suffix(".mp3"))
        assert np.abs(sound).max() > 0.01


def test_rolls_alone_are_the_same_files(run_training, checkpoint_file, tmp_path):
    for name, clips in (("one", 1), ("three", 3)):
        code, _ = run_training(
            "sample", checkpoint_file, "--clips", clips, "--seconds", 4, "--out", tmp_path / name, "--rolls-only"
        )
        assert code == 0

    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["clip_000.npz", "clips.json"]
    first = [(tmp_path / name / "clip_000.npz").read_bytes() for name in ("one", "three")]
    assert first[0] == first[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_training_and_keeps_what_was_learnt(start_training, run_training, corpus, tmp_path, number):
    file = tmp_path / "rnn.keras"
    endless = ["--epochs", 100_000, *TINY, "--set", "epoch_windows=320"]
    arguments = ["train", "rnn", "--corpus", corpus.folder, "--out", file]
    process = start_training(*arguments, *endless)
    for line in process.stdout:
        if json.loads(line)["event"] == "epoch":
            break

    process.send_signal(number)
    last = json.loads(process.communicate(timeout=60)[0].splitlines()[-1])

    assert process.returncode == 0
    assert (last["event"], last["stopped"]) == ("done", True)
    done = len(checkpoint.inspect(file)["history"])
    assert done == last["epochs"] >= 1
    more = ["--epochs", done + 1, *TINY, "--set", "epoch_windows=320", "--resume"]
    code, events = run_training(*arguments, *more)
    assert code == 0
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [done + 1]


def test_a_killed_run_is_resumed_to_the_weights_of_an_unbroken_one(start_training, run_training, corpus, tmp_path):
    def arguments(name, *more):
        few = ["--epochs", 4, "--seed", 6, *TINY, "--set", "epoch_windows=1600"]
        return ["train", "rnn", "--corpus", corpus.folder, "--out", tmp_path / f"{name}.keras", *few, *more]

    process = start_training(*arguments("killed"))
    for line in process.stdout:
        if json.loads(line)["event"] == "epoch":
            break
    process.kill()
    process.wait()
    run_training(*arguments("unbroken"))

    code, events = run_training(*arguments("killed", "--resume"))

    assert code == 0
    resumed = [event["epoch"] for event in events if event["event"] == "epoch"]
    assert resumed[-1] == 4
    assert 1 <= len(resumed) <= 3  # some epochs were whole before the kill
    killed, unbroken = (checkpoint.read(tmp_path / f"{name}.keras") for name in ("killed", "unbroken"))
    assert all((killed.weights[name] == unbroken.weights[name]).all() for name in unbroken.weights)
    losses = [[entry["test_loss"] for entry in read.card["history"]] for read in (killed, unbroken)]
    assert losses[0] == losses[1]
    assert killed.card["configuration"] == unbroken.card["configuration"]


def test_bad_input_is_answered_with_one_sentence(run_training, checkpoint_file, corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.keras").write_text("hello")
    out = ["--out", tmp_path / "out"]
    train = ["train", "rnn", "--corpus", corpus.folder, *out, "--epochs", 1]
    refused = {
        ("corpus", tmp_path / "empty", *out): "holds no .npz, .mid or .midi file.",
        ("train", "rnn", "--corpus", tmp_path / "empty", *out): "is not a corpus, or one that is not whole",
        (*train, "--set", "units=0"): "units must be a whole number from 4 to 1024, not 0.",
        (*train, "--set", "units"): "--set takes NAME=VALUE, such as units=128 or rest=false, not 'units'.",
        (*train, "--resume"): "There is no run to resume in",
        ("sample", tmp_path / "text.keras", *out): "The file is not a zip archive.",
        ("sample", tmp_path / "nowhere.keras", *out): "nowhere.keras: No such file or directory.",
        ("sample", checkpoint_file, *out, "--clips", 0): "clips must be 1 or more, not 0.",
    }

    for arguments, sentence in refused.items():
        code, events = run_training(*arguments)

        assert (code, [event["event"] for event in events]) == (2, ["error"])
        assert sentence in events[0]["message"]
    assert not (tmp_path / "out").exists()


def test_clips_are_sampled_as_the_family_does_it_best_unless_something_else_is_asked_for(run_training, tmp_path):
    def asked(*options):
        out = tmp_path / "-".join(["clips", *options])
        plan = "--seconds", "1", "--out", out, "--rolls-only"
        code, _ = run_training("sample", SHIPPED / "gru-chain.keras", *plan, *options)
        made = json.loads((out / "clips.json").read_text())
        return code, made["temperature"], made["top_p"]

    assert asked() == (0, 0.9, 0.95)
    assert asked("--temperature", "1", "--top-p", "1") == (0, 1.0, 1.0)
