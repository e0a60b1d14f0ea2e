"""How long a session takes is said to both sides, and worked by hand here."""

import pytest

from study import duration
from study.models import Study

pytestmark = pytest.mark.django_db


def planned(make_study, conditions, **fields):
    return duration.of(make_study(conditions, length_seconds=30, min_heard_seconds=10, **fields))


def test_the_reports_thirteen_clips(make_study):
    session = planned(make_study, {"real": 3, "RNN": 4, "CNN": 6})

    # 13 x (10 + 8) s = 234 s and 13 x (30 + 8) s = 494 s.
    assert (session.n_trials, session.shortest_minutes, session.longest_minutes) == (13, 4, 9)


def test_repeats_and_a_part_of_the_clips(make_study):
    session = planned(make_study, {"RNN": 5, "CNN": 6}, clips_per_session=6, n_repeats=2)

    # 8 x 18 s = 144 s and 8 x 38 s = 304 s.
    assert (session.n_trials, session.shortest_minutes, session.longest_minutes) == (8, 3, 6)


@pytest.mark.parametrize(("separate", "n_trials", "minutes"), [(False, 10, (6, 9)), (True, 30, (9, 19))])
def test_questions_on_one_screen_take_less_than_passes(make_study, separate, n_trials, minutes):
    scales = ({"name": "overall"}, {"name": "harmony"}, {"name": "rhythm"})
    session = planned(make_study, {"RNN": 5, "CNN": 5}, scales=scales, separate_passes=separate)

    # 10 x (10 + 24) s and 10 x (30 + 24) s; 30 x (10 + 8) s and 30 x (30 + 8) s.
    assert (session.n_trials, session.shortest_minutes, session.longest_minutes) == (n_trials, *minutes)


def test_before_there_are_clips_it_is_an_example_of_ten(ada):
    session = duration.of(Study.objects.create(owner=ada, title="Empty"))

    assert (session.is_example, session.n_trials) == (True, 10)


def test_nobody_hears_more_of_a_clip_than_there_is(make_study):
    session = duration.of(make_study({"RNN": 6}, length_seconds=2, min_heard_seconds=10))

    assert session.shortest_minutes == session.longest_minutes == 1


@pytest.mark.parametrize(("n_clips", "n_orders"), [(4, 4), (5, 10)])
def test_a_square_takes_as_many_participants_as_it_has_orders(make_study, n_clips, n_orders):
    assert duration.of(make_study({"RNN": n_clips})).n_orders == n_orders


def test_participants_are_told_the_same_minutes(make_study, listener_of):
    study = make_study({"RNN": 5, "CNN": 6}, clips_per_session=6, n_repeats=2)

    assert "about 6 minutes" in listener_of(study).open().content.decode()
