"""Tables, methods and a folder of files, from the same results as everything else."""

import csv
import io
import json
import shutil
import subprocess

import pandas as pd
import pytest

from analysis import folder, ratings, reports, results
from analysis.methods import methods
from analysis.plan import Plan, beside, read
from analysis.ratings import RatingsError

NASTY = ["50 % & more_or_less", "a|b\\c", "=1+1", "007", "NaN", 'say "x"', "ملاحظة 🎵", "two\nlines"]


@pytest.fixture(scope="module")
def found(rated):
    return results.results(rated("paper_table"))


@pytest.fixture
def nasty():
    """Names that break careless writers, as conditions and rows."""
    lines = [(f"s{s}", name, f"{name} {k}", 5 + (s + k) % 3) for s in range(4) for name in NASTY for k in range(2)]
    return ratings.read(pd.DataFrame(lines, columns=["session", "condition", "stimulus", "rating"]))


def test_the_csv_is_the_report_table_and_the_conditions_with_both_intervals(found):
    lines = list(csv.DictReader(io.StringIO("".join(reports.table_csv(found)))))

    assert [(line["level"], line["row"], line["n"], line["average"]) for line in lines][:2] == [
        ("row", "rnn_1", "10", "7.1"),
        ("row", "rnn_2", "10", "5.9"),
    ]
    last = lines[-1]
    assert (last["level"], last["row"], last["average"], last["mean"]) == ("condition", "lpd5", "9.3", "9.3")
    assert [float(last[name]) for name in ("low", "high", "new_low", "new_high")] == pytest.approx(
        [8.81717, 9.78283, 8.04831, 10.55169], rel=1e-4
    )


def test_names_come_back_from_the_csv_as_they_went_in(nasty):
    text = "".join(reports.table_csv(results.results(nasty)))

    cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    again = ratings.read(cells.assign(session="s", stimulus=cells["row"], rating=1).drop(columns="scale"))

    assert {*again["condition"]} == set(NASTY)
    assert "\n=1+1" not in text


def test_latex_escapes_what_it_would_run(nasty):
    table = reports.table_latex(results.results(nasty))

    assert r"50 \% \& more\_or\_less & 8 &" in table
    assert r"a|b\textbackslash{}c" in table
    assert "two lines" in table
    assert table.count(r"\begin{tabular}{lrrrr}") == table.count(r"\begin{tabular}{lrrrrr}") == 1
    assert table.count(r"\midrule") == 1 + 7 + 1  # after each heading, and between eight conditions
    assert all(line.count(" & ") in (0, 4, 5) for line in table.replace(r"\&", "").splitlines())


def test_markdown_has_the_cells_that_it_has_columns(nasty):
    table = reports.table_markdown(results.results(nasty))

    lines = [line.replace(r"\|", "") for line in table.splitlines() if line]
    assert {line.count("|") for line in lines} == {6, 7}
    assert r"a\|b\\c" in table


def test_scales_stand_under_their_names(rated):
    frame = rated("paper_table")
    both = pd.concat([frame.assign(scale="overall"), frame.assign(scale="rhythm")])

    found = results.results(both)

    assert reports.table_markdown(found).count("## ") == 2
    assert "% rhythm" in reports.table_latex(found)
    assert {line.split(",")[0] for line in reports.table_csv(found)} == {"scale", "overall", "rhythm"}


def test_the_methods_say_what_was_done_and_nothing_else(found, rated):
    text = methods(found, ["Listeners heard 30 s of each clip."])

    assert text.startswith(
        "Listeners heard 30 s of each clip. 10 listeners gave 130 ratings to 13 clips of 3 conditions."
    )
    assert "Its variances are 0.673 for clips, 0.728 for listeners, 1.376 for the rest." in text
    assert "2,000 times (seed 1)" in text
    assert "Equivalence" not in text
    assert "No listener was left out, and none was flagged." in text
    other = methods(results.results(rated("screening_sim"), Plan(margin=0.5, exclusion=("no_spread",), seed=7)))
    assert "within 0.50 points, fixed before" in other
    assert "(seed 7)" in other
    assert "“All ratings are equal.” That concerns 2 of 36" in other


def test_the_methods_of_several_scales_speak_of_each(rated):
    frame = rated("paper_table")
    both = pd.concat([frame.assign(scale="overall"), frame.assign(scale="rhythm", rating=11 - frame["rating"])])

    text = methods(results.results(both))

    assert text.startswith("10 listeners gave 260 ratings on 2 scales to 13 clips of 3 conditions.")
    assert text.count("Its variances are 0.673 for clips, 0.728 for listeners, 1.376 for the rest (“") == 2
    assert "alpha 0.51 (“rhythm”). No listener was left out, and none was flagged (“rhythm”)." in text


def test_the_methods_of_one_listener_claim_no_check(rated):
    one = rated("paper_table").query("session == 'P01'")

    text = methods(results.results(one, Plan(margin=1)))

    assert text.startswith("1 listener gave 13 ratings to 13 clips of 3 conditions.")
    assert "That model has no answer here: there is one session only, and one listener does not speak" in text
    assert not any(word in text for word in ("Holm", "resampled", "Equivalence", "Friedman", "cumulative", "agree"))


def test_the_methods_say_why_there_is_no_answer(rated):
    one_each = rated("paper_table").query("stimulus in ('rnn_1', 'cnn_1')")

    text = methods(results.results(one_each))

    assert "That model has no answer here: each condition has one clip only" in text
    assert "cumulative-link" not in text
    assert methods(results.results(one_each.head(0))) == "Nobody has rated anything yet.\n"


def test_a_study_that_lies_beside_its_ratings_is_found(tmp_path, rated, capsys):
    from analysis.__main__ import main

    rated("paper_table").to_csv(tmp_path / "ratings.csv", index=False)
    order = (("lpd5", "lpd5_3"), ("cnn2d", "cnn_6"))
    settled = Plan(margin=0.5, seed=9, rows=order, scale_ends={"": (1, 10)}, exclusion=("no_spread",))
    (tmp_path / "study.json").write_text(settled.as_json())

    assert main([str(tmp_path / "ratings.csv"), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["about"]["seed"], found["about"]["margin"], found["scale_ends"]) == (9, 0.5, [1, 10])
    assert [row["stimulus"] for row in found["rows"]][:3] == ["lpd5_3", "cnn_6", "rnn_1"]
    assert [one["condition"] for one in found["conditions"]] == ["lpd5", "cnn2d", "baseline_rnn"]
    assert main([str(tmp_path / "ratings.csv"), "--json", "--seed", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["about"]["seed"] == 2


def test_a_plan_comes_back_as_it_was_written(tmp_path):
    plan = Plan(0.5, ("no_spread",), ("real",), "bad", 3, (("a", "b"),), {"x": (1.0, 7.0)}, 0.4, ("One.",))
    (tmp_path / "study.json").write_text(plan.as_json())

    assert beside(tmp_path / "ratings.csv") == plan
    assert beside(tmp_path / "elsewhere" / "ratings.csv") == Plan()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "is no JSON object"),
        ("{", "cannot be read as JSON"),
        ('{"margin": -1}', '"margin" is not what it should be: -1'),
        ('{"exclusion": ["bored"]}', '"exclusion" is not what it should be: ["bored"]'),
        ('{"seed": 1.5}', '"seed" is not'),
        ('{"rows": [["a"]]}', '"rows" is not'),
        ('{"scale_ends": {"": [10, 1]}}', '"scale_ends" is not'),
        ('{"references": "real"}', '"references" is not'),
        ('{"design": [1]}', '"design" is not'),
        ('{"anchor": 3}', '"anchor" is not'),
    ],
)
def test_a_plan_that_is_wrong_is_refused_by_name(tmp_path, text, problem):
    path = tmp_path / "study.json"
    path.write_text(text)

    with pytest.raises(RatingsError) as refused:
        read(path)

    assert str(path) in str(refused.value)
    assert problem in str(refused.value)


def test_the_folder_has_everything(tmp_path, rated, found):
    folder.write(tmp_path, rated("paper_table"), found)

    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names >= {
        *(
            "results.json",
            "tables.txt",
            "table.csv",
            "table.tex",
            "table.md",
            "methods.txt",
            "analysis.R",
            "analysed.csv",
        ),
        *("figures/averages.svg", "figures/averages.pdf", "figures/averages.png", "figures/conditions.vl.json"),
    }
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(json.dumps(found))


def has_r():
    if shutil.which("Rscript") is None:
        return False
    asked = "quit(status = !all(c('lme4', 'lmerTest', 'emmeans', 'ordinal') %in% rownames(installed.packages())))"
    return subprocess.run(["Rscript", "-e", asked], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("name", ["paper_table", "paper_table_bib"])
def test_the_script_gives_the_same_numbers_in_r(tmp_path, rated, name):
    if not has_r():
        pytest.skip("no R with lme4, lmerTest, emmeans and ordinal here")
    frame = rated(name)
    folder.write(tmp_path, frame, results.results(frame))

    subprocess.run(["Rscript", "analysis.R"], cwd=tmp_path, check=True, capture_output=True, timeout=300)

    found = json.loads((tmp_path / "results.json").read_text())
    by_r = {}
    for line in csv.DictReader((tmp_path / "by_R.csv").read_text().splitlines()):
        by_r.setdefault(line["quantity"], {})[line["term"]] = float(line["value"])
    rows = {f"{row['condition']}: {row['stimulus']}": row for row in found["rows"]}
    for ours in ("mean", "sd", "low", "high"):
        assert by_r[f"row {ours}"] == pytest.approx({name: row[ours] for name, row in rows.items()}, rel=1e-9)
    new = {one["condition"]: one["new_clips"] for one in found["conditions"]}
    for theirs, ours, rel in (
        ("emmean", "mean", 1e-5),
        ("SE", "se", 1e-4),
        ("df", "df", 1e-3),
        ("upper.CL", "high", 1e-4),
    ):
        assert by_r[f"condition, new clips: {theirs}"] == pytest.approx({k: v[ours] for k, v in new.items()}, rel=rel)
    pairs = {f"{pair['a']} - {pair['b']}": pair for pair in found["pairs"]}
    for theirs, ours in (("estimate", "difference"), ("lower.CL", "low"), ("p", "p"), ("holm", "p_holm")):
        expected = {name: pair[ours] for name, pair in pairs.items()}
        assert by_r[f"pair, new clips: {theirs}"] == pytest.approx(expected, rel=1e-3)
    these = {name: pair["these_clips"]["p"] for name, pair in pairs.items() if pair["these_clips"]}
    assert by_r["pair, these clips: p"] == pytest.approx(these, rel=1e-6)
    assert by_r["reml"][""] == pytest.approx(found["reml"], abs=1e-4)
    assert by_r["ordered: coefficient"] == pytest.approx(found["ordinal"]["coefficients"], rel=1e-3)
    assert by_r["ordered: log likelihood"][""] == pytest.approx(found["ordinal"]["log_likelihood"], abs=1e-3)
