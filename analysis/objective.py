"""Objective beside subjective: do measures of a clip go with what listeners said of it, and are like clips rated alike?

The clip is the unit: ten listeners who heard thirteen clips saw thirteen of them, not 130. A correlation over so few says
little, and its interval says so.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import ndtri

from analysis.intervals import CONFIDENCE, holm

FEWEST_CLIPS = 5
N_PERMUTATIONS = 2_000


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of a measure with the mean rating over n clips; low and high are its 95 % interval.

    p_holm: adjusted for all measures; p is of no correlation (t, n - 2 degrees of freedom)
    """

    measure: str
    n: int
    rho: float
    low: float
    high: float
    p: float
    p_holm: float | None = None


@dataclass(frozen=True)
class Likeness:
    """Are clips that are alike rated alike? Over all pairs of n clips.

    rho: rank correlation of similarity with closeness of the mean ratings (minus their distance); p: by permuting the
        clips (Mantel, Cancer Res. 27, 1967), seeded
    pairs: those at or above the threshold, as (a, b, similarity, distance of the mean ratings), the most alike first
    distance: mean distance of these, other: of all others; None where there are none
    """

    n: int
    rho: float | None
    p: float | None
    threshold: float
    pairs: list[tuple[str, str, float, float]]
    distance: float | None
    other: float | None


def correlations(ratings, measures):
    """Return the Correlations of measures with ratings, in the order of the measures.

    ratings: {clip: mean rating}
    measures: {name: {clip: number or None}}; a clip without a number does not count for that measure. A measure that
        has a number for fewer than FEWEST_CLIPS clips, or the same one for all, has no correlation
    """
    found = [one for name, values in measures.items() if (one := _correlation(name, ratings, values)) is not None]
    adjusted = holm([one.p for one in found])
    return [Correlation(**vars(one) | {"p_holm": p}) for one, p in zip(found, adjusted, strict=True)]


def _correlation(name, ratings, values):
    clips = [clip for clip in ratings if values.get(clip) is not None and math.isfinite(values[clip])]
    x, y = (np.array([source[clip] for clip in clips], float) for source in (values, ratings))
    if len(clips) < FEWEST_CLIPS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    found = stats.spearmanr(x, y)
    rho = min(max(float(found.statistic), -1.0), 1.0)
    return Correlation(name, len(clips), rho, *interval(rho, len(clips)), float(found.pvalue))


def interval(rho, n):
    """Return the 95 % interval of Spearman's correlation of n pairs, by Fisher's transformation.

    Source: Bonett & Wright, Psychometrika 65, 2000: the variance is (1 + rho^2 / 2) / (n - 3).

    Raises ValueError for n below 4.
    """
    if n < 4:
        raise ValueError(f"n must be 4 or more, not {n}")
    if abs(rho) > 1 - 1e-12:  # equal ranks throughout
        return rho, rho
    reach = float(ndtri((1 + CONFIDENCE) / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    middle = math.atanh(rho)
    return math.tanh(middle - reach), math.tanh(middle + reach)


def likeness(ratings, similarities, threshold, seed=1):
    """Return the Likeness of clips that were rated and compared.

    ratings: {clip: mean rating}; similarities: {(a, b): 0 to 1}, each pair once
    threshold: from here on a pair is a near-duplicate
    """
    known = {pair: value for pair, value in similarities.items() if set(pair) <= set(ratings)}
    clips = sorted({clip for pair in known for clip in pair})
    similar, distance = _matrices(clips, known, ratings)
    above = np.triu(np.ones((len(clips),) * 2, bool), 1) & ~np.isnan(similar)
    rho, p = _mantel(similar, distance, above, seed)
    alike = above & (similar >= threshold)
    pairs = [(clips[i], clips[k], float(similar[i, k]), float(distance[i, k])) for i, k in np.argwhere(alike)]
    return Likeness(
        n=len(clips),
        rho=rho,
        p=p,
        threshold=threshold,
        pairs=sorted(pairs, key=lambda pair: -pair[2]),
        distance=float(distance[alike].mean()) if alike.any() else None,
        other=float(distance[above & ~alike].mean()) if (above & ~alike).any() else None,
    )


def _matrices(clips, known, ratings):
    """Return similarity and distance of mean ratings, (clip, clip); NaN where two were not compared."""
    place = {clip: k for k, clip in enumerate(clips)}
    similar = np.full((len(clips),) * 2, np.nan)
    for (a, b), value in known.items():
        similar[place[a], place[b]] = similar[place[b], place[a]] = value
    y = np.array([ratings[clip] for clip in clips], float)
    return similar, np.abs(y[:, None] - y[None, :])


def _mantel(similar, distance, above, seed):
    """Return (rho, p), both None where too few clips were compared or nothing differs."""
    n = len(similar)
    if n < FEWEST_CLIPS or np.ptp(similar[above]) == 0 or np.ptp(distance[above]) == 0:
        return None, None
    ranked = stats.rankdata(similar[above])
    rho = np.corrcoef(ranked, stats.rankdata(-distance[above]))[0, 1]
    chance = np.random.default_rng(seed)
    as_far = 0
    for _ in range(N_PERMUTATIONS):
        order = chance.permutation(n)
        drawn = np.corrcoef(ranked, stats.rankdata(-distance[np.ix_(order, order)][above]))[0, 1]
        as_far += abs(drawn) >= abs(rho) - 1e-12
    return float(rho), (1 + as_far) / (1 + N_PERMUTATIONS)
