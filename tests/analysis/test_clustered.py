"""Clustered errors are those of R's sandwich, and never below the larger one-way one."""

import numpy as np
import pandas as pd
import pytest

from analysis.clustered import clustered
from analysis.grid import grid


@pytest.mark.parametrize(
    "name", ["paper_table", "paper_table_bib", "screening_sim", "music_aimgef", "mushra_neural_codec"]
)
def test_two_way_errors_agree_with_sandwich(name, rated, r_says):
    # R: l <- lm(rating ~ 0 + condition, d); sqrt(diag(vcovCL(l, ~ rater + item, type = "HC1", multi0 = FALSE)))
    table = grid(rated(name))

    found = np.sqrt(np.diag(clustered(table).two_way))

    names = [f"condition{condition}" for condition in table.condition_names]
    assert dict(zip(names, found, strict=True)) == r_says(name, "two-way clustered SE (HC1)")


def test_one_way_errors_agree_with_sandwich(rated):
    # R: sqrt(diag(vcovCL(l, ~ rater, type = "HC1"))), the same by ~ item; baseline_rnn, cnn2d, lpd5
    errors = clustered(grid(rated("paper_table")))

    by_session, by_stimulus = (np.sqrt(np.diag(each)) for each in (errors.by_session, errors.by_stimulus))
    assert by_session == pytest.approx([0.437700085480225, 0.285775078938313, 0.215111519634038], rel=1e-9)
    assert by_stimulus == pytest.approx([0.4542288177754, 0.394376087690226, 0.0494501702249943], rel=1e-9)


def test_the_error_is_never_below_the_larger_one_way_error(rated):
    # lpd5: .145 by two ways, .215 by sessions alone
    estimate = clustered(grid(rated("paper_table"))).estimate([0, 0, 1])

    assert estimate.value == pytest.approx(9.3)
    assert estimate.se == pytest.approx(0.215111519634038, rel=1e-9)
    assert estimate.df == 2  # three clips


def test_too_few_clusters_are_refused():
    rated = pd.DataFrame({"session": ["s"] * 3, "condition": ["a"] * 3, "stimulus": list("xyz"), "rating": [1, 2, 3]})

    with pytest.raises(ValueError, match="at least 2 sessions and 2 stimuli"):
        clustered(grid(rated))
    with pytest.raises(ValueError, match="2 ratings, too few for 2 conditions"):
        clustered(grid(rated.head(2).assign(session=["s", "t"], condition=["a", "b"])))
