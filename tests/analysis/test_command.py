"""`python -m analysis` as somebody without the site runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.__main__ import main

FIXTURES = Path(__file__).parents[1] / "fixtures"
PAPER = [str(FIXTURES / "paper_table.csv"), "--columns", "session=rater,stimulus=item,row=table_row"]

TABLES = """\
Row              n  Average    SD  95 % interval    2 to 10
LPD5 Samples    30      9.3  0.92   8.82 to 9.78       ▁▂▅█
Baseline RNN 1  10      7.1  1.37   6.12 to 8.08     ▄▂▄█▂
Baseline RNN 2  10      5.9  1.91   4.53 to 7.27   ▃▃█▆ ▆▃
Baseline RNN 3  10      5.5  1.96   4.10 to 6.90   ██▄▄██
Baseline RNN 4  10      4.7  1.57   3.58 to 5.82  ▂▂▄█ ▄
2D CNN 1        10      6.9  1.29   5.98 to 7.82    ▂ ▄▆█
2D CNN 2        10      8.4  1.96   7.00 to 9.80    ▂  ▄▂▄█
2D CNN 3        10      7.9  1.45   6.86 to 8.94      ▆▆█▃▆
2D CNN 4        10      6.7  1.16   5.87 to 7.53     ▂█▆▂▂
2D CNN 5        10      7.1  1.20   6.24 to 7.96      ▅█▂ ▂
2D CNN 6        10      5.5  1.58   4.37 to 6.63   ▄████▄

Condition      n  Average    SD   These clips      New clips
lpd5          30      9.3  0.92  8.82 to 9.78  8.05 to 10.55
baseline_rnn  40      5.8  1.87  4.82 to 6.78   4.68 to 6.92
cnn2d         60      7.1  1.68  6.44 to 7.72   6.12 to 8.05

baseline_rnn and cnn2d
  These clips, other listeners: cnn2d is rated 1.28 points above baseline_rnn (95 % interval 0.78 to
  1.79; p < 0.001), so a difference is shown. New clips of the same models, other listeners: cnn2d
  is rated 1.28 points above baseline_rnn (95 % interval -0.01 to 2.58; p = 0.052), so a difference
  is not shown. The two answers differ because the second allows for which clips happened to be
  made: more clips would narrow it, more listeners hardly.

baseline_rnn and lpd5
  These clips, other listeners: lpd5 is rated 3.50 points above baseline_rnn (95 % interval 2.63 to
  4.37; p < 0.001), so a difference is shown. New clips of the same models, other listeners: lpd5 is
  rated 3.50 points above baseline_rnn (95 % interval 1.97 to 5.03; p = 0.001), so a difference is
  shown.

cnn2d and lpd5
  These clips, other listeners: lpd5 is rated 2.22 points above cnn2d (95 % interval 1.74 to 2.69; p
  < 0.001), so a difference is shown. New clips of the same models, other listeners: lpd5 is rated
  2.22 points above cnn2d (95 % interval 0.80 to 3.64; p = 0.012), so a difference is shown.

baseline_rnn - cnn2d            Size   95 % interval        p                              Unit          For
all ratings                    -1.28   -2.58 to 0.01    0.052                            points    new clips
without flagged sessions       -1.28   -2.58 to 0.01    0.052                            points    new clips
each session on its own scale  -0.65   -1.32 to 0.03    0.058  standard deviations of a session    new clips
answers as an order            -1.82  -3.37 to -0.27    0.022                            logits    new clips
session means                  -1.28  -1.79 to -0.78  < 0.001                            points  these clips
ranks of session means         -1.00               —    0.006                     rank-biserial  these clips
without rnn_1                  -1.72  -3.01 to -0.43    0.015                            points    new clips
"""
END = """\
Agreement                      Value   95 % interval
ICC(2,1), one session          0.522  0.315 to 0.765
ICC(2,k), the mean of 10       0.916  0.822 to 0.970
Krippendorff's alpha, ordinal  0.507               —

No session is flagged.
"""


def test_it_prints_the_tables(capsys):
    assert main(PAPER) == 0

    printed = capsys.readouterr().out
    assert printed.startswith(TABLES)
    assert printed.endswith(END)


def test_json_has_the_whole_numbers(capsys):
    main([*PAPER, "--json"])

    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        *(
            "scale",
            "rows",
            "conditions",
            "pairs",
            "variances",
            "reml",
            "spread",
            "bootstrap",
            "ordinal",
            "agreement",
            "friedman",
        ),
        *("wilcoxon", "preferences", "order", "flags", "screened", "sensitivity", "heat_map", "sessions"),
        *("n_sessions", "references", "scale_ends", "objective", "about"),
    ]
    assert len(found["rows"]) == 11
    assert found["rows"][0] == {
        "condition": "lpd5",
        "stimulus": "LPD5 Samples",
        "n": 30,
        "n_sessions": 10,
        "mean": 9.3,
        "average": "9.3",
        "sd": pytest.approx(0.915385729888094, abs=1e-12),
        "low": pytest.approx(8.817170888066817, abs=1e-9),
        "high": pytest.approx(9.782829111933184, abs=1e-9),
        "values": {"7": 2, "8": 3, "9": 9, "10": 16},
    }
    assert found["conditions"][0] == {
        "condition": "lpd5",
        "n": 30,
        "n_sessions": 10,
        "n_stimuli": 3,
        "mean": 9.3,
        "average": "9.3",
        "sd": found["rows"][0]["sd"],
        "values": found["rows"][0]["values"],
        "these_clips": {
            "se": pytest.approx(0.21343747458109493),
            "df": 9,
            "low": found["rows"][0]["low"],
            "high": found["rows"][0]["high"],
        },
        "new_clips": {
            "mean": pytest.approx(9.3, rel=1e-5),
            "se": pytest.approx(0.58574, rel=1e-4),
            "df": pytest.approx(14.570, rel=1e-3),
            "low": pytest.approx(8.04831, rel=1e-4),
            "high": pytest.approx(10.55169, rel=1e-4),
        },
        "why_not_new_clips": None,
        "clustered": {
            "mean": pytest.approx(9.3),
            "se": pytest.approx(0.215111519634038),
            "df": 2,
            "low": pytest.approx(9.3 - 4.302652729911275 * 0.215111519634038),
            "high": pytest.approx(9.3 + 4.302652729911275 * 0.215111519634038),
        },
        "bootstrap": {"low": pytest.approx(8.83, abs=0.05), "high": pytest.approx(9.7, abs=0.05)},
        "chance_of_best": 1.0,
    }


def test_several_scales_are_one_object_each(tmp_path, capsys):
    path = tmp_path / "ratings.csv"
    path.write_text("session,condition,stimulus,scale,rating\ns,a,x,overall,5\ns,a,x,rhythm,6\n")

    main([str(path), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert {name: part["rows"][0]["mean"] for name, part in found["scales"].items()} == {"overall": 5.0, "rhythm": 6.0}


def test_out_writes_what_is_printed(tmp_path, capsys):
    main([*PAPER, "--out", str(tmp_path / "new" / "folder")])

    assert (tmp_path / "new" / "folder" / "tables.txt").read_text() == capsys.readouterr().out
    assert len(json.loads((tmp_path / "new" / "folder" / "results.json").read_text())["rows"]) == 11


def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path, capsys):
    path = tmp_path / "ratings.csv"
    path.write_text("session,condition,stimulus,rating\ns,a,x,ten\n")

    assert main([str(path), "--out", str(tmp_path / "out")]) == 2

    assert capsys.readouterr() == ("", 'Line 2: rating "ten" is not a number.\n')
    assert not (tmp_path / "out").exists()


def test_a_mapping_of_no_form_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["ratings.csv", "--columns", "session"])

    assert caught.value.code == 2
    assert '"session" is not of the form session=rater,stimulus=item' in capsys.readouterr().err


def test_it_runs_as_a_module_without_django():
    script = "import sys; sys.argv = ['analysis', *sys.argv[1:]]; import analysis.__main__ as a; a.main(); sys.exit('django' in sys.modules)"

    found = subprocess.run([sys.executable, "-c", script, *PAPER], capture_output=True, text=True, check=False)

    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(TABLES)
