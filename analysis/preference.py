"""Which of two: the Bradley-Terry model of comparisons, from ratings of one session or from direct choices.

P(i beats j) = 1 / (1 + exp(strength j - strength i)); a tie is half a win for each. Not Elo, whose numbers depend on
the order in which the same comparisons are read.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit

from analysis.grid import grid


@dataclass(frozen=True)
class Strengths:
    """Strengths in logits, the first 0, and their errors against the first (as if comparisons were independent).

    names: what was compared; strengths, errors: (n,); wins: (n, n) how often i beat j, ties as halves
    """

    names: list
    strengths: np.ndarray
    errors: np.ndarray
    wins: np.ndarray

    def chance(self, a, b):
        """Return the model's chance that a beats b."""
        first, second = self.names.index(a), self.names.index(b)
        return float(expit(self.strengths[first] - self.strengths[second]))


def preferences(frame):
    """Return the Strengths of the stimuli of a table of ratings, or None where they are not finite.

    Each session compares all pairs of stimuli that it rated. names: (condition, stimulus), sorted.
    frame: as `ratings.read` returns it, of one scale
    """
    if frame.empty:
        return None
    table = grid(frame)
    try:
        return bradley_terry(wins_of(table.cells()), table.stimulus_names)
    except ValueError:
        return None


def wins_of(cells):
    """Return (stimulus, stimulus) how often the row was rated above the column within a session, ties as halves.

    cells: (session, stimulus), NaN where there is no rating
    """
    wins = np.zeros((cells.shape[1],) * 2)
    for rated in cells:
        difference = rated[:, None] - rated[None, :]
        wins += (difference > 0) + 0.5 * (difference == 0)
    np.fill_diagonal(wins, 0)
    return wins


def bradley_terry(wins, names=None):
    """Return the Strengths that make the wins most likely (Bradley & Terry, Biometrika 39, 1952), by Newton's method.

    wins: (n, n) how often i beat j, ties as halves, as R's BradleyTerry2::BTm

    Raises ValueError if wins is not square, negative, or does not connect all in both directions: whoever never lost
    to the others would be infinitely strong (Ford, Am. Math. Mon. 64, 1957).
    """
    wins = np.asarray(wins, float)
    n = len(wins)
    if wins.shape != (n, n) or n < 2 or (wins < 0).any():
        raise ValueError(f"wins must be a square of 2 or more without negative numbers, not {wins.shape}")
    if sparse.csgraph.connected_components(wins > 0, connection="strong")[0] > 1:
        raise ValueError(
            "wins leave some without a loss or without a win against the rest, so strengths are not finite"
        )
    compared, strengths = wins + wins.T, np.zeros(n)
    for _ in range(100):
        chances = expit(strengths[:, None] - strengths[None, :])
        slope = (wins - compared * chances).sum(axis=1)
        information = _information(compared * chances * (1 - chances))
        step = np.linalg.solve(information, slope[1:])
        strengths[1:] += step / max(1.0, np.abs(step).max())
        if np.abs(step).max() < 1e-10:
            break
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return Strengths(list(range(n)) if names is None else list(names), strengths, np.concatenate([[0.0], errors]), wins)


def _information(spread):
    """Fisher's information of all strengths but the first, which is 0."""
    return (np.diag(spread.sum(axis=1)) - spread)[1:, 1:]
