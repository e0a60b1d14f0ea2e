"""Conditions and pairs of them, each with the answers to two questions that are often taken for one.

"These clips": what would other listeners say of the very clips that were played? Student's t over session means.
"New clips": what would they say of other clips of the same model? The crossed mixed model, for which clips are a sample
as listeners are. Tests over ratings answer neither; simulated, they find differences that are not there in a quarter
of the studies.
"""

import math
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from analysis import mixed
from analysis.clustered import Clustered, clustered
from analysis.grid import Grid, grid
from analysis.intervals import Equivalence, Estimate, equivalence, holm
from analysis.resampling import Resampled, resample

# Means of whole ratings that should be equal differ in their last digits; nine places tell them from unequal ones.
PLACES = 9
ONE_SESSION = "There is one session only, and one listener does not speak for others."
ONE_CLIP_EACH = "Each condition has one clip only, so it cannot be known how much clips of one model differ."
NOTHING_LEFT = (
    "Sessions and clips explain the ratings to the last digit, so there is nothing to measure uncertainty by."
)


@dataclass(frozen=True)
class Condition:
    """A condition's mean for these clips and for new ones; None where there is no answer, with `why_not` for new clips.

    n, n_sessions, n_stimuli: counts; mean: of all ratings; the estimates are of the mean rating
    clustered: by two-way clustered errors; bootstrap: (low, high); None where a mean rests on one session or clip
    """

    name: str
    n: int
    n_sessions: int
    n_stimuli: int
    mean: float
    these_clips: Estimate | None
    new_clips: Estimate | None
    why_not: str
    clustered: Estimate | None
    bootstrap: tuple[float, float] | None


@dataclass(frozen=True)
class Pair:
    """The difference a - b, in points of the scale, for these clips and for new ones.

    p_holm, these_p_holm: adjusted for all pairs. d_total: new-clips difference in standard deviations of one rating
    (Westfall, Kenny & Judd, J. Exp. Psychol. Gen. 143, 2014). d_z: mean over standard deviation of the sessions' own
    differences. cliffs_delta: chance that a session mean of a exceeds one of b, less the reverse.
    equivalence: of new clips, where a margin was fixed.
    """

    a: str
    b: str
    these_clips: Estimate | None
    new_clips: Estimate | None
    why_not: str
    these_p_holm: float | None
    p_holm: float | None
    d_total: float | None
    d_z: float | None
    cliffs_delta: float | None
    clustered: Estimate | None
    bootstrap: tuple[float, float] | None
    equivalence: Equivalence | None = None


@dataclass(frozen=True)
class Comparison:
    """Conditions by name, all pairs of them, and the fit behind "new clips" (None where there is none)."""

    conditions: list[Condition] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    fit: mixed.Fit | None = None
    why_not: str = ""
    resampled: Resampled | None = None


def compare(frame, margin=None, seed=1, n_draws=2000):
    """Return the Comparison of all conditions of a table of ratings.

    frame: as `ratings.read` returns it, of one scale. No ratings: a Comparison of nothing. Sessions that did not rate
        every condition count for the conditions and for new clips; for pairs see `Grid.paired_session_means`.
    margin: largest difference that does not matter, in points, fixed before the data were seen; None for no such test
    seed, n_draws: of the bootstrap of sessions and clips

    Raises ValueError for a margin that is not above 0.
    """
    if frame.empty:
        return Comparison()
    if margin is not None and not margin > 0:
        raise ValueError(f"margin must be above 0, not {margin}")
    table = grid(frame)
    fit, why_not = fit_conditions(table)
    sides = _Sides(table, fit, why_not, _clustered(table), resample(table, seed, n_draws))
    names = range(len(table.condition_names))
    pairs = _adjusted([sides.pair(a, b, margin) for a, b in combinations(names, 2)])
    return Comparison([sides.condition(k) for k in names], pairs, fit, why_not, sides.resampled)


def fit_conditions(table, covariates=()):
    """Return (Fit, "") of the crossed model with one mean a condition, or (None, why there is none).

    table: Grid; covariates: columns of numbers (n,), put in centred, so that the first coefficients stay the means of
        the conditions. Sessions of one rating each, or clips rated once each, are part of the rest.
    """
    if len(table.session_names) < 2:
        return None, ONE_SESSION
    if table.n_stimuli_of.max() < 2:
        return None, ONE_CLIP_EACH
    design = np.column_stack([table.indicators(), *(column - column.mean() for column in covariates)])
    sessions = table.sessions if len(table.session_names) < len(table.y) else None
    stimuli = table.stimuli if len(table.stimulus_names) < len(table.y) else None
    try:
        return mixed.fit(table.y, design, sessions, stimuli), ""
    except ValueError:
        return None, NOTHING_LEFT


def over_sessions(values):
    """Return the Estimate of the mean of independent values (session,) by Student's t; None for fewer than 2."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return None
    spread = values.std(ddof=1) if np.ptp(np.round(values, PLACES)) > 0 else 0.0
    return Estimate(float(values.mean()), float(spread / np.sqrt(len(values))), len(values) - 1)


def standardised(difference, n):
    """Return d_z, an Estimate's value over the standard deviation of its n values; None where nothing varied."""
    return difference.value / (difference.se * math.sqrt(n)) if difference and difference.se > 0 else None


def cliffs_delta(a, b):
    """Return the share of pairs with a above b less that with a below b, -1 to 1 (Cliff, Psychol. Bull. 114, 1993).

    a, b: (n,) and (m,) numbers, equal to 9 places counts as equal; None if one of them is empty
    """
    a, b = np.round(a, PLACES), np.sort(np.round(b, PLACES))
    if not len(a) or not len(b):
        return None
    below, not_above = np.searchsorted(b, a, "left").sum(), np.searchsorted(b, a, "right").sum()
    return float(below - (len(a) * len(b) - not_above)) / (len(a) * len(b))


def _clustered(table):
    try:
        return clustered(table)
    except ValueError:
        return None


def _adjusted(pairs):
    by_new = holm([pair.new_clips.p if pair.new_clips else None for pair in pairs])
    by_these = holm([pair.these_clips.p if pair.these_clips else None for pair in pairs])
    return [
        Pair(**(vars(pair) | {"p_holm": new, "these_p_holm": these}))
        for pair, new, these in zip(pairs, by_new, by_these, strict=True)
    ]


@dataclass(frozen=True)
class _Sides:
    """All that conditions and pairs are looked up in."""

    table: Grid
    fit: mixed.Fit | None
    why_not: str
    errors: Clustered | None
    resampled: Resampled

    def condition(self, k):
        table, contrast = self.table, self._contrast(k)
        y = table.y[table.conditions == k]
        means = table.session_means()[:, k]
        new_clips, why_not = self._new_clips(contrast)
        return Condition(
            name=table.condition_names[k],
            n=len(y),
            n_sessions=int((~np.isnan(means)).sum()),
            n_stimuli=int(table.n_stimuli_of[k]),
            mean=float(y.mean()),
            these_clips=over_sessions(means[~np.isnan(means)]),
            new_clips=new_clips,
            why_not=why_not,
            clustered=self._by_clusters(contrast),
            bootstrap=self.resampled.interval(contrast) if self._rests_on_several(contrast) else None,
        )

    def pair(self, a, b, margin):
        contrast, means = self._contrast(a) - self._contrast(b), self.table.paired_session_means(a, b)
        new_clips, why_not = self._new_clips(contrast)
        these_clips = over_sessions(means[:, 0] - means[:, 1])
        return Pair(
            a=self.table.condition_names[a],
            b=self.table.condition_names[b],
            these_clips=these_clips,
            new_clips=new_clips,
            why_not=why_not,
            these_p_holm=None,
            p_holm=None,
            d_total=new_clips.value / math.sqrt(self.fit.total_variance) if new_clips else None,
            d_z=standardised(these_clips, len(means)),
            cliffs_delta=cliffs_delta(means[:, 0], means[:, 1]),
            clustered=self._by_clusters(contrast),
            bootstrap=self.resampled.interval(contrast) if self._rests_on_several(contrast) else None,
            equivalence=equivalence(new_clips, margin) if new_clips and margin else None,
        )

    def _contrast(self, k):
        return np.eye(len(self.table.condition_names))[k]

    def _new_clips(self, contrast):
        """Return (Estimate, "") or (None, why not). One clip says nothing of how its model's other clips would do."""
        if self.fit is None:
            return None, self.why_not
        alone = np.flatnonzero((contrast != 0) & (self.table.n_stimuli_of < 2))
        if len(alone):
            name = self.table.condition_names[alone[0]]
            return None, f"{name} has one clip only, so it cannot be known how its other clips would do."
        return self.fit.estimate(contrast), ""

    def _by_clusters(self, contrast):
        return self.errors.estimate(contrast) if self.errors and self._rests_on_several(contrast) else None

    def _rests_on_several(self, contrast):
        used = contrast != 0
        return min(*self.table.n_sessions_of[used], *self.table.n_stimuli_of[used]) > 1
