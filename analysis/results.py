"""All results of a table of ratings as one object, and as text to read."""

from analysis import describe, ratings
from analysis.describe import half_up


def results(frame):
    """Return the results of a table of ratings as plain values that JSON can hold; nothing in it is rounded.

    frame: as `ratings.read` returns it
    returns: {"rows": [...], "conditions": [...]}, or {"scales": {scale: the same}} where there are several scales
    """
    scales = ratings.by_scale(frame)
    if len(scales) > 1:
        return {"scales": {name: _of_one_scale(part) for name, part in scales.items()}}
    return _of_one_scale(frame)


def _of_one_scale(frame):
    return {
        "rows": [row(described) for described in describe.rows(frame)],
        "conditions": [condition(described) for described in describe.conditions(frame)],
    }


def row(described):
    return {
        "condition": described.condition,
        "stimulus": described.label,
        "n": described.n,
        "mean": described.mean,
        "sd": described.sd,
        "low": described.low,
        "high": described.high,
    }


def condition(described):
    these_clips = {"se": described.se, "df": described.df, "low": described.low, "high": described.high}
    return {
        "condition": described.condition,
        "n": described.n,
        "mean": described.mean,
        "these_clips": these_clips if described.se is not None else None,
        "new_clips": None,
    }


def text(frame):
    """Return the table of the report and that of the conditions as text, one pair a scale."""
    return "\n".join(_text_of_one_scale(name, part) for name, part in ratings.by_scale(frame).items())


def _text_of_one_scale(name, frame):
    heading = f"{name}\n\n" if name else ""
    tables = [("Row", describe.rows(frame)), ("Condition", describe.conditions(frame))]
    return heading + "\n".join(aligned(first, descriptions) for first, descriptions in tables)


def aligned(first, descriptions):
    """Return Descriptions as lines of text under a heading; the interval is that of these clips."""
    heading = (first, "n", "Average", "SD", "95 % interval")
    lines = [heading, *(cells(described) for described in descriptions)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(heading))]
    return "".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        + "\n"
        for line in lines
    )


def cells(described):
    """Return (label, n, average, sd, interval) as printed: the average to one decimal, the rest to two."""
    sd = "" if described.sd is None else half_up(described.sd, 2)
    interval = "" if described.low is None else f"{half_up(described.low, 2)} to {half_up(described.high, 2)}"
    return described.label, str(described.n), described.average, sd, interval
