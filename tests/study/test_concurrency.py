"""Many requests at the same moment, each in a thread with a database connection of its own."""

import datetime
import threading

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from study.models import PlayEvent, Rating, Session, Trial

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(n, deed):
    """Run deed(i) in n threads that start together; return what each returned."""
    gate, results = threading.Barrier(n), [None] * n

    def run(i):
        gate.wait(timeout=10)
        try:
            results[i] = deed(i)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_eight_identical_posts_at_once_store_one_row(make_study, listener_of):
    listener = listener_of(make_study({"A": 5}))
    listener.begin()

    for position in range(1, 6):
        answer = {"rating-overall": "7", "events": '[["play", 0]]'}
        address = f"{listener.link}{position}/"
        codes = at_once(8, lambda _, address=address, answer=answer: Client().post(address, answer).status_code)
        assert codes == [303] * 8

    assert Rating.objects.count() == PlayEvent.objects.count() == 5


def test_fifty_identical_posts_at_once_store_one_row_twenty_times(make_study, listener_of):
    listener = listener_of(make_study({"A": 20}))
    listener.begin()

    for position in range(1, 21):
        address = f"{listener.link}{position}/"
        codes = at_once(50, lambda _, at=address: Client().post(at, {"rating-overall": "7"}).status_code)
        assert codes == [303] * 50

    assert Rating.objects.count() == 20


def test_of_eight_different_answers_at_once_one_is_stored_and_the_others_hear_so(make_study, listener_of):
    listener = listener_of(make_study({"A": 2}))
    listener.begin()

    codes = at_once(8, lambda i: Client().post(f"{listener.link}1/", {"rating-overall": str(i + 1)}).status_code)

    assert sorted(codes) == [303] + [409] * 7
    assert Rating.objects.get().value == codes.index(303) + 1


def test_eight_who_begin_at_once_get_eight_places(make_study):
    study = make_study({"A": 3})

    numbers = at_once(8, lambda _: study.admit().number)

    assert sorted(numbers) == list(range(8))
    assert Trial.objects.count() == 24


def test_one_who_begins_eight_times_at_once_gets_one_place(make_study):
    study = make_study()

    codes = at_once(8, lambda _: study.admit("one-form-sent-eight-times").code)

    assert len(set(codes)) == 1
    assert Session.objects.count() == 1


def test_eight_pages_that_show_at_once_set_one_time(make_study, listener_of):
    listener = listener_of(make_study())
    listener.begin()

    at_once(8, lambda _: Client().post(f"{listener.link}1/shown/").status_code)

    assert PlayEvent.objects.filter(kind="shown").count() == 1


def test_a_page_whose_moment_came_before_anothers_that_was_first_changes_nothing(make_study, listener_of, monkeypatch):
    listener = listener_of(make_study())
    listener.begin()
    trial, first = Trial.objects.get(position=1), timezone.now()

    for moment in (first, first - datetime.timedelta(milliseconds=20)):
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        trial.show()

    trial.refresh_from_db()
    assert trial.shown_at == first
    assert PlayEvent.objects.filter(kind="shown").count() == 1
