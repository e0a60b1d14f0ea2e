"""What leaves as CSV: every rating once, in the promised columns, harmless in a spreadsheet, the same when read again."""

import csv
import io

import pytest
from django.core.management import call_command

from analysis import ratings as rating_tables
from study import export
from study.models import Condition, Rating, Session, Stimulus, Trial

pytestmark = pytest.mark.django_db

HEADER = "study,session,position,condition,stimulus,row,scale,rating,plays,listened_seconds,shown_at,rated_at"


def text_of(study):
    return "".join(export.ratings_csv(study))


def test_one_row_a_rating_in_the_promised_columns(paper_study):
    lines = text_of(paper_study).splitlines()

    assert lines[0] == HEADER
    assert len(lines) == 131
    first = next(csv.DictReader(io.StringIO(text_of(paper_study))))
    assert first | {"session": ""} == {
        "study": "paper",
        "session": "",
        "position": "1",
        "condition": "2D CNN",
        "stimulus": "2D CNN 5",
        "row": "2D CNN 5",
        "scale": "overall",
        "rating": "7",
        "plays": "1",
        "listened_seconds": "30.0",
        "shown_at": "2026-03-01T12:01:00.000+00:00",
        "rated_at": "2026-03-01T12:01:31.500+00:00",
    }


def test_references_share_a_row_and_keep_their_labels(paper_study):
    lines = csv.DictReader(io.StringIO(text_of(paper_study)))

    assert {(line["stimulus"], line["row"]) for line in lines if line["condition"] == "LPD5 Samples"} == {
        (f"LPD5 Samples {number}", "LPD5 Samples") for number in (1, 2, 3)
    }


def test_a_clip_without_an_answer_has_no_row(paper_study):
    session = Session.objects.create(study=paper_study, number=11, seed=1)
    Trial.objects.create(session=session, stimulus=Stimulus.objects.first(), position=1)

    assert len(text_of(paper_study).splitlines()) == 131


ODD_NAMES = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "'=1",
    "''-1",
    "'70s",
    'say "yes", &c.',
    "two\nlines",
    "007",
    "NaN",
    "🎵 \u202eabc",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_harmless_and_come_back_as_they_were(paper_study, name):
    Condition.objects.filter(name="2D CNN").update(name=name)
    Stimulus.objects.filter(label="2D CNN 1").update(label=name, row=name)

    text = text_of(paper_study)

    cells = {cell for line in csv.reader(io.StringIO(text)) for cell in line}
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    frame = rating_tables.read(io.StringIO(text))
    assert (frame["condition"] == name).sum() == 60
    assert (frame["stimulus"] == name).sum() == 10


def test_numbers_below_zero_stay_numbers(paper_study):
    paper_study.scales.update(low=-10)
    Rating.objects.update(value=-3)

    assert {line["rating"] for line in csv.DictReader(io.StringIO(text_of(paper_study)))} == {"-3"}
    row = next(csv.DictReader(io.StringIO("".join(export.table_csv(paper_study)))))
    assert (row["average"], row["mean"]) == ("-3.0", "-3.0")


def test_an_export_is_made_line_by_line_from_one_query(paper_study, django_assert_num_queries):
    with django_assert_num_queries(1):
        lines = export.ratings_csv(paper_study)
        assert [next(lines).count(","), next(lines).count(",")] == [11, 11]


def test_the_command_writes_a_file_or_prints(paper_study, tmp_path, capsys):
    call_command("export_ratings", "paper", out=tmp_path / "ratings.csv")
    call_command("export_ratings", "paper")

    assert (tmp_path / "ratings.csv").read_text() == text_of(paper_study) == capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["ratings.csv"]


def test_an_export_that_breaks_off_leaves_no_half_file(paper_study, tmp_path, monkeypatch):
    def two_lines(study):
        yield "a\n"
        raise ConnectionError

    monkeypatch.setattr(export, "ratings_csv", two_lines)
    (tmp_path / "ratings.csv").write_text("the last one")

    with pytest.raises(ConnectionError):
        call_command("export_ratings", "paper", out=tmp_path / "ratings.csv")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"ratings.csv": "the last one"}
