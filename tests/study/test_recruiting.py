"""Who was sent by a recruiter takes part once, gets a code at the end, and is named nowhere."""

import logging

import pytest
from django.test import Client

from settings.logs import WithoutCodes
from study import export
from study.models import Session
from tests.study.test_concurrency import at_once

pytestmark = pytest.mark.django_db
PID = "5f3a9c0e1b2d4c5e6f708192"


@pytest.fixture
def study(make_study):
    return make_study({"A": 2}, completion_code="C1A2B3C4")


@pytest.fixture
def sent(study, listener_of):
    """sent(): a listener whose browser followed the recruiter's link."""

    def follow(parameter="PROLIFIC_PID", name=PID):
        listener = listener_of(study)
        listener.landed = listener.client.get(f"/s/{study.slug}/?{parameter}={name}&STUDY_ID=7&SESSION_ID=8")
        return listener

    return follow


def rate_all(listener):
    while listener.position:
        listener.rate(overall="5")
    return listener.text


def test_the_link_leads_on_at_once_without_the_name(study, sent):
    listener = sent()

    assert (listener.landed.status_code, listener.landed.headers["Location"]) == (302, f"/s/{study.slug}/")
    listener.begin()
    pages = [listener.landed.content.decode(), listener.text, rate_all(listener), str(listener.client.cookies)]
    assert not any(PID in page for page in pages)
    session = Session.objects.get()
    assert PID not in str(vars(session))
    study.close()
    assert PID not in "".join(export.ratings_csv(study))
    assert (session.recruiter, len(session.participant)) == ("prolific", 64)


def test_looking_at_the_link_stores_nothing(sent):
    sent()

    assert Session.objects.count() == 0


def test_one_person_in_two_browsers_has_one_session(sent):
    first, second = sent(), sent()
    first.begin()
    first.rate(overall="3")

    page = second.open().content.decode()
    second.begin()

    assert "Go on where you stopped" in page
    assert (first.link, second.position) == (second.link, 2)
    assert Session.objects.count() == 1


def test_who_has_finished_cannot_take_part_again(sent):
    first, again = sent(), sent()
    first.begin()
    rate_all(first)

    again.begin()

    assert again.link == first.link
    assert "C1A2B3C4" in again.text
    assert Session.objects.count() == 1


def test_who_gets_a_code_is_not_told_to_close_the_page_before_it_is_used(sent):
    listener = sent()
    listener.begin()

    thanks = rate_all(listener)

    assert "C1A2B3C4" in thanks
    assert "Go back to Prolific" in thanks
    assert "You can close this page now." not in thanks


def test_two_persons_are_two_and_a_list_of_ones_own_is_another_recruiter(sent):
    for listener in (sent(), sent(name="another"), sent("participant")):
        listener.begin()

    assert sorted(Session.objects.values_list("recruiter", flat=True)) == ["list", "prolific", "prolific"]
    assert Session.objects.values("participant").distinct().count() == 3


def test_the_same_person_is_another_mark_in_another_study(make_study, sent, listener_of):
    sent().begin()
    other = listener_of(make_study({"A": 2}))
    other.client.get(f"/s/{other.study.slug}/?PROLIFIC_PID={PID}")

    other.begin()

    assert Session.objects.values("participant").distinct().count() == 2


def test_names_that_are_none_are_passed_over(sent):
    for name in ("", "a" * 101, "<script>", "a b", "%0d%0aSet-Cookie:x=1"):
        listener = sent(name=name)
        assert listener.landed.status_code == 200
        listener.begin()

    assert set(Session.objects.values_list("participant", flat=True)) == {""}
    assert Session.objects.count() == 5


@pytest.mark.parametrize("mark", ["prolific:abc", "prolific:" + "g" * 64, "other:" + "a" * 64, "x"])
def test_a_mark_that_is_no_mark_of_ours_is_passed_over(study, listener_of, mark):
    listener = listener_of(study)
    listener.client.cookies["earmark-sent"] = mark

    listener.begin()

    assert Session.objects.get().participant == ""


def test_the_code_is_shown_once_all_is_stored_and_not_before(sent):
    listener = sent()
    pages = [listener.open().content.decode(), listener.begin().content.decode()]
    pages.append(listener.rate(overall="5").content.decode())
    pages.append(listener.client.get(f"{listener.link}withdraw/").content.decode())
    assert not any("C1A2B3C4" in page or "prolific.com" in page for page in pages)

    page = listener.rate(overall="5").content.decode()

    assert 'href="https://app.prolific.com/submissions/complete?cc=C1A2B3C4"' in page


def test_who_came_by_themselves_gets_the_code_and_no_link(study, listener_of):
    listener = listener_of(study)
    listener.begin()

    page = rate_all(listener)

    assert "C1A2B3C4" in page
    assert "prolific" not in page.lower()


def test_a_code_that_is_none_makes_no_link(study, sent):
    type(study).objects.update(completion_code='X"&next=//e')
    listener = sent()
    listener.begin()

    assert "app.prolific.com" not in rate_all(listener)


@pytest.mark.parametrize("code", ["abc", "https://evil.example", "//e", "A B C D E F", "ABCDEFG\u3002", "A" * 13])
def test_a_researcher_gives_a_code_and_no_address(client_of, ada, make_draft, code):
    draft = make_draft()

    page = client_of(ada).post(f"/studies/{draft.slug}/settings/", {"title": "x", "completion_code": code})

    draft.refresh_from_db()
    assert (page.status_code, draft.completion_code) == (422, "")


def test_logs_leave_the_name_out():
    record = logging.LogRecord("x", logging.INFO, "", 0, 'GET /s/abc/?PROLIFIC_PID=%s&X=1 "', (PID,), None)

    WithoutCodes().filter(record)

    assert record.getMessage() == 'GET /s/abc/?PROLIFIC_PID=...&X=1 "'


@pytest.mark.django_db(transaction=True)
def test_twenty_starts_at_once_are_one_session(study):
    def begin(_):
        client = Client()
        client.get(f"/s/{study.slug}/?PROLIFIC_PID={PID}")
        return client.post(f"/s/{study.slug}/", {"consent": "on"}).status_code

    assert at_once(20, begin) == [303] * 20

    assert Session.objects.count() == 1
