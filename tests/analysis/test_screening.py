"""Screening finds who did not listen and accuses nobody else; R's figures a session are the same."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import ratings, screening
from analysis.rules import RULES
from analysis.screening import Flag, Limits

FIXTURES = Path(__file__).parents[1] / "fixtures"
MAIN = ("no_spread", "low_correlation", "far_from_others", "too_fast")


def truth():
    with (FIXTURES / "screening_truth.csv").open() as file:
        return {line["rater"] for line in csv.DictReader(file) if line["should_flag"] == "True"}


def test_the_main_rules_find_all_six_and_nobody_else(rated):
    found = screening.flags(rated("screening_sim"), references=["lpd5"])

    assert {flag.session for flag in found if flag.rule in MAIN} == truth()
    assert {flag.session for flag in found} == truth()


def test_each_rule_finds_what_it_is_for(rated):
    found = screening.flags(rated("screening_sim"), references=["lpd5"])

    by_rule = {rule: [flag.session for flag in found if flag.rule == rule] for rule in MAIN}
    assert by_rule["no_spread"] == ["X01", "X02"]
    assert by_rule["low_correlation"] == ["X04", "X05"]
    assert len(by_rule["far_from_others"]) == 3
    assert by_rule["too_fast"] == ["X01", "X02", "X03", "X04"]


def test_the_figures_of_a_session_are_those_of_r(rated):
    # R: sapply(levels(d$rater), function(p) cor(own, tapply(others$rating, others$item, mean)))
    # R: 0.6744897501960817 * (mean - median(mean)) / mad(mean, constant = 1)
    found = screening.measures(rated("paper_table"))

    assert found.loc[["P01", "P02", "P09"], "correlation"].tolist() == pytest.approx(
        [0.743012049441523, 0.89900528897842, 0.550160079185821], abs=1e-9
    )
    assert found.loc[["P01", "P02", "P09"], "mean_z"].tolist() == pytest.approx(
        [-1.31686094085902, 0.28906703579832, -0.353304154864615], abs=1e-9
    )
    assert found.loc["P01", ["n", "mean", "sd"]].tolist() == pytest.approx([13, 5.69230769230769, 2.05688337801861])


def test_distance_and_reference_by_hand():
    lines = [("s", "real", "r", 4), ("s", "cnn", "c", 9), ("t", "real", "r", 8), ("t", "cnn", "c", 6)]
    lines += [("u", "real", "r", 10), ("u", "cnn", "c", 8)]
    frame = pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"])

    found = screening.measures(frame, references=["real"])

    # s gave 4 and 9 where the others gave 9 and 7 on average.
    assert found.loc["s", "distance"] == pytest.approx(((5**2 + 2**2) / 2) ** 0.5)
    assert found["above_reference"].to_dict() == {"s": 5, "t": -2, "u": -2}
    assert np.isnan(found["correlation"]).all()
    assert screening.flags(frame, ["real"]) == [Flag("s", "reference_below", 5.0)]


def test_speed_is_read_from_the_times_of_a_study():
    table = io.StringIO(
        "session,condition,stimulus,rating,shown_at,rated_at\n"
        "s,a,x,5,2024-06-13T09:29:27Z,2024-06-13T09:29:30.500000Z\n"
        "t,a,x,6,2024-06-13T09:29:27Z,2024-06-13T09:30:00Z\n"
    )

    assert screening.flags(ratings.read(table)) == [Flag("s", "too_fast", 3.5)]


def test_few_values_and_an_unusual_mean_are_seen():
    chance = np.random.default_rng(1)
    lines = [(f"s{s:02}", "a", c, chance.integers(4, 8)) for s in range(12) for c in range(8)]
    lines += [("two", "a", c, 5 + c % 2) for c in range(8)] + [("low", "a", c, 1 + c % 3) for c in range(8)]
    frame = pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"])

    found = {(flag.session, flag.rule) for flag in screening.flags(frame)}

    assert {("two", "few_values"), ("low", "unusual_mean"), ("low", "far_from_others")} <= found
    assert ("low", "few_values") not in found


def test_too_few_ratings_are_no_sign():
    lines = [(s, "a", c, 5 if s == "s" else 4 + c) for s in "stu" for c in range(3)]
    frame = pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"])

    assert screening.flags(frame) == []
    assert [flag.rule for flag in screening.flags(frame, limits=Limits(fewest_ratings=3))] == [
        "no_spread",
        "few_values",
    ]


def test_a_clip_that_came_again_should_be_rated_alike():
    repeats = pd.DataFrame({"session": ["s", "s", "t"], "first": [2, 9, 5], "second": [8, 9, 6]})

    assert screening.repeat_flags(repeats) == [Flag("s", "inconsistent", 3.0)]


def test_the_mushra_rule_excludes_whom_the_standard_excludes(rated):
    # R: mean(a < 90) > .15 of the reference, mean(b > 90) > .15 of the anchor
    found = screening.mushra_flags(rated("mushra_neural_codec"), "Reference", "Anchor")

    assert found == [
        Flag("p06", "reference_missed", 0.625),
        Flag("p17", "reference_missed", 0.25),
        Flag("p21", "anchor_missed", 0.5),
    ]


def test_flags_never_delete_and_the_screened_table_lacks_only_the_flagged(rated):
    frame = rated("screening_sim")
    before = frame.copy()

    kept = screening.without(frame, screening.flags(frame))

    pd.testing.assert_frame_equal(frame, before)
    assert set(frame["session"]) - set(kept["session"]) == truth()


def test_every_rule_has_words_and_nothing_flags_nothing(rated):
    frame = rated("screening_sim")

    assert {flag.rule for flag in screening.flags(frame)} <= set(RULES)
    assert screening.flags(frame.head(0)) == []
    assert screening.flags(frame.query("session == 'H01'")) == []
    assert screening.flags(frame.assign(rating=5.0, response_ms=30_000)) == [
        Flag(session, rule, value)
        for session in sorted(frame["session"].unique())
        for rule, value in (("no_spread", 0.0), ("few_values", 1.0))
    ]
