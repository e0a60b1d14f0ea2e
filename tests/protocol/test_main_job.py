"""The main job, end to end: from real music to a table of blind ratings."""

import csv
import io
import random
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.core.management import call_command

from accounts.models import Researcher
from generation.models import Checkpoint, Clip, Job
from study.models import Rating, Session, Study

ROWS = [
    "LPD5 Samples",
    *(f"Baseline RNN {number}" for number in range(1, 5)),
    *(f"2D CNN {number}" for number in range(1, 7)),
]
N_PARTICIPANTS = 10


@pytest.fixture
def demo(transactional_db, freedoom_midi):
    """The demo's study, made from real music by networks that trained for some seconds."""

    def set_up():
        call_command("demo", corpus=str(freedoom_midi), minutes=0.15, no_serve=True)
        return Study.objects.get()

    return set_up


def rate_all(pages, site, study, given):
    """Take every page through the study side by side, giving {stimulus: value} as `given` says; returns what was given."""
    for page in pages:
        page.goto(f"{site}/s/{study.slug}/")
        page.get_by_label("I have read this and want to take part.").check()
        page.get_by_role("button", name="Begin").click()
    for position in range(1, 14):
        for page in pages:
            page.locator(f'#step[data-position="{position}"]').wait_for()
            page.locator('.player[data-state="ready"]').wait_for()
            page.locator("#play").click()
        for page in pages:
            page.locator('#answer[data-heard="true"]').wait_for()
            page.keyboard.press(str(given() % 10))
            page.keyboard.press("Enter")
    for page in pages:
        page.get_by_text("All 13 ratings are stored.").wait_for()


def averages_by_hand():
    """Return {row: average as printed} from the stored ratings alone, one by one."""
    values = defaultdict(list)
    for rating in Rating.objects.select_related("trial__stimulus"):
        values[rating.trial.stimulus.row].append(rating.value)
    return {
        row: str((Decimal(sum(given)) / len(given)).quantize(Decimal("0.1"), ROUND_HALF_UP))
        for row, given in values.items()
    }


def test_from_real_music_to_a_table_of_blind_ratings(demo, live_server, new_page, client_of):
    study = demo()

    assert study.state == Study.State.OPEN
    assert [stimulus.row for stimulus in study.stimuli()] == [ROWS[0]] * 3 + ROWS[1:]
    assert {checkpoint.family for checkpoint in Checkpoint.objects.all()} == {"rnn", "cnn"}
    assert len({stimulus.sound.size for stimulus in study.stimuli()}) == 1

    # Ten people listen at once, and rate as chance has it.
    Study.objects.update(min_heard_seconds=0.5)
    chance = random.Random(10)
    given = []

    def next_value():
        given.append(chance.randint(1, 10))
        return given[-1]

    rate_all([new_page(width=390, height=800) for _ in range(N_PARTICIPANTS)], live_server.url, study, next_value)

    assert Session.objects.exclude(finished_at=None).count() == N_PARTICIPANTS
    assert sorted(Rating.objects.values_list("value", flat=True)) == sorted(given)

    # The table that Ada takes away shows exactly their averages.
    client = client_of(Researcher.objects.get())
    table = client.get(f"/studies/{study.slug}/table.csv").getvalue().decode()
    printed = {line["row"]: line for line in csv.DictReader(io.StringIO(table)) if line["level"] == "row"}
    assert list(printed) == ROWS
    assert {name: line["average"] for name, line in printed.items()} == averages_by_hand()
    assert [int(line["n"]) for line in printed.values()] == [30] + [10] * 10

    # A second demo finds everything as it was.
    n_jobs, n_clips = Job.objects.count(), Clip.objects.count()
    assert demo() == study
    assert (Job.objects.count(), Clip.objects.count()) == (n_jobs, n_clips) == (5, 13)
