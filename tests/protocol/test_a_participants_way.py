"""A participant in a real browser, from the link to the thanks: with a mouse, by keyboard alone, on a phone."""

import re

import pytest
from playwright.sync_api import expect

from study.models import PlayEvent, Rating, Trial
from tests.listeners import mp3


def ratings(study):
    rated = Rating.objects.filter(trial__session__study=study).order_by("trial__position", "scale__position")
    return list(rated.values_list("trial__position", "value"))


def test_a_participant_walks_from_the_link_to_the_thanks(page, study, participant):
    person = participant(page).begin()

    for position, value in enumerate([7, 1, 10], start=1):
        person.at_clip(position).rate(value)

    person.at_thanks()
    assert ratings(study) == [(1, 7), (2, 1), (3, 10)]
    expect(page.get_by_text("All 3 ratings are stored.")).to_be_visible()
    assert all(0.5 <= heard < 3 for heard in Trial.objects.values_list("heard_seconds", flat=True))
    assert list(PlayEvent.objects.filter(trial__position=1).values_list("kind", flat=True)[:2]) == ["shown", "play"]


def test_the_keyboard_alone_does_a_whole_study(page, study, participant):
    person = participant(page)
    page.goto(f"{person.site}/s/{study.slug}/")
    for key in ("Tab", "Space", "Tab", "Enter"):  # to the box, tick it, to the button, begin
        page.keyboard.press(key)

    for position, digit in enumerate("701", start=1):
        person.at_clip(position).player_is("ready")
        page.keyboard.press("Space")
        page.locator('#answer[data-heard="true"]').wait_for()
        page.keyboard.press(digit)
        page.keyboard.press("Enter")

    person.at_thanks()
    assert ratings(study) == [(1, 7), (2, 10), (3, 1)]


def test_space_plays_and_pauses(page, participant):
    person = participant(page).begin().player_is("ready")

    page.keyboard.press("Space")
    person.player_is("playing")
    page.keyboard.press("Space")

    person.player_is("paused")


def test_tab_goes_everywhere_and_never_rates(page, study, participant):
    person = participant(page).begin().hear_enough()
    page.locator("h1").focus()

    visited = []
    for _ in range(8):
        page.keyboard.press("Tab")
        visited.append(page.evaluate("(({tagName, id, type}) => id || type || tagName)(document.activeElement)"))

    assert visited[:4] == ["play", "radio", "confirm", "SUMMARY"]  # the ten numbers are one stop, as radios are
    assert page.locator("input[type=radio]:checked").count() == 0
    assert person.at_clip(1)
    assert ratings(study) == []


def test_keys_can_be_turned_off_and_stay_off(page, participant):
    person = participant(page).begin().player_is("ready")
    page.locator(".keys summary").click()
    page.get_by_label("Use these keys").uncheck()
    page.reload()
    person.player_is("ready")

    page.keyboard.press("7")
    page.keyboard.press("Space")

    assert page.locator("input[type=radio]:checked").count() == 0
    assert page.locator(".player").get_attribute("data-state") == "ready"


def test_digits_written_into_a_comment_choose_nothing(page, transactional_db, make_study, participant):
    person = participant(page, make_study(sound=mp3(2), min_heard_seconds=0, comments=True)).begin()

    page.locator("#comment").press_sequentially("7 of 10")
    assert page.locator("input[type=radio]:checked").count() == 0
    person.choose(5).confirm().at_clip(2)

    assert Trial.objects.get(position=1).comment == "7 of 10"


def test_digits_fill_several_scales_one_after_the_other(page, transactional_db, make_study, participant):
    scales = ({"name": "overall"}, {"name": "rhythm", "question": "How good is the rhythm?", "high": 5})
    study = make_study(sound=mp3(2), min_heard_seconds=0, scales=scales)
    person = participant(page, study).begin().player_is("ready")

    for key in ("8", "Tab", "3", "Enter"):
        page.keyboard.press(key)

    person.at_clip(2)
    assert ratings(study) == [(1, 8), (1, 3)]


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_does_a_whole_study_by_touch(new_page, study, participant, width):
    page = new_page(width=width, height=844, has_touch=True, is_mobile=True, device_scale_factor=2)
    person = participant(page)
    page.goto(f"{person.site}/s/{study.slug}/")
    page.locator("[name=consent]").tap()
    page.locator("button.confirm").tap()

    for position, value in enumerate([3, 9, 10], start=1):
        person.at_clip(position).player_is("ready")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#play").tap()
        page.locator('#answer[data-heard="true"]').wait_for()
        page.locator(f'input[value="{value}"]').tap()
        page.locator("#confirm").tap()

    person.at_thanks()
    assert ratings(study) == [(1, 3), (2, 9), (3, 10)]


def test_a_clip_cannot_be_rated_before_enough_was_heard(page, study, participant):
    study.length_seconds = study.min_heard_seconds = 1.5
    study.save()
    person = participant(page).begin()

    person.play().choose(4).confirm()
    expect(person.problem).to_have_text(re.compile(r"Please listen a little longer: \d\ss to go\."))
    assert ratings(study) == []

    page.locator('#answer[data-heard="true"]').wait_for()
    expect(person.problem).to_have_text("")
    person.confirm().at_clip(2)
    assert ratings(study) == [(1, 4)]


def test_nothing_is_saved_without_a_choice(page, study, participant):
    person = participant(page).begin().hear_enough()

    person.confirm()

    expect(person.problem).to_have_text("Please choose a rating first.")
    assert page.evaluate("document.activeElement.name") == "rating-overall"


def test_a_reload_comes_back_to_the_same_clip_and_to_what_was_heard(page, study, participant):
    person = participant(page).begin()
    person.rate(6).at_clip(2).hear_enough()
    place = page.locator("#step").get_attribute("data-sound")

    page.reload()
    page.locator('#answer[data-heard="true"]').wait_for()

    assert page.locator("#step").get_attribute("data-sound") == place
    person.choose(8).confirm().at_clip(3)
    assert ratings(study) == [(1, 6), (2, 8)]


def test_the_back_button_leads_to_the_welcome_which_leads_on(page, study, participant):
    person = participant(page).begin()
    person.rate(6).at_clip(2)

    page.go_back()
    page.get_by_role("link", name="Continue").click()

    person.at_clip(2)
    assert ratings(study) == [(1, 6)]


def test_a_second_tab_that_rates_the_same_clip_again_is_told(page, study, participant):
    person = participant(page).begin()
    tab = participant(page.context.new_page())
    tab.page.goto(page.url)
    tab.hear_enough()

    person.rate(6).at_clip(2)
    tab.choose(2).confirm().at_clip(2)

    expect(tab.page.get_by_text("That clip had its rating already; the first one counts.")).to_be_visible()
    assert ratings(study) == [(1, 6)]


def test_without_the_script_the_form_works_by_itself(page, transactional_db, make_study, participant):
    study = make_study({"A": 2}, sound=mp3(2), min_heard_seconds=0)
    page.route("**/*.js", lambda route: route.abort())
    person = participant(page, study).begin()

    person.choose(5).confirm().at_clip(2).choose(6).confirm().at_thanks()

    assert ratings(study) == [(1, 5), (2, 6)]


def test_a_german_browser_gets_german_from_page_and_script(new_page, participant):
    person = participant(new_page(locale="de-DE")).begin()

    expect(person.page.get_by_text("Wie gut gefällt Ihnen dieser Ausschnitt?")).to_be_visible()
    expect(person.player_is("ready").note).to_have_text("Bereit zum Abspielen")
    person.hear_enough().confirm()
    expect(person.problem).to_have_text("Bitte wählen Sie zuerst eine Bewertung.")


def test_space_plays_and_pauses_on_a_chosen_number_too(page, study, participant):
    person = participant(page).begin().player_is("ready")
    page.keyboard.press("Space")
    person.player_is("playing")

    page.keyboard.press("7")
    page.keyboard.press("Space")
    person.player_is("paused")
    page.keyboard.press("Space")
    person.player_is("playing").player_is("ended")
    page.keyboard.press("Space")

    person.player_is("playing")
    assert page.locator("input[type=radio]:checked").get_attribute("value") == "7"


def test_a_browser_without_the_newest_timers_takes_part_all_the_same(page, study, participant):
    page.add_init_script("delete AbortSignal.timeout;")  # Safari before 16
    person = participant(page).begin()

    for position, value in enumerate([7, 1, 10], start=1):
        person.at_clip(position).rate(value)

    person.at_thanks()
    assert ratings(study) == [(1, 7), (2, 1), (3, 10)]


def test_what_the_player_did_is_told_until_the_server_has_it_and_stored_once(page, study, participant):
    person = participant(page).begin()
    page.route("**/heard/", lambda route: route.abort())
    person.hear_enough()
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.unroute("**/heard/")
    with page.expect_response("**/heard/"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    person.choose(5).confirm().at_clip(2)

    kinds = list(PlayEvent.objects.filter(trial__position=1).values_list("kind", flat=True))
    assert kinds.count("play") == 1
    assert kinds.count("shown") == 1
