"""Averages are exact, intervals are those of R, and an odd table has a stated answer.

The fixture paper_table.csv holds ten raters' ratings whose averages are those of the report's Table 1. R's figures are
from R 4.2.2: mean(y), sd(y), and for the intervals t.test(tapply(y, rater, mean)).
"""

import csv
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import describe, ratings
from analysis.compare import over_sessions
from analysis.describe import Tally, half_up

FIXTURES = Path(__file__).parents[1] / "fixtures"
TABLES = ("paper_table", "paper_table_bib", "screening_sim", "music_aimgef", "mushra_neural_codec")
PAPER = {"session": "rater", "stimulus": "item", "row": "table_row"}


def lines_of(name):
    with (FIXTURES / name).open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def paper():
    return ratings.read(FIXTURES / "paper_table.csv", PAPER)


def frame_of(*rated):
    return ratings.read(pd.DataFrame(rated, columns=["session", "condition", "stimulus", "rating"]))


def test_the_reports_table_is_printed_as_the_report_prints_it(paper):
    printed = [(row.label, row.condition, row.n, row.total, row.average) for row in describe.rows(paper)]

    assert printed == [
        (line["table_row"], line["condition"], int(line["count"]), int(line["sum"]), line["report"])
        for line in lines_of("paper_table_expected.csv")
    ]


@pytest.mark.parametrize("line", lines_of("rounding_edge.csv"), ids=lambda line: f"{line['sum']}/{line['n']}")
def test_a_half_is_rounded_up(line):
    assert half_up(Fraction(int(line["sum"]), int(line["n"]))) == line["half_up"]


def test_rounding_by_eye():
    assert [half_up(x, 2) for x in (0.125, 2.675, 1.005, -0.125, -0.001, 7.0)] == [
        "0.13", "2.68", "1.01", "-0.13", "0.00", "7.00",
    ]  # fmt: skip
    assert half_up(Fraction(1, 3), 0) == "0"


def test_conditions_agree_with_r(paper):
    # R: aggregate(rating ~ condition, d, function(y) c(length(y), mean(y), sd(y)))
    described = {c.label: (c.n, c.mean, c.sd) for c in describe.conditions(paper)}

    assert described == {
        "lpd5": (30, pytest.approx(9.3, abs=1e-9), pytest.approx(0.915385729888094, abs=1e-9)),
        "baseline_rnn": (40, pytest.approx(5.8, abs=1e-9), pytest.approx(1.87014328259519, abs=1e-9)),
        "cnn2d": (60, pytest.approx(7.08333333333333, abs=1e-9), pytest.approx(1.68031137819263, abs=1e-9)),
    }


@pytest.mark.parametrize("name", TABLES)
def test_conditions_agree_with_the_reference_answers(name, rated, r_says):
    # R: aggregate(rating ~ condition, d, function(y) c(length(y), mean(y), sd(y)))
    described = describe.conditions(rated(name))

    for key in ("n", "mean", "sd"):
        assert {d.label: getattr(d, key) for d in described} == r_says(name, f"describe condition {key}")


@pytest.mark.parametrize("name", TABLES)
def test_the_naive_intervals_that_coverage_is_held_against_are_rs(name, rated, r_says):
    # R: mean(y) + c(-1, 1) * qt(.975, n - 1) * sd(y) / sqrt(n), over all ratings of a condition
    naive = {c: over_sessions(part.to_numpy()) for c, part in rated(name).groupby("condition")["rating"]}

    assert {c: e.se for c, e in naive.items()} == r_says(name, "describe condition se")
    assert {c: e.low for c, e in naive.items()} == r_says(name, "describe condition t_lo")
    assert {c: e.high for c, e in naive.items()} == r_says(name, "describe condition t_hi")


def test_the_interval_is_students_t_over_session_means(paper):
    # R: t.test(with(subset(d, table_row == "LPD5 Samples"), tapply(rating, rater, mean)))
    references = describe.rows(paper)[0]

    assert (references.n_sessions, references.df) == (10, 9)
    assert references.low == pytest.approx(8.817170888066817, abs=1e-9)
    assert references.high == pytest.approx(9.782829111933184, abs=1e-9)


def test_condition_intervals_agree_with_scipy(paper):
    for condition in describe.conditions(paper):
        means = paper[paper["condition"] == condition.label].groupby("session")["rating"].mean()
        se = stats.sem(means)

        assert condition.se == pytest.approx(se, abs=1e-12)
        assert (condition.low, condition.high) == pytest.approx(stats.t.interval(0.95, 9, means.mean(), se), abs=1e-12)


def test_an_interval_worked_by_hand():
    # Session means 4, 6, 8: mean 6, sd 2, se 2 / sqrt(3), t(.975, 2) = 4.302652729911275.
    tally = Tally("a", "a", Counter({4: 1, 5: 1, 7: 1, 8: 1}), Counter({(4, 1): 1, (12, 2): 1, (8, 1): 1}))

    described = describe.describe(tally)

    assert (described.n, described.total, described.n_sessions, described.df) == (4, 24, 3, 2)
    assert described.se == pytest.approx(2 / 3**0.5)
    assert described.low == pytest.approx(6 - 4.302652729911275 * 2 / 3**0.5)
    assert described.high == pytest.approx(6 + 4.302652729911275 * 2 / 3**0.5)


def test_the_order_of_the_ratings_does_not_change_a_digit(paper):
    shuffled = paper.sample(frac=1, random_state=1).reset_index(drop=True)

    assert describe.rows(shuffled) == describe.rows(paper)
    assert describe.conditions(shuffled) == describe.conditions(paper)


def test_ratings_with_decimals_add_up_exactly():
    rows = describe.rows(frame_of(*[(str(k), "a", "x", 0.1) for k in range(10)]))

    assert (rows[0].total, rows[0].mean, rows[0].sd) == (1, 0.1, 0.0)


def test_one_session_has_an_average_and_no_interval():
    (row,) = describe.rows(frame_of(("s", "a", "x", 7)))

    assert (row.n, row.average, row.sd, row.se, row.df, row.low, row.high) == (1, "7.0", None, None, 0, None, None)


def test_equal_ratings_have_an_interval_of_no_width():
    (row,) = describe.rows(frame_of(*[(str(k), "a", "x", 7) for k in range(3)]))

    assert (row.sd, row.se, row.low, row.high) == (0.0, 0.0, 7.0, 7.0)


def test_a_row_without_ratings_says_nothing():
    described = describe.describe(Tally("2D CNN 1", "2D CNN"))

    assert (described.n, described.mean, described.average, described.sd, described.low) == (0, None, "", None, None)


def test_no_ratings_make_no_rows():
    empty = ratings.read(pd.DataFrame(columns=["session", "condition", "stimulus", "rating"]))

    assert describe.rows(empty) == []
    assert describe.conditions(empty) == []


def test_rows_come_references_first_then_by_rising_average_in_natural_order():
    rated = [("s", "b", f"b {k}", 9) for k in (10, 2)] + [("s", "a", "a 1", 3)]
    frame = frame_of(*rated, ("s", "real", "one", 5), ("s", "real", "two", 6))
    frame["row"] = frame["stimulus"].replace({"one": "Real", "two": "Real"})

    assert [row.label for row in describe.rows(frame)] == ["Real", "a 1", "b 2", "b 10"]
    assert [condition.label for condition in describe.conditions(frame)] == ["real", "a", "b"]


def test_the_interval_covers_the_truth_for_these_clips():
    # Sessions differ by a severity of sd 0.85; the true average of the clip is 6.5.
    chance = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        severity = chance.normal(6.5, 0.85, 10)
        answers = np.clip(np.rint(severity[:, None] + chance.normal(0, 1.17, (10, 4))), 1, 10).astype(int)
        sums = Counter((int(total), 4) for total in answers.sum(axis=1))
        described = describe.describe(Tally("a", "a", Counter(answers.ravel().tolist()), sums))
        covered += described.low <= 6.5 <= described.high

    assert 0.92 <= covered / 400 <= 0.98
