"""Whoever took part may take it all back, as long as the study runs: then nothing of it is left, and no count has it."""

import random

import pytest

from study import export, tables
from study.models import PlayEvent, Rating, Session, Trial, with_counts
from study.recounting import recount
from tests.study.test_concurrency import at_once
from tests.study.test_counting import TWO, rate_some, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(make_study):
    return make_study({"A": 3, "B": 2}, scales=TWO, n_repeats=1, comments=True)


@pytest.fixture
def listener(study, listener_of):
    """One who rated three clips, beside four others."""
    for seed in range(4):
        rate_some(study.admit(), random.Random(seed), 6)
    listener = listener_of(study)
    listener.begin()
    for _ in range(3):
        listener.client.post(f"{listener.link}{listener.position}/shown/")
        listener.rate(overall="9", rhythm="2", comment="mine alone", events='[["play", 0]]')
    return listener


def test_asking_deletes_nothing(listener):
    page = listener.client.get(f"{listener.link}withdraw/")

    assert "Delete all your ratings?" in page.content.decode()
    assert Rating.objects.filter(trial__session__code=listener.link.split("/")[2]).count() == 6


def test_nothing_of_it_is_left(study, listener):
    study.unseal()
    before = len(list(tables.ratings(study)))

    page = listener.client.post(f"{listener.link}withdraw/")

    assert "Your ratings are deleted" in page.content.decode()
    assert len(list(tables.ratings(study))) == before - 6
    assert "mine alone" not in "".join(export.comments_csv(study))
    assert Trial.objects.filter(session__withdrawn_at__isnull=False).count() == 0
    assert PlayEvent.objects.count() == 0
    assert listener.client.get(listener.link).status_code == 404
    assert "begun" not in listener.open().content.decode()


def test_the_tables_are_those_without_it(study, listener):
    listener.client.post(f"{listener.link}withdraw/")
    kept = stored()

    recount(study)

    assert {count for count in kept[0] if count[-1]} == stored()[0]
    assert kept[1] == stored()[1]


def test_its_place_is_filled_by_the_next(study, listener):
    place = Session.objects.get(code=listener.link.split("/")[2]).number
    listener.client.post(f"{listener.link}withdraw/")

    assert study.admit().number == place
    assert study.admit().number != place


def test_the_counts_of_sessions_leave_it_out(study, listener):
    assert with_counts(type(study).objects).get(pk=study.pk).n_started == 5

    listener.client.post(f"{listener.link}withdraw/")

    assert with_counts(type(study).objects).get(pk=study.pk).n_started == 4


def test_who_has_finished_may_too(study, listener):
    while listener.position:
        listener.rate(overall="1", rhythm="1")
    assert "withdraw/" in listener.text

    listener.client.post(f"{listener.link}withdraw/")

    assert Session.objects.get(withdrawn_at__isnull=False).finished_at is None
    assert with_counts(type(study).objects).get(pk=study.pk).n_finished == 4


def test_once_the_study_is_closed_it_is_too_late(study, listener):
    study.close()

    page = listener.client.post(f"{listener.link}withdraw/")

    assert page.status_code == 409
    assert "may be published already" in page.content.decode()
    assert "withdraw/" not in listener.go_on().content.decode()
    assert Rating.objects.filter(trial__session__code=listener.link.split("/")[2]).count() == 6


def test_no_other_method_and_no_other_session(listener):
    assert listener.client.put(f"{listener.link}withdraw/").status_code == 405
    assert listener.client.post("/t/nobody-has-this-code/withdraw/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_withdrawing_while_others_rate_leaves_true_counts(study):
    leaving, staying = [study.admit() for _ in range(3)], [study.admit() for _ in range(3)]
    for session in leaving:
        rate_some(session, random.Random(1), 4)

    deeds = [lambda s=s: s.withdraw() for s in leaving] + [
        lambda s=s: rate_some(s, random.Random(2), 6) for s in staying
    ]
    at_once(6, lambda i: deeds[i]())

    kept = stored()
    recount(study)
    assert {count for count in kept[0] if count[-1]} == stored()[0]
    assert kept[1] == stored()[1]
    assert Rating.objects.count() == 3 * 6 * 2
