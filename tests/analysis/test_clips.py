"""Measures and likeness of clips, read from the files that stand beside their ratings."""

import json
import re

import pytest

from analysis.__main__ import main
from analysis.clips import measures, similarities
from analysis.ratings import RatingsError


@pytest.fixture
def written(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_measures_are_the_columns_that_say_so(written):
    path = written("clips.csv", "condition,stimulus,seconds,measure_pce,measure_td\nA,'=x,30,2.5,\nB,y,30,1e-3,0\n")

    assert measures(path) == {"pce": {("A", "=x"): 2.5, ("B", "y"): 0.001}, "td": {("A", "=x"): None, ("B", "y"): 0.0}}


def test_a_pair_is_the_same_whichever_comes_first(written):
    path = written("s.csv", "condition_a,stimulus_a,condition_b,stimulus_b,similarity\nB,y,A,x,.5\nA,x,A,z,1\n")

    assert similarities(path) == {(("A", "x"), ("B", "y")): 0.5, (("A", "x"), ("A", "z")): 1.0}


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (measures, "condition,measure_x\nA,1\n", 'has no column "stimulus"'),
        (measures, "condition,stimulus,measure_x\nA,x,one\n", 'line 2: measure_x "one" is no number'),
        (measures, "condition,stimulus,measure_x\nA,x,NaN\n", 'line 2: measure_x "NaN" is no number'),
        (measures, "condition,stimulus,measure_x\nA,x\n", "not all lines have as many cells"),
        (similarities, "condition_a,stimulus_a,condition_b,stimulus_b,similarity\nA,x,A,x,1\n", "two different clips"),
        (similarities, "condition_a,stimulus_a,condition_b,stimulus_b,similarity\nA,x,A,y,1.5\n", "from 0 to 1"),
        (similarities, "condition_a,stimulus_a,condition_b,stimulus_b,similarity\nA,x,A,y,\n", "from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_file_and_the_line(written, read, text, problem):
    path = written("odd.csv", text)

    with pytest.raises(RatingsError) as refused:
        read(path)

    assert str(path) in str(refused.value)
    assert problem in str(refused.value)


def test_files_that_are_not_there_or_empty(tmp_path, written):
    with pytest.raises(RatingsError, match="cannot be read as a table"):
        measures(tmp_path / "none.csv")
    assert measures(written("empty.csv", "")) == {}


def test_the_command_sets_measures_beside_ratings(written, tmp_path, capsys):
    lines = [f"s{s},A,x{k},{1 + k}" for s in range(3) for k in range(6)]
    ratings = written("ratings.csv", "\n".join(["session,condition,stimulus,rating", *lines]) + "\n")
    clips = [f"A,x{k},{k * k},{5 - k}" for k in range(6)]
    written("clips.csv", "\n".join(["condition,stimulus,measure_up,measure_down", *clips]) + "\n")
    alike = [f"A,x{i},A,x{k},{1 - abs(i - k) / 10}" for i in range(6) for k in range(i)]
    written("similarity.csv", "\n".join(["condition_a,stimulus_a,condition_b,stimulus_b,similarity", *alike]) + "\n")
    assert main([str(ratings), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["objective"] is None
    written("study.json", json.dumps({"near_duplicate": 0.85}))

    assert main([str(ratings), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)["objective"]
    assert {one["measure"]: round(one["rho"], 9) for one in found["correlations"]} == {"up": 1, "down": -1}
    assert [pair["similarity"] for pair in found["likeness"]["pairs"]] == [0.9] * 5
    assert found["likeness"]["rho"] == pytest.approx(1)
    assert found["clips"][2] == {"condition": "A", "stimulus": "x2", "mean": 3.0, "measures": {"up": 4.0, "down": 3.0}}
    assert main([str(ratings), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^up +6 +1\.00 +1\.00 to 1\.00 +< 0\.001$", printed, re.M)
    assert re.search(r"^x0 and x1 +0\.90 +1\.00$", printed, re.M)
    assert (tmp_path / "out" / "figures" / "measures.svg").read_text().count("<path") > 3
