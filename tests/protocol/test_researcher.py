"""A researcher in a real browser, from the login over an uploaded checkpoint to the ratings as CSV."""

import csv
import io
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command

from study.models import Study

ANSWERS = {"Tiny RNN 1": (3, 4), "Tiny RNN 2": (5, 8), "Real music 1": (9, 10)}


@pytest.fixture
def worker():
    """worker(): do what was asked for until now, as the process beside the site does."""
    return lambda: call_command("db_worker", batch=True, startup_delay=False, verbosity=0)


def log_in(page, site):
    page.goto(site)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("analytical engine")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Studies").wait_for()


def upload_checkpoint(page, path):
    page.get_by_role("link", name="Checkpoints").click()
    page.get_by_role("link", name="Upload a checkpoint").first.click()
    page.get_by_label("Checkpoint").set_input_files(path)
    page.get_by_label("Name").fill("Tiny RNN")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="Tiny RNN").wait_for()


def ask_for_clips(page, worker):
    page.get_by_label("Clips").fill("2")
    page.get_by_label("Seconds").fill("5")
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="Make clips").click()
    page.get_by_text("Waits for a worker.").wait_for()
    worker()
    page.locator(".state-done").wait_for()


def ask_for_real_music(page, worker, piece):
    page.get_by_role("link", name="Corpora").click()
    page.get_by_role("link", name="Ten pieces").click()
    page.locator(f"#piece-{piece}").check()
    page.get_by_label("Seconds").fill("5")
    page.get_by_role("button", name="Make clips of the chosen pieces").click()
    page.get_by_text("Waits for a worker.").wait_for()
    worker()
    page.locator(".state-done").wait_for()


def make_study(page):
    page.get_by_role("link", name="Studies").click()
    page.get_by_role("link", name="New study").click()
    page.get_by_label("Title").first.fill("Pilot")
    page.get_by_label("Length of each clip").fill("5")
    page.get_by_label("Seconds to hear").fill("0")
    page.get_by_role("button", name="Make the study").click()
    page.get_by_text("The study has no clips yet").wait_for()


def add_condition(page, name, source, n_clips, is_reference=False):
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_label("Real music").set_checked(is_reference)
    page.get_by_role("button", name="Add and choose its clips").click()
    group = page.get_by_role("group", name=source)
    for number in range(n_clips):
        group.get_by_role("checkbox").nth(number).check()
    page.get_by_role("button", name="Save the choice").click()
    page.get_by_role("row", name=f"{name} {n_clips}").wait_for()


def open_study(page, worker):
    page.get_by_role("button", name="Open the study").click()
    page.get_by_text("It waits for the worker").wait_for()
    worker()
    page.locator(".state-open").wait_for()  # the page finds out by itself
    assert page.locator(".numbers").inner_text().split() == ["Started", "0", "Finished", "0", "Ratings", "0"]


def take_part(study, participant):
    session = study.admit()
    while trial := session.next_trial():
        trial.show()
        trial.rate({study.scales.get().pk: ANSWERS[trial.stimulus.label][participant]})


def table(page):
    rows = page.locator("table.results").first.locator("tbody tr").all()
    return [[re.sub(r"\s+", " ", cell) for cell in row.locator("th, td").all_inner_texts()[:4]] for row in rows]


def test_a_researcher_gets_from_a_checkpoint_to_a_csv(
    page, live_server, ada, worker, corpus, playable, checkpoint_bytes, tmp_path
):
    (tmp_path / "tiny.keras").write_bytes(checkpoint_bytes)
    log_in(page, live_server.url)
    page.get_by_text("There are no studies yet.").wait_for()

    upload_checkpoint(page, tmp_path / "tiny.keras")
    ask_for_clips(page, worker)
    ask_for_real_music(page, worker, playable[0])
    make_study(page)
    add_condition(page, "Tiny RNN", "Tiny RNN", 2)
    add_condition(page, "Real music", "Ten pieces", 1, is_reference=True)
    open_study(page, worker)
    study = Study.objects.get()
    for participant in (0, 1):
        take_part(study, participant)
    page.locator(".numbers", has_text=re.compile(r"Finished\s*2\s*Ratings\s*6")).wait_for()  # seen arriving
    page.get_by_role("link", name="Results").click()
    page.get_by_role("heading", name="Means are sealed").wait_for()
    page.get_by_role("link", name="Unseal the results").click()
    page.get_by_role("button", name="Unseal the results").click()
    page.get_by_role("heading", name="Conditions").first.wait_for()

    assert table(page) == [
        ["Tiny RNN 1", "Tiny RNN", "2", "3.5"],
        ["Tiny RNN 2", "Tiny RNN", "2", "6.5"],
        ["Real music", "Real music", "2", "9.5"],
    ]
    with page.expect_download() as download:
        page.get_by_role("link", name="Ratings as CSV").click()
    lines = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert {(line["stimulus"], int(line["rating"])) for line in lines} == {
        (label, value) for label, values in ANSWERS.items() for value in values
    }
    assert len(lines) == 6
    page.get_by_role("link", name="The study").click()
    page.get_by_role("link", name="Close").click()
    page.get_by_role("button", name="Close the study").click()
    page.locator(".state-closed").wait_for()


def test_the_length_of_a_session_is_seen_while_settings_are_chosen(page, live_server, ada, draft):
    log_in(page, live_server.url)
    page.goto(f"{live_server.url}/studies/{draft.slug}/settings/")
    page.get_by_text("A session takes 1 minute.").wait_for()

    page.get_by_label("Length of each clip").fill("60")
    page.get_by_label("Hidden repeats").fill("3")
    page.get_by_label("Latin square").check()

    # 6 x (1 + 8) s and 6 x (60 + 8) s.
    page.get_by_text("A session takes 1 to 7 minutes.").wait_for()
    page.get_by_text("Its Latin square is complete with every 6 participants.").wait_for()
    draft.refresh_from_db()
    assert (draft.length_seconds, draft.n_repeats, draft.order) == (2, 0, "shuffle")


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_of_a_study_is_usable_by_keyboard_and_screen_reader(
    new_page, live_server, paper_study, draft, width
):
    page = new_page(width=width)
    paper_study.scales.create(name="rhythm", question="How convincing is the rhythm?", position=1)
    log_in(page, live_server.url)
    condition = draft.conditions.first()
    addresses = [
        "/",
        "/studies/new/",
        f"/studies/{draft.slug}/",
        f"/studies/{draft.slug}/settings/",
        f"/studies/{draft.slug}/scales/new/",
        f"/studies/{draft.slug}/conditions/{condition.pk}/clips/",
        f"/studies/{draft.slug}/remove/",
        "/studies/paper/",
        "/studies/paper/results/",
    ]

    found = {}
    for address in addresses:
        page.goto(live_server.url + address)
        found[address] = [violation["id"] for violation in Axe().run(page).response["violations"]]

    assert found == {address: [] for address in addresses}
