"""Whatever a child does, it ends as events or as one sentence, and nothing of it stays behind."""

import re
import subprocess
import sys
import time

import pytest

from generation import child


@pytest.fixture
def talk(tmp_path, monkeypatch):
    """talk(source): the events of a program with this source, run as the worker runs its own."""
    monkeypatch.setattr(child, "ROOT", tmp_path)
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(child, "TICK_SECONDS", 0.1)

    def events(source, *arguments, longest_seconds=20):
        (tmp_path / "talker.py").write_text("import os, sys, time, signal, json, subprocess\n" + source)
        return child.events("talker", *arguments, folder=tmp_path, longest_seconds=longest_seconds)

    return events


def said(events):
    return [event for event in events if event is not None]


def first(events):
    return next(event for event in events if event is not None)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child_pid) for child_pid in children.read().split()]


def gone_within(pid, seconds):
    ends_at = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < ends_at:
        time.sleep(0.02)
    return not is_alive(pid)


def test_what_a_child_says_comes_as_events_in_order(talk):
    events = talk("for word in sys.argv[1:]: print(json.dumps({'event': word}))", "progress", 7)

    assert said(events) == [{"event": "progress"}, {"event": "7"}]


def test_a_silent_child_leaves_time_to_look_after_the_job(talk):
    events = list(talk('time.sleep(0.5); print(\'{"event": "done"}\')'))

    assert events[-1] == {"event": "done"}
    assert events.count(None) >= 2


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("print(json.dumps({'event': 'error', 'message': 'The file is empty.'}))", "The file is empty."),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended unexpectedly (signal 9), perhaps for want of memory."),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended unexpectedly (signal 11), perhaps for want of memory."),
        ("sys.exit(3)", "ended unexpectedly (exit code 3)."),
        ("print('Traceback')", "said something that cannot be understood."),
        ("print('[1]')", "said something that cannot be understood."),
        ("print('[' * 100_000)", "said something that cannot be understood."),
        ("sys.stdout.write('x' * 5_000_000)", "said something that cannot be understood."),
        ("os.close(1); time.sleep(60)", "fell silent and did not end."),
        ("print(json.dumps({'event': 'error', 'message': ''}))", "gave up without a reason."),
    ],
)
def test_a_child_that_goes_wrong_fails_in_one_sentence(talk, source, sentence):
    with pytest.raises(child.ChildFailed, match=re.escape(sentence)):
        list(talk(source))


def test_a_child_that_goes_on_for_too_long_is_killed(talk):
    events = talk(
        "print(json.dumps({'event': 'pid', 'pid': os.getpid()}), flush=True); time.sleep(60)", longest_seconds=0.5
    )

    pid = first(events)["pid"]
    with pytest.raises(child.ChildFailed, match="was stopped after"):
        list(events)

    assert gone_within(pid, 2)


def test_a_child_that_drips_a_line_is_stopped_in_time_as_well(talk):
    drip = talk("while True: print('x', end='', flush=True); time.sleep(0.01)", longest_seconds=0.5)

    with pytest.raises(child.ChildFailed, match="was stopped after"):
        list(drip)


def test_whoever_stops_looking_ends_the_child_and_what_it_started(talk):
    events = talk(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "sleeper = subprocess.Popen(['sleep', '60'])\n"
        "print(json.dumps({'event': 'pids', 'pids': [os.getpid(), sleeper.pid]}), flush=True); time.sleep(60)"
    )
    pids = first(events)["pids"]

    events.close()

    assert [gone_within(pid, 2) for pid in pids] == [True, True]


def test_a_child_dies_with_its_worker(tmp_path):
    (tmp_path / "talker.py").write_text('import time; print(\'{"event": "up"}\', flush=True); time.sleep(60)')
    work = (
        "import pathlib; from generation import child\n"
        f"child.ROOT = folder = pathlib.Path({str(tmp_path)!r})\n"
        "for event in child.events('talker', folder=folder, longest_seconds=60): print(event, flush=True)"
    )
    worker = subprocess.Popen([sys.executable, "-c", work], cwd=child.ROOT, stdout=subprocess.PIPE)
    with worker:
        worker.stdout.readline()
        [pid] = children_of(worker.pid)

        worker.kill()

    assert gone_within(pid, 2)


def test_a_child_learns_no_secret(talk, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://earmark:secret@db/earmark")
    monkeypatch.setenv("SECRET_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    [event] = said(talk("print(json.dumps({'event': 'environment', 'names': sorted(os.environ)}))"))

    assert set(event["names"]) <= {*child.PASSED_ON, *child.environment("/"), "LC_CTYPE"}
    assert not {"DATABASE_URL", "SECRET_KEY", "AWS_SECRET_ACCESS_KEY"} & set(event["names"])


def test_what_a_child_says_aside_is_kept_as_the_log(talk, tmp_path):
    list(talk("print('a warning', file=sys.stderr)"))

    assert child.log(tmp_path) == "a warning\n"


def test_a_child_that_answers_again_and_again_is_stopped_at_its_second_answer(tmp_path, monkeypatch):
    """One that was taken over could fill the worker's memory: it is not listened to any longer than it takes."""
    (tmp_path / "flood.py").write_text(
        "import json\nline = json.dumps({'event': 'done', 'text': 'x' * 100_000})\nwhile True: print(line, flush=True)"
    )
    monkeypatch.setattr(child, "ROOT", tmp_path)
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.2)
    started = time.monotonic()

    with pytest.raises(child.ChildFailed, match="cannot be understood"):
        child.answer("flood", {}, folder=tmp_path)

    assert time.monotonic() - started < child.UPLOAD_SECONDS / 2
