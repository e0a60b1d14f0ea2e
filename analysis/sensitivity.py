"""The same contrast under other choices that one could have made: does the answer hang on one of them?"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from analysis import screening
from analysis.compare import fit_conditions, over_sessions
from analysis.grid import grid
from analysis.intervals import CONFIDENCE, Estimate
from analysis.ordinal import MOST_CELLS, fit_ordinal
from analysis.ranks import signed_ranks

POINTS, DEVIATIONS, LOGITS, SHARE = "points", "standard deviations of a session", "logits", "rank-biserial"


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


def sensitivity(frame, a, b, flagged=None):
    """Return the Lines of the contrast a - b of two conditions: the headline first, then one for each other choice.

    frame: as `ratings.read` returns it, of one scale
    flagged: names of sessions to leave out in the screened line; None for those that `screening.flags` flags

    Raises ValueError if a or b is not a condition of the table, or a is b.
    """
    names = set(frame["condition"])
    if a == b or not {a, b} <= names:
        raise ValueError(f'a and b must be two of {", ".join(sorted(names))}, not "{a}" and "{b}"')
    flagged = {flag.session for flag in screening.flags(frame)} if flagged is None else set(flagged)
    lines = [
        _modelled("all ratings", frame, a, b),
        _modelled("without flagged sessions", frame[~frame["session"].isin(flagged)], a, b),
        _modelled("each session on its own scale", on_own_scale(frame), a, b, unit=DEVIATIONS),
        _ordered(frame, a, b),
        _by_session_means(frame, a, b),
        _by_ranks(frame, a, b),
    ]
    if "position" in frame:
        lines.insert(3, _modelled("position allowed for", frame, a, b, covariates=["position"]))
    return lines


def leave_one_clip_out(frame, a, b):
    """Return the headline's Lines with each stimulus of a and b left out in turn; `way` says which."""
    stimuli = frame.loc[frame["condition"].isin([a, b]), ["condition", "stimulus"]].drop_duplicates()
    return [
        _modelled(f"without {s}", frame[(frame["condition"] != c) | (frame["stimulus"] != s)], a, b)
        for c, s in sorted(stimuli.itertuples(index=False))
    ]


def on_own_scale(frame):
    """Return the ratings as z = (rating - mean) / sd of their session; sessions without spread are left out.

    Only a check: it takes away true differences between sessions too, and needs that all heard the same conditions.
    """
    by_session = frame.groupby("session")["rating"]
    sd = by_session.transform("std")
    return frame.assign(rating=(frame["rating"] - by_session.transform("mean")) / sd)[sd > 0]


def _modelled(way, frame, a, b, unit=POINTS, covariates=()):
    """The crossed mixed model's answer for new clips."""
    if not {a, b} <= set(frame["condition"]):
        return Line(way, unit, new_clips=True)
    table = grid(frame, covariates)
    contrast = _contrast(table, a, b)
    fit, _ = fit_conditions(table, [table.extra[name] for name in covariates])
    if fit is None or table.n_stimuli_of[contrast != 0].min() < 2:
        return Line(way, unit, new_clips=True)
    return _line(way, unit, fit.estimate(np.append(contrast, np.zeros(len(covariates)))), new_clips=True)


def _ordered(frame, a, b):
    """The cumulative-link model's answer, with a as the reference: b's coefficient turned round."""
    table, way = grid(frame), "answers as an order"
    too_large = len(table.session_names) * len(table.stimulus_names) > MOST_CELLS
    if too_large or table.n_stimuli_of[_contrast(table, a, b) != 0].min() < 2:
        return Line(way, LOGITS, new_clips=True)
    others = [b, *(name for name in table.condition_names if name not in (a, b))]
    names = np.array(table.condition_names)[table.conditions]
    design = np.column_stack([names == name for name in others]).astype(float)
    try:
        fit = fit_ordinal(table.y, design, table.sessions, table.stimuli)
    except ValueError:
        return Line(way, LOGITS, new_clips=True)
    size, error = -float(fit.beta[0]), float(fit.errors[len(fit.thresholds)])
    reach = float(ndtri((1 + CONFIDENCE) / 2)) * error
    return Line(way, LOGITS, True, size, size - reach, size + reach, 2 * float(ndtr(-abs(size) / error)))


def _by_session_means(frame, a, b):
    estimate = over_sessions(_differences(frame, a, b))
    return _line("session means", POINTS, estimate, new_clips=False)


def _by_ranks(frame, a, b):
    _, _, p, rank_biserial = signed_ranks(_differences(frame, a, b))
    return Line("ranks of session means", SHARE, new_clips=False, size=rank_biserial, p=p)


def _differences(frame, a, b):
    table = grid(frame)
    means = table.paired_session_means(table.condition_names.index(a), table.condition_names.index(b))
    return means[:, 0] - means[:, 1]


def _contrast(table, a, b):
    return np.array([(name == a) - (name == b) for name in table.condition_names], float)


def _line(way, unit, estimate: Estimate | None, new_clips):
    if estimate is None:
        return Line(way, unit, new_clips)
    return Line(way, unit, new_clips, estimate.value, estimate.low, estimate.high, estimate.p)
