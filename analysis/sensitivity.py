"""The same contrast under other choices that one could have made: does the answer hang on one of them?

Each way is fitted once, for all conditions; every pair of them is then read off it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri

from analysis import screening
from analysis.compare import fit_conditions, over_sessions
from analysis.grid import grid
from analysis.intervals import CONFIDENCE
from analysis.ordinal import MOST_CELLS, fit_ordinal
from analysis.ranks import signed_ranks
from analysis.words import names_of

POINTS, DEVIATIONS, LOGITS, SHARE = "points", "standard deviations of a session", "logits", "rank-biserial"
# Clips times ratings beyond this would take minutes: each clip left out is a fit of all the others.
MOST_LEFT_OUT = 20_000_000


@dataclass(frozen=True)
class Line:
    """One way to put the contrast a - b: its size in `unit`, interval and p; all None where it cannot be put.

    new_clips: whether the answer is for new clips, or for these ones only
    """

    way: str
    unit: str
    new_clips: bool
    size: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class Way:
    """A way to put contrasts. answer(a, b): (size, low, high, p) of a - b, or () where it has none."""

    name: str
    unit: str
    new_clips: bool
    answer: Callable

    def line(self, a, b):
        return Line(self.name, self.unit, self.new_clips, *self.answer(a, b))


def sensitivity(frame, a, b, flagged=None):
    """Return the Lines of the contrast a - b of two conditions: the headline first, then one for each other choice.

    frame: as `ratings.read` returns it, of one scale
    flagged: names of sessions to leave out in the screened line; None for those that `screening.flags` flags

    Raises ValueError if a or b is not a condition of the table, or a is b.
    """
    names = set(frame["condition"])
    if a == b or not {a, b} <= names:
        raise ValueError(f'a and b must be two of {", ".join(sorted(names))}, not "{a}" and "{b}"')
    return [way.line(a, b) for way in ways(frame, flagged)]


def strips(frame, flagged=None):
    """Return {(a, b): Lines} of all pairs of conditions, as `sensitivity` of each. No ratings: no pairs."""
    pairs = list(combinations(sorted(set(frame["condition"])), 2))
    found = ways(frame, flagged) if pairs else []
    return {pair: [way.line(*pair) for way in found] for pair in pairs}


def leave_one_clip_out(frame):
    """Return {(a, b): Lines} of all pairs: the headline with each stimulus of a and b left out in turn.

    A table of more than MOST_LEFT_OUT stimuli times ratings has no such lines: it would take too long.
    """
    stimuli = sorted(set(frame[["condition", "stimulus"]].itertuples(index=False, name=None)))
    if len(stimuli) * len(frame) > MOST_LEFT_OUT:
        return {}
    names = names_of(stimuli)
    without = {
        (c, s): _modelled(f"without {names[c, s]}", frame[(frame["condition"] != c) | (frame["stimulus"] != s)])
        for c, s in stimuli
    }
    pairs = combinations(sorted(set(frame["condition"])), 2)
    return {pair: [without[key].line(*pair) for key in stimuli if key[0] in pair] for pair in pairs}


def on_own_scale(frame):
    """Return the ratings as z = (rating - mean) / sd of their session; sessions without spread are left out.

    Only a check: it takes away true differences between sessions too, and needs that all heard the same conditions.
    """
    by_session = frame.groupby("session")["rating"]
    sd = by_session.transform("std")
    return frame.assign(rating=(frame["rating"] - by_session.transform("mean")) / sd)[sd > 0]


def ways(frame, flagged=None):
    """Return the Ways to put contrasts of these ratings, the headline first. Arguments as for `sensitivity`."""
    flagged = {flag.session for flag in screening.flags(frame)} if flagged is None else set(flagged)
    found = [
        _modelled("all ratings", frame),
        _modelled("without flagged sessions", frame[~frame["session"].isin(flagged)]),
        _modelled("each session on its own scale", on_own_scale(frame), DEVIATIONS),
        _ordered("answers as an order", frame),
        *_of_session_means(frame),
    ]
    if "position" in frame:
        found.insert(3, _modelled("position allowed for", frame, covariates=["position"]))
    return found


def _modelled(name, frame, unit=POINTS, covariates=()):
    """The crossed mixed model's answers for new clips."""
    table = grid(frame, covariates)
    fit, _ = fit_conditions(table, [table.extra[name] for name in covariates]) if len(frame) else (None, "")

    def answer(a, b):
        contrast = _contrast(table, a, b)
        if fit is None or contrast is None:
            return ()
        return _of_estimate(fit.estimate(np.append(contrast, np.zeros(len(covariates)))))

    return Way(name, unit, True, answer)


def _ordered(name, frame):
    """The cumulative-link model's answers."""
    table, fit = grid(frame), None
    if len(table.session_names) * len(table.stimulus_names) <= MOST_CELLS:
        try:
            fit = fit_ordinal(table.y, table.indicators()[:, 1:], table.sessions, table.stimuli)
        except ValueError:
            fit = None

    def answer(a, b):
        contrast = _contrast(table, a, b)
        if fit is None or contrast is None:
            return ()
        size, error = fit.difference(contrast[1:])
        reach = float(ndtri((1 + CONFIDENCE) / 2)) * error
        return size, size - reach, size + reach, 2 * float(ndtr(-abs(size) / error))

    return Way(name, LOGITS, True, answer)


def _of_session_means(frame):
    table = grid(frame)

    def differences(a, b):
        means = table.paired_session_means(table.condition_names.index(a), table.condition_names.index(b))
        return means[:, 0] - means[:, 1]

    def by_ranks(a, b):
        _, _, p, rank_biserial = signed_ranks(differences(a, b))
        return rank_biserial, None, None, p

    yield Way("session means", POINTS, False, lambda a, b: _of_estimate(over_sessions(differences(a, b))))
    yield Way("ranks of session means", SHARE, False, by_ranks)


def _contrast(table, a, b):
    """Return a - b as (condition,) numbers; None where one is missing, or its one clip says nothing of new ones."""
    names = table.condition_names
    if not {a, b} <= set(names) or min(table.n_stimuli_of[names.index(name)] for name in (a, b)) < 2:
        return None
    return np.array([(name == a) - (name == b) for name in names], float)


def _of_estimate(estimate):
    return (estimate.value, estimate.low, estimate.high, estimate.p) if estimate else ()
