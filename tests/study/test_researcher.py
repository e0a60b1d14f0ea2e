"""A researcher's pages: each works and refuses wrong methods (test_matrix.py asks who may see it); studies are watched and closed."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from generation.models import Clip
from study import opening, tasks
from study.models import Condition, Scale, Session, Stimulus, Study, Trial
from tests.console import (
    OF_MEMBERS,
    OF_NOBODY,
    OF_PARTICIPANTS,
    PAGES,
    QUESTION,
    SETTINGS,
    address,
    labels,
    rows_of,
    text,
)
from tests.studies import silent_for

pytestmark = pytest.mark.django_db

OF_IMPORTS = {
    "import",
    "import_columns",
    "coverage",
}  # a study is yet to come of them; test_importing.py is about these


@pytest.fixture
def client(client_of, ada):
    return client_of(ada)


# Every page


def test_the_list_of_pages_is_complete():
    (patterns,) = (
        found.url_patterns for found in get_resolver().url_patterns if getattr(found, "namespace", "") == "study"
    )

    assert {pattern.name for pattern in patterns} - OF_PARTICIPANTS - OF_IMPORTS == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_refuses_other_methods(client, draft, name):
    for method in {"GET", "POST", "PUT", "DELETE"} - PAGES[name]:
        assert client.generic(method, address(name, draft)).status_code == 405


@pytest.mark.parametrize("name", [name for name in PAGES if "GET" in PAGES[name] and name not in OF_NOBODY])
def test_looking_changes_nothing(client, draft, name):
    client.get(address(name, draft))

    draft.refresh_from_db()
    assert (draft.state, draft.opening_at, len(labels(draft)), Study.objects.count()) == ("draft", None, 3, 1)


EDITS = ["settings", "remove", "open", "new_condition", "new_scale", *sorted(OF_MEMBERS)]


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("state", ["open", "closed", "opening"])
def test_only_a_draft_can_be_changed(client, draft, name, state):
    if state == "opening":
        tasks.ask_to_open(draft)
    else:
        Study.objects.update(state=state)
    before = Study.objects.values().get(), Scale.objects.values().get()

    response = client.post(
        address(name, draft), {**SETTINGS, **QUESTION, "name": "Other", "label": "Other", "direction": "up"}
    )

    assert response.status_code == 409
    assert "This no longer changes" in response.content.decode()
    assert (Study.objects.values().get(), Scale.objects.values().get()) == before
    assert labels(draft) == [("CNN 1", "CNN 1"), ("CNN 2", "CNN 2"), ("Real 1", "Real")]


@pytest.mark.parametrize("name", sorted(OF_MEMBERS))
def test_what_belongs_to_another_study_is_not_found(client, draft, make_draft, name):
    other = make_draft({"RNN": 1}, title="Other")

    response = client.post(address(name, other).replace(other.slug, draft.slug), {"label": "x", "name": "x"})

    assert response.status_code == 404
    assert labels(other) == [("RNN 1", "RNN 1")]
    assert other.scales.count() == 1


# The list


def test_the_list_says_what_to_do_while_it_is_empty(client):
    page = client.get("/studies/")

    assert "There are no studies yet." in text(page)
    assert page.content.decode().count('href="/studies/new/"') == 1


def test_the_list_shows_each_study_with_its_numbers(client, paper_study, ben):
    Study.objects.create(owner=ben, title="Of somebody else")
    Session.objects.create(study=paper_study, number=11, seed=1)

    (row,) = rows_of(client.get("/"))

    assert row[:-1] == ["The report", "open", "13", "11", "10 of 10", "130"]


@pytest.mark.parametrize("n_studies", [1, 3])
def test_the_list_takes_the_same_queries_however_long(client, ada, n_studies, django_assert_num_queries):
    for number in range(n_studies):
        Study.objects.create(owner=ada, title=f"Study {number}")

    with django_assert_num_queries(4):
        page = client.get("/studies/")

    assert len(rows_of(page)) == n_studies


# Opening and closing


@pytest.mark.django_db(transaction=True)
def test_a_draft_is_opened_by_the_worker(client, draft):
    client.post(address("open", draft))
    assert "It waits for the worker" in text(client.get(address("study", draft)))

    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)

    draft.refresh_from_db()
    assert draft.state == "open"
    assert client.get(address("opening", draft)).headers["HX-Refresh"] == "true"


def test_progress_is_shown_while_the_sounds_are_made(client, draft):
    tasks.ask_to_open(draft)
    Stimulus.objects.filter(label="CNN 1").update(sound="sounds/x.mp3")

    page = client.get(address("opening", draft))

    assert "1 of 3 sounds are made." in text(page)
    assert '<progress max="3" value="1"' in page.content.decode()


def test_a_study_that_is_not_ready_is_not_opened(client, ada):
    study = Study.objects.create(owner=ada, title="Empty")

    page = client.post(address("open", study), follow=True)

    assert "The study was not opened: something is missing." in text(page)
    assert "The study has no clips yet" in text(page)
    assert Study.objects.get().opening_at is None


def test_a_study_can_be_taken_back_while_it_waits(client, draft):
    tasks.ask_to_open(draft)

    client.post(address("take_back", draft))

    draft.refresh_from_db()
    assert draft.may_be_edited


def test_an_opening_without_a_sign_of_life_can_be_asked_for_again(client, draft):
    tasks.ask_to_open(draft)
    asked_at = silent_for(draft, 61)
    assert "No sign of life for 1 minute" in text(client.get(address("opening", draft)))

    client.post(address("open_again", draft))

    draft.refresh_from_db()
    assert draft.is_opening
    assert draft.opening_at > asked_at
    assert "Ask again" not in text(client.get(address("study", draft)))


def test_an_opening_that_goes_on_is_not_asked_for_again(client, draft):
    tasks.ask_to_open(draft)
    asked_at = silent_for(draft, 50)

    client.post(address("open_again", draft))

    draft.refresh_from_db()
    assert draft.opening_at == asked_at


def test_a_problem_of_the_worker_is_shown(client, draft):
    Study.objects.update(problem="“CNN 1” cannot be played: the sound is silent.")

    assert "It could not be opened. “CNN 1” cannot be played: the sound is silent." in text(
        client.get(address("study", draft))
    )


def test_a_study_is_closed_after_a_question(client, paper_study):
    assert "Close “The report”?" in text(client.get(address("close", paper_study)))
    assert Study.objects.get().is_open

    client.post(address("close", paper_study))

    assert Study.objects.get().state == "closed"
    assert client.get(address("progress", paper_study)).headers["HX-Refresh"] == "true"
    assert 'hx-trigger="every 2s"' not in client.get(address("study", paper_study)).content.decode()


def test_those_inside_a_closed_study_may_finish(client, draft):
    opening.open_study(draft)
    session = draft.admit()
    client.post(address("close", draft))

    inside = Client().get(f"/t/{session.code}/")
    newcomer = Client().get(f"/s/{draft.slug}/")

    assert (inside.status_code, newcomer.status_code) == (200, 410)


# Watching and results


def test_ratings_are_seen_arriving(client, paper_study):
    Session.objects.create(study=paper_study, number=11, seed=1)

    page = client.get(address("progress", paper_study))

    assert "Started 11 Finished 10 of 10 Ratings 130" in text(page)
    assert rows_of(page)[:4] == [
        ["LPD5 Samples 1", "LPD5 Samples", "10"],
        ["LPD5 Samples 2", "LPD5 Samples", "10"],
        ["LPD5 Samples 3", "LPD5 Samples", "10"],
        ["Baseline RNN 1", "Baseline RNN", "10"],
    ]
    assert 'hx-trigger="every 2s"' in page.content.decode()


def test_watching_takes_the_same_queries_however_many_ratings(client, paper_study, django_assert_num_queries):
    with django_assert_num_queries(5):
        client.get(address("progress", paper_study))
    Trial.objects.filter(position__gt=1).delete()
    with django_assert_num_queries(5):
        client.get(address("progress", paper_study))


def test_an_open_study_shows_link_numbers_and_what_was_opened(client, paper_study):
    page = text(client.get(address("study", paper_study)))

    assert "http://testserver/s/paper/" in page
    assert "Ratings 130" in page
    assert "Opened 1 Mar 2026, 12:00 UTC" in page


@pytest.mark.parametrize("payload", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_what_researchers_type_is_text(client, draft, payload):
    Study.objects.update(title=payload, problem=payload)
    Condition.objects.filter(name="CNN").update(name=payload)
    Stimulus.objects.filter(label="CNN 1").update(label=payload)
    Clip.objects.update(title=payload)

    for name in ("studies", "study", "settings", "clips", "label", "remove", "results", "condition"):
        assert payload not in client.get(address(name, draft)).content.decode()
    Study.objects.update(state="open")
    for name in ("study", "results", "progress", "close"):
        assert payload not in client.get(address(name, draft)).content.decode()
