"""What leaves as CSV: every rating once, in the promised columns, harmless in a spreadsheet, the same when read again."""

import csv
import io

import pytest
from django.core.management import call_command

from analysis import describe
from analysis import ratings as rating_tables
from study import export
from study.models import Condition, Rating, Session, Stimulus, Trial
from study.recounting import recount
from tests.studies import NOON

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
    "\r=1",
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
    recount(paper_study)

    assert {line["rating"] for line in csv.DictReader(io.StringIO(text_of(paper_study)))} == {"-3"}
    row = next(csv.DictReader(io.StringIO("".join(export.table_csv(paper_study)))))
    assert (row["average"], row["mean"]) == ("-3.0", "-3.0")


def test_an_export_is_made_line_by_line_from_one_query(paper_study, django_assert_num_queries):
    with django_assert_num_queries(2):  # whether they are sealed; the ratings
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

    monkeypatch.setitem(export.GIVEN, "ratings", two_lines)
    (tmp_path / "ratings.csv").write_text("the last one")

    with pytest.raises(ConnectionError):
        call_command("export_ratings", "paper", out=tmp_path / "ratings.csv")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"ratings.csv": "the last one"}


# Hidden repeats and comments


def repeated(study):
    """The first session hears its first clip again, rates it 1 and says something."""
    first = Trial.objects.filter(position=1).first()
    repeat = Trial.objects.create(
        session=first.session, stimulus=first.stimulus, position=14, is_repeat=True, comment="again?", rated_at=NOON
    )
    Rating.objects.create(trial=repeat, scale=study.scales.get(), value=1)
    return first


def lines_of(lines):
    return list(csv.DictReader(io.StringIO("".join(lines), newline="")))


def test_repeats_have_a_file_of_their_own_and_nothing_is_lost(paper_study):
    first = repeated(paper_study)

    ratings, repeats = lines_of(export.ratings_csv(paper_study)), lines_of(export.repeats_csv(paper_study))

    (repeat,) = repeats
    (original,) = [
        line for line in ratings if (line["session"], line["stimulus"]) == (repeat["session"], str(first.stimulus))
    ]
    assert (repeat["position"], repeat["rating"], original["position"]) == ("14", "1", "1")
    assert repeat.keys() == original.keys()
    assert len(ratings + repeats) == Rating.objects.count() == 131


def test_the_analysis_counts_no_repeat(paper_study):
    before = describe.rows(rating_tables.read(io.StringIO(text_of(paper_study))))
    repeated(paper_study)

    frame = rating_tables.read(io.StringIO(text_of(paper_study)))

    assert describe.rows(frame) == before
    assert len(rating_tables.read(io.StringIO("".join(export.repeats_csv(paper_study))))) == 1


COMMENTS = [
    "Nice.",
    "=1+1",
    " ",
    'a "b", c;\td',
    "two\nlines",
    "two\r\nlines",
    "two\rlines",
    "x" * 200_000,
    "🎵 \u202eabc",
]


@pytest.fixture
def long_cells():
    usual = csv.field_size_limit(1_000_000)
    yield
    csv.field_size_limit(usual)


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_comment_comes_out_as_it_was_written(paper_study, comment, long_cells):
    Trial.objects.filter(position=3, session__number=2).update(comment=comment)
    trial = Trial.objects.get(position=3, session__number=2)

    (line,) = lines_of(export.comments_csv(paper_study))

    assert line["comment"].removeprefix("'") == comment
    assert not line["comment"].startswith("=")
    assert (line["position"], line["stimulus"], line["scale"], line["is_repeat"]) == (
        "3",
        str(trial.stimulus),
        "",
        "False",
    )


def test_comments_on_repeats_and_in_passes_are_told_apart(paper_study):
    repeated(paper_study)
    Trial.objects.filter(position=2, session__number=0).update(comment="too fast", scale=paper_study.scales.get())

    lines = lines_of(export.comments_csv(paper_study))

    assert [(line["position"], line["scale"], line["is_repeat"], line["comment"]) for line in lines] == [
        ("2", "overall", "False", "too fast"),
        ("14", "", "True", "again?"),
    ]


def test_the_command_writes_repeats_and_comments_too(paper_study, capsys):
    repeated(paper_study)

    for what, lines in export.GIVEN.items():
        call_command("export_ratings", "paper", what=what)
        assert capsys.readouterr().out == "".join(lines(paper_study))


def test_a_whole_session_with_everything_on_comes_out_whole(make_study):
    """Two scales in passes, a repeat in each, a comment on every clip."""
    scales = ({"name": "overall"}, {"name": "rhythm"})
    study = make_study({"CNN": 2, "RNN": 1}, scales=scales, separate_passes=True, comments=True, n_repeats=1)
    session = study.admit()
    given = []
    while trial := session.next_trial():
        trial.rate({trial.scale_id: trial.position}, comment=f"comment {trial.position}")
        given.append((str(trial.position), trial.scale.name, f"comment {trial.position}", str(trial.is_repeat)))
    study.close()

    ratings, repeats = lines_of(export.ratings_csv(study)), lines_of(export.repeats_csv(study))
    comments = lines_of(export.comments_csv(study))

    assert sorted(
        (line["position"], line["scale"], f"comment {line['rating']}") for line in ratings + repeats
    ) == sorted(line[:3] for line in given)
    assert [(line["position"], line["scale"], line["comment"], line["is_repeat"]) for line in comments] == given
    assert (len(ratings), len(repeats)) == (6, 2)
    assert len(rating_tables.read(io.StringIO("".join(export.ratings_csv(study))))) == 6
