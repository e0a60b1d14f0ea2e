"""Every figure says in words, in a table and in marks the same numbers as the results, and becomes a file."""

import json
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from analysis import drawing, figures, printing, ratings, reports, results
from analysis.drawing import CATEGORIES, FORMATS

ALL = ["averages", "conditions", "differences", "answers", "ratings", "order", "staying", "agreement", "sessions"]


@pytest.fixture(scope="module")
def found(rated):
    return results.results(rated("screening_sim"))


@pytest.fixture(scope="module")
def drawn(found):
    return {figure.name: figure for figure in figures.figures(found)}


def marks(figure):
    """The data of the layer that the keyboard walks through."""
    layers = [figure.spec, *figure.spec.get("layer", [])]
    datas = [layer["data"]["values"] for layer in layers if "data" in layer]
    return next(values for values in datas if values and "index" in values[0] and "words" in values[0])


def test_all_figures_are_there_in_reading_order(drawn):
    assert list(drawn) == ALL


@pytest.mark.parametrize("name", ALL)
def test_the_keyboard_finds_each_mark_with_its_words(drawn, name):
    points = drawn[name].spec["usermeta"]["points"]

    assert [mark["words"] for mark in marks(drawn[name])] == points
    assert [mark["index"] for mark in marks(drawn[name])] == list(range(len(points)))
    assert any(param["name"] == "at" and param["value"] == -1 for param in drawn[name].spec["params"])
    assert "datum.index === at" in json.dumps(drawn[name].spec)


@pytest.mark.parametrize("name", ALL)
def test_each_has_words_and_a_table(drawn, name):
    figure = drawn[name]

    assert re.search(r"\d", figure.words)
    assert figure.lines
    assert {len(line) for line in figure.lines} == {len(figure.header)}
    assert all(isinstance(cell, str) for line in figure.lines for cell in line)


def test_the_averages_are_those_of_the_table(drawn, found):
    assert [(line[0], line[3]) for line in drawn["averages"].lines] == [
        (row["stimulus"], row["average"]) for row in found["rows"]
    ]
    assert [mark["mean"] for mark in marks(drawn["averages"])] == [row["mean"] for row in found["rows"]]
    assert (
        "The highest average is that of lpd5_3: 9.1, 95 % interval 8.65 to 9.57, 36 ratings" in drawn["averages"].words
    )


def test_shares_of_answers_add_up(drawn, found):
    by_row = {}
    for mark in marks(drawn["answers"]):
        by_row[mark["row"]] = by_row.get(mark["row"], 0) + mark["share"]

    assert by_row == {row["stimulus"]: pytest.approx(1) for row in found["rows"]}


def test_differences_have_both_questions(drawn):
    assert [(mark["pair"], mark["question"]) for mark in marks(drawn["differences"])][:2] == [
        ("baseline_rnn minus cnn2d", "These clips"),
        ("baseline_rnn minus cnn2d", "New clips"),
    ]


def test_answers_that_nobody_gave_are_shown_as_such(found):
    twos = found | {"rows": [row | {"values": {"2": row["n"]}} for row in found["rows"]], "scale_ends": [1, 10]}
    assert figures.answers(twos).header == ("Row", *map(str, range(1, 11)))
    whole = found | {"scale_ends": [0, 10]}
    assert figures.answers(whole).header == ("Row", *map(str, range(11)))
    halves = found | {"rows": [row | {"values": {"1.5": 1, "2": row["n"] - 1}} for row in found["rows"]]}
    assert figures.answers(halves).header == ("Row", "1.5", "2")


def test_clips_of_one_name_are_told_apart_by_their_conditions():
    lines = [
        (f"s{s}", c, f"song {k}", (3 if c == "a" else 7) + (s + k) % 3) for s in range(4) for c in "ab" for k in (1, 2)
    ]
    frame = ratings.read(pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"]))
    found = results.results(frame)
    drawn = {figure.name: figure for figure in figures.figures(found)}
    called = ["song 1 (a)", "song 1 (b)", "song 2 (a)", "song 2 (b)"]

    for name in ("averages", "answers"):
        assert sorted(line[0] for line in drawn[name].lines) == called
        assert {mark["row"] for mark in marks(drawn[name])} == set(called)
    assert sorted(drawn["ratings"].header[1:]) == called
    assert len({line[1:] for line in drawn["ratings"].lines}) > 1
    assert [line["way"] for line in found["sensitivity"][0]["left_out"]] == [
        f"without song {k} ({c})" for c in "ab" for k in (1, 2)
    ]
    assert all(f"\n{name} " in printing.text(found) for name in called)
    assert "| song 1 (a) |" in reports.table_markdown(found).replace("\\", "")


def test_flagged_sessions_are_told_apart_by_shape_too(drawn):
    flagged = {mark["session"] for mark in marks(drawn["sessions"]) if mark["flagged"] == "flagged"}

    assert flagged == {f"X0{k}" for k in range(1, 7)}
    assert "6 flagged" in drawn["sessions"].words
    assert '"range": ["circle", "diamond"]' in json.dumps(drawn["sessions"].spec)


def test_they_become_files(drawn, tmp_path):
    drawing.write([drawn["averages"], drawn["ratings"]], tmp_path / "figures")

    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(
        f"{name}.{form}" for name in ("averages", "ratings") for form in (*FORMATS, "vl.json")
    )
    assert "lpd5_3" in (tmp_path / "figures" / "averages.svg").read_text()
    assert (tmp_path / "figures" / "averages.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "figures" / "averages.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ALL)
def test_each_is_drawn_without_a_complaint(drawn, name):
    svg = drawing.rendered(drawn[name].spec, "svg").decode()

    assert svg.count("<path") + svg.count("<line") >= len(drawn[name].lines)
    assert "NaN" not in svg


def test_of_many_sessions_and_clips_everything_is_drawn_too():
    """Beyond what is shown one by one: 120 sessions, 70 clips, of which each hears ten."""
    lines = [
        (f"s{s:03}", f"c{k % 3}", f"x{k:02}", 1 + (s * 7 + k * 3 + p) % 10, p)
        for s in range(120)
        for p, k in enumerate(((s + 7 * j) % 70 for j in range(10)), start=1)
    ]
    frame = ratings.read(pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating", "position"]))

    drawn = figures.figures(results.results(frame))

    assert [figure.name for figure in drawn] == ALL
    for figure in drawn:
        assert drawing.rendered(figure.spec, "svg").startswith(b"<svg")
    assert len(next(figure for figure in drawn if figure.name == "ratings").lines) == 60


def test_another_form_is_refused(drawn):
    with pytest.raises(ValueError, match="form must be one of svg, pdf, png, not gif"):
        drawing.rendered(drawn["order"].spec, "gif")


def test_what_would_show_nothing_is_left_out(rated):
    frame = rated("paper_table").query("condition == 'lpd5' and session == 'P01'").drop(columns="position")

    names = [figure.name for figure in figures.figures(results.results(frame))]

    assert names == ["averages", "answers", "ratings", "sessions"]
    assert figures.figures({}) == figures.figures({"rows": []}) == []


def seen_by(colour, missing):
    """A colour as somebody without this kind of cone sees it, linear RGB (Vienot, Brettel & Mollon, 1999)."""
    rgb = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_lms = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    without = {
        "protan": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
        "deutan": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    }
    return np.linalg.inv(to_lms) @ without[missing] @ to_lms @ linear


def lightness_and_hue(linear):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(np.maximum(xyz / [0.9505, 1, 1.089], 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])  # CIE L*a*b*


@pytest.mark.parametrize("missing", ["protan", "deutan"])
def test_the_first_colours_are_told_apart_by_colour_blind_readers(missing):
    seen = [lightness_and_hue(seen_by(colour, missing)) for colour in CATEGORIES[:4]]

    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15
