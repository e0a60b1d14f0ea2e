"""The tables as others want them: CSV to compute with, LaTeX to print, Markdown to paste."""

import re
from decimal import Decimal

from analysis.csv_lines import csv_lines
from analysis.printing import NONE, decimals
from analysis.results import by_scale
from analysis.words import row_names

COLUMNS = ("scale", "level", "row", "condition", "n", "average", "mean", "sd", "low", "high", "new_low", "new_high")
LATEX = {
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def table_csv(found):
    """Yield rows and conditions as lines of CSV: `average` as printed, the rest whole.

    found: what `results.results` returned. low, high: for these clips; new_low, new_high: for new ones, conditions only
    """
    return csv_lines(COLUMNS, _records(found))


def _records(found):
    for scale, part in by_scale(found).items():
        for row in part.get("rows", ()):
            yield scale, "row", row["stimulus"], *_numbers(row, row["low"], row["high"]), None, None
        for one in part.get("conditions", ()):
            these, new = one["these_clips"] or {}, one["new_clips"] or {}
            numbers = _numbers(one, these.get("low"), these.get("high"))
            yield scale, "condition", one["condition"], *numbers, new.get("low"), new.get("high")


def _numbers(line, low, high):
    average = Decimal(line["average"]) if line["average"] else None
    return line["condition"], line["n"], average, line["mean"], line["sd"], low, high


def table_markdown(found):
    """Return the tables of rows and of conditions in Markdown, under the name of each scale where there are several."""
    blocks = []
    for scale, part in by_scale(found).items():
        blocks += [f"## {_markdown(scale)}"] if scale else []
        blocks += [_pipes(heading, lines) for heading, lines in _tables(part)]
    return "\n\n".join(blocks) + "\n"


def table_latex(found):
    r"""Return the tables of rows and of conditions in LaTeX, for \usepackage{booktabs}; a rule between conditions."""
    return "\n".join(
        _tabular(heading, lines, scale) for scale, part in by_scale(found).items() for heading, lines in _tables(part)
    )


def _tables(part):
    """Yield (heading, lines): the cells of the two tables; a line of rows begins with its condition."""
    if not part.get("rows"):
        return
    yield ("Row", "n", "Average", "SD", "95 % interval"), list(map(_row, row_names(part["rows"]), part["rows"]))
    lines = [_condition(one) for one in part["conditions"]]
    yield ("Condition", "n", "Average", "SD", "These clips", "New clips"), lines


def _row(name, row):
    return row["condition"], *_first(name, row), _between(row["low"], row["high"])


def _condition(one):
    intervals = [one[name] for name in ("these_clips", "new_clips")]
    return "", *_first(one["condition"], one), *(_between(i["low"], i["high"]) if i else NONE for i in intervals)


def _first(name, line):
    return name, str(line["n"]), line["average"] or NONE, decimals(line["sd"], 2)


def _between(low, high):
    return NONE if low is None or high is None else f"{decimals(low, 2)} to {decimals(high, 2)}"


def _pipes(heading, lines):
    rows = [heading, ("---", *("--:" for _ in heading[1:])), *(map(_markdown, cells) for _, *cells in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _markdown(text):
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~])", r"\\\1", " ".join(text.split()))


def _tabular(heading, lines, scale):
    body, before = [], lines[0][0]
    for group, *cells in lines:
        body += [r"\midrule"] if group != before else []
        body.append(" & ".join(map(_latex, cells)) + r" \\")
        before = group
    title = [f"% {_one_line(scale)}"] if scale else []
    top = [rf"\begin{{tabular}}{{l{'r' * (len(heading) - 1)}}}", r"\toprule", " & ".join(map(_latex, heading)) + r" \\"]
    return "\n".join([*title, *top, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def _latex(text):
    return "".join(LATEX.get(character, character) for character in _one_line(text)).replace(NONE, "---")


def _one_line(text):
    return " ".join(text.split())
