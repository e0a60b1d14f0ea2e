"""`python -m analysis.simulate`: a design's coverage from the command line, and for a program that waits."""

import json

import pytest

from analysis.simulate import main

DESIGN = ["--sessions", "6", "--clips", "3,3", "--studies", "20"]


def test_it_prints_how_often_each_way_covered(capsys):
    assert main(DESIGN) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Question", "Way", "%", "error", "studies"]
    assert len(lines) == 1 + 7
    assert {line.split()[-1] for line in lines[1:]} == {"20"}


def test_a_program_gets_its_progress_and_the_shares_as_json(capsys, monkeypatch):
    monkeypatch.setattr("analysis.simulate.SECONDS_BETWEEN", 0)

    main([*DESIGN, "--events"])

    *progress, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert [event["done"] for event in progress] == list(range(1, 20))
    assert progress[-1]["seconds_left"] < progress[0]["seconds_left"]
    assert {share["question"] for share in done["shares"]} == {"these clips", "new clips", "false alarm"}
    assert all(0 <= share["share"] <= 1 and share["error"] >= 0 for share in done["shares"])


def test_the_spread_that_is_given_is_the_one_simulated(capsys):
    main([*DESIGN, "--spread", "1,0,1,0", "--events"])

    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    # Without a spread of clips both questions have one answer.
    naive = {
        share["question"]: share["share"] for share in done["shares"] if share["way"] == "Student's t over ratings"
    }
    assert abs(naive["new clips"] - naive["these clips"]) <= 0.2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--sessions", "0", "--clips", "3,3"], "a design needs sessions and clips, not 0 and (3, 3)"),
        (["--sessions", "5", "--clips", "3,3", "--heard", "4"], "heard must be 1 to 3, not 4"),
    ],
)
def test_what_is_no_design_is_refused_in_a_sentence(capsys, arguments, sentence):
    assert main(arguments) == 2
    assert capsys.readouterr().err == sentence + "\n"
    assert main([*arguments, "--events"]) == 2
    assert json.loads(capsys.readouterr().out) == {"event": "error", "message": sentence}


def test_numbers_that_are_none_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--sessions", "5", "--clips", "three"])
    assert '"three" is not numbers with commas between' in capsys.readouterr().err
