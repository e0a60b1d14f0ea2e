"""From stored ratings to the report's table, exactly."""

import csv
import io

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from analysis import describe
from analysis import ratings as rating_tables
from study import export, tables
from study.models import Rating, Scale, Trial
from study.recounting import recount
from tests.studies import PAPER

pytestmark = pytest.mark.django_db

REPORT = [
    ("LPD5 Samples", 30, "9.3"),
    ("Baseline RNN 1", 10, "7.1"),
    ("Baseline RNN 2", 10, "5.9"),
    ("Baseline RNN 3", 10, "5.5"),
    ("Baseline RNN 4", 10, "4.7"),
    ("2D CNN 1", 10, "6.9"),
    ("2D CNN 2", 10, "8.4"),
    ("2D CNN 3", 10, "7.9"),
    ("2D CNN 4", 10, "6.7"),
    ("2D CNN 5", 10, "7.1"),
    ("2D CNN 6", 10, "5.5"),
]


def printed(descriptions):
    return [(line.label, line.n, line.average) for line in descriptions]


def test_the_table_is_the_reports(paper_study):
    (table,) = tables.tables(paper_study)

    assert printed(table.rows) == REPORT
    assert printed(table.conditions) == [
        ("LPD5 Samples", 30, "9.3"),
        ("Baseline RNN", 40, "5.8"),
        ("2D CNN", 60, "7.1"),
    ]


def test_the_database_and_the_csv_give_the_same_numbers_to_the_last_digit(paper_study):
    frame = rating_tables.read(io.StringIO("".join(export.ratings_csv(paper_study))))

    (table,) = tables.tables(paper_study)

    assert describe.rows(frame) == table.rows
    assert describe.conditions(frame) == table.conditions
    theirs = rating_tables.read(PAPER, {"session": "rater", "stimulus": "item", "row": "table_row"})
    assert [line.total for line in describe.rows(theirs)] == [line.total for line in table.rows]


def test_a_table_takes_the_same_queries_however_many_ratings(paper_study, django_assert_num_queries):
    with django_assert_num_queries(5):
        tables.tables(paper_study)
    Rating.objects.filter(trial__position__gt=1).delete()
    recount(paper_study)
    with django_assert_num_queries(5):
        tables.tables(paper_study)


def test_clips_that_nobody_rated_have_a_row_too(paper_study):
    Rating.objects.filter(trial__stimulus__label="2D CNN 6").delete()
    recount(paper_study)

    (table,) = tables.tables(paper_study)

    assert printed(table.rows)[-1] == ("2D CNN 6", 0, "")
    assert printed(table.conditions)[-1] == ("2D CNN", 50, "7.4")


def test_each_scale_has_a_table_of_its_own(paper_study):
    rhythm = Scale.objects.create(study=paper_study, name="rhythm", position=1)
    Rating.objects.create(trial=Trial.objects.filter(stimulus__label="2D CNN 1").first(), scale=rhythm, value=2)
    recount(paper_study)

    overall, other = tables.tables(paper_study)

    assert printed(overall.rows) == REPORT
    assert [line for line in printed(other.rows) if line[1]] == [("2D CNN 1", 1, "2.0")]


@pytest.mark.parametrize("n_more", [0, 1, 3])
def test_tables_take_the_same_queries_however_many_scales(paper_study, n_more, django_assert_num_queries):
    for number in range(n_more):
        Scale.objects.create(study=paper_study, name=f"scale-{number}", position=1 + number)

    with django_assert_num_queries(5):
        assert len(tables.tables(paper_study)) == 1 + n_more


def test_the_same_answers_on_another_scale_give_the_same_table(paper_study):
    rhythm = Scale.objects.create(study=paper_study, name="rhythm", position=1)
    Rating.objects.bulk_create(Rating(trial=one.trial, scale=rhythm, value=one.value) for one in Rating.objects.all())
    recount(paper_study)

    overall, other = tables.tables(paper_study)

    assert (overall.rows, overall.conditions) == (other.rows, other.conditions)
    assert printed(other.rows) == REPORT


def test_scales_stand_side_by_side(paper_study):
    rhythm = Scale.objects.create(study=paper_study, name="rhythm", position=1)
    Rating.objects.create(trial=Trial.objects.filter(stimulus__label="2D CNN 1").first(), scale=rhythm, value=2)
    recount(paper_study)

    beside = tables.side_by_side(tables.tables(paper_study))

    assert [(label, [line.average for line in lines]) for label, _, lines in beside][4:6] == [
        ("Baseline RNN 4", ["4.7", ""]),
        ("2D CNN 1", ["6.9", "2.0"]),
    ]


def test_the_command_and_the_csv_name_the_scales_where_there_are_several(paper_study, capsys):
    Scale.objects.create(study=paper_study, name="rhythm", question="How is the rhythm?", position=1)

    call_command("table", "paper")
    call_command("table", "paper", csv=True)

    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if "?" in line] == [
        "overall: How much do you like this clip?",
        "rhythm: How is the rhythm?",
    ]
    assert "overall,row,2D CNN 1,2D CNN,10,6.9" in [",".join(line.split(",")[:6]) for line in printed]
    assert "rhythm,row,2D CNN 1,2D CNN,0," in [",".join(line.split(",")[:6]) for line in printed]


def test_hidden_repeats_are_no_second_opinion(paper_study):
    first = Trial.objects.filter(position=1).first()
    repeat = Trial.objects.create(session=first.session, stimulus=first.stimulus, position=14, is_repeat=True)
    Rating.objects.create(trial=repeat, scale=paper_study.scales.get(), value=1)
    recount(paper_study)

    (table,) = tables.tables(paper_study)

    assert printed(table.rows) == REPORT
    assert len(list(tables.ratings(paper_study))) == 130


def test_ratings_of_another_study_do_not_count(paper_study, draft):
    (table,) = tables.tables(draft)

    assert printed(table.rows) == [("CNN 1", 0, ""), ("CNN 2", 0, ""), ("Real", 0, "")]


def test_a_pseudonym_lasts_and_is_not_the_participants_link(paper_study):
    codes = set(paper_study.sessions.values_list("code", flat=True))

    names = [line[1] for line in tables.ratings(paper_study)]

    assert len(set(names)) == 10
    assert names == [line[1] for line in tables.ratings(paper_study)]
    assert not any(code in name or name in code for code in codes for name in names)


def test_the_command_prints_the_tables(paper_study, capsys):
    call_command("table", "paper")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "How much do you like this clip?"
    assert lines[2:5] == [
        "Row              n  Average    SD  95 % interval    2 to 10",
        "LPD5 Samples    30      9.3  0.92   8.82 to 9.78       ▁▂▅█",
        "Baseline RNN 1  10      7.1  1.37   6.12 to 8.08     ▄▂▄█▂",
    ]
    assert lines[-1].startswith("2D CNN        60      7.1  1.68   6.44 to 7.72")


def test_the_command_prints_csv(paper_study, capsys):
    call_command("table", "paper", csv=True)

    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(line["row"], int(line["n"]), line["average"]) for line in lines if line["level"] == "row"] == REPORT
    assert lines[-1] | {"sd": "", "low": "", "high": ""} == {
        "scale": "overall",
        "level": "condition",
        "row": "2D CNN",
        "condition": "2D CNN",
        "n": "60",
        "average": "7.1",
        "mean": "7.083333333333333",
        "sd": "",
        "low": "",
        "high": "",
    }


@pytest.mark.parametrize("command", ["table", "export_ratings"])
def test_a_study_that_is_not_there_is_named(command):
    with pytest.raises(CommandError, match=r"^There is no study nowhere\.$"):
        call_command(command, "nowhere")
