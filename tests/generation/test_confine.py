"""What a child that reads an upload cannot do, whatever takes it over."""

import json
import logging

import pytest

from generation import answers, child
from music.refusal import Refusal
from training.families import FAMILIES


@pytest.fixture
def tries(tmp_path, monkeypatch):
    """tries(source): what a child with this source answers, run as one that reads uploads."""
    monkeypatch.setattr(child, "ROOT", tmp_path)

    def ask(source, request=None):
        (tmp_path / "reader.py").write_text(
            "import json, os, resource, signal, socket, subprocess, sys, time\n"
            "def say(**found): print(json.dumps({'event': 'done', **found}), flush=True)\n" + source
        )
        return child.answer("reader", request or {}, folder=tmp_path)

    return ask


def test_a_child_is_held_to_its_limits(tries):
    limits = "{name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in ('AS', 'CPU', 'FSIZE', 'NOFILE', 'CORE')}"

    found = tries(f"say(limits={limits})")["limits"]

    asked = {**child.FOR_UPLOADS, "FSIZE": child.WRITTEN_BYTES, "CORE": 0}
    assert found == {name: [asked[name]] * 2 for name in found}


def test_a_child_cannot_lift_a_limit_again(tries):
    with pytest.raises(child.ChildFailed, match="exit code 1"):
        tries("os.setuid(65534); resource.setrlimit(resource.RLIMIT_AS, (10**12, 10**12)); say()")


def test_memory_beyond_the_limit_is_not_there(tries):
    assert tries("try: bytearray(2 * 10**9)\nexcept MemoryError: say(had='no memory')\nelse: say(had='memory')") == {
        "event": "done",
        "had": "no memory",
    }


def test_a_child_writes_no_file_beyond_its_size(tries, tmp_path):
    with pytest.raises(child.ChildFailed, match=r"exit code 1|signal 25"):
        tries("open('big', 'wb').write(bytes(70 * 2**20)); say()")

    assert (tmp_path / "big").stat().st_size <= child.WRITTEN_BYTES


def test_a_child_that_spins_is_ended_by_its_limit_of_time(tries, monkeypatch):
    monkeypatch.setattr(child, "FOR_UPLOADS", {**child.FOR_UPLOADS, "CPU": 1})

    with pytest.raises(child.ChildFailed, match=r"signal 24|signal 9"):
        tries("while True: pass")


def test_a_child_gains_no_privilege_and_leads_a_session_of_its_own(tries):
    found = tries("say(status=open('/proc/self/status').read(), leads=os.getsid(0) == os.getpid())")

    assert "NoNewPrivs:\t1" in found["status"]
    assert found["leads"] is True


def test_a_child_has_no_network_where_the_system_allows_and_the_log_says_so_where_not(tries, tmp_path):
    found = tries(
        "say(interfaces=sorted(os.listdir('/sys/class/net')), seen=[name for _, name in socket.if_nameindex()])"
    )

    without = found["seen"] == ["lo"]
    assert without or "The process keeps its network" in child.log(tmp_path)


def test_a_child_without_a_network_cannot_even_reach_this_machine(tries, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        found = tries(
            f"try: socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)\n"
            "except OSError: say(reached=False)\n"
            "else: say(reached=True)"
        )

    if "keeps its network" in child.log(tmp_path):
        pytest.skip("this system has no network namespace to give")
    assert found["reached"] is False


def test_a_child_knows_nothing_of_where_it_runs(tries, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgres://earmark:secret@db/earmark")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    found = tries("say(names=sorted(os.environ))")["names"]

    assert set(found) <= {*child.bare_environment(tmp_path), "LC_CTYPE"}


@pytest.mark.parametrize(
    "source",
    [
        "print('{}')",
        "say(); say()",
        "print('[1, 2')",
        'print(\'{"event": "progress"}\')',
        "pass",
        "os.kill(os.getpid(), 11)",
    ],
)
def test_any_other_answer_is_a_failure_without_a_class(tries, source):
    with pytest.raises(child.ChildFailed) as failure:
        tries(source)

    assert failure.value.problem == ""


# What a child says is looked through


@pytest.fixture
def checking(tmp_path, monkeypatch):
    """checking(source): a child that answers so takes the place of the one that reads uploads."""
    monkeypatch.setattr(child, "ROOT", tmp_path)
    monkeypatch.setattr(answers, "CHECKING", "liar")

    def answer_with(source):
        (tmp_path / "liar.py").write_text(
            "import json, sys\n"
            "import numpy as np\n"
            "out = json.loads(sys.argv[1])['out']\n"
            "def say(**found): print(json.dumps({'event': 'done', **found}))\n" + source
        )

    return answer_with


NOTES = "notes=np.array([[0], [24], [1], [60], [90]], '<i4'), tempo_bpm=np.full(4, 120.0)"
GRID = "say(n_steps=96, steps_per_beat=24, whole_seconds=2.0)"


def test_a_true_answer_is_believed(checking, tmp_path):
    checking(f"np.savez(out, {NOTES}); {GRID}")

    played = answers.roll("x.mid", 30.0, tmp_path)

    assert played.roll.notes.tolist() == [(0, 24, 1, 60, 90)]
    assert played.whole_seconds == 2.0


@pytest.mark.parametrize(
    "source",
    [
        GRID,
        f"open(out, 'wb').write(b'PK'); {GRID}",
        f"np.savez(out, notes=np.array([print], object)); {GRID}",
        f"np.savez(out, {NOTES}); say(n_steps=-1, steps_per_beat=24, whole_seconds=2.0)",
        f"np.savez(out, {NOTES}); say(n_steps=96, steps_per_beat=True, whole_seconds=2.0)",
        f"np.savez(out, {NOTES}); say(n_steps=96, steps_per_beat=24, whole_seconds=float('nan'))",
        f"np.savez(out, {NOTES}); say(n_steps=192, steps_per_beat=24, whole_seconds=2.0)",
        f"np.savez(out, {NOTES.replace('[24]', '[99]')}); {GRID}",
        f"np.savez(out, {NOTES.replace('[60]', '[200]')}); {GRID}",
        f"np.savez(out, {NOTES.replace('[1]', '[5]')}); {GRID}",
        f"np.savez(out, {NOTES.replace('<i4', '<f4')}); {GRID}",
        f"np.savez(out, {NOTES.replace('120.0', '0.0')}); {GRID}",
        f"np.savez(out, {NOTES.replace('120.0', 'np.nan')}); {GRID}",
    ],
)
def test_an_answer_that_cannot_be_true_is_refused_and_never_a_crash(checking, tmp_path, source):
    checking(source)

    with pytest.raises(Refusal, match="an answer that cannot be true"):
        answers.roll("x.mid", 30.0, tmp_path)


def test_weights_of_another_shape_than_the_family_has_are_refused(checking, tmp_path):
    card = {"family": "rnn", "configuration": {"units": 4}, "steps_per_beat": 24}
    card["statistics"] = {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5}
    n_weights = len(FAMILIES["rnn"].weight_shapes({"units": 4}))
    checking(f"np.savez(out, **{{str(i): np.zeros(3, '<f4') for i in range({n_weights})}}); say(card={card!r})")

    with pytest.raises(Refusal, match="an answer that cannot be true"):
        answers.checkpoint("x.keras", None, tmp_path)


def test_a_sentence_that_is_no_plain_text_is_not_passed_on(checking, tmp_path):
    said = json.dumps({"event": "error", "message": "<b>\u202eevil", "problem": "zip.crc"})
    checking(f"print({said!r})")

    with pytest.raises(Refusal) as refusal:
        answers.sound("x.wav", tmp_path)

    assert str(refusal.value) == answers.LIMITS_REFUSAL


def test_what_a_child_says_aside_comes_into_the_log_as_one_line_of_plain_text(checking, tmp_path, caplog):
    checking(
        "print('a\\u202eb\\x1b[31m', file=sys.stderr); np.savez(out, samples=np.ones((48000, 2), '<f4')); say(kind='wav')"
    )

    with caplog.at_level(logging.WARNING):
        answers.sound("x.wav", tmp_path)

    assert [record.getMessage() for record in caplog.records] == [
        r"A child that read an upload said: 'a\u202eb\x1b[31m'"
    ]
