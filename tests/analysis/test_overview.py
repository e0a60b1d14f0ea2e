"""The whole table at one glance, small or large."""

import numpy as np
import pandas as pd
import pytest

from analysis.overview import Severity, heat_map, severities


def table(cells):
    """Ratings of a grid, {(session, stimulus): rating}, all of one condition."""
    lines = [(session, "A", stimulus, rating) for (session, stimulus), rating in cells.items()]
    return pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"])


def test_the_strict_and_the_disliked_come_first():
    found = heat_map(table({("s", "x"): 9, ("s", "y"): 5, ("t", "x"): 7, ("t", "y"): 2, ("u", "x"): 8}))

    assert (found.sessions, found.stimuli) == (["t", "s", "u"], [("A", "y"), ("A", "x")])
    assert found.cells.tolist()[:2] == [[2, 7], [5, 9]]
    assert (np.isnan(found.cells[2, 0]), found.cells[2, 1]) == (True, 8)
    assert (found.session_sizes, found.stimulus_sizes) == ([1, 1, 1], [1, 1])


def test_many_are_put_together_with_their_neighbours_and_none_is_left_out():
    frame = table({(f"s{s:03}", f"x{x}"): 1 + (s + x) % 10 for s in range(101) for x in range(4)})

    found = heat_map(frame, most=10)

    assert found.cells.shape == (10, 4)
    assert sum(found.session_sizes) == 101
    assert max(found.session_sizes) - min(found.session_sizes) == 1
    weighted = np.average(found.cells.mean(axis=1), weights=found.session_sizes)
    assert weighted == pytest.approx(frame["rating"].mean())
    assert (np.diff(found.cells.mean(axis=1)) >= 0).all()


def test_severities_are_means_and_spreads():
    found = severities(table({("s", "x"): 2, ("s", "y"): 4, ("t", "x"): 1}))

    assert found == [Severity("t", 1, 1.0, None), Severity("s", 2, 3.0, pytest.approx(2**0.5))]


def test_of_many_sessions_some_at_equal_distances_are_shown():
    found = severities(table({(f"s{s:04}", "x"): s for s in range(1001)}), most=11)

    assert [one.mean for one in found] == [100 * k for k in range(11)]


def test_no_ratings_give_nothing_to_see():
    empty = table({})

    assert (heat_map(empty), severities(empty)) == (None, [])


def test_a_grid_that_is_too_large_is_not_laid_out(monkeypatch):
    monkeypatch.setattr("analysis.overview.MOST_CELLS", 3)

    assert heat_map(table({("s", "x"): 1, ("s", "y"): 2, ("t", "x"): 3})) is None
