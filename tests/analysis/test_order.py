"""Drift and carry-over are lme4's slopes; who stopped where is counted."""

import pandas as pd
import pytest

from analysis.order import OrderEffects, Place, order_effects, places, with_previous


def test_drift_agrees_with_lme4(rated):
    # R: lmer(rating ~ condition + pos_c + (1 | rater) + (1 | item), d), pos_c <- order - mean(order)
    drift = order_effects(rated("paper_table")).drift

    assert (drift.value, drift.se) == pytest.approx((-0.0119926399916954, 0.0285661841293105), rel=1e-4)
    assert drift.df == pytest.approx(109.167230393416, rel=1e-3)
    assert drift.p == pytest.approx(0.67544242951693, rel=1e-3)


def test_carry_over_agrees_with_lme4(rated):
    # R: d$prev <- ave(d$rating, d$rater, FUN = function(x) c(NA, head(x, -1)))
    # R: lmer(rating ~ condition + pos_c + prev + (1 | rater) + (1 | item), d[!is.na(d$prev), ])
    carry_over = order_effects(rated("paper_table")).carry_over

    assert (carry_over.value, carry_over.se) == pytest.approx((-0.0135931107114137, 0.0630855842139562), rel=1e-4)
    assert carry_over.df == pytest.approx(105.758562364751, rel=1e-3)


def test_a_drift_that_is_there_is_found(rated):
    # paper_table_bib was made with -0.12 points a position.
    drift = order_effects(rated("paper_table_bib")).drift

    assert drift.low < -0.12 < drift.high
    assert drift.excludes_zero()


def test_the_clip_before_is_the_one_at_the_position_before():
    frame = pd.DataFrame({"session": ["s", "s", "s", "t"], "position": [3, 1, 2, 1], "rating": [7.0, 5.0, 6.0, 9.0]})

    found = with_previous(frame)

    assert found[["rating", "previous"]].to_numpy().tolist() == [[6, 5], [7, 6]]


def test_who_stopped_where():
    frame = pd.DataFrame({"session": list("ssstt"), "position": [1, 2, 3, 1, 2], "rating": [4.0, 6, 8, 6, 8]})

    # t of 1 degree of freedom is 12.706, the error of the mean of 4 and 6 is 1.
    reach = pytest.approx(12.7062047364, abs=1e-9)
    first, second, third = places(frame)
    assert (first.mean - first.low, second.high - second.mean) == (reach, reach)
    assert [
        (place.position, place.n, place.mean, place.n_sessions, place.share) for place in (first, second, third)
    ] == [
        (1, 2, 5.0, 2, 1.0),
        (2, 2, 7.0, 2, 1.0),
        (3, 1, 8.0, 1, 0.5),
    ]
    assert third == Place(3, 1, 8.0, 1, 0.5)


def test_without_positions_there_is_no_answer(rated):
    frame = rated("paper_table")

    assert order_effects(frame.drop(columns="position")) == OrderEffects(None, None, [])
    assert order_effects(frame.head(0)) == OrderEffects(None, None, [])


def test_one_session_has_places_and_no_slopes(rated):
    found = order_effects(rated("paper_table").query("session == 'P01'"))

    assert (found.drift, found.carry_over, len(found.places)) == (None, None, 13)
