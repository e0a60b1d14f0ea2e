"""Every participant page: no axe violation, large targets, visible focus, small screens, both schemes, light weight."""

import re
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template.loader import render_to_string
from playwright.sync_api import expect

from tests.listeners import mp3
from tests.protocol.test_nothing_is_lost import RATING

LEAST_TARGET = 44  # CSS pixels
MOST_WEIGHT = 60_000  # bytes without sound, not compressed
FOCUSABLE = "a, button, input:not([type=hidden]), textarea, summary"


@pytest.fixture
def pages(live_server, transactional_db, make_study, participant):
    """pages(page): walks through every kind of page, yielding its name while it is shown."""
    scales = ({"name": "overall"}, {"name": "rhythm", "question": "How good is the rhythm?", "high": 5})
    study = make_study(
        {"A": 1, "B": 1},
        sound=mp3(2),
        min_heard_seconds=0.5,
        scales=scales,
        comments=True,
        completion_code="C1A2B3C4",
    )

    def walk(page):
        person = participant(page, study)
        yield from beginning(page, person)
        yield from clips(page, person)
        yield from ending(page, person)
        yield from faults(page, person.site)

    return walk


def beginning(page, person):
    page.goto(f"{person.site}/s/{person.study.slug}/?PROLIFIC_PID=5f3a9c0e1b2d4c5e6f708192")
    yield "welcome"
    page.locator("form").evaluate("form => { form.noValidate = true; form.submit(); }")
    page.locator("#problem").wait_for()
    yield "welcome without consent"


def clips(page, person):
    person.begin().player_is("ready")
    page.locator(".keys summary").click()
    yield "clip"
    person.confirm()
    yield "clip without a choice"
    person.hear_enough().choose(7).choose(2, scale="rhythm")
    yield "clip that plays"
    page.goto(f"{person.site}/s/{person.study.slug}/")
    page.locator("details summary").click()
    yield "welcome again"
    page.get_by_role("link", name="Continue").click()
    person.hear_enough().choose(7).choose(2, scale="rhythm").confirm().at_clip(2).player_is("ready")
    yield "second clip"
    page.evaluate("theAudio.dispatchEvent(new Event('error'))")
    person.player_is("broken")
    yield "clip that cannot be played"
    page.locator("#play").click()
    person.hear_enough().choose(1).choose(1, scale="rhythm")
    page.route(RATING, lambda route: route.abort())
    person.confirm()
    expect(person.problem).to_contain_text("Not saved yet")
    yield "clip that could not be saved"
    page.unroute(RATING)
    person.at_thanks()


def ending(page, person):
    yield "thanks"
    page.get_by_role("link", name="Delete my ratings").click()
    yield "withdraw"
    type(person.study).objects.update(state="closed")
    page.reload()
    yield "withdraw too late"
    type(person.study).objects.update(state="open")
    page.reload()
    page.get_by_role("button", name="Delete everything").click()
    page.locator('[data-step="withdrawn"]').wait_for()
    yield "withdrawn"
    page.goto(f"{person.site}/t/no-such-session/")
    yield "a link that leads nowhere"
    page.context.clear_cookies()
    person.begin()
    person.study.close()
    page.goto(f"{person.site}/s/{person.study.slug}/")
    page.get_by_role("link", name="Continue").wait_for()
    yield "closed to others"
    page.context.clear_cookies()
    page.reload()
    yield "closed"


def faults(page, site):
    """What no walk meets on its way: the pages of errors, as they are sent."""
    for name in ("400", "403_csrf", "413", "429", "500", "507"):
        page.route(f"{site}/fault/", answering(render_to_string(f"{name}.html")))
        page.goto(f"{site}/fault/")
        yield name


def answering(html):
    return lambda route: route.fulfill(content_type="text/html", body=html)


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
def test_no_page_has_an_axe_violation(new_page, pages, width, scheme):
    page = new_page(width=width, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    for name in pages(page):
        result = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
        assert (name, [(found["id"], found["nodes"][0]["html"]) for found in result.response["violations"]]) == (
            name,
            [],
        )


@pytest.mark.parametrize("width", [320, 1280])
def test_targets_are_large_focus_is_visible_and_nothing_is_cut_off(new_page, pages, width):
    page = new_page(width=width)
    for name in pages(page):
        small = page.evaluate(SMALL_TARGETS, [FOCUSABLE, LEAST_TARGET])
        unseen = page.evaluate(WITHOUT_FOCUS, FOCUSABLE)
        assert (name, small, unseen) == (name, [], [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width


# A box or number to tick is as large as the label around it.
SMALL_TARGETS = """([selector, least]) => [...document.querySelectorAll(selector)]
  .filter((element) => element.checkVisibility())
  .map((element) => [element.outerHTML.slice(0, 80), (element.closest("label") ?? element).getBoundingClientRect()])
  .filter(([, box]) => box.width < least || box.height < least)
  .map(([html, box]) => `${html} ${box.width} x ${box.height}`)"""

# What changes on screen when the keyboard comes to an element: the outline of it, or of the number beside a radio.
WITHOUT_FOCUS = """(selector) => [...document.querySelectorAll(selector)]
  .filter((element) => element.checkVisibility() && !element.matches(":disabled"))
  .filter((element) => {
    const shown = element.type === "radio" ? element.nextElementSibling : element;
    element.focus({ focusVisible: true });
    return parseFloat(getComputedStyle(shown).outlineWidth) < 2 || getComputedStyle(shown).outlineStyle === "none";
  })
  .map((element) => element.outerHTML.slice(0, 80))"""


def test_a_page_weighs_little_and_asks_no_other_host(page, pages):
    weights, hosts = {}, set()

    def weigh(response):
        hosts.add(urlsplit(response.url).netloc or "in the page")
        is_page = response.request.method == "GET" and not 300 <= response.status < 400
        if is_page and not re.search("/sound/", response.url):
            weights[response.url] = len(response.body())

    page.on("response", weigh)
    for name in pages(page):
        here = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
        weight = weights[page.url] + sum(weights.get(url, 0) for url in here)
        assert (name, weight) == (name, min(weight, MOST_WEIGHT))

    assert hosts - {"in the page"} == {urlsplit(page.url).netloc}
    assert len(weights) > 9


def test_what_happens_is_announced(page, study, participant):
    person = participant(page).begin().player_is("ready")
    live = page.locator("#live")
    expect(live).to_have_text("Ready to play")
    expect(live).to_have_attribute("role", "status")

    person.hear_enough()
    expect(live).to_have_text("You can rate it now")
    page.keyboard.press("8")
    expect(live).to_have_text("8 chosen")
    person.confirm().at_clip(2)

    expect(live).to_have_text(re.compile(r"^(Saved\. Clip 2 of 3|Ready to play)$"))
    expect(page.locator("h1")).to_be_focused()
    expect(page.get_by_text("1 saved")).to_be_visible()


def test_a_screen_reader_finds_names_for_everything(page, participant):
    participant(page).begin().player_is("ready")

    tree = page.locator("#step").aria_snapshot()

    for part in (
        'heading "Clip 1 of 3" [level=1]',
        'progressbar "Clips rated so far"',
        'region "Player"',
        'button "Play"',
        'group "How much do you like this clip?"',
        'radio "1, not at all"',
        'radio "10, very much"',
        'button "Save and go on"',
    ):
        assert part in tree


def test_who_wants_less_motion_gets_none(new_page, participant):
    page = new_page(reduced_motion="reduce")
    participant(page).begin()

    durations = page.evaluate("[...document.querySelectorAll('*')].map((e) => getComputedStyle(e).transitionDuration)")

    assert set(durations) == {"0s"}


def test_dark_mode_is_dark(new_page, participant):
    def brightness(scheme):
        page = new_page(color_scheme=scheme)
        participant(page).begin()
        return sum(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))

    assert brightness("light") > 700
    assert brightness("dark") < 120


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_edge_of_what_can_be_filled_in_is_seen(new_page, participant, study, scheme):
    type(study).objects.update(comments=True)
    page = new_page(color_scheme=scheme)
    participant(page, study).begin()

    for selector in (".choice > span", "#comment"):
        edge, inside, paper = page.evaluate(EDGE_INSIDE_AND_PAPER, selector)
        assert min(contrast(edge, inside), contrast(edge, paper)) >= 3  # WCAG 2.2, 1.4.11


# Colours as the screen has them: a canvas makes red, green and blue of whatever the style says.
EDGE_INSIDE_AND_PAPER = """(selector) => {
  const pen = document.createElement("canvas").getContext("2d");
  const seen = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const box = getComputedStyle(document.querySelector(selector));
  return [box.borderTopColor, box.backgroundColor, getComputedStyle(document.body).backgroundColor].map(seen);
}"""


def contrast(one, other):
    """Return the contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour):
        parts = [part / 255 for part in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)
