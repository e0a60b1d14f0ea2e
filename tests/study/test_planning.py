"""Before the first participant: the power of a design, and its coverage by simulation, on a page."""

import pytest

from generation import work
from generation.models import Job
from study import planning
from study.models import Analysis, Study
from tests.console import text
from tests.study.test_result_pages import analysed, media

__all__ = ["analysed", "media"]
pytestmark = pytest.mark.django_db
DESIGN = {"n_sessions": "10", "n_clips": "4, 6, 3", "heard": "", "difference": "1", "source": "typical"}


@pytest.fixture
def client(client_of, ada):
    return client_of(ada)


def reckoned(client, **wishes):
    return client.get("/studies/plan/", DESIGN | wishes)


def test_the_form_comes_first_with_a_suggestion(client):
    page = client.get("/studies/plan/")

    assert page.status_code == 200
    assert 'value="6, 6"' in page.content.decode()
    assert "This design" not in text(page)


def test_a_drafts_own_design_is_suggested(client, make_draft):
    draft = make_draft({"CNN": 3, "Real": 2}, target_sessions=25)

    page = client.get(f"/studies/plan/?study={draft.slug}").content.decode()

    assert 'value="3, 2"' in page
    assert 'value="25"' in page


def test_the_power_of_the_reports_design(client):
    # Westfall's noncentral t, as tests/analysis/test_planning.py has it: .31 with some difference of taste.
    page = text(reckoned(client, source="cautious"))

    assert "found in 31 % of such studies" in page
    assert "It makes 130 ratings." in page
    assert "For 80 % it takes 21 clips of each of two conditions." in page


def test_power_comes_as_a_table_and_as_a_curve(client):
    page = reckoned(client).content.decode()

    assert 'data-inline="power-spec"' in page
    assert page.count("<tr>") == 1 + 10
    assert "Participants" in page
    assert "40 clips" in page


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"n_clips": "four"}, "Write numbers from 1 to 200 with commas between"),
        ({"n_clips": "4"}, "Write a number for each of 2 to 20 conditions."),
        ({"n_clips": "4,0"}, "Write numbers from 1 to 200"),
        ({"n_sessions": "0"}, "greater than or equal to 1"),
        ({"heard": "5"}, "Choose from 1 to 3: a condition has no more clips."),
        ({"source": "own"}, "Say how much ratings vary"),
        ({"source": "of-somebody-else"}, "Select a valid choice"),
        ({"difference": "NaN"}, "Enter a number."),
    ],
)
def test_what_is_no_design_is_refused_at_its_field(client, wishes, sentence):
    page = reckoned(client, **wishes)

    assert page.status_code == 422
    assert sentence in text(page)


def test_variances_of_ones_own_are_taken(client):
    page = text(reckoned(client, source="own", residual="1.4", stimulus="0"))

    assert "0 between clips of one condition" in page
    assert "1.400 in what is left" in page


def test_a_pilots_variances_are_offered_to_who_may_see_it_and_tell_no_mean(client, client_of, ben, analysed):
    page = text(reckoned(client, source="paper"))

    assert "as in “The report”" in page
    assert "0.675 between clips of one condition" in page
    assert "The report" not in text(client_of(ben).get("/studies/plan/"))
    Study.objects.update(is_blind_to_researchers=True)
    assert "The report" not in text(client.get("/studies/plan/"))
    assert Analysis.objects.count() == 1


def test_studies_are_simulated_by_a_worker(client, monkeypatch):
    monkeypatch.setattr(planning, "N_STUDIES", 12)

    answer = client.post("/studies/plan/simulate/", DESIGN)

    job = Job.objects.get()
    assert answer.headers["Location"] == f"/studies/plan/{job.pk}/"
    assert "Waits for a worker." in text(client.get(answer.headers["Location"]))
    work.run(job.pk)
    page = text(client.get(answer.headers["Location"]))
    assert "Of 12 made-up studies" in page
    assert "False alarm crossed mixed model" in page
    assert client.get(f"/jobs/{job.pk}/").status_code == 200
    assert "10 participants, 4, 6, 3 clips" in text(client.get("/jobs/"))


def test_progress_is_brought_alone(client):
    client.post("/studies/plan/simulate/", DESIGN)
    job = Job.objects.get()

    part = client.get(f"/studies/plan/{job.pk}/", headers={"HX-Request": "true"})

    assert "<html" not in part.content.decode()
    assert 'hx-trigger="every 1s"' in part.content.decode()


def test_a_design_that_would_take_hours_is_not_simulated(client):
    huge = {"n_sessions": "1000", "n_clips": "200,200"}

    assert "would take hours" in text(reckoned(client, **huge))
    assert client.post("/studies/plan/simulate/", DESIGN | huge).status_code == 404
    assert Job.objects.count() == 0


def test_a_simulation_is_its_researchers_alone(client, client_of, ben, ada):
    client.post("/studies/plan/simulate/", DESIGN)

    assert client_of(ben).get(f"/studies/plan/{Job.objects.get().pk}/").status_code == 404
    other = Job.objects.plan_other(ada, Job.Kind.ANALYSIS, 1, "x", "/")
    assert client.get(f"/studies/plan/{other.pk}/").status_code == 404
