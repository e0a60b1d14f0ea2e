"""The cumulative-link mixed model gives the answers of R's ordinal."""

import time

import numpy as np
import pandas as pd
import pytest

from analysis.grid import grid
from analysis.ordinal import _Laplace, compare_ordinal, fit_ordinal


def fit_as_r_orders(frame, conditions):
    table = grid(frame)
    names = np.array(table.condition_names)[table.conditions]
    design = np.column_stack([names == name for name in conditions[1:]]).astype(float)
    return fit_ordinal(table.y, design, table.sessions, table.stimuli)


def laplace_of(rated):
    table = grid(rated("paper_table"))
    answers = np.unique(table.y, return_inverse=True)[1]
    return _Laplace(answers, table.indicators()[:, 1:], table.sessions, table.stimuli)


@pytest.mark.parametrize("name", ["paper_table", "paper_table_bib", "screening_sim", "music_aimgef"])
def test_it_agrees_with_clmm(name, rated, r_says):
    # R: clmm(factor(rating) ~ condition + (1 | rater) + (1 | item), d, control = clmm.control(gradTol = 1e-6))
    coefficients, errors = r_says(name, "clmm coef"), r_says(name, "clmm SE")
    fit = fit_as_r_orders(rated(name), list(r_says(name, "emmean")))

    found = dict(zip(coefficients, [*fit.thresholds, *fit.beta], strict=True))
    # abs: a coefficient near 0 has no relative error to speak of
    assert found == {term: pytest.approx(said.expected, rel=1e-4, abs=1e-4) for term, said in coefficients.items()}
    assert dict(zip(errors, fit.errors, strict=True)) == errors
    assert {"rater": fit.sd_session, "item": fit.sd_stimulus} == r_says(name, "clmm random SD")
    assert {"": fit.log_likelihood} == r_says(name, "clmm logLik")


def test_a_standard_deviation_of_zero_is_an_answer(rated):
    # R: clmm(rating ~ temp + contact + (1 | judge) + (1 | bottle), data = wine)
    frame = rated("anchor_wine")
    design = np.column_stack([frame["temp"] == "warm", frame["contact"] == "yes"]).astype(float)
    sessions, stimuli = (pd.factorize(frame[name])[0] for name in ("session", "stimulus"))

    fit = fit_ordinal(frame["rating"], design, sessions, stimuli)

    assert fit.beta == pytest.approx([3.0630032403505, 1.83490270352768], rel=1e-4)
    assert fit.sd_session == pytest.approx(1.13114467275036, rel=1e-4)
    assert fit.sd_stimulus == 0
    assert fit.log_likelihood == pytest.approx(-81.5654127769674, abs=1e-4)


def test_conditions_are_compared_with_the_first_and_all_at_once(rated):
    # R: anova(clmm(y ~ condition + ...), clmm(y ~ 1 + ...))
    found = compare_ordinal(rated("paper_table"))

    assert (found.reference, list(found.coefficients)) == ("baseline_rnn", ["cnn2d", "lpd5"])
    assert found.coefficients["cnn2d"] == pytest.approx((1.82089, 0.7922), abs=1e-3)
    assert (found.chi2, found.df) == (pytest.approx(17.1412, abs=1e-3), 2)
    assert found.p == pytest.approx(1.896e-4, rel=1e-3)


def test_the_gradient_is_the_slope_of_the_loss(rated):
    laplace = laplace_of(rated)
    chance = np.random.default_rng(1)

    for _ in range(5):
        point = laplace.start() + chance.normal(0, 0.3, 12)
        slopes = [(laplace.loss(point + e)[0] - laplace.loss(point - e)[0]) / 2e-5 for e in np.eye(12) * 1e-5]
        assert laplace.loss(point)[1] == pytest.approx(slopes, abs=1e-7)


def test_without_effects_the_loss_is_that_of_plain_proportional_odds(rated):
    # By hand: each rating's probability is a difference of two logistic curves.
    laplace = laplace_of(rated)
    thresholds, beta = np.linspace(-3, 3, 8), np.array([0.5, 1.5])
    point = np.concatenate([thresholds[:1], np.log(np.diff(thresholds)), beta, [0, 0]])
    ends = np.concatenate([[-np.inf], thresholds, [np.inf]])
    eta = laplace.design @ beta

    chances = 1 / (1 + np.exp(eta - ends[laplace.answers + 1])) - 1 / (1 + np.exp(eta - ends[laplace.answers]))

    assert laplace.loss(point)[0] == pytest.approx(-np.log(chances).mean())


def test_only_the_order_of_the_answers_counts(rated):
    frame = rated("paper_table")
    stretched = frame.assign(rating=frame["rating"] ** 3 + 100)

    one, other = compare_ordinal(frame), compare_ordinal(stretched)

    assert one.coefficients == other.coefficients


def test_where_the_model_has_no_answer():
    chance = np.random.default_rng(1)
    sessions, clips = (codes.ravel() for codes in np.indices((6, 6)))
    conditions = np.where(clips < 3, "a", "b")
    frame = pd.DataFrame({"session": sessions, "condition": conditions, "stimulus": clips})
    frame["rating"] = chance.integers(1, 6, 36)

    assert compare_ordinal(frame).df == 1
    assert compare_ordinal(frame.assign(condition="a")) is None
    assert compare_ordinal(frame.assign(rating=5)) is None
    assert compare_ordinal(frame.query("session == 0")) is None
    assert compare_ordinal(frame.query("stimulus in (0, 3)")) is None
    assert compare_ordinal(frame.assign(rating=np.where(conditions == "a", 9, frame["rating"]))) is None


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="y has one level only"):
        fit_ordinal([3, 3, 3, 3], np.empty((4, 0)), [0, 0, 1, 1], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="two levels or more"):
        fit_ordinal([1, 2, 3, 4], np.empty((4, 0)), [0, 0, 0, 0], [0, 1, 0, 1])


def test_20000_ratings_are_fitted_within_ten_seconds():
    chance = np.random.default_rng(1)
    sessions, stimuli = (codes.ravel() for codes in np.indices((400, 50)))
    latent = chance.normal(0, 1, 400)[sessions] + chance.normal(0, 1, 50)[stimuli] + chance.logistic(0, 1, 20_000)
    y = np.digitize(latent, [-3, -1.5, 0, 1.5, 3])

    begun = time.process_time()
    fit = fit_ordinal(y, np.empty((20_000, 0)), sessions, stimuli, with_errors=False)

    assert time.process_time() - begun < 10
    assert (fit.sd_session, fit.sd_stimulus) == pytest.approx((1, 1), abs=0.15)
