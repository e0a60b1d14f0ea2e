"""A table of ratings seen as a whole: who rated what how, and how strictly each session rated.

Large studies are shown in parts that the eye can take in: neighbours by mean are put together, never left out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.grid import MOST_CELLS, grid

MOST_LINES = 60  # sessions, and clips, of a heat map
MOST_SESSIONS = 300  # points of a picture of sessions


@dataclass(frozen=True)
class HeatMap:
    """Mean ratings of sessions (rows, the lowest mean first) for stimuli (columns, the lowest mean first).

    stimuli: [(condition, name)] of the first of each column; sessions: [name] of the first of each row
    sizes: how many stimuli a column and how many sessions a row stand for, [(stimulus, ...), (session, ...)]
    cells: (session, stimulus), NaN where nothing was rated
    """

    sessions: list[str]
    stimuli: list[tuple[str, str]]
    session_sizes: list[int]
    stimulus_sizes: list[int]
    cells: np.ndarray


@dataclass(frozen=True)
class Severity:
    """A session's mean and spread on the scale; sd is None for a single rating."""

    session: str
    n: int
    mean: float
    sd: float | None


def heat_map(frame, most=MOST_LINES):
    """Return the HeatMap of a table of ratings, or None where there are none or the grid would be too large.

    frame: as `ratings.read` returns it, of one scale; most: rows and columns at the most
    """
    if frame.empty:
        return None
    table = grid(frame)
    if len(table.session_names) * len(table.stimulus_names) > MOST_CELLS:
        return None
    sessions, stimuli = _parts(table.sessions, table.y, most), _parts(table.stimuli, table.y, most)
    shape = (sessions.max() + 1, stimuli.max() + 1)
    where = sessions[table.sessions] * shape[1] + stimuli[table.stimuli]
    n = np.bincount(where, minlength=shape[0] * shape[1])
    sums = np.bincount(where, table.y, minlength=shape[0] * shape[1])
    return HeatMap(
        sessions=[table.session_names[k] for k in _firsts(sessions, table.sessions, table.y)],
        stimuli=[table.stimulus_names[k] for k in _firsts(stimuli, table.stimuli, table.y)],
        session_sizes=np.bincount(sessions).tolist(),
        stimulus_sizes=np.bincount(stimuli).tolist(),
        cells=np.divide(sums, n, out=np.full(len(n), np.nan), where=n > 0).reshape(shape),
    )


def severities(frame, most=MOST_SESSIONS):
    """Return the Severities of a table's sessions by mean; of more than `most`, as many at equal distances.

    frame: as `ratings.read` returns it, of one scale
    """
    by_session = frame.groupby("session", sort=True)["rating"].agg(["size", "mean", "std"])
    ordered = by_session.sort_values("mean", kind="stable")
    kept = np.unique(np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round().astype(int))
    return [
        Severity(name, int(n), float(mean), None if pd.isna(sd) else float(sd))
        for name, n, mean, sd in ordered.iloc[kept].itertuples()
    ]


def _order(codes, y):
    """Return the codes by the mean of their ratings, equal ones by code."""
    means = np.bincount(codes, y) / np.bincount(codes)
    return np.lexsort((np.arange(len(means)), means))


def _parts(codes, y, most):
    """Return for each code which of at most `most` parts it is in: neighbours by mean, parts of (nearly) equal size."""
    order = _order(codes, y)
    n_parts = min(most, len(order))
    parts = np.empty(len(order), int)
    parts[order] = np.arange(len(order)) * n_parts // len(order)
    return parts


def _firsts(parts, codes, y):
    """Return the code with the lowest mean in each part."""
    order = _order(codes, y)
    _, first = np.unique(parts[order], return_index=True)
    return order[first]
