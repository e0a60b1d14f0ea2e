"""The main job, end to end: from real music to a table of blind ratings."""

import csv
import hashlib
import io
import random
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.core.management import call_command

from accounts.models import Researcher
from generation.models import Checkpoint, Clip, Job
from study import opening
from study.models import Rating, Session, Study
from tests.console import rows_of

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


def rate_all(pages, site, study, value):
    """Take every page through the study side by side, each clip rated as `value` says.

    Returns [(label, value)] of what was given: which clip it was, the bytes of its sound say.
    """
    labels, given = labels_by_sound(study), []
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
            sound = page.request.get(site + page.locator("#step").get_attribute("data-sound")).body()
            given.append((labels[hashlib.sha256(sound).hexdigest()], value()))
            page.keyboard.press(str(given[-1][1] % 10))
            page.keyboard.press("Enter")
    for page in pages:
        page.get_by_text("All 13 ratings are stored.").wait_for()
    return given


def labels_by_sound(study):
    """Return {checksum of what a browser gets: label of the clip whose master it was made from}."""
    found = {}
    for stimulus in study.stimuli():
        sound = opening.sound_of(stimulus, study)
        found[hashlib.sha256(sound).hexdigest()] = stimulus.label
    return found


def averages_by_hand(given, name_of):
    """Return {name: average as printed} of what was given, [(label, value)]."""
    values = defaultdict(list)
    for label, value in given:
        values[name_of(label)].append(value)
    return {
        name: str((Decimal(sum(of_it)) / len(of_it)).quantize(Decimal("0.1"), ROUND_HALF_UP))
        for name, of_it in values.items()
    }


def condition_of(label):
    return label.rpartition(" ")[0]


def row_of(label):
    return condition_of(label) if label.startswith("LPD5") else label


def test_from_real_music_to_a_table_of_blind_ratings(demo, live_server, new_page, client_of):
    study = demo()

    assert study.state == Study.State.OPEN
    assert [stimulus.row for stimulus in study.stimuli()] == [ROWS[0]] * 3 + ROWS[1:]
    assert {checkpoint.family for checkpoint in Checkpoint.objects.all()} == {"rnn", "cnn"}
    assert len({stimulus.sound.size for stimulus in study.stimuli()}) == 1

    # Ten people listen at once, and rate as chance has it.
    Study.objects.update(min_heard_seconds=0.5)
    chance = random.Random(10)
    people = [new_page(width=390, height=800) for _ in range(N_PARTICIPANTS)]
    given = rate_all(people, live_server.url, study, lambda: chance.randint(1, 10))

    assert Session.objects.exclude(finished_at=None).count() == N_PARTICIPANTS
    stored = Rating.objects.values_list("trial__stimulus__label", "value")
    assert sorted(stored) == sorted(given)

    # The table that Ada takes away shows exactly their averages.
    client = client_of(Researcher.objects.get())
    table = client.get(f"/studies/{study.slug}/table.csv").getvalue().decode()
    lines = list(csv.DictReader(io.StringIO(table)))
    printed = {line["row"]: line for line in lines if line["level"] == "row"}
    assert list(printed) == ROWS
    assert {name: line["average"] for name, line in printed.items()} == averages_by_hand(given, row_of)
    assert [int(line["n"]) for line in printed.values()] == [30] + [10] * 10
    conditions = {line["row"]: line["average"] for line in lines if line["level"] == "condition"}
    assert conditions == averages_by_hand(given, condition_of)
    shown = [(row[0], row[3]) for row in rows_of(client.get(f"/studies/{study.slug}/results/"))[: len(ROWS)]]
    assert dict(shown) == averages_by_hand(given, row_of)

    # A second demo finds everything as it was.
    n_jobs, n_clips = Job.objects.count(), Clip.objects.count()
    assert demo() == study
    assert (Job.objects.count(), Clip.objects.count()) == (n_jobs, n_clips) == (5, 13)
