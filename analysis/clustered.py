"""Errors of the raw condition means that allow for ratings of one session and of one stimulus being alike.

A cross-check of the mixed model that assumes no normal effects. Source: Cameron, Gelbach & Miller, J. Bus. Econ. Stat.
29, 2011; small-sample factors as R's sandwich::vcovCL(type = "HC1").
"""

from dataclasses import dataclass

import numpy as np

from analysis.intervals import Estimate


@dataclass(frozen=True)
class Clustered:
    """Raw condition means and their covariances by two-way clusters and by each alone.

    means: (condition,); two_way, by_session, by_stimulus: (condition, condition)
    n_sessions, n_stimuli: (condition,) clusters that each mean rests on
    """

    means: np.ndarray
    two_way: np.ndarray
    by_session: np.ndarray
    by_stimulus: np.ndarray
    n_sessions: np.ndarray
    n_stimuli: np.ndarray

    def estimate(self, contrast):
        """Return the Estimate of contrast @ means.

        The error is never below the larger one-way one (the two-way one may fall below it by chance, or even below 0);
        degrees of freedom: one less than the fewest clusters of any mean in the contrast.
        """
        contrast = np.asarray(contrast, float)
        variance = max(contrast @ each @ contrast for each in (self.two_way, self.by_session, self.by_stimulus))
        used = contrast != 0
        clusters = min(self.n_sessions[used].min(), self.n_stimuli[used].min())
        return Estimate(float(contrast @ self.means), float(np.sqrt(max(variance, 0.0))), int(clusters) - 1)


def clustered(grid):
    """Return the Clustered errors of a Grid's condition means.

    Raises ValueError if there are fewer than 2 sessions or stimuli, or no more ratings than conditions.
    """
    n_conditions = len(grid.condition_names)
    if min(len(grid.session_names), len(grid.stimulus_names)) < 2:
        raise ValueError("grid needs at least 2 sessions and 2 stimuli")
    if len(grid.y) <= n_conditions:
        raise ValueError(f"grid has {len(grid.y)} ratings, too few for {n_conditions} conditions")
    n = np.bincount(grid.conditions, minlength=n_conditions)
    means = np.bincount(grid.conditions, grid.y, n_conditions) / n
    influence = (grid.y - means[grid.conditions]) / n[grid.conditions]  # (n,) on the mean of its own condition
    cell = np.unique(grid.sessions * len(grid.stimulus_names) + grid.stimuli, return_inverse=True)[1]
    by_session, by_stimulus, by_cell = (_covariance(grid, influence, c) for c in (grid.sessions, grid.stimuli, cell))
    return Clustered(
        means=means,
        two_way=by_session + by_stimulus - by_cell,
        by_session=by_session,
        by_stimulus=by_stimulus,
        n_sessions=grid.n_sessions_of,
        n_stimuli=grid.n_stimuli_of,
    )


def _covariance(grid, influence, clusters):
    n, n_conditions, n_clusters = len(grid.y), len(grid.condition_names), int(clusters.max()) + 1
    where = clusters * n_conditions + grid.conditions
    sums = np.bincount(where, influence, n_clusters * n_conditions).reshape(n_clusters, n_conditions)
    return sums.T @ sums * (n_clusters / (n_clusters - 1)) * ((n - 1) / (n - n_conditions))
