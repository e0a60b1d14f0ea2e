"""How the page gets and plays its clips."""

import statistics

import pytest
from playwright.sync_api import expect

from tests.listeners import mp3
from tests.protocol.test_a_participants_way import ratings

SOUND = "**/sound/*/"


def test_each_clip_is_fetched_once_and_held_ready_while_the_one_before_is_rated(page, study, participant):
    fetched = []
    page.on("request", lambda request: fetched.append(request.url) if "/sound/" in request.url else None)
    person = participant(page).begin().player_is("ready")
    page.evaluate("window.isTheSamePage = true")

    for position in (1, 2, 3):
        person.at_clip(position).hear_enough()
        assert len(set(fetched)) == len(fetched) == min(position + 1, 3)
        person.choose(5).confirm()

    person.at_thanks()
    assert page.evaluate("window.isTheSamePage")
    assert len(fetched) == 3


def test_a_press_starts_the_sound_within_fifty_milliseconds(page, study, participant):
    person = participant(page).begin()

    for position in (1, 2, 3):
        person.at_clip(position).rate(5)

    person.at_thanks()
    assert statistics.median(page.evaluate("window.delays")) < 50


def test_nothing_sounds_before_a_press(page, participant):
    person = participant(page).begin().player_is("ready")

    assert page.evaluate("[theAudio.paused, theAudio.currentTime, theAudio.autoplay]") == [True, 0, False]
    person.hear_enough().choose(5).confirm().at_clip(2).player_is("ready")
    assert page.evaluate("[theAudio.paused, theAudio.currentTime]") == [True, 0]


def test_a_browser_that_refuses_to_play_leaves_the_button_to_be_pressed_again(page, participant):
    person = participant(page).begin().player_is("ready")
    page.evaluate("() => { theAudio.play = () => Promise.reject(new DOMException('no gesture', 'NotAllowedError')); }")
    person.play()
    person.player_is("ready")

    page.evaluate("() => { delete theAudio.play; }")

    person.play().player_is("playing")


def test_a_clip_that_ended_can_be_heard_again_from_its_beginning(page, participant):
    person = participant(page).begin().play().player_is("ended")
    expect(page.get_by_role("button", name="Play again")).to_be_visible()

    page.locator("#play").click()

    person.player_is("playing")
    assert page.evaluate("theAudio.currentTime") < 1


def test_a_clip_that_does_not_arrive_is_tried_again_and_said(page, study, participant):
    n_failed = []

    def fail_twice(route):
        if len(n_failed) < 2:
            n_failed.append(route.abort())
        else:
            route.continue_()

    page.route(SOUND, fail_twice)
    person = participant(page).begin()
    expect(person.note).to_contain_text("The clip did not arrive.")

    person.rate(5).at_clip(2)

    assert ratings(study) == [(1, 5)]


@pytest.mark.parametrize("answer", [{"status": 503}, {"status": 200, "content_type": "text/html", "body": "log in"}])
def test_a_clip_that_never_arrives_is_explained_and_never_skipped(page, study, participant, answer):
    page.clock.install()
    tries = []
    page.route(SOUND, lambda route: (tries.append(1), route.fulfill(**answer)))
    person = participant(page).begin()

    expect(person.note).to_contain_text("did not arrive")
    person.wait_out(page.locator('.player[data-state="failed"]'))
    expect(person.note).to_contain_text("The clip cannot be fetched.")
    person.choose(5).confirm()
    expect(person.problem).to_contain_text("Please listen")
    assert (len(tries), ratings(study)) == (15, [])

    page.unroute(SOUND)
    page.get_by_role("button", name="Try again").click()
    person.at_clip(1).player_is("ready")


def test_a_clip_that_cannot_be_decoded_is_explained(page, transactional_db, make_study, participant):
    person = participant(page, make_study(sound=b"not a sound at all" * 100)).begin()

    person.player_is("broken")

    expect(person.note).to_have_text("Your browser could not play this clip. Press the button to try again.")


def test_the_page_gives_no_other_way_into_the_sound(page, participant):
    """No waveform, no element whose size or text depends on the clip, no address of a file to be named when saved."""
    person = participant(page).begin().player_is("ready")
    pictures = []
    for position in (1, 2):
        person.at_clip(position).player_is("ready")
        pictures.append(page.locator(".player").evaluate("element => element.outerHTML"))
        person.rate(5)

    assert pictures[0] == pictures[1]
    assert page.locator("audio, video, canvas").count() == 0


def test_clips_of_other_pitch_have_the_same_size_and_length(page, transactional_db, make_study, participant):
    assert len(mp3(2, 220)) == len(mp3(2, 880)) == len(mp3(2, 440))


def test_a_clip_that_did_not_arrive_ahead_of_its_turn_is_explained_when_its_turn_comes(page, study, participant):
    addresses = []

    def all_but_the_second(route):
        if route.request.url not in addresses:
            addresses.append(route.request.url)
        if len(addresses) > 1 and route.request.url == addresses[1]:
            route.fulfill(status=503)
        else:
            route.continue_()

    page.route(SOUND, all_but_the_second)
    person = participant(page).begin().hear_enough()
    expect.set_options(timeout=10_000)
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter(e => e.name.includes('/sound/')).length > 2"
    )
    person.choose(5).confirm().at_clip(2)

    expect(person.note).to_contain_text("did not arrive")
    page.unroute(SOUND)
    person.player_is("ready")
