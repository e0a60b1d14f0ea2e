"""The one object of results: every number of it R's, every odd table answered, all of it JSON."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis import figures, printing, ratings, results
from analysis.__main__ import main
from analysis.plan import Plan
from analysis.rules import RECOMMENDED


@pytest.fixture
def found(rated):
    return results.results(rated("paper_table"), Plan(margin=1))


def test_pairs_have_the_headline_and_the_other_answers(found):
    # R: see test_compare; here that each number stands under its name
    pair = found["pairs"][0]

    assert {key: pair[key] for key in ("a", "b")} == {"a": "baseline_rnn", "b": "cnn2d"}
    headline = [pair[key] for key in ("difference", "se", "df", "low", "high", "p", "p_holm", "d_total")]
    assert headline == pytest.approx([-1.28333, 0.58125, 10.0, -2.57844, 0.01177, 0.05175, 0.05175, -0.77004], rel=1e-3)
    assert pair["these_clips"] == {
        "difference": pytest.approx(-1.28333333333333),
        "se": pytest.approx(1.28333333333333 / 5.71110743781442),
        "df": 9,
        "low": pytest.approx(-1.79165885931375),
        "high": pytest.approx(-0.775007807352915),
        "p": pytest.approx(0.000290199735015386),
        "p_holm": pytest.approx(0.000290199735015386),
        "d_z": pytest.approx(-1.8060107465422),
    }
    assert pair["cliffs_delta"] == pytest.approx(-0.58)
    assert pair["equivalence"]["p"] == pytest.approx(0.68178, rel=1e-4)
    assert pair["bootstrap"]["low"] < -1.28 < pair["bootstrap"]["high"]


def test_the_fits_and_the_agreement_stand_under_their_names(found):
    assert found["variances"] == pytest.approx({"stimulus": 0.67322, "session": 0.72806, "residual": 1.37621}, rel=1e-4)
    assert found["reml"] == pytest.approx(448.461836702939, abs=1e-4)
    assert found["ordinal"]["coefficients"] == pytest.approx({"cnn2d": 1.82089, "lpd5": 5.50847}, rel=1e-4)
    assert (found["ordinal"]["sd_stimulus"], found["ordinal"]["sd_session"]) == pytest.approx(
        (1.05101, 1.2339), rel=1e-4
    )
    assert found["ordinal"]["log_likelihood"] == pytest.approx(-211.611120711169, abs=1e-4)
    single = {key: found["agreement"][key] for key in ("icc_2_1", "icc_2_k", "icc_3_1", "icc_3_k")}
    assert single == pytest.approx(
        {"icc_2_1": 0.5223, "icc_2_k": 0.9162, "icc_3_1": 0.62572, "icc_3_k": 0.94356}, rel=1e-4
    )
    alpha = [found["agreement"][f"alpha_{level}"] for level in ("nominal", "ordinal", "interval")]
    assert alpha == pytest.approx([0.0789110005527915, 0.50690949943863, 0.496192869244094], rel=1e-9)
    assert found["friedman"]["stimuli"]["w"] == pytest.approx(0.663106517370083)
    assert found["friedman"]["conditions"]["p"] == pytest.approx(4.53999297624849e-05)
    assert found["wilcoxon"][0]["p_holm"] == pytest.approx(0.0175712972558524)
    assert found["order"]["drift"]["slope"] == pytest.approx(-0.0119926399916954, rel=1e-4)
    assert found["flags"] == []


def test_the_mean_whose_reliability_is_said_is_of_those_who_heard_a_clip(rated):
    found = results.results(rated("paper_table_bib"))
    curve = next(figure for figure in figures.figures(found) if figure.name == "agreement")

    assert (found["agreement"]["sessions"], found["agreement"]["k"]) == (40, pytest.approx(265 / 13))
    assert "ICC(2,k), the mean of 20.4" in printing.text(found)
    assert "This study's 20.4 for a clip: 0.97." in curve.words


def test_flags_know_the_real_music_by_its_shared_row(rated):
    frame = rated("screening_sim")
    frame["row"] = frame["row"].where(frame["condition"] != "lpd5", "LPD5 Samples")

    assert results.pooled(frame) == {"lpd5"}
    below = [flag["session"] for flag in results.results(frame)["flags"] if flag["rule"] == "reference_below"]
    assert below == ["X05"]
    assert {flag["rule"] for flag in results.results(frame, Plan(references=()))["flags"]} & {
        "reference_below"
    } == set()


def test_the_same_table_gives_the_same_digits_in_any_order(rated):
    frame = rated("paper_table_bib")

    one, other = results.results(frame), results.results(frame.sample(frac=1, random_state=2))

    assert json.dumps(one) == json.dumps(other)


ODD = {
    "nothing": [],
    "one rating": [("s", "a", "x", 5)],
    "one session": [("s", c, c + k, 5 + int(k)) for c in "ab" for k in "12"],
    "one condition": [(s, "a", k, 5 + int(k)) for s in "stu" for k in "123"],
    "one clip a condition": [(s, c, c, 4 + k + (c == "b")) for k, s in enumerate("stu") for c in "ab"],
    "all equal": [(s, c, k, 5) for s in "stu" for c in "ab" for k in "12"],
    "two answers only": [(s, c, k, 1 + 9 * (s > "s")) for s in "stu" for c in "ab" for k in "12"],
    "nobody heard both": [(s, "a" if s < "t" else "b", k, 3 + int(k)) for s in "rstu" for k in "12"],
    "fractions": [(s, c, k, 5 + (ord(s) * 7 + int(k)) % 9 / 8) for s in "stuv" for c in "ab" for k in "123"],
    "clips and sessions alike on average": [
        (s, c, c + k, (3, 5, 7)[(ord(s) + int(k)) % 3]) for s in "rstuvw" for c in "ab" for k in "123"
    ],
    "sessions of one rating": [(f"{c}{k}{r}", c, k, 3 + r) for c in "ab" for k in "12" for r in range(3)],
}


@pytest.mark.parametrize("rated", ODD.values(), ids=ODD)
def test_an_odd_table_has_an_answer_that_is_json(rated):
    frame = ratings.read(pd.DataFrame(rated, columns=["session", "condition", "stimulus", "rating"]))

    found = results.results(frame, Plan(margin=1, exclusion=RECOMMENDED))

    assert json.loads(json.dumps(found, allow_nan=False))["bootstrap"] == {"seed": 1, "draws": 2000}
    assert len(found["conditions"]) == frame["condition"].nunique()
    assert printing.text(found)
    for part in [*found["conditions"], *found["pairs"]]:
        has_answer = (part.get("new_clips") or part.get("p")) is not None
        assert has_answer or part["why_not_new_clips"]


def test_answers_that_differ_in_the_seventh_digit_are_two():
    given = {0.123456: 2, 0.1234561: 1, 7.0: 3}
    lines = [
        (f"s{k}", "a", "x", value) for k, value in enumerate(value for value, n in given.items() for _ in range(n))
    ]
    frame = ratings.read(pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"]))

    assert results.results(frame)["rows"][0]["values"] == {"0.123456": 2, "0.1234561": 1, "7": 3}


def test_random_tables_have_answers_that_are_json(monkeypatch):
    monkeypatch.setattr(results, "N_DRAWS", 20)
    for seed in range(60):
        chance = np.random.default_rng(seed)
        cells = [(f"s{s}", f"c{c}", f"x{k}") for s in range(chance.integers(1, 6)) for c in range(3) for k in range(2)]
        heard = [cell for cell in cells if chance.random() < 0.7]
        rated = [(*cell, int(chance.integers(1, 11))) for cell in heard]
        frame = ratings.read(pd.DataFrame(rated, columns=["session", "condition", "stimulus", "rating"]))

        found = results.results(frame)

        assert sum(condition["n"] for condition in json.loads(json.dumps(found, allow_nan=False))["conditions"]) == len(
            rated
        )


def test_the_command_takes_a_margin_and_refuses_none_above_zero(tmp_path, capsys):
    path = tmp_path / "ratings.csv"
    lines = [f"s{s},{c},{c}{k},{4 + (s + k) % 3}" for s in range(4) for c in "ab" for k in range(3)]
    path.write_text("\n".join(["session,condition,stimulus,rating", *lines]) + "\n")

    assert main([str(path), "--json", "--margin", "1.5", "--seed", "7", "--reference", "a"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"][0]["equivalence"]["margin"], found["bootstrap"]["seed"]) == (1.5, 7)
    with pytest.raises(SystemExit):
        main([str(path), "--margin", "0"])
    assert '"0" is not a number above 0' in capsys.readouterr().err


def test_what_an_exclusion_rule_leaves_stands_beside_the_whole(rated):
    frame = rated("screening_sim")
    bad = [f"X0{k}" for k in range(1, 7)]

    found = results.results(frame, Plan(exclusion=RECOMMENDED))

    kept = results.results(frame[~frame["session"].isin(bad)])
    assert found["screened"]["sessions"] == bad
    assert {key: found["screened"][key] for key in ("rows", "conditions", "pairs")} == {
        key: kept[key] for key in ("rows", "conditions", "pairs")
    }
    assert found["rows"] == results.results(frame)["rows"] != kept["rows"]
    assert results.results(frame)["screened"] is None


def test_a_rule_that_leaves_nobody_has_no_second_result():
    lines = [(f"s{s}", c, f"{c}{k}", 5) for s in range(3) for c in "ab" for k in range(3)]
    frame = ratings.read(pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"]))

    found = results.results(frame, Plan(exclusion=("no_spread",)))

    assert found["screened"]["ratings"] == 0
    assert printing.text(found).endswith(
        "Screened: 3 sessions left out by the rule fixed before (no_spread), 0 ratings, so there is no second result.\n"
    )


def test_both_results_have_their_pairs_in_words(rated):
    said = printing.text(results.results(rated("screening_sim"), Plan(exclusion=RECOMMENDED)))

    assert said.index("baseline_rnn and cnn2d\n") < said.index("Screened: 6 sessions")
    assert said.index("Screened: 6 sessions") < said.index("baseline_rnn and cnn2d, screened\n")


def test_repeats_raise_flags_and_move_no_number(rated):
    frame = rated("paper_table")
    one = frame["session"].iloc[0]
    again = frame[frame["session"] == one].head(2)
    repeats = again.assign(rating=[1.0 if first > 5 else 10.0 for first in again["rating"]])

    found, without = results.results(frame, repeats=repeats), results.results(frame)

    assert [(flag["session"], flag["rule"]) for flag in found["flags"]] == [(one, "inconsistent")]
    assert found | {"flags": []} == without


def test_on_a_scale_to_100_the_rule_of_mushra_is_asked(rated):
    frame = rated("mushra_neural_codec")
    frame = frame[frame["condition"].isin(["Reference", "Anchor", "Lyra 3"])]

    found = results.results(frame, Plan(references=("Reference",), anchor="Anchor"))

    missed = [(flag["session"], flag["rule"]) for flag in found["flags"] if flag["rule"].endswith("_missed")]
    assert missed == [("p06", "reference_missed"), ("p17", "reference_missed"), ("p21", "anchor_missed")]


def test_the_strip_the_map_and_the_strengths_stand_under_their_names(found):
    assert [(strip["a"], strip["b"]) for strip in found["sensitivity"]] == [
        (pair["a"], pair["b"]) for pair in found["pairs"]
    ]
    assert found["sensitivity"][0]["lines"][0]["size"] == found["pairs"][0]["difference"]
    assert len(found["sensitivity"][0]["left_out"]) == 10
    assert len(found["heat_map"]["cells"]) == found["n_sessions"] == len(found["sessions"]) == 10
    assert {len(line) for line in found["heat_map"]["cells"]} == {13}
    # R: BradleyTerry2::BTm
    strengths = {line["stimulus"]: line["strength"] for line in found["preferences"]}
    assert strengths["lpd5_1"] - strengths["cnn_1"] == pytest.approx(2.50014, rel=1e-4)
    assert found["agreement"]["curve"][9] == {"sessions": 10, "icc": pytest.approx(0.9162, rel=1e-3)}
    assert sum(condition["chance_of_best"] for condition in found["conditions"]) == pytest.approx(1)


def test_what_was_done_with_what_is_written_down(found, rated):
    about = found["about"]

    assert {key: about[key] for key in ("ratings", "seed", "draws", "margin", "exclusion")} == {
        "ratings": 130,
        "seed": 1,
        "draws": 2000,
        "margin": 1,
        "exclusion": [],
    }
    assert set(about["versions"]) == {"earmark", "python", "numpy", "scipy", "pandas"}
    frame = rated("paper_table")
    other = frame.assign(rating=frame["rating"].where(frame.index != 5, 1))
    assert about["checksum"] == results.checksum(frame.sample(frac=1, random_state=1)) != results.checksum(other)
