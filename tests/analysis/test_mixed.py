"""The crossed mixed model gives lme4's fits and lmerTest's degrees of freedom, zero variances included."""

import time

import numpy as np
import pytest

from analysis import grid, mixed

TABLES = ("paper_table", "paper_table_bib", "screening_sim", "music_aimgef", "mushra_neural_codec")


def treatment(frame, levels):
    """R's default coding: an intercept, then each other condition against the first."""
    return np.column_stack([np.ones(len(frame))] + [frame["condition"] == level for level in levels[1:]]).astype(float)


def fit_of(frame, levels, reml=True):
    return mixed.fit(frame["rating"], treatment(frame, levels), frame["session"], frame["stimulus"], reml)


def simulated(n_sessions, n_stimuli, n_each, seed=1):
    """Ratings 1-10 of n_each of the stimuli by each session, four conditions."""
    chance = np.random.default_rng(seed)
    sessions = np.repeat(np.arange(n_sessions), n_each)
    stimuli = np.concatenate([chance.permutation(n_stimuli)[:n_each] for _ in range(n_sessions)])
    effects = chance.normal(0, 0.85, n_sessions)[sessions] + chance.normal(0, 0.8, n_stimuli)[stimuli]
    y = np.clip(np.rint(6 + effects + chance.normal(0, 1.2, len(sessions))), 1, 10)
    return y, np.eye(4)[stimuli % 4], sessions, stimuli


@pytest.mark.parametrize("name", TABLES)
def test_it_agrees_with_lme4(name, rated, r_says):
    # R: m <- lmerTest::lmer(rating ~ condition + (1 | rater) + (1 | item), d)
    estimates = r_says(name, "lmer REML estimate")  # summary(m)$coefficients
    levels = list(r_says(name, "emmean"))
    fit = fit_of(rated(name), levels)

    found = dict(zip(estimates, (fit.estimate(row) for row in np.eye(len(levels))), strict=True))

    assert {term: e.value for term, e in found.items()} == estimates
    assert {term: e.se for term, e in found.items()} == r_says(name, "lmer REML SE")
    assert {term: e.df for term, e in found.items()} == r_says(name, "lmer Satterthwaite df")
    variances = {"item": fit.stimulus, "rater": fit.session, "Residual": fit.residual}
    assert variances == r_says(name, "lmer REML variance")  # as.data.frame(VarCorr(m))
    assert {"": fit.criterion} == r_says(name, "lmer REML criterion")  # REMLcrit(m)


@pytest.mark.parametrize("name", TABLES)
def test_the_full_likelihood_agrees_with_lme4(name, rated, r_says):
    # R: logLik(lmer(rating ~ condition + (1 | rater) + (1 | item), d, REML = FALSE))
    fit = fit_of(rated(name), list(r_says(name, "emmean")), reml=False)

    assert {"": fit.log_likelihood} == r_says(name, "lmer ML logLik")


def test_two_crossed_factors_agree_with_lme4s_own_example(rated):
    # R: lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin)
    frame = rated("anchor_penicillin")

    fit = mixed.fit(frame["rating"], np.ones((144, 1)), frame["session"], frame["stimulus"])

    assert (fit.stimulus, fit.session, fit.residual) == pytest.approx((0.716905, 3.731132, 0.302415), rel=1e-4)
    assert fit.criterion == pytest.approx(330.860588999606, abs=1e-4)
    assert fit.estimate([1]).df == pytest.approx(5.48659, rel=1e-3)


def test_a_variance_of_zero_is_an_answer_and_has_degrees_of_freedom(rated):
    # R: lmer(response ~ temp + contact + (1 | judge) + (1 | bottle), wine), which is singular: bottle 0
    frame = rated("anchor_wine")
    design = np.column_stack([np.ones(72), frame["temp"] == "warm", frame["contact"] == "yes"])

    fit = mixed.fit(frame["response"].astype(float), design, frame["session"], frame["stimulus"])
    warm = fit.estimate([0, 1, 0])

    assert fit.stimulus == 0
    assert (fit.session, fit.residual) == pytest.approx((73.0861666298231, 154.053733754595), rel=1e-4)
    assert fit.criterion == pytest.approx(565.985917870455, abs=1e-4)
    assert (warm.value, warm.se) == pytest.approx((22.8333333333333, 2.92549837876287), rel=1e-5)
    assert warm.df == pytest.approx(61.0, rel=1e-3)


def test_73421_ratings_agree_with_lme4(rated):
    # R: lmer(y ~ service + (1 | s) + (1 | d), InstEval); there a lecturer d is rated in both conditions
    frame = rated("anchor_insteval", ".csv.gz")
    design = np.column_stack([np.ones(len(frame)), frame["condition"] == "service"])

    fit = mixed.fit(frame["rating"], design, frame["session"], frame["stimulus"])

    found = (fit.session, fit.stimulus, fit.residual)
    assert found == pytest.approx((0.105654852681225, 0.27148321872743, 1.38661356741911), rel=1e-4)
    assert fit.criterion == pytest.approx(237743.583116116, abs=1e-4)
    assert fit.beta[1] == pytest.approx(-0.0911321694429458, rel=1e-5)
    assert fit.estimate([0, 1]).df == pytest.approx(54302.4932339904, rel=1e-3)


def test_without_stimuli_it_is_the_model_of_sessions_alone(rated):
    # R: emmeans(lmer(rating ~ item + (1 | rater), d), "item", lmer.df = "satterthwaite")
    frame = rated("paper_table")
    names = sorted(frame["stimulus"].unique())
    design = np.column_stack([frame["stimulus"] == name for name in names])

    fit = mixed.fit(frame["rating"], design, frame["session"])
    first = fit.estimate(np.eye(13)[0])

    assert (names[0], first.value) == ("cnn_1", pytest.approx(6.9))
    assert first.se == pytest.approx(0.458723610220812, rel=1e-4)
    assert first.df == pytest.approx(48.0191278230444, rel=1e-3)
    assert fit.stimulus == 0


def test_the_balanced_fit_is_the_analysis_of_variance_by_hand():
    # Sessions 1, 2, 3 rate stimuli a, b: mean squares 61/6 (sessions), 1/6 (stimuli), 1/6 (rest).
    y = [1, 2, 4, 4, 6, 6]

    fit = mixed.fit(y, np.ones((6, 1)), [1, 1, 2, 2, 3, 3], ["a", "b"] * 3)

    assert (fit.session, fit.stimulus, fit.residual) == pytest.approx(((61 / 6 - 1 / 6) / 2, 0, 1 / 6), abs=1e-5)


def test_sessions_and_stimuli_may_change_places(rated):
    frame = rated("paper_table_bib")
    levels = sorted(frame["condition"].unique())
    design = treatment(frame, levels)

    one = mixed.fit(frame["rating"], design, frame["session"], frame["stimulus"])
    other = mixed.fit(frame["rating"], design, frame["stimulus"], frame["session"])

    assert (one.session, one.stimulus) == pytest.approx((other.stimulus, other.session), rel=1e-9)


def test_labels_and_their_order_do_not_matter(rated):
    frame = rated("paper_table_bib")
    levels = sorted(frame["condition"].unique())
    shuffled = frame.sample(frac=1, random_state=1)

    one, other = fit_of(frame, levels), fit_of(shuffled, levels)

    assert (one.criterion, one.session, one.stimulus) == pytest.approx((other.criterion, other.session, other.stimulus))


def test_ratings_far_from_zero_lose_no_digit():
    y, design, sessions, stimuli = simulated(20, 10, 8)

    near, far = (mixed.fit(y + shift, design, sessions, stimuli) for shift in (0, 1e6))

    assert (far.session, far.stimulus, far.residual) == pytest.approx((near.session, near.stimulus, near.residual))
    assert far.beta == pytest.approx(near.beta + 1e6)


def test_the_gradient_is_the_slope_of_the_criterion():
    y, design, sessions, stimuli = simulated(12, 8, 5)
    problem = mixed.fit(y, design, sessions, stimuli)._problem

    for ratio in ([0.3, 0.7], [2.0, 0.1], [1e-6, 1.0]):
        for k, step in enumerate(np.eye(2) * 1e-7):
            slope = (problem.criterion_at(ratio + step)[0] - problem.criterion_at(ratio - step)[0]) / 2e-7
            assert problem.criterion_at(np.array(ratio))[1][k] == pytest.approx(slope, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("kept_cells", [0, 4_000_000])
def test_the_ways_to_add_up_squares_agree(monkeypatch, kept_cells):
    y, design, sessions, stimuli = simulated(30, 12, 7)
    keep = np.random.default_rng(2).random(len(y)) < 0.8
    monkeypatch.setattr(mixed, "KEPT_CELLS", kept_cells)
    fits = []
    for full in (0, 1):
        monkeypatch.setattr(grid, "FULL", full)
        fits.append(mixed.fit(y[keep], design[keep], sessions[keep], stimuli[keep]))

    assert fits[0].criterion == pytest.approx(fits[1].criterion, abs=1e-9)
    assert fits[0].estimate([1, -1, 0, 0]).df == pytest.approx(fits[1].estimate([1, -1, 0, 0]).df, rel=1e-6)


def test_no_other_variances_fit_better():
    for seed in range(40):
        chance = np.random.default_rng(seed)
        sessions, stimuli = (codes.ravel() for codes in np.indices((6, 5)))
        sd = chance.choice([0, 0.3, 3], 2)
        y = chance.normal(0, sd[0], 6)[sessions] + chance.normal(0, sd[1], 5)[stimuli] + chance.normal(0, 1, 30)

        fit = mixed.fit(y, np.ones((30, 1)), sessions, stimuli)

        grid = np.concatenate([[0], np.geomspace(1e-3, 100, 15)])
        assert fit.criterion <= min(fit._problem.criterion_at(np.array([a, b]))[0] for a in grid for b in grid) + 1e-9


def test_what_cannot_be_told_is_refused():
    ones = np.ones((4, 1))

    with pytest.raises(ValueError, match="sessions has one level only"):
        mixed.fit([1, 2, 3, 4], ones, [1, 1, 1, 1], [1, 1, 2, 2])
    with pytest.raises(ValueError, match="sessions has one rating a level"):
        mixed.fit([1, 2, 3, 4], ones, [1, 2, 3, 4], [1, 1, 2, 2])
    with pytest.raises(ValueError, match="columns that depend on each other"):
        mixed.fit([1, 2, 3, 4], np.ones((4, 2)), [1, 1, 2, 2], [1, 2, 1, 2])
    with pytest.raises(ValueError, match="stimuli differ by nothing but the design"):
        mixed.fit([1, 2, 3, 5, 1, 1], np.eye(2)[[0, 1] * 3], [1, 1, 2, 2, 3, 3], [1, 2] * 3)
    with pytest.raises(ValueError, match="2 ratings are too few for 2 columns"):
        mixed.fit([1, 2], np.eye(2), [1, 2], [1, 2])
    with pytest.raises(ValueError, match="one is needed"):
        mixed.fit([1, 2, 4], np.ones((3, 1)))
    with pytest.raises(ValueError, match="design must have 2 rows"):
        mixed.fit([1, 2], np.ones(2), [1, 2], [1, 2])


@pytest.mark.parametrize("y", [[5] * 6, [1, 2, 3, 4, 7, 8]])
def test_ratings_without_a_rest_are_refused(y):
    # All equal, or session plus stimulus to the last digit: then no ratio of variances is the best.
    with pytest.raises(ValueError, match="y has no rest: sessions and stimuli explain it"):
        mixed.fit(y, np.ones((6, 1)), [1, 1, 2, 2, 3, 3], ["a", "b"] * 3)


def test_100000_ratings_are_fitted_within_a_second():
    y, design, sessions, stimuli = simulated(1_000, 200, 100)

    begun = time.process_time()
    fit = mixed.fit(y, design, sessions, stimuli)
    fit.estimate([1, -1, 0, 0])

    assert time.process_time() - begun < 1
    assert (fit.session, fit.stimulus, fit.residual) == pytest.approx((0.7, 0.69, 1.5), rel=0.01)
