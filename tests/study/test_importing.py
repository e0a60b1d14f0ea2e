"""Ratings that were collected elsewhere: a closed study of their own, or one sentence and nothing."""

import csv
import io
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError

from analysis import compare
from analysis import ratings as rating_tables
from generation import csv_table
from generation.models import Upload
from music.refusal import Refusal
from study import export, importing, tables
from study.models import Rating, Session, Study, Trial
from tests.study.test_tables import REPORT, printed

pytestmark = pytest.mark.django_db

PAPER_CSV = Path(__file__).parents[1] / "fixtures" / "paper_table.csv"
HEADER = ["session", "condition", "stimulus", "rating"]
ROWS = [["P1", "A", "a1", "7"], ["P1", "B", "b1", "4"], ["P2", "A", "a1", "6"], ["P2", "B", "b1", "5"]]


def plan(header=HEADER, **changes):
    return importing.Plan("Elsewhere", importing.guessed(header) | changes)


def as_csv(header, rows):
    written = io.StringIO()
    csv.writer(written).writerows([header, *rows])
    return written.getvalue().encode()


# The report's table


def test_the_reports_table_prints_as_it_was_printed(ada, capsys):
    call_command("import_ratings", str(PAPER_CSV), title="The report", owner="ada")
    slug = capsys.readouterr().out.split()[0]

    call_command("table", slug)

    study = Study.objects.get(slug=slug)
    (table,) = tables.tables(study)
    assert printed(table.rows) == REPORT
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    words = [" ".join(line) for line in lines]
    assert all(
        any(line.startswith(f"{row} ") and f" {average}" in line for line in words) for row, _, average in REPORT
    )
    assert (study.state, study.owner, study.title) == ("closed", ada, "The report")
    assert (Session.objects.count(), Trial.objects.count(), Rating.objects.count()) == (10, 130, 130)


def test_the_analysis_of_an_imported_study_is_that_of_its_file(ada):
    header, rows = csv_table.read(PAPER_CSV.read_bytes(), 1_000)
    study = importing.import_ratings(ada, header, rows, plan(header))
    columns = {"session": "rater", "stimulus": "item", "row": "table_row", "position": "order"}

    imported = rating_tables.read(io.StringIO("".join(export.ratings_csv(study))))
    original = rating_tables.read(PAPER_CSV, columns)

    ours, theirs = (compare.compare(frame, n_draws=50) for frame in (imported, original))
    assert [pair_of(pair) for pair in ours.pairs] == [pytest.approx(pair_of(pair), rel=1e-4) for pair in theirs.pairs]
    key = ["condition", "stimulus", "position", "rating"]
    assert sorted(map(tuple, imported[key].values)) == sorted(map(tuple, original[key].values))


def pair_of(pair):
    return {"p": pair.p_holm, "d": pair.d_total, pair.a: 0, pair.b: 1}


def test_an_exported_study_comes_in_again_as_it_was(ada, paper_study):
    exported = "".join(export.ratings_csv(paper_study)).encode()
    header, rows = csv_table.read(exported, 1_000)

    again = importing.import_ratings(ada, header, rows, plan(header))

    before, after = (printed(tables.tables(study)[0].rows) for study in (paper_study, again))
    assert sorted(before) == sorted(after)
    times = Trial.objects.filter(session__study=again).values_list("shown_at", "rated_at", "plays", "heard_seconds")
    assert sorted(times) == sorted(
        Trial.objects.filter(session__study=paper_study, ratings__isnull=False).values_list(
            "shown_at", "rated_at", "plays", "heard_seconds"
        )
    )


def test_several_scales_of_one_clip_are_one_trial(ada):
    header = [*HEADER, "aspect"]
    rows = [[*row, aspect] for row in ROWS for aspect in ("Overall, how good?", "Variety")]

    study = importing.import_ratings(ada, header, rows, plan(header))

    assert list(study.scales.values_list("name", "question")) == [
        ("overall-how-good", "Overall, how good?"),
        ("variety", "Variety"),
    ]
    assert (Trial.objects.count(), Rating.objects.count()) == (4, 8)


def test_positions_are_the_tables_where_they_number_a_session_and_else_the_lines(ada):
    header = [*HEADER, "position"]
    rows = [[*row, position] for row, position in zip(ROWS, ("2", "1", "3", "3"), strict=True)]

    importing.import_ratings(ada, header, rows, plan(header))

    found = Trial.objects.order_by("session__number", "id").values_list("session__number", "position")
    assert list(found) == [(0, 2), (0, 1), (1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("changes", "problem", "sentence"),
    [
        ({3: "11"}, "csv.number", "Line 2: the rating '11' is not a whole number from 1 to 10."),
        ({3: "7.5"}, "csv.number", "Line 2: the rating '7.5' is not a whole number from 1 to 10."),
        ({3: "\uff17"}, "csv.number", "Line 2: the rating '\\uff17' is not a whole number from 1 to 10."),
        ({3: ""}, "csv.number", "Line 2: the rating '' is not a whole number from 1 to 10."),
        ({0: ""}, "csv.number", "Line 2: session is empty."),
        (
            {1: "<b>A</b>"},
            "text.markup",
            "Line 2: condition is too long, or holds markup or characters that cannot be shown.",
        ),
        (
            {2: "x" * 101},
            "text.markup",
            "Line 2: stimulus is too long, or holds markup or characters that cannot be shown.",
        ),
        ({0: "P2"}, "csv.duplicate", "Line 4: P2 has rated a1 before, on line 2."),
    ],
)
def test_a_table_that_cannot_be_is_refused_by_its_line_and_leaves_nothing(ada, changes, problem, sentence):
    rows = [list(row) for row in ROWS]
    for place, cell in changes.items():
        rows[0][place] = cell

    with pytest.raises(Refusal) as refusal:
        importing.import_ratings(ada, HEADER, rows, plan())

    assert (refusal.value.problem, str(refusal.value)) == (problem, sentence)
    assert not Study.objects.exists()


def test_a_stimulus_has_one_row_of_the_table(ada):
    header = [*HEADER, "row"]
    rows = [[*row, label] for row, label in zip(ROWS, "abcd", strict=True)]

    with pytest.raises(Refusal, match=r"Line 4: a1 stands in another row than before\."):
        importing.import_ratings(ada, header, rows, plan(header))


def test_bad_numbers_of_the_collection_are_refused(ada, shared):
    header, rows = csv_table.read((shared / "data/uploads/t11_bad_numbers.csv").read_bytes(), 100)
    columns = {"session": "participant", "condition": "trial", "stimulus": "trial", "rating": "rating"}

    with pytest.raises(Refusal, match="Line 2"):
        importing.import_ratings(ada, header, rows, importing.Plan("t", columns))
    for row in rows[:3] + rows[4:10] + rows[11:]:
        with pytest.raises(Refusal) as refusal:
            importing.import_ratings(ada, header, [row], importing.Plan("t", columns))
        assert refusal.value.problem == "csv.number", row

    sevens = importing.import_ratings(ada, header, [rows[3], rows[10]], importing.Plan("7.0 and 7", columns))
    assert [line.average for line in tables.tables(sevens)[0].rows] == ["7.0", "7.0"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "No column is named to read as condition; the table has who, what, rating."),
        (["--columns", "session=whom"], "There is no column whom to read as session."),
        (["--columns", "genre=what"], "There is no column what to read as genre."),
        (["--columns", "session"], "Name columns as in --columns session=rater,stimulus=item."),
    ],
)
def test_the_command_names_the_column_that_is_missing(ada, tmp_path, arguments, sentence):
    (tmp_path / "r.csv").write_bytes(as_csv(["who", "what", "rating"], [["P1", "a", "3"]]))
    arguments = arguments or ["--columns", "session=who"]

    with pytest.raises(CommandError, match=sentence):
        call_command("import_ratings", str(tmp_path / "r.csv"), *arguments)


# The pages


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def bring(client, content, name="ratings.csv"):
    return client.post("/studies/import/", {"file": SimpleUploadedFile(name, content)})


def test_a_researcher_brings_a_table_says_what_its_columns_mean_and_sees_the_study(client_of, ada):
    client = client_of(ada)
    header = ["who", "system", "piece", "stars"]
    page = bring(client, as_csv(header, ROWS))["Location"]
    shown = client.get(page)
    answer = {"title": "Pilot", "low": 1, "high": 10, "session": "who", "condition": "system"}

    response = client.post(page, answer | {"stimulus": "piece", "rating": "stars"})

    study = Study.objects.get()
    assert shown.context["form"]["condition"].initial == "system"
    assert (response["Location"], study.title, study.state) == (f"/studies/{study.slug}/", "Pilot", "closed")
    assert [(line.label, line.average) for line in tables.tables(study)[0].rows] == [("a1", "6.5"), ("b1", "4.5")]
    for address in (f"/studies/{study.slug}/", f"/studies/{study.slug}/results/", f"/studies/{study.slug}/ratings.csv"):
        response = client.get(address)
        assert (response.status_code, b"a1" in response.getvalue()) == (200, True)


def test_the_bytes_of_an_imported_table_do_not_stay(client_of, ada, storage, django_capture_on_commit_callbacks):
    client = client_of(ada)
    page = bring(client, as_csv(HEADER, ROWS))["Location"]
    assert len(list((storage / "incoming").iterdir())) == 1

    answer = {name: name for name in HEADER} | {"title": "Pilot", "low": 1, "high": 10}
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page, answer)

    assert list((storage / "incoming").iterdir()) == []
    assert client.get(page).status_code == 404


def test_a_file_that_is_no_table_is_refused_and_listed(client_of, ada, storage):
    response = bring(client_of(ada), b"PK\x03\x04", "book.csv")

    sentence = "book.csv: The table is not text in UTF-8; save it as CSV in UTF-8."
    assert (response.status_code, response.context["form"].errors["file"]) == (422, [sentence])
    assert (Upload.objects.get().reason, list((storage / "incoming").iterdir())) == (sentence, [])


def test_a_wrong_column_is_said_and_may_be_mended(client_of, ada):
    client = client_of(ada)
    page = bring(client, as_csv(HEADER, ROWS))["Location"]
    answer = {name: name for name in HEADER} | {"title": "Pilot", "low": 1, "high": 10}

    wrong = client.post(page, answer | {"rating": "stimulus"})
    upside_down = client.post(page, answer | {"low": 10, "high": 1})
    unknown = client.post(page, answer | {"rating": "price"})

    assert [response.status_code for response in (wrong, upside_down, unknown)] == [422, 422, 422]
    assert wrong.context["form"].non_field_errors() == ["Line 2: the rating 'a1' is not a whole number from 1 to 10."]
    assert not Study.objects.exists()
    assert client.post(page, answer).status_code == 302


def test_an_import_is_its_researchers_alone(client, client_of, ada, ben):
    page = bring(client_of(ada), as_csv(HEADER, ROWS))["Location"]

    for address in ("/studies/import/", page):
        assert client.get(address)["Location"] == f"/accounts/login/?next={address}"
        assert client_of(ada).put(address).status_code == 405
    assert client_of(ben).get(page).status_code == 404
    assert client_of(ben).post(page, {}).status_code == 404
