"""Bradley-Terry strengths are those of R's BradleyTerry2, and of the pencil."""

import json
import math

import numpy as np
import pytest

from analysis.grid import grid
from analysis.preference import bradley_terry, preferences, wins_of

# R: BTabilities(BTm(cbind(w1, w2), i, j, data = bt)), bt the comparisons within raters, ties half a win each
REFERENCE = {
    "cnn_1": (0, 0),
    "cnn_2": (1.37612697454352, 0.330209095840204),
    "cnn_6": (-1.53699332946241, 0.336379166619238),
    "lpd5_1": (2.50014471494494, 0.379943204640217),
    "rnn_4": (-2.21671012684021, 0.375040383754638),
}


def test_strengths_of_clips_agree_with_bradleyterry2(rated):
    table = grid(rated("paper_table"))
    names = [stimulus for _, stimulus in table.stimulus_names]
    cnn_1_first = np.argsort([name != "cnn_1" for name in names], kind="stable")

    found = bradley_terry(wins_of(table.cells()[:, cnn_1_first]), [names[k] for k in cnn_1_first])

    for name, (strength, error) in REFERENCE.items():
        k = found.names.index(name)
        assert found.strengths[k] == pytest.approx(strength, abs=1e-8)
        assert found.errors[k] == pytest.approx(error, rel=1e-4)


def test_all_clips_agree_with_bradleyterry2(rated, shared):
    said = json.loads((shared / "data/stats/reference/paper_table.json").read_text())["bradley_terry"]
    found = preferences(rated("paper_table"))
    strengths = {stimulus: s for (_, stimulus), s in zip(found.names, found.strengths, strict=True)}
    order = [stimulus for _, stimulus in found.names]

    for line in said["abilities"]:
        assert strengths[line["item"]] - strengths["cnn_1"] == pytest.approx(line["ability"], abs=1e-8)
    for line in said["wins"]:
        i, j = order.index(line["i"]), order.index(line["j"])
        assert (found.wins[i, j], found.wins[j, i]) == (line["w1"], line["w2"])


def test_two_by_hand():
    # 3 wins to 1: odds 3, information 4 * 3/4 * 1/4.
    found = bradley_terry([[0, 3], [1, 0]], ["a", "b"])

    assert found.strengths == pytest.approx([0, -math.log(3)])
    assert found.errors == pytest.approx([0, (4 / 3) ** 0.5])
    assert found.chance("a", "b") == pytest.approx(3 / 4)


def test_wins_within_a_session_only_and_ties_as_halves():
    cells = np.array([[5.0, 3.0, np.nan], [4.0, 4.0, 1.0]])

    assert wins_of(cells).tolist() == [[0, 1.5, 1], [0.5, 0, 1], [0, 0, 0]]


def test_at_the_maximum_the_expected_wins_are_the_wins(rated):
    found = preferences(rated("paper_table_bib"))

    chances = 1 / (1 + np.exp(found.strengths[None, :] - found.strengths[:, None]))
    expected = ((found.wins + found.wins.T) * chances).sum(axis=1)
    assert expected == pytest.approx(found.wins.sum(axis=1), abs=1e-8)


def test_one_that_never_lost_has_no_finite_strength(rated):
    with pytest.raises(ValueError, match="strengths are not finite"):
        bradley_terry([[0, 3], [0, 0]])
    assert preferences(rated("paper_table").query("session == 'P01'")) is None
    assert preferences(rated("paper_table").head(0)) is None


def test_impossible_wins_are_refused():
    for wins in ([[0, 1]], [[0]], [[0, -1], [1, 0]]):
        with pytest.raises(ValueError, match="wins must be a square"):
            bradley_terry(wins)
