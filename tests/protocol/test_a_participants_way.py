"""A participant in a real browser, from the link to the thanks."""

import pytest

from study.models import Rating
from tests.listeners import mp3

SECONDS = 2


@pytest.fixture
def study(transactional_db, make_study):
    return make_study(
        {"Secret CNN": 2, "Secret real": 1}, sound=mp3(SECONDS), length_seconds=SECONDS, min_heard_seconds=0.5
    )


@pytest.fixture
def begin(live_server):
    """begin(page, study): through the welcome page to the first clip."""

    def begin(page, study):
        page.goto(f"{live_server.url}/s/{study.slug}/")
        page.get_by_label("I have read this and want to take part.").check()
        page.get_by_role("button", name="Begin").click()
        at_clip(page, 1)

    return begin


def at_clip(page, position):
    page.locator(f'#step[data-position="{position}"]').wait_for()


def press_play(page):
    page.locator('.player[data-state="ready"]').wait_for()
    page.locator("#play").click()


def hear_enough(page):
    press_play(page)
    page.locator('#answer[data-heard="true"]').wait_for()


def ratings(study):
    rated = Rating.objects.filter(trial__session__study=study).order_by("trial__position")
    return list(rated.values_list("trial__position", "value"))


def test_a_participant_walks_from_the_link_to_the_thanks(page, study, begin):
    begin(page, study)

    for position, value in enumerate(["7", "1", "10"], start=1):
        at_clip(page, position)
        hear_enough(page)
        page.get_by_role("radio", name=value, exact=False).and_(page.locator(f'[value="{value}"]')).check()
        page.get_by_role("button", name="Save").click()

    page.get_by_role("heading", name="Thank you").wait_for()
    assert ratings(study) == [(1, 7), (2, 1), (3, 10)]
    assert page.get_by_text("All 3 ratings are stored.").is_visible()
