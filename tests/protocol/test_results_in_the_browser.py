"""The results as a researcher meets them: the page asks for the fits, waits, and draws figures that can be walked through."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from generation import work
from generation.models import Job
from study.models import Analysis
from tests.protocol.test_researcher import log_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def results(paper_study, live_server, settings, tmp_path):
    """results(page): the page of the report's study, its fits asked for by the page itself and done by a worker."""
    settings.MEDIA_ROOT = tmp_path

    def opened(page):
        log_in(page, live_server.url)
        page.goto(f"{live_server.url}/studies/paper/results/")
        if not Analysis.objects.exclude(done_at=None).exists():
            page.get_by_text("The fits wait for a worker.").wait_for()
            work.run(Job.objects.get().pk)
        page.locator("figure.chart").first.wait_for()
        return page

    return opened


def drawn(page, name):
    figure = page.locator(f"#figure-overall-{name}")
    figure.scroll_into_view_if_needed()
    figure.locator(".drawing[data-drawn]").wait_for()
    return figure


def test_the_page_asks_waits_and_shows_the_fits_by_itself(page, results):
    results(page)

    page.get_by_text("8.05 to 10.55").first.wait_for()
    assert page.get_by_text("Fits and figures as of").count() == 1


def test_every_figure_is_drawn_in_the_page(page, results):
    results(page)

    for figure in page.locator("figure.chart").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".drawing[data-drawn] svg").wait_for()
    assert page.locator("figure.chart").count() == page.locator(".drawing[data-drawn]").count() == 9
    assert page.locator(".drawing img").count() == 0


def test_the_arrow_keys_walk_through_a_figure(page, results):
    figure = drawn(results(page), "averages")
    figure.locator(".drawing").focus()
    said = []
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "End", "Home", "Escape"):
        page.keyboard.press(key)
        said.append(figure.locator(".here").inner_text())

    assert said[0] == said[2] == said[4] == "LPD5 Samples: 9.3, 95 % interval 8.82 to 9.78, 30 ratings"
    assert said[1] == "Baseline RNN 1: 7.1, 95 % interval 6.12 to 8.08, 10 ratings"
    assert said[3].startswith("2D CNN 6: 5.5")
    assert said[5] == ""


def test_pointing_at_a_mark_says_what_it_is(page, results):
    figure = drawn(results(page), "averages")

    mark = figure.locator(".drawing svg path[aria-label*='LPD5 Samples: 9.3']").first.bounding_box()
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)

    page.locator("#vg-tooltip-element.visible", has_text="LPD5 Samples: 9.3").wait_for()


def test_a_figure_is_taken_away(page, results):
    figure = drawn(results(page), "conditions")

    with page.expect_download() as download:
        figure.get_by_role("link", name="as PDF").click()

    assert download.value.suggested_filename == "conditions.pdf"
    assert download.value.path().read_bytes().startswith(b"%PDF")


def test_without_a_script_the_figures_are_pictures_and_the_fits_a_button(new_page, results, live_server, paper_study):
    page = new_page(java_script_enabled=False)
    log_in(page, live_server.url)
    page.goto(f"{live_server.url}/studies/paper/results/")
    page.get_by_role("button", name="Compute them").click()
    page.get_by_text("The fits wait for a worker.").wait_for()
    work.run(Job.objects.get().pk)
    page.reload()

    picture = page.locator("#figure-overall-averages img")
    picture.scroll_into_view_if_needed()
    assert "The highest average is that of LPD5 Samples" in picture.get_attribute("alt")
    assert page.locator("figure.chart").count() == 9


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_whole_page_is_usable_by_keyboard_and_screen_reader(new_page, results, width, scheme):
    page = results(new_page(width=width, color_scheme=scheme))
    for name in ("averages", "conditions", "ratings", "sessions"):
        drawn(page, name)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")

    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(page.url.replace("paper/results", "plan") + "?n_sessions=20&n_clips=4,6&difference=1&source=cautious")
    page.get_by_role("heading", name="This design").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
