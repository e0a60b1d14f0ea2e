"""Ratings as a grid: sessions down, stimuli across, each stimulus in its condition.

Conventions: names are sorted, codes count from 0 in that order, and ratings are sorted by session, then stimulus, so
that the order of the lines in a file changes no digit of any result. A stimulus belongs to its condition.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

# Dense products win above about this share of filled cells.
FULL = 0.05
# A grid of more cells than this (0.8 GB as float64) is not laid out.
MOST_CELLS = 100_000_000


@dataclass(frozen=True)
class Grid:
    """Ratings by code. n ratings of `session_names` on `stimulus_names`, which lie in `condition_names`.

    y: (n,) ratings; sessions, stimuli: (n,) codes; condition_of: (stimulus,) code of its condition
    stimulus_names: [(condition, stimulus)]; extra: {column: (n,)} for whatever else was asked for
    """

    y: np.ndarray
    sessions: np.ndarray
    stimuli: np.ndarray
    condition_of: np.ndarray
    session_names: list
    stimulus_names: list
    condition_names: list
    extra: dict

    @property
    def conditions(self):
        """(n,) code of each rating's condition."""
        return self.condition_of[self.stimuli]

    @property
    def n_stimuli_of(self):
        """(condition,) how many stimuli it has."""
        return np.bincount(self.condition_of, minlength=len(self.condition_names))

    @property
    def n_sessions_of(self):
        """(condition,) how many sessions rated it."""
        return (~np.isnan(self.session_means())).sum(axis=0)

    def indicators(self):
        """Return the design of one column a condition, (n, condition)."""
        return np.eye(len(self.condition_names))[self.conditions]

    def cells(self):
        """Return (session, stimulus) ratings, NaN where there is none, their mean where there are several."""
        return self._means(self.stimuli, len(self.stimulus_names))

    def session_means(self):
        """Return (session, condition) means of a session's ratings, NaN where it rated none."""
        return self._means(self.conditions, len(self.condition_names))

    def complete_session_means(self):
        """Return `session_means` of the sessions that rated every condition."""
        return _complete(self.session_means())

    def paired_session_means(self, a, b):
        """Return (session, 2) means of conditions a and b, of sessions that rated every condition.

        Where fewer than half of the sessions did, of those that rated both: designs exist in which nobody hears all.
        """
        complete = self.complete_session_means()[:, [a, b]]
        few = len(complete) < len(self.session_names) / 2
        return _complete(self.session_means()[:, [a, b]]) if few else complete

    def _means(self, across, n_across):
        shape = (len(self.session_names), n_across)
        if shape[0] * shape[1] > MOST_CELLS:
            raise ValueError(f"a grid of {shape[0]} sessions x {shape[1]} is too large")
        where = self.sessions * n_across + across
        n = np.bincount(where, minlength=shape[0] * shape[1])
        sums = np.bincount(where, self.y, minlength=shape[0] * shape[1])
        return np.divide(sums, n, out=np.full(len(n), np.nan), where=n > 0).reshape(shape)


def grid(frame, extra=()):
    """Return the Grid of ratings.

    frame: as `ratings.read` returns it, of one scale; extra: names of further columns of numbers to keep
    """
    conditions, condition_names = pd.factorize(frame["condition"], sort=True)
    stimuli, names = pd.factorize(frame["stimulus"], sort=True)
    sessions, session_names = pd.factorize(frame["session"], sort=True)
    both, stimuli = np.unique(conditions * max(len(names), 1) + stimuli, return_inverse=True)
    condition_of, stimulus_of = np.divmod(both, max(len(names), 1))
    order = np.lexsort((stimuli, sessions))
    return Grid(
        y=frame["rating"].to_numpy(float)[order],
        sessions=sessions[order],
        stimuli=stimuli[order],
        condition_of=condition_of,
        session_names=list(session_names),
        stimulus_names=[(condition_names[c], names[s]) for c, s in zip(condition_of, stimulus_of, strict=True)],
        condition_names=list(condition_names),
        extra={name: frame[name].to_numpy(float)[order] for name in extra},
    )


def _complete(means):
    return means[~np.isnan(means).any(axis=1)]


def sums_by_cell(rows, columns, values, shape):
    """Return the sums of values by (row, column), as an array where it is well filled and as a sparse one otherwise."""
    sums = sparse.coo_array((values, (rows, columns)), shape).tocsr()
    return sums.toarray() if sums.nnz > FULL * shape[0] * shape[1] else sums
