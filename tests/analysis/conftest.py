"""Tables of ratings and R's answers to them.

tests/fixtures/r_answers.csv holds what R 4.2.2 says of our own tables (lme4 1.1-31, lmerTest 3.1-3, emmeans 1.8.4-1,
ordinal 2022.11-16, irr 0.84.1, sandwich 3.0-2, effectsize 0.8.3), with a tolerance each. Tables of others, and what R
says of them, are read from ../shared and never committed.
"""

import csv
from pathlib import Path

import pandas as pd
import pytest

FIXTURES = Path(__file__).parents[1] / "fixtures"
OURS = ("paper_table", "paper_table_bib", "screening_sim", "anchor_shrout_fleiss", "anchor_krippendorff")


@pytest.fixture(scope="session")
def folder_of(request):
    """folder_of("paper_table", theirs): our fixtures for a table of ours, else the folder `theirs` in ../shared."""

    def folder(name, theirs="data/stats"):
        return FIXTURES if name in OURS else request.getfixturevalue("shared") / theirs

    return folder


@pytest.fixture(scope="session")
def rated(folder_of):
    """rated("paper_table"): that table with our columns. Not by `ratings.read`, which refuses repeats; one has two."""

    def read(name, suffix=".csv"):
        frame = pd.read_csv(folder_of(name) / f"{name}{suffix}")
        frame = frame.rename(columns={"rater": "session", "item": "stimulus", "order": "position"})
        return frame.dropna(axis=1, how="all").assign(row=frame["stimulus"])

    return read


@pytest.fixture(scope="session")
def r_says(folder_of):
    """r_says("paper_table", "pair SE"): {term: R's value, within its tolerance}."""

    def answers(name, quantity):
        file = "r_answers.csv" if name in OURS else "summary.csv"
        with (folder_of(name, "data/stats/reference") / file).open() as lines:
            found = {
                line["term"]: within(float(line["value"]), line["suggested_tolerance"])
                for line in csv.DictReader(lines)
                if (line["dataset"], line["quantity"]) == (name, quantity)
            }
        assert found, f"R says nothing about {quantity} of {name}"
        return found

    return answers


def within(value, tolerance):
    size, _, kind = tolerance.partition(" ")
    if size == "see":  # differences of session means, made exact before they are ranked
        size = "1e-9"
    if kind == "rel":
        return pytest.approx(value, rel=float(size), abs=1e-12)
    return pytest.approx(value, rel=float(size) if kind == "" else 0, abs=float(size))
