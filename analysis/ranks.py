"""What ranks alone say: Friedman's test, Kendall's W, and signed ranks of session means.

Ranks are of values made equal to nine places first: (5 + 6 + 7) / 3 and 6 tie on paper but not always as floats, which
has moved a p by .017. These tests speak of these clips only.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from analysis.compare import PLACES
from analysis.grid import grid
from analysis.intervals import holm


@dataclass(frozen=True)
class Friedman:
    """Do n blocks rank k treatments alike? w: Kendall's coefficient of concordance, 0 to 1, corrected for ties."""

    n: int
    chi2: float
    df: int
    p: float
    w: float


@dataclass(frozen=True)
class SignedRanks:
    """Wilcoxon's test of a against b. n: differences that are not 0; v: sum of the ranks of positive ones.

    rank_biserial: share of rank sums for a less that for b (Kerby, Compr. Psychol. 3, 2014). p is None and so is
    rank_biserial where no session differs, or one alone rated both.
    """

    a: str
    b: str
    n: int
    v: float
    p: float | None
    p_holm: float | None
    rank_biserial: float | None


@dataclass(frozen=True)
class Ranks:
    """Friedman's tests of stimuli and of conditions (None where fewer than 2 sessions rated all), and pairs."""

    stimuli: Friedman | None
    conditions: Friedman | None
    wilcoxon: list[SignedRanks]


def ranks(frame):
    """Return the Ranks of a table of ratings: blocks are the sessions that rated all. No ratings: no answer.

    frame: as `ratings.read` returns it, of one scale
    """
    if frame.empty:
        return Ranks(None, None, [])
    table = grid(frame)
    cells = table.cells()
    pairs = [_pair(table, a, b) for a, b in combinations(range(len(table.condition_names)), 2)]
    adjusted = holm([pair.p for pair in pairs])
    return Ranks(
        stimuli=friedman(cells[~np.isnan(cells).any(axis=1)]),
        conditions=friedman(table.complete_session_means()),
        wilcoxon=[SignedRanks(**vars(pair) | {"p_holm": p}) for pair, p in zip(pairs, adjusted, strict=True)],
    )


def friedman(blocks):
    """Return Friedman's test, corrected for ties as R's friedman.test; None below 2 x 2 or where nothing differs.

    blocks: (block, treatment) without missing values
    """
    blocks = np.round(np.asarray(blocks, float), PLACES)
    n, k = blocks.shape
    if n < 2 or k < 2:
        return None
    ranked = stats.rankdata(blocks, axis=1)
    spread = np.sum((ranked - (k + 1) / 2) ** 2) / (k - 1)  # within blocks, which ties lessen
    if spread == 0:
        return None
    chi2 = float(np.sum((ranked.sum(axis=0) - n * (k + 1) / 2) ** 2) / spread)
    return Friedman(n, chi2, k - 1, float(stats.chi2.sf(chi2, k - 1)), chi2 / (n * (k - 1)))


def signed_ranks(differences):
    """Return (n, v, p, rank_biserial) of paired differences, as R's wilcox.test(exact = FALSE); see SignedRanks.

    differences: (n,) numbers; zeros are dropped; p by the normal approximation with continuity and tie correction.
        One alone is no test: one listener does not speak for others
    """
    given = np.round(np.asarray(differences, float), PLACES)
    differences = given[given != 0]
    if len(given) < 2 or not len(differences):
        return len(differences), float((differences > 0).sum()), None, None
    ranked = stats.rankdata(np.round(np.abs(differences), PLACES))
    v, total = float(ranked[differences > 0].sum()), float(ranked.sum())
    p = float(stats.wilcoxon(differences, correction=True, method="asymptotic").pvalue)
    return len(differences), v, p, 2 * v / total - 1


def _pair(table, a, b):
    means = table.paired_session_means(a, b)
    n, v, p, rank_biserial = signed_ranks(means[:, 0] - means[:, 1])
    return SignedRanks(table.condition_names[a], table.condition_names[b], n, v, p, None, rank_biserial)
