"""One session's flood is refused; a laboratory behind one address never is, and no rating is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from accounts import turns as turning
from accounts.turns import Turns
from study.models import Rating
from tests.listeners import listener_of, make_study

__all__ = ["listener_of", "make_study"]
ROOT = Path(__file__).parents[2]
BURST, EVERY = 10, 2.0


@pytest.fixture
def clock(monkeypatch):
    """clock(seconds): let so much time go by for everybody's turns."""
    now = [1000.0]
    monkeypatch.setattr(turning.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


@pytest.fixture
def turns(tmp_path):
    return Turns(tmp_path / "turns", BURST, EVERY)


def test_a_burst_is_let_through_and_then_one_every_two_seconds(turns, clock):
    waits = [turns.wait("a") for _ in range(12)]
    clock(EVERY)
    later = [turns.wait("a") for _ in range(2)]
    clock(BURST * EVERY)
    rested = [turns.wait("a") for _ in range(11)]

    assert waits == [0] * 10 + [2.0] * 2
    assert later == [0, 2.0]
    assert rested == [0] * 10 + [2.0]


def test_each_key_has_its_own_turns(turns, clock):
    assert [turns.wait("a") for _ in range(11)][-1] > 0
    assert turns.wait("b") == 0


def test_what_was_written_before_the_machine_started_is_forgotten(turns, clock):
    clock(10_000)
    assert [turns.wait("a") for _ in range(11)][-1] > 0
    clock(-10_500)  # its clock begins anew

    assert turns.wait("a") == 0


def test_four_processes_share_one_burst(tmp_path):
    code = (
        "import pathlib, sys; from accounts.turns import Turns;"
        "turns = Turns(pathlib.Path(sys.argv[1]), 10_000, 3600); print('ready', flush=True); input();"
        "print(sum(turns.wait('a') == 0 for _ in range(5_000)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "turns")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"

    for process in processes:  # at the same moment, as far as two cores can
        process.stdin.write("\n")
        process.stdin.flush()
    let_through = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert sum(let_through) == 10_000


@pytest.fixture
def limited(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.ANSWERS_OF_A_SESSION = {"burst": BURST, "every_seconds": EVERY}


@pytest.mark.django_db
def test_thirty_people_behind_one_address_rate_forty_clips_each_in_ten_minutes(limited, clock, make_study, listener_of):
    study = make_study({"Secret CNN": 40})
    people = [listener_of(study) for _ in range(30)]
    for person in people:
        person.begin()

    answers = []
    for position in range(1, 41):
        for person in people:
            address = f"{person.link}{position}/"
            answers += [person.client.post(f"{address}{event}/").status_code for event in ("shown", "heard")]
            answers.append(person.client.post(address, {"rating-overall": "7"}).status_code)
            clock(600 / 40 / 30)

    assert set(answers) == {204, 303}
    assert Rating.objects.count() == 30 * 40


@pytest.mark.django_db
def test_a_flood_of_one_session_is_refused_in_words_and_costs_nobody_a_rating(limited, clock, make_study, listener_of):
    study = make_study({"Secret CNN": 30})
    flooder, other = listener_of(study), listener_of(study)
    flooder.begin()
    other.begin()

    codes = []
    for _ in range(100):
        address = f"{flooder.link}{1 + codes.count(303)}/"
        codes.append(flooder.client.post(address, {"rating-overall": "3"}).status_code)
        clock(0.1)
    flooder.rate(position=30, overall=3)  # not its turn: stores nothing, and takes the last one
    refused = flooder.rate(position=30, overall=3)
    clock(float(refused["Retry-After"]))
    flooder.go_on()
    flooder.rate(overall=4)

    assert codes.count(429) >= 80
    assert (refused.status_code, refused["Cache-Control"]) == (429, "private, no-store")
    assert "Your answers came faster than anybody can listen." in refused.content.decode()
    assert other.rate(overall=5).status_code == 200
    stored = Rating.objects.filter(trial__session__code=flooder.link.split("/")[2])
    assert stored.count() == codes.count(303) + 1


@pytest.mark.django_db
def test_pages_and_reports_go_on_while_ratings_are_refused(limited, clock, make_study, listener_of):
    listener = listener_of(make_study({"Secret CNN": 2}))
    listener.begin()
    codes = [listener.client.post(f"{listener.link}1/", {"rating-overall": "99"}).status_code for _ in range(11)]

    assert codes == [422] * 10 + [429]
    assert listener.client.post(f"{listener.link}1/heard/").status_code == 204
    assert listener.go_on().status_code == 200
