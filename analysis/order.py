"""Does the place in the order matter: drift, carry-over from the clip before, and who stopped where.

Positions count from 1 within a session. In a real music study of 293 sessions ratings rose by .03 a position, so the
position is always kept, and always asked about.
"""

from dataclasses import dataclass

import numpy as np

from analysis.compare import fit_conditions, over_sessions
from analysis.grid import grid
from analysis.intervals import Estimate


@dataclass(frozen=True)
class Place:
    """One position: how many ratings it has, their mean and its interval (each session has one rating there; None for
    one alone), how many sessions got that far, and their share."""

    position: int
    n: int
    mean: float
    n_sessions: int
    share: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class OrderEffects:
    """drift: points a position. carry_over: points for each point that the clip before was rated (with the drift in
    the model too). None where there is no answer; places is empty where the table has no positions."""

    drift: Estimate | None
    carry_over: Estimate | None
    places: list[Place]


def order_effects(frame):
    """Return the OrderEffects of a table of ratings: slopes in the crossed mixed model beside the conditions.

    frame: as `ratings.read` returns it, of one scale; without a column `position` there is no answer to anything
    """
    if frame.empty or "position" not in frame:
        return OrderEffects(None, None, [])
    table = grid(frame, ["position"])
    return OrderEffects(_slope(table, ["position"]), _carry_over(frame), places(frame))


def places(frame):
    """Return the Places of a table of ratings, by position; a session got as far as its last rating."""
    last = frame.groupby("session")["position"].max().to_numpy()
    return [_place(position, ratings.to_numpy(), last) for position, ratings in frame.groupby("position")["rating"]]


def _place(position, ratings, last):
    reached, estimate = int((last >= position).sum()), over_sessions(ratings)
    between = (estimate.low, estimate.high) if estimate else (None, None)
    return Place(int(position), len(ratings), float(ratings.mean()), reached, reached / len(last), *between)


def with_previous(frame):
    """Return the ratings that followed another of their session, with that one's as the column `previous`."""
    ordered = frame.sort_values(["session", "position"], kind="stable")
    return ordered.assign(previous=ordered.groupby("session")["rating"].shift()).dropna(subset="previous")


def _carry_over(frame):
    later = with_previous(frame)
    # As in the model of the whole: the drift is about the mean position of all ratings that are in.
    return _slope(grid(later, ["position", "previous"]), ["position", "previous"]) if len(later) else None


def _slope(table, names):
    """Return the Estimate of the last of the named columns' slopes, or None where the model has no answer."""
    fit, _ = fit_conditions(table, [table.extra[name] for name in names])
    return fit.estimate(np.eye(len(fit.beta))[-1]) if fit else None
