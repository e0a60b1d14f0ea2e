"""Results as text to read: the tables of rows and conditions, pairs in words, agreement, flags, the sensitivity strip."""

import textwrap

from analysis.describe import half_up, in_short, written
from analysis.results import by_scale
from analysis.rules import RULES
from analysis.words import in_words, names_of, p_in_words, row_names

WIDTH = 100
BARS = " ▁▂▃▄▅▆▇█"
NONE = "—"


def text(found):
    """Return all of it as text, for each scale. found: what `results.results` returned"""
    return "\n".join(_of_one_scale(name, part) for name, part in by_scale(found).items())


def _of_one_scale(name, part):
    if not part.get("rows"):
        return "There are no ratings.\n"
    blocks = [row_table(part["rows"]), condition_table(part["conditions"])]
    blocks += [f"{pair['a']} and {pair['b']}\n{wrapped(pair['sentence'])}" for pair in part["pairs"]]
    blocks += [_strip(strip) for strip in part["sensitivity"]]
    blocks += [_agreement(part["agreement"]), _flags(part["flags"])]
    if part.get("objective"):
        blocks.append(_objective(part["objective"]))
    if part["screened"]:
        blocks.append(_screened(part["screened"]))
    return (f"{name}\n\n" if name else "") + "\n".join(blocks)


def row_table(rows, first="Row"):
    """Return the report's table as text; the interval is that of these clips. first: the heading of the names"""
    values = sorted({float(value) for row in rows for value in row["values"]})
    heading = (first, "n", "Average", "SD", "95 % interval", _range(values))
    lines = [
        (*_first_cells(name, row), _between(row["low"], row["high"]), sparkline(row["values"], values))
        for name, row in zip(row_names(rows), rows, strict=True)
    ]
    return aligned([heading, *lines])


def condition_table(conditions):
    """Return the conditions as text, with the answers to both questions."""
    heading = ("Condition", "n", "Average", "SD", "These clips", "New clips")
    lines = [
        (
            *_first_cells(condition["condition"], condition),
            *(_interval(condition[name]) for name in ("these_clips", "new_clips")),
        )
        for condition in conditions
    ]
    reasons = dict.fromkeys(condition["why_not_new_clips"] for condition in conditions)
    return aligned([heading, *lines]) + "".join(wrapped(f"No answer for new clips: {why}") for why in reasons if why)


def _first_cells(name, line):
    return name, str(line["n"]), line["average"] or NONE, decimals(line["sd"], 2)


def sparkline(counted, values):
    """Return a bar for each whole value from the lowest to the highest of `values`, as high as it was often given.

    counted: {value as text: how often}; values: sorted numbers. Empty where they are not whole, or too many.
    """
    if not values or any(value % 1 for value in values) or values[-1] - values[0] > 20:
        return ""
    often = {float(value): n for value, n in counted.items()}
    most = max(often.values(), default=1)
    heights = [often.get(float(value), 0) for value in range(int(values[0]), int(values[-1]) + 1)]
    return "".join(BARS[-(-n * (len(BARS) - 1) // most)] for n in heights)


def _range(values):
    return f"{written(values[0])} to {written(values[-1])}" if sparkline({}, values) else ""


def _strip(strip):
    heading = (f"{strip['a']} - {strip['b']}", "Size", "95 % interval", "p", "Unit", "For")
    lines = [_strip_cells(line) for line in strip["lines"]]
    lines += [_strip_cells(line) for line in strip["left_out"] or ()]
    return aligned([heading, *lines])


def _strip_cells(line):
    size, p = decimals(line["size"], 2), p_cell(line["p"])
    whom = "new clips" if line["new_clips"] else "these clips"
    return line["way"], size, _between(line["low"], line["high"]), p, line["unit"], whom


def _agreement(found):
    names = {
        "icc_2_1": "ICC(2,1), one session",
        "icc_2_k": f"ICC(2,k), the mean of {in_short(found['k'])}",
        "alpha_ordinal": "Krippendorff's alpha, ordinal",
    }
    lines = [(title, decimals(found[name], 3), _within(found["intervals"].get(name))) for name, title in names.items()]
    return aligned([("Agreement", "Value", "95 % interval"), *lines])


def _flags(flags):
    if not flags:
        return "No session is flagged.\n"
    lines = [(flag["session"], decimals(flag["value"], 2), RULES[flag["rule"]]) for flag in flags]
    return aligned([("Flagged session", "Value", "Rule"), *lines], last_left=True)


def _objective(found):
    heading = ("Measure of a clip", "Clips", "Rank correlation", "95 % interval", "p (Holm)")
    lines = [
        (
            in_words(one["measure"]),
            str(one["n"]),
            decimals(one["rho"], 2),
            _between(one["low"], one["high"]),
            p_cell(one["p_holm"]),
        )
        for one in found["correlations"]
    ]
    likeness = found["likeness"]
    if likeness is None:
        return aligned([heading, *lines])
    names = names_of([(clip["condition"], clip["stimulus"]) for clip in found["clips"]])
    pairs = [
        (
            " and ".join(names[pair[side]["condition"], pair[side]["stimulus"]] for side in "ab"),
            decimals(pair["similarity"], 2),
            decimals(pair["distance"], 2),
        )
        for pair in likeness["pairs"]
    ]
    words = (
        "Are like clips rated alike? Over all pairs of clips, similarity and closeness of ratings have a rank correlation "
        f"of {decimals(likeness['rho'], 2)} (p {p_cell(likeness['p'])}, by permuting the clips)."
    )
    blocks = [aligned([heading, *lines]), wrapped(words)]
    return "\n".join(
        blocks + ([aligned([("Near-duplicates", "Similarity", "Ratings apart"), *pairs])] if pairs else [])
    )


def p_cell(p):
    """Return a p as a table has it: "0.052", "< 0.001", a dash where there is none."""
    return NONE if p is None else p_in_words(p).removeprefix("p = ").removeprefix("p ")


def _screened(screened):
    n, rules = len(screened["sessions"]), ", ".join(screened["rules"])
    who = (
        f"{n} session{'' if n == 1 else 's'} left out by the rule fixed before ({rules}), {screened['ratings']} ratings"
    )
    if not screened["ratings"]:
        return f"Screened: {who}, so there is no second result.\n"
    tables = [row_table(screened["rows"]), condition_table(screened["conditions"])]
    pairs = [f"{pair['a']} and {pair['b']}, screened\n{wrapped(pair['sentence'])}" for pair in screened["pairs"]]
    return "\n".join([f"Screened: {who}.\n", *tables, *pairs])


def decimals(number, places):
    return NONE if number is None else half_up(number, places)


def _interval(found):
    return _between(found["low"], found["high"]) if found else NONE


def _within(found):
    return _between(found["low"], found["high"], 3) if found else NONE


def _between(low, high, places=2):
    return NONE if low is None or high is None else f"{half_up(low, places)} to {half_up(high, places)}"


def wrapped(sentence):
    """Return sentences in indented lines of at most 100 characters."""
    indent = "  "
    return textwrap.fill(sentence, WIDTH, initial_indent=indent, subsequent_indent=indent) + "\n"


def aligned(lines, last_left=False):
    """Return lines of cells (the first are headings) as text: the first column to the left, the others to the right."""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    last = len(widths) - 1
    return "".join(
        "  ".join(
            cell.ljust(width) if k == 0 or (k == last and last_left) else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )
