"""A researcher watches a run in a real browser, with a stand-in for the worker: rows change, the page follows."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from generation.models import Job

pytestmark = pytest.mark.django_db(transaction=True)


def epochs(n):
    return [{"epoch": i, "train_loss": 5 / i, "test_loss": 5.5 / i, "seconds": 10.0 * i} for i in range(1, n + 1)]


@pytest.fixture
def training(ada, corpus):
    job = Job.objects.ask_for_training(ada, "gru-chain", corpus, minutes=2, seed=3)
    job.run.history, job.run.baselines = epochs(2), {"marginal": 4.9, "hold": 3.0}
    job.run.save()
    return Job.objects.claim(job.pk, "worker")


def log_in(page, site):
    page.goto(f"{site}/accounts/login/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "analytical engine")
    page.click("main button[type=submit]")
    page.locator("header .who").wait_for()


def test_a_runs_page_follows_it_to_its_end_and_what_is_open_stays_open(page, live_server, training, make_clip):
    log_in(page, live_server.url)
    page.goto(f"{live_server.url}/runs/{training.run_id}/")
    page.get_by_text("Each epoch's figures").click()
    page.get_by_role("button", name="Hear the current epoch").click()
    page.get_by_text("Each epoch's figures").click()

    training.run.history = epochs(3)
    training.run.save()
    page.locator("#figures tbody tr").nth(2).wait_for()
    sample = Job.objects.get(kind="sample")
    make_clip(training.owner, seconds=1, job=sample, provenance={"epoch": 3})
    Job.objects.claim(sample.pk, "worker").finish()
    page.locator(".sample audio").wait_for()
    assert "epochs=3" in page.locator("figure.loss img").get_attribute("src")
    assert page.locator("details").evaluate("details => details.open")

    training.fail("The network fell silent.")
    page.get_by_role("button", name="Resume").wait_for()
    assert page.locator("#progress").inner_text().endswith("The network fell silent.")


def test_the_expected_time_follows_what_is_written(page, live_server, ada, corpus):
    log_in(page, live_server.url)
    page.goto(f"{live_server.url}/runs/new/?family=cnn")
    expected = page.locator(".expected")
    assert expected.inner_text() == "It will take about 10 min."

    page.get_by_label("Minutes").fill("45")

    page.get_by_text("It will take about 45 min.").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_of_runs_are_usable_by_screen_reader_and_on_a_phone(
    new_page, live_server, ada, training, checkpoint, width
):
    page = new_page(width=width)
    log_in(page, live_server.url)
    addresses = [f"/runs/{training.run_id}/", "/runs/new/?family=cnn", f"/checkpoints/{checkpoint.pk}/"]

    found = {}
    for address in addresses:
        page.goto(live_server.url + address)
        wrong = [violation["id"] for violation in Axe().run(page).response["violations"]]
        found[address] = (wrong, page.evaluate("document.documentElement.scrollWidth"))

    assert found == {address: ([], width) for address in addresses}
