"""Intervals, tests and their adjustment are those of the textbooks, of scipy and of R."""

import pytest
from scipy import stats

from analysis.intervals import Estimate, equivalence, holm


def test_an_interval_and_its_p_are_students():
    sample = [1, 2, 4, 7]
    by_scipy = stats.ttest_1samp(sample, 0)
    estimate = Estimate(3.5, 7**0.5 / 2, 3)

    assert estimate.reach() == pytest.approx(3.182446305 * 7**0.5 / 2)  # t(.975, 3), from the tables
    assert (estimate.low, estimate.high) == pytest.approx(tuple(by_scipy.confidence_interval()))
    assert estimate.p == pytest.approx(by_scipy.pvalue)
    assert not estimate.excludes_zero()


def test_nothing_varied_is_an_interval_without_width_and_no_test():
    estimate = Estimate(2.0, 0.0, 9)

    assert (estimate.low, estimate.high, estimate.p) == (2.0, 2.0, None)
    assert estimate.excludes_zero()
    assert not Estimate(0.0, 0.0, 9).excludes_zero()


def test_turned_round_it_says_the_same():
    estimate = -Estimate(2.0, 1.0, 9)

    assert (estimate.value, estimate.high, estimate.p) == (-2.0, -Estimate(2, 1, 9).low, Estimate(2, 1, 9).p)


@pytest.mark.parametrize(
    ("value", "se", "p"),
    [
        (-1.28333333333331, 0.581248610912962, 0.681777868790622),
        (-3.5, 0.687742631195382, 0.997713006199321),
        (-2.21666666666669, 0.636725951431145, 0.957454812638267),
    ],
)
def test_equivalence_agrees_with_r(value, se, p):
    # R: summary(pairs(emmeans(m, "condition")), delta = 1, side = "equivalence", adjust = "none")
    found = equivalence(Estimate(value, se, 9.99988722799433), margin=1)

    assert found.p == pytest.approx(p, abs=1e-6)
    assert not found.is_equivalent


def test_equivalence_is_shown_when_the_90_percent_interval_is_inside_the_margin():
    estimate = Estimate(0.1, 0.3, 20)

    for margin in (0.55, 0.6, 0.62, 0.65, 1):
        found = equivalence(estimate, margin)

        assert found.is_equivalent == (-margin < found.low and found.high < margin)
    assert [equivalence(estimate, margin).is_equivalent for margin in (0.55, 0.65)] == [False, True]


def test_equivalence_needs_a_margin_and_an_error():
    with pytest.raises(ValueError, match="margin must be above 0, not 0"):
        equivalence(Estimate(1, 1, 9), 0)
    with pytest.raises(ValueError, match="error of 0"):
        equivalence(Estimate(1, 0, 9), 1)


def test_holm_by_hand():
    # In rising order times 5, 4, 3, 2, 1, and never below the one before: .025, .04, .09, .08 -> .09, .6.
    assert holm([0.01, 0.04, 0.03, 0.005, 0.6]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.6])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_test_that_could_not_be_made_does_not_count():
    assert holm([0.02, None, 0.5]) == [0.04, None, 0.5]
