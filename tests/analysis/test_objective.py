"""Measures of clips beside what listeners said of them: the clip is the unit."""

import numpy as np
import pytest

from analysis.objective import correlations, interval, likeness

RATINGS = {f"clip {k}": rating for k, rating in enumerate([7.1, 5.9, 5.5, 4.7, 6.9, 8.4, 7.9, 6.7, 7.2, 5.4])}


def test_a_measure_that_orders_as_the_ratings_do_has_correlation_one():
    (found,) = correlations(RATINGS, {"same": {clip: 3 * rating**3 for clip, rating in RATINGS.items()}})

    assert (found.measure, found.n) == ("same", 10)
    assert (found.rho, found.low, found.high) == pytest.approx((1, 1, 1))


def test_a_correlation_by_hand():
    # Ranks of the ratings: 7 4 3 1 6 10 9 5 8 2; of the measure 1 to 10. The sum of squared differences is 144.
    (found,) = correlations(RATINGS, {"order": {clip: k for k, clip in enumerate(RATINGS)}})

    assert found.rho == pytest.approx(1 - 6 * 144 / 990)
    # R: cor.test(1:10, x, method = "spearman", exact = FALSE): t of 8 degrees of freedom
    assert found.p == pytest.approx(0.7260570148, abs=1e-6)
    # R: tanh(atanh(rho) + c(-1, 1) * qnorm(.975) * sqrt((1 + rho^2 / 2) / 7))
    assert (found.low, found.high) == pytest.approx((-0.54821372, 0.70226588), abs=1e-6)


def test_p_is_adjusted_for_all_measures():
    measures = {
        "a": RATINGS,
        "b": {clip: k for k, clip in enumerate(RATINGS)},
    }

    first, second = correlations(RATINGS, measures)

    assert first.p_holm == pytest.approx(2 * first.p)
    assert second.p_holm == second.p


def test_the_interval_covers_in_about_95_of_100():
    chance = np.random.default_rng(1)
    true = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman's of a normal pair with correlation .5
    held = 0
    for _ in range(600):
        x, rest = chance.normal(size=(2, 20))
        y = 0.5 * x + np.sqrt(0.75) * rest
        clips = {k: float(v) for k, v in enumerate(y)}
        (found,) = correlations(clips, {"x": dict(enumerate(x.tolist()))})
        held += found.low <= true <= found.high

    assert 0.92 <= held / 600 <= 0.98


def test_what_has_no_number_for_enough_clips_or_never_differs_has_no_correlation():
    few = {clip: (k if k < 4 else None) for k, clip in enumerate(RATINGS)}

    assert correlations(RATINGS, {"few": few, "constant": dict.fromkeys(RATINGS, 1.0), "none": {}}) == []
    assert correlations(dict.fromkeys(RATINGS, 5.0), {"x": few}) == []
    with_gaps = {clip: (float("nan") if k == 0 else k) for k, clip in enumerate(RATINGS)}
    assert correlations(RATINGS, {"gaps": with_gaps})[0].n == 9


def test_too_few_pairs_have_no_interval():
    with pytest.raises(ValueError, match="n must be 4 or more, not 3"):
        interval(0.5, 3)


def pairs(similarity):
    clips = list(RATINGS)
    return {(a, b): similarity(RATINGS[a], RATINGS[b]) for i, a in enumerate(clips) for b in clips[i + 1 :]}


def test_clips_that_are_alike_and_rated_alike_are_found():
    found = likeness(RATINGS, pairs(lambda a, b: 1 / (1 + abs(a - b))), threshold=0.9)

    assert found.n == 10
    assert found.rho == pytest.approx(1)
    assert found.p < 0.002
    assert [(a, b) for a, b, *_ in found.pairs] == [("clip 2", "clip 9"), ("clip 0", "clip 8")]
    assert found.distance == pytest.approx(0.1)
    assert found.distance < found.other


def test_likeness_that_has_nothing_to_do_with_ratings_is_not_found():
    chance = np.random.default_rng(3)
    found = [likeness(RATINGS, pairs(lambda a, b: chance.random()), 2, seed).p for seed in range(20)]

    assert sum(p < 0.05 for p in found) <= 4
    assert likeness(RATINGS, pairs(lambda a, b: a * b), 2, seed=5) == likeness(
        RATINGS, pairs(lambda a, b: a * b), 2, seed=5
    )


def test_pairs_of_clips_that_nobody_rated_do_not_count_and_too_few_have_no_answer():
    found = likeness({"a": 5.0, "b": 6.0}, {("a", "b"): 0.99, ("a", "unrated"): 0.99}, threshold=0.9)

    assert (found.n, found.rho, found.p, found.other) == (2, None, None, None)
    assert found.pairs == [("a", "b", 0.99, 1.0)]
    assert likeness({}, {}, 0.9).pairs == []
