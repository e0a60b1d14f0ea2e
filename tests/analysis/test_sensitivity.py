"""The strip puts one contrast in several ways, each as R has it."""

import numpy as np
import pandas as pd
import pytest

from analysis import sensitivity as sensitivities
from analysis.screening import flags
from analysis.sensitivity import Line, leave_one_clip_out, on_own_scale, sensitivity, strips


@pytest.fixture
def strip(rated):
    return {line.way: line for line in sensitivity(rated("paper_table"), "cnn2d", "baseline_rnn")}


def test_the_ways_come_headline_first(strip):
    assert list(strip) == [
        "all ratings",
        "without flagged sessions",
        "each session on its own scale",
        "position allowed for",
        "answers as an order",
        "session means",
        "ranks of session means",
    ]
    assert [line.new_clips for line in strip.values()] == [True] * 5 + [False] * 2


def test_points_agree_with_r(strip):
    # R: pairs(emmeans(m, "condition")); the same with pos_c; t.test(a, b, paired = TRUE)
    found = {way: (line.size, line.p) for way, line in strip.items()}

    assert found["all ratings"] == (pytest.approx(1.28333333333331), pytest.approx(0.0517454859912132, rel=1e-3))
    assert found["position allowed for"] == (
        pytest.approx(1.29752462399019, rel=1e-5),
        pytest.approx(0.0500488694534959, rel=1e-3),
    )
    assert found["session means"] == (pytest.approx(1.28333333333333), pytest.approx(0.000290199735015386))
    assert (strip["session means"].low, strip["session means"].high) == pytest.approx(
        (0.775007807352915, 1.79165885931375)
    )


def test_order_ranks_and_own_scales_agree_with_r(strip):
    # R: pairs(emmeans(clmm(...), "condition")); wilcox.test(..., exact = FALSE); aggregate(z ~ condition, d, mean)
    assert strip["answers as an order"].size == pytest.approx(1.82088622128434, rel=1e-4)
    assert strip["answers as an order"].p == pytest.approx(0.0215351409818882, rel=1e-3)
    assert strip["ranks of session means"].p == pytest.approx(0.00585709908528413)
    assert strip["ranks of session means"].size == 1
    assert strip["each session on its own scale"].size == pytest.approx(-0.0740684364660064 + 0.721127566957102)


def test_turned_round_every_way_turns_round(rated, strip):
    other = sensitivity(rated("paper_table"), "baseline_rnn", "cnn2d")

    for line in other:
        assert line.size == pytest.approx(-strip[line.way].size, rel=1e-4)
        assert line.p == pytest.approx(strip[line.way].p, rel=1e-3)


def test_the_screened_line_is_the_answer_without_the_flagged(rated):
    frame = rated("screening_sim")
    kept = frame[~frame["session"].isin({flag.session for flag in flags(frame)})]

    lines = sensitivity(frame, "cnn2d", "baseline_rnn")

    assert lines[1].size == sensitivity(kept, "cnn2d", "baseline_rnn", flagged=[])[0].size
    assert lines[1].size > lines[0].size


def test_leaving_a_clip_out_is_the_table_without_it(rated):
    frame = rated("paper_table")

    lines = leave_one_clip_out(frame)["baseline_rnn", "cnn2d"]

    assert [line.way for line in lines] == [f"without {n}" for n in [f"rnn_{k}" for k in range(1, 5)]] + [
        f"without cnn_{k}" for k in range(1, 7)
    ]
    without = frame[frame["stimulus"] != "cnn_6"]
    assert lines[-1].size == pytest.approx(sensitivity(without, "baseline_rnn", "cnn2d")[0].size)
    assert lines[-1].size == pytest.approx(-1.6)


def test_a_table_too_large_to_leave_each_clip_out_has_no_such_lines(rated, monkeypatch):
    monkeypatch.setattr(sensitivities, "MOST_LEFT_OUT", 13 * 130 - 1)

    assert leave_one_clip_out(rated("paper_table")) == {}


def test_the_strips_of_all_pairs_are_those_of_each(rated):
    frame = rated("paper_table")

    found = strips(frame)

    assert list(found) == [("baseline_rnn", "cnn2d"), ("baseline_rnn", "lpd5"), ("cnn2d", "lpd5")]
    assert found["cnn2d", "lpd5"] == sensitivity(frame, "cnn2d", "lpd5")
    assert strips(frame[:0]) == {}


def test_the_order_of_two_that_are_no_reference_agrees_with_r(rated):
    # R: summary(clmm(y ~ relevel(condition, "cnn2d") + (1 | session) + (1 | stimulus))): lpd5
    line = strips(rated("paper_table"))["cnn2d", "lpd5"][4]

    assert line.size == pytest.approx(1.82088622128434 - 5.50847, rel=1e-4)
    assert line.low < line.size < line.high < 0


def test_on_its_own_scale_each_session_has_mean_0_and_sd_1(rated):
    frame = rated("screening_sim")

    by_session = on_own_scale(frame).groupby("session")["rating"]

    assert by_session.mean().to_numpy() == pytest.approx(0, abs=1e-12)
    assert by_session.std().to_numpy() == pytest.approx(1)
    assert set(frame["session"]) - set(by_session.groups) == {"X01", "X02"}


def test_where_a_way_has_no_answer_it_says_nothing():
    lines = [(s, c, c, 5 + k) for k, s in enumerate("stu") for c in "ab"]
    frame = pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"])

    found = sensitivity(frame, "a", "b")

    assert [line.size for line in found] == [None, None, None, None, 0, None]
    assert found[0] == Line("all ratings", "points", new_clips=True)
    assert leave_one_clip_out(frame)["a", "b"] == [Line(f"without {c}", "points", new_clips=True) for c in "ab"]


def test_all_sessions_flagged_leave_no_screened_answer(rated):
    frame = rated("paper_table")

    lines = sensitivity(frame, "cnn2d", "lpd5", flagged=frame["session"].unique())

    assert lines[1].size is None
    assert np.isfinite(lines[0].size)


def test_what_is_no_condition_is_refused(rated):
    with pytest.raises(ValueError, match='a and b must be two of baseline_rnn, cnn2d, lpd5, not "cnn" and "lpd5"'):
        sensitivity(rated("paper_table"), "cnn", "lpd5")
    with pytest.raises(ValueError, match="a and b must be two"):
        sensitivity(rated("paper_table"), "lpd5", "lpd5")
