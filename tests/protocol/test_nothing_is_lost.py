"""The connection fails, the server fails, the page is closed: no rating is lost, none is stored twice, and it is said."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.protocol.test_a_participants_way import ratings

RATING = re.compile(r"/t/[^/]+/\d+/$")


def kept(page):
    return page.evaluate("Object.entries(localStorage).filter(([key]) => key.startsWith('earmark:'))")


FAULTS = {
    "no connection": lambda route: route.abort(),
    "a server that is down": lambda route: route.fulfill(status=502, body="Bad gateway"),
    "too many requests": lambda route: route.fulfill(status=429, body="Later"),
    "a network that wants a login": lambda route: route.fulfill(
        status=200, content_type="text/html", body="<main id='step'>Welcome to our hotel</main>"
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_save_that_failed_is_kept_said_and_tried_again(page, study, participant, fault):
    person = participant(page).begin().hear_enough().choose(7)
    page.route(RATING, FAULTS[fault])

    person.confirm()
    expect(person.problem).to_contain_text("Not saved yet")
    ((address, fields),) = kept(page)
    assert (address, json.loads(fields)["rating-overall"]) == (f"earmark:{page.url.replace(person.site, '')}1/", "7")
    assert ratings(study) == []

    page.unroute(RATING)  # and nobody presses anything
    person.at_clip(2)
    assert ratings(study) == [(1, 7)]
    assert kept(page) == []


def test_pressing_again_sends_at_once(page, study, participant):
    person = participant(page).begin().hear_enough().choose(7)
    page.clock.install()  # time stands still: no wait ever ends by itself
    page.route(RATING, lambda route: route.abort())
    person.confirm()
    expect(page.locator("#confirm")).to_have_text("Send again now")

    page.unroute(RATING)
    person.confirm()

    person.at_clip(2)
    assert ratings(study) == [(1, 7)]


def test_after_many_tries_the_page_says_so_and_waits_for_a_press(page, study, participant):
    person = participant(page).begin().hear_enough().choose(7)
    page.clock.install()
    tries = []
    page.route(RATING, lambda route: (tries.append(1), route.abort()))
    person.confirm()
    expect(person.problem).to_contain_text("sent again in 1 s.")
    person.wait_out(person.problem.filter(has_text="Still not saved"))
    expect(person.problem).to_contain_text("Still not saved")
    assert len(tries) == 15
    assert len(kept(page)) == 1

    page.unroute(RATING)
    person.confirm().at_clip(2)
    assert ratings(study) == [(1, 7)]


def test_a_comment_that_is_too_long_is_said_so_once_and_can_be_shortened(page, study, participant):
    type(study).objects.update(comments=True)
    person = participant(page).begin().hear_enough().choose(7)
    sent = []
    page.on("request", lambda request: sent.append(1) if RATING.search(request.url) else None)
    page.locator("#comment").evaluate("box => { box.value = 'word '.repeat(1_700_000); }")

    person.confirm()
    expect(person.problem).to_contain_text("Your comment is too long to be stored")
    expect(page.locator("#confirm")).to_be_enabled()
    assert page.locator("#comment").evaluate("box => box.value.length") == 8_500_000
    assert (len(sent), ratings(study)) == (1, [])

    page.locator("#comment").fill("A word.")
    person.confirm().at_clip(2)
    assert ratings(study) == [(1, 7)]


def test_an_answer_that_was_stored_but_not_acknowledged_is_stored_once(page, study, participant):
    person = participant(page).begin().hear_enough().choose(7)
    stored_unheard = []

    def lose_the_acknowledgement(route):
        if not stored_unheard:
            stored_unheard.append(route.fetch(max_redirects=0).status)
            route.abort()
        else:
            route.continue_()

    page.route(RATING, lose_the_acknowledgement)
    person.confirm().at_clip(2)

    assert stored_unheard == [303]
    assert ratings(study) == [(1, 7)]


def test_a_page_that_was_closed_before_it_could_save_saves_when_it_comes_back(page, study, participant):
    person = participant(page).begin().hear_enough().choose(9)
    page.context.route(RATING, lambda route: route.abort())
    person.confirm()
    expect(person.problem).to_contain_text("Not saved yet")
    link = page.url
    page.close()
    page.context.unroute(RATING)

    again = participant(page.context.new_page())
    again.page.goto(link)

    again.at_clip(2)
    assert ratings(study) == [(1, 9)]
    assert kept(again.page) == []


def test_an_answer_that_another_device_gave_meanwhile_is_not_sent_again(page, study, participant, listener_of):
    person = participant(page).begin().hear_enough().choose(9)
    page.route(RATING, lambda route: route.abort())
    person.confirm()
    expect(person.problem).to_contain_text("Not saved yet")
    elsewhere = listener_of(study)
    elsewhere.link = page.url.replace(person.site, "")
    elsewhere.client.post(f"{elsewhere.link}1/shown/")
    study.min_heard_seconds = 0
    study.save()
    elsewhere.rate(position=1, overall="2")

    page.reload()

    person.at_clip(2)
    assert kept(page) == []
    assert ratings(study) == [(1, 2)]


def test_leaving_while_a_save_is_on_its_way_is_asked_about(page, participant):
    person = participant(page).begin().hear_enough().choose(9)
    page.route(RATING, lambda route: route.abort())
    person.confirm()
    expect(person.problem).to_contain_text("Not saved yet")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))

    page.reload()

    assert asked == ["beforeunload"]


def test_a_showing_that_could_not_be_told_is_told_later(page, study, participant):
    page.route("**/shown/", lambda route: route.abort())
    person = participant(page).begin()
    with page.expect_event("requestfailed", lambda request: "/shown/" in request.url):
        pass

    page.unroute("**/shown/")
    with page.expect_response("**/shown/") as told:
        pass

    assert told.value.status == 204
    person.hear_enough().choose(3).confirm().at_clip(2)
    assert ratings(study) == [(1, 3)]
