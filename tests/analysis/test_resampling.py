"""The bootstrap draws sessions and clips, repeats itself by its seed, and covers about what it promises."""

import numpy as np
import pandas as pd
import pytest

from analysis import grid as grid_module
from analysis.grid import grid
from analysis.resampling import resample


def study(chance, n_sessions=10, n_clips=6, sd_session=0.85, sd_clip=0.8):
    """A table of ratings of conditions a and b, whose models do not differ."""
    sessions, clips = (codes.ravel() for codes in np.indices((n_sessions, 2 * n_clips)))
    y = 6 + chance.normal(0, sd_session, n_sessions)[sessions] + chance.normal(0, sd_clip, 2 * n_clips)[clips]
    rating = y + chance.normal(0, 1.2, len(y))
    return pd.DataFrame(
        {"session": sessions, "condition": np.array(["a", "b"])[clips % 2], "stimulus": clips, "rating": rating}
    )


def test_the_same_seed_draws_the_same(rated):
    table = grid(rated("paper_table"))

    assert (resample(table, seed=7).means == resample(table, seed=7).means).all()
    assert resample(table, seed=7, n_draws=300).means.shape == (300, 3)
    assert not (resample(table, seed=8).means == resample(table, seed=7).means).all(axis=1).any()


def test_the_mean_of_draws_is_the_mean_and_their_spread_that_of_sessions_and_clips(rated):
    table = grid(rated("paper_table"))

    means = resample(table, seed=1, n_draws=4000).means

    assert means.mean(axis=0) == pytest.approx([5.8, 7.0833, 9.3], abs=0.03)
    # R: vcovCL by rater and by item, both ways: .557, .436, .145; drawing both adds what the two share once more.
    assert means.std(axis=0) == pytest.approx([0.58, 0.45, 0.22], abs=0.06)


def test_a_wholly_drawn_grid_is_what_drawing_rows_of_the_table_gives(rated):
    table = grid(rated("paper_table_bib"))
    means = resample(table, seed=3, n_draws=1).means[0]
    chance = np.random.default_rng(3)
    sessions = chance.multinomial(40, np.full(40, 1 / 40), 1)[0]
    stimuli = np.concatenate([chance.multinomial(n, np.full(n, 1 / n), 1)[0] for n in table.n_stimuli_of])

    again = np.repeat(np.arange(len(table.y)), sessions[table.sessions] * stimuli[table.stimuli])
    by_rows = [table.y[again][table.conditions[again] == k].mean() for k in range(3)]

    assert means == pytest.approx(by_rows)


def test_a_sparse_grid_draws_the_same(rated, monkeypatch):
    table = grid(rated("paper_table_bib"))
    dense = resample(table, seed=1, n_draws=50).means
    monkeypatch.setattr(grid_module, "FULL", 1)

    assert resample(table, seed=1, n_draws=50).means == pytest.approx(dense)


def test_the_chances_of_being_the_best_add_up(rated):
    chances = resample(grid(rated("paper_table")), seed=1).chance_of_best()

    assert chances == pytest.approx([0, 0, 1], abs=0.01)
    assert resample(grid(study(np.random.default_rng(2))), seed=1).chance_of_best().sum() == pytest.approx(1)


def test_nothing_to_draw_from_is_refused(rated):
    with pytest.raises(ValueError, match="no ratings to draw from"):
        resample(grid(rated("paper_table").head(0)), seed=1)


def test_the_interval_covers_no_difference_in_about_94_percent_of_studies():
    chance = np.random.default_rng(1)

    intervals = [resample(grid(study(chance)), seed, 400).interval([1, -1]) for seed in range(150)]

    covered = np.mean([low <= 0 <= high for low, high in intervals])
    assert 0.86 <= covered <= 0.98
