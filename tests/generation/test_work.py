"""What a worker does for a job: clips with all that made them, or one sentence; and it goes on to the next."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from generation import child, watching, work
from generation.models import Clip, Job

PROJECT = Path(__file__).parents[2]
# Stands in for `python -m training`: writes as many rolls as it was asked for, each of one drum hit and five seconds.
SAMPLES = f"""
import json, pathlib, sys
sys.path.append({str(PROJECT)!r})
from music import lpd, pianoroll
wish = dict(zip(sys.argv[3::2], sys.argv[4::2]))
out = pathlib.Path(wish["--out"]); out.mkdir()
for index in range(int(wish["--clips"])):
    notes = [(0, 1, 0, 36, 100), (24 * index, 24 * index + 20, 1, 60, 90)]
    lpd.write(out / f"clip_{{index:03d}}.npz", pianoroll.roll_of(notes, 240))
(out / "clips.json").write_text(json.dumps({{"tempo_bpm": 120.0}}))
print(json.dumps({{"event": "done"}}))
"""
SILENT = SAMPLES.replace("notes = [", "notes = [][:0] if index else [")
SLEEPS = "import json, os, time; print(json.dumps({'event': 'pid', 'pid': os.getpid()}), flush=True); time.sleep(60)"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """trainer(source): what `python -m training` does from now on."""
    monkeypatch.setattr(child, "ROOT", tmp_path)
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(child, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(watching, "SECONDS_BETWEEN", 0.1)

    def becomes(source):
        (tmp_path / "training.py").write_text(source)

    return becomes


def stored_files():
    media = Path(settings.MEDIA_ROOT)
    return {path.name for folder in ("rolls", "masters") for path in (media / folder).glob("*")}


def left_over():
    return list((Path(settings.DATA_DIR) / "work").glob("*"))


def outcome(job):
    job.refresh_from_db()
    return job.state, job.n_done, job.message


def test_a_job_leaves_its_clips_with_all_that_made_them(job, checkpoint, trainer):
    trainer(SAMPLES)

    work.run(job.pk)

    assert outcome(job) == ("done", 2, "")
    first, second = job.clips.order_by("index")
    assert (first.title, second.title) == ("Tiny RNN 1", "Tiny RNN 2")
    assert (first.owner, first.source, first.checkpoint) == (job.owner, "generated", checkpoint)
    assert first.seconds == pytest.approx(5, abs=0.01)
    assert first.loudness_lufs == pytest.approx(-23, abs=0.1)
    made = second.provenance
    assert set(made) == {
        *("kind", "checkpoint", "family", "configuration", "corpus", "seed", "sampling", "index"),
        *("renderer", "loudness", "versions", "sha256"),
    }
    assert made["checkpoint"]["sha256"] == checkpoint.sha256
    assert (made["family"], made["configuration"]["units"], made["seed"], made["index"]) == ("rnn", 4, 7, 1)
    assert made["corpus"]["checksum"] == "c0ffee"
    assert made["sampling"] == {"seconds": 5, "temperature": 1.0, "top_p": 1.0, "tempo_bpm": 120.0}
    assert first.provenance["sha256"]["roll"] != made["sha256"]["roll"]
    assert left_over() == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "import os; os.kill(os.getpid(), 9)",
            "The process that was to do this ended unexpectedly (signal 9), perhaps for want of memory.",
        ),
        ("print('hello')", "The process that was to do this said something that cannot be understood."),
        ('print(\'{"event": "error", "message": "No such family."}\')', "No such family."),
        ("pass", "Clip 1 was not sampled."),
    ],
)
def test_a_child_that_goes_wrong_fails_its_job_in_one_sentence(job, trainer, source, sentence):
    trainer(source)
    before = stored_files()

    work.run(job.pk)

    assert outcome(job) == ("failed", 0, sentence)
    assert (job.clips.count(), stored_files(), left_over()) == (0, before, [])


def test_the_worker_goes_on_after_a_poison_job(ada, checkpoint, trainer):
    poison = Job.objects.ask_for_clips(ada, checkpoint, 1, 5, 1)
    trainer("import os; os.kill(os.getpid(), 11)")
    call_command("db_worker", batch=True, startup_delay=False, interval=0, verbosity=0)
    good = Job.objects.ask_for_clips(ada, checkpoint, 1, 5, 1)
    trainer(SAMPLES)

    call_command("db_worker", batch=True, startup_delay=False, interval=0, verbosity=0)

    assert (outcome(poison)[0], outcome(good)) == ("failed", ("done", 1, ""))
    assert poison.attempts == 1


def test_a_job_delivered_twice_makes_one_set_of_clips(job, trainer):
    trainer(SAMPLES)

    work.run(job.pk)
    work.run(job.pk)

    assert (outcome(job), Clip.objects.count()) == (("done", 2, ""), 2)


def test_a_second_worker_makes_only_what_the_first_did_not(job, trainer):
    trainer(SAMPLES)
    first = work.steps(job.pk)
    while not job.clips.exists():
        next(first)
    kept = job.clips.get()
    first.close()  # the worker has to stop

    Job.objects.sweep()
    work.run(job.pk)

    assert outcome(job) == ("done", 2, "")
    assert (job.attempts, job.clips.filter(pk=kept.pk).count()) == (1, 1)  # having to stop does not count as an attempt


def test_a_cancelled_jobs_child_ends_within_seconds(job, trainer):
    trainer(SLEEPS)

    def work_and_let_go():
        work.run(job.pk)
        connection.close()

    worker = threading.Thread(target=work_and_let_go)
    worker.start()
    while Job.objects.get(pk=job.pk).stage != "sampling":
        time.sleep(0.05)
    job.cancel()
    worker.join(5)

    assert not worker.is_alive()
    assert (outcome(job), left_over()) == (("cancelled", 0, ""), [])


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_real_sampling_that_is_cancelled_is_over_within_five_seconds(ada, checkpoint, monkeypatch, stubborn):
    if stubborn:
        monkeypatch.setattr(
            child,
            "_signal",
            lambda process, number, send=child._signal: send(process, number) if number == signal.SIGKILL else None,
        )
    job = Job.objects.ask_for_clips(ada, checkpoint, 50, 120, seed=1)

    def work_and_let_go():
        work.run(job.pk)
        connection.close()

    worker = threading.Thread(target=work_and_let_go)
    worker.start()
    while Job.objects.get(pk=job.pk).stage != "sampling":
        time.sleep(0.05)
    time.sleep(1.5)  # somewhere in the middle
    begun = time.monotonic()
    job.cancel()
    worker.join(30)

    assert time.monotonic() - begun < 5
    assert (outcome(job), left_over()) == (("cancelled", 0, ""), [])


def test_a_job_cancelled_between_two_clips_keeps_no_half_clip(job, trainer):
    trainer(SAMPLES)
    steps = work.steps(job.pk)
    while not job.clips.exists():
        next(steps)
    before = stored_files()
    job.cancel()

    list(steps)

    assert (outcome(job), job.clips.count(), stored_files()) == (("cancelled", 1, ""), 1, before)


def test_a_silent_clip_costs_only_itself_and_the_job_says_so(job, trainer):
    trainer(SILENT)

    work.run(job.pk)

    state, n_done, message = outcome(job)
    assert (state, n_done, [clip.index for clip in job.clips.all()]) == ("failed", 1, [0])
    assert message.startswith("1 of 2 clips could not be made. “Tiny RNN 2”: ")


def test_a_checkpoint_whose_file_changed_is_not_used(job, checkpoint, trainer):
    trainer(SAMPLES)
    with open(checkpoint.file.path, "ab") as file:
        file.write(b"more")

    work.run(job.pk)

    sentence = "The file of “Tiny RNN” is not what was stored: its checksum differs."
    assert outcome(job) == ("failed", 0, sentence)


def test_a_checkpoint_whose_file_is_gone_is_said_to_be(job, checkpoint, trainer):
    trainer(SAMPLES)
    Path(checkpoint.file.path).unlink()

    work.run(job.pk)

    assert outcome(job) == ("failed", 0, "The file of “Tiny RNN” is gone from the storage.")


def test_a_fault_of_our_own_fails_the_job_and_is_logged(job, monkeypatch, caplog):
    def broken(job, folder):
        raise RuntimeError("a bug")
        yield

    monkeypatch.setitem(work.DEEDS, Job.Kind.CLIPS, broken)

    work.run(job.pk)

    assert outcome(job) == ("failed", 0, work.INTERNAL)
    assert "a bug" in caplog.text


def test_sampling_is_held_to_its_limits(job, trainer):
    trainer(
        "import json, resource\n"
        "limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE)]\n"
        "print(json.dumps({'event': 'error', 'message': str(limits)}))"
    )

    work.run(job.pk)

    job.refresh_from_db()
    limits = work.limits_of_sampling()
    assert json.loads(job.message) == [limits.get("AS", -1), limits["NOFILE"]]
    assert limits["network"] is False


@pytest.mark.parametrize(
    ("wishes", "asked"),
    [
        ({"top_p": 0.5, "settings": {"polyphony": [4, 4]}}, {"--top-p": "0.5", "--set": "polyphony=[4, 4]"}),
        ({}, {"--top-p": "1.0"}),  # of a clip that was made before anything else could be asked for
    ],
)
def test_the_child_is_asked_for_what_was_wished(trainer, tmp_path, wishes, asked):
    trainer("import json, sys; print(json.dumps({'event': 'asked', 'words': sys.argv[3:-2]}))")
    wishes = {"n_clips": 1, "seconds": 5, "seed": 7, "temperature": 0.9} | wishes

    (event,) = work.sampling(tmp_path / "checkpoint.keras", wishes, tmp_path / "rolls", tmp_path)

    words = event["words"]
    found = dict(zip(words[::2], words[1::2], strict=True))
    known = {"--clips": "1", "--seconds": "5", "--seed": "7", "--temperature": "0.9", "--out": str(tmp_path / "rolls")}
    assert found == known | asked
