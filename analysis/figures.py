"""The figures of a study's results: each is drawn from the results object alone, as the command and the site have it."""

from collections.abc import Iterable

import altair as alt

from analysis.describe import half_up, in_short, written
from analysis.drawing import WIDTH, Figure
from analysis.printing import NONE, decimals
from analysis.words import in_words, p_in_words, row_names

ROW_PX = 26
MOST_ANSWERS = 20  # that a bar can be cut into and still be read
AT = alt.param(name="at", value=-1)  # the mark that the keyboard stands on
ON_TWO_LINES = "split(replace(datum.label, ' minus ', '\\nminus '), '\\n')"
THESE, NEW = "These clips", "New clips"
SHARES = alt.Scale(domain=[0, 1], range=[0, 900])


def figures(found):
    """Return the Figures of the results of one scale; those that would show nothing are left out.

    found: as `results.results` returns them for one scale
    """
    if not found.get("rows"):
        return []
    drawn = [averages, conditions, differences, answers, ratings, order, staying, agreement, sessions, measures]
    return [figure for draw in drawn if (figure := draw(found)) is not None]


def averages(found):
    """The report's table as a picture: each row's mean with its interval, over how often each answer was given."""
    rows, answers = [], []
    names = row_names(found["rows"])
    for called, row in zip(names, found["rows"], strict=True):
        name = {"row": called, "condition": row["condition"]}
        between = _between(row["low"], row["high"])
        words = f"{called}: {row['average']}, 95 % interval {between}, {row['n']} ratings"
        rows.append(name | {"mean": row["mean"], "low": row["low"], "high": row["high"], "words": words})
        answers += [name | {"value": float(value), "share": n / row["n"]} for value, n in row["values"].items()]
    y = alt.Y("row:N", sort=names, title=None, axis=alt.Axis(grid=False))
    x, colour = _rating_axis(found, rows), _colour(found)
    base = _chart(rows)
    chart = alt.layer(
        _chart(answers)
        .mark_circle(opacity=0.3)
        .encode(x=alt.X("value:Q", **x), y=y, size=alt.Size("share:Q", legend=None, scale=SHARES), color=colour),
        base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", **x), x2="high:Q", y=y, color=colour),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x=alt.X("mean:Q", **x), y=y, color=colour, tooltip="words:N"
        ),
        _here(base, 260).encode(x=alt.X("mean:Q", **x), y=y),
    )
    best, worst = max(rows, key=lambda row: row["mean"]), min(rows, key=lambda row: row["mean"])
    words = f"The highest average is that of {best['words']}; the lowest that of {worst['words']}."
    header = ("Row", "Condition", "n", "Average", "95 % interval")
    lines = [
        (name, row["condition"], str(row["n"]), row["average"], _between(row["low"], row["high"]))
        for name, row in zip(names, found["rows"], strict=True)
    ]
    return _figure("averages", "Average of each clip", words, header, lines, chart, rows, len(rows))


def conditions(found):
    """Each condition's mean with two intervals: for these clips, and for new ones of the same model."""
    marks = []
    for one in found["conditions"]:
        for question, name in ((THESE, "these_clips"), (NEW, "new_clips")):
            if one[name]:
                low, high = one[name]["low"], one[name]["high"]
                words = f"{one['condition']}, {question.lower()}: {one['average']}, 95 % interval {_between(low, high)}"
                mean = one["new_clips"]["mean"] if question == NEW else one["mean"]
                mark = {"condition": one["condition"], "question": question, "mean": mean, "low": low, "high": high}
                marks.append(mark | {"words": words})
    if not marks:
        return None
    y = alt.Y("condition:N", sort=_conditions(found), title=None, axis=alt.Axis(grid=False))
    chart = _with_intervals(marks, y, "mean", **_rating_axis(found, marks))
    words = " ".join(f"{mark['words']}." for mark in marks)
    header = ("Condition", "Question", "Mean", "95 % interval")
    lines = [
        (mark["condition"], mark["question"], half_up(mark["mean"], 2), _between(mark["low"], mark["high"]))
        for mark in marks
    ]
    return _figure(
        "conditions", "Conditions, and two questions", words, header, lines, chart, marks, 2 * len(_conditions(found))
    )


def differences(found):
    """All pairs of conditions: the difference with two intervals, against none."""
    marks = []
    for pair in found["pairs"]:
        for question, estimate in (
            (THESE, pair["these_clips"]),
            (NEW, pair if pair["difference"] is not None else None),
        ):
            if estimate:
                name, size = f"{pair['a']} minus {pair['b']}", estimate["difference"]
                p = p_in_words(estimate["p_holm"]) if estimate["p_holm"] is not None else "no test"
                between = _between(estimate["low"], estimate["high"])
                words = f"{name}, {question.lower()}: {half_up(size, 2)}, 95 % interval {between}, {p}"
                mark = {"pair": name, "question": question, "difference": size, "p": p}
                marks.append(mark | {"low": estimate["low"], "high": estimate["high"], "words": words})
    if not marks:
        return None
    names = list(dict.fromkeys(mark["pair"] for mark in marks))
    y = alt.Y("pair:N", sort=names, title=None, axis=alt.Axis(grid=False, labelExpr=ON_TWO_LINES))
    none = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(style="level").encode(x="at:Q")
    chart = none + _with_intervals(marks, y, "difference", title="Difference in points")
    words = " ".join(f"{mark['words']}." for mark in marks)
    header = ("Pair", "Question", "Difference", "95 % interval", "p (Holm)")
    lines = [
        (mark["pair"], mark["question"], half_up(mark["difference"], 2), _between(mark["low"], mark["high"]), mark["p"])
        for mark in marks
    ]
    return _figure("differences", "Differences of conditions", words, header, lines, chart, marks, 2 * len(names))


def answers(found):
    """How often each answer was given, as shares of each row's ratings."""
    marks, header, names = [], [written(value) for value in _answers(found)], row_names(found["rows"])
    for name, row in zip(names, found["rows"], strict=True):
        for value, n in row["values"].items():
            share = n / row["n"]
            words = f"{name}: {value} given {n} times of {row['n']} ({half_up(100 * share, 0)} %)"
            marks.append({"row": name, "value": float(value), "n": n, "share": share, "words": words})
    if len(header) > MOST_ANSWERS:
        return None
    y = alt.Y("row:N", sort=names, title=None)
    x = alt.X("n:Q", stack="normalize", title="Share of ratings", axis=alt.Axis(format="%", grid=False))
    scale = alt.Scale(scheme="cividis", domain=_answers(found))
    base = _chart(marks).encode(x=x, y=y, order=alt.Order("value:Q"))
    chart = alt.layer(
        base.mark_bar().encode(
            color=alt.Color(
                "value:O", title="Answer", scale=scale, legend=alt.Legend(orient="top", columns=5, symbolStrokeWidth=0)
            ),
            tooltip="words:N",
            strokeWidth=alt.condition("datum.index === at", alt.value(3), alt.value(0)),
            stroke=alt.value("#e6007e"),
        ),
    )
    lines, words = [], []
    for name, row in zip(names, found["rows"], strict=True):
        lines.append((name, *(str(row["values"].get(value, 0)) for value in header)))
        words.append(f"{name} was most often given {max(row['values'], key=row['values'].get)}.")
    return _figure(
        "answers", "How often each answer was given", " ".join(words), ("Row", *header), lines, chart, marks, len(lines)
    )


def ratings(found):
    """Who rated what how: sessions down, clips across, both from the strictest and least liked on."""
    plan = found["heat_map"]
    if plan is None:
        return None
    names = [_of_several(name, n) for name, n in zip(row_names(plan["stimuli"]), plan["stimulus_sizes"], strict=True)]
    who = [_of_several(name, n) for name, n in zip(plan["sessions"], plan["session_sizes"], strict=True)]
    marks = [
        {"session": who[s], "clip": names[c], "rating": cell, "words": f"{who[s]} rated {names[c]} {half_up(cell, 1)}"}
        for s, line in enumerate(plan["cells"])
        for c, cell in enumerate(line)
        if cell is not None
    ]
    x = alt.X("clip:N", sort=names, title=None, axis=alt.Axis(labelAngle=-60, grid=False))
    y = alt.Y("session:N", sort=who, title="Session", axis=alt.Axis(labels=len(who) <= 40, grid=False))
    colour = alt.Color("rating:Q", title="Rating", scale=alt.Scale(scheme="cividis", domain=_ends(found)))
    base = _chart(marks).encode(x=x, y=y)
    chart = alt.layer(
        base.mark_rect().encode(color=colour, tooltip="words:N"),
        base.transform_filter("datum.index === at").mark_rect(fill=None, stroke="#e6007e", strokeWidth=3, aria=False),
    )
    n = sum(plan["session_sizes"])
    words = (
        f"Ratings of {n} sessions for {sum(plan['stimulus_sizes'])} clips: sessions from the strictest to the mildest, "
        f"clips from the least liked ({names[0]}) to the best liked ({names[-1]})."
    )
    header = ("Session", *names)
    cells = {(mark["session"], mark["clip"]): half_up(mark["rating"], 1) for mark in marks}
    lines = [(session, *(cells.get((session, name), NONE) for name in names)) for session in who]
    return _figure("ratings", "Every rating", words, header, lines, chart, marks, max(8, len(who) * 14 // ROW_PX))


def order(found):
    """The mean by position in the session: is what comes late rated otherwise?"""
    places = found["order"]["places"]
    if len(places) < 2:
        return None
    marks = [
        {name: place[name] for name in ("position", "mean", "low", "high")}
        | {
            "words": f"Position {place['position']}: {half_up(place['mean'], 2)}, 95 % interval "
            f"{_between(place['low'], place['high'])}, {place['n']} ratings"
        }
        for place in places
    ]
    x = _position_axis()
    y = {"title": "Mean rating", "scale": alt.Scale(domain=_ends(found))}
    base = _chart(marks)
    chart = alt.layer(
        base.mark_rule(style="quiet", strokeWidth=1.5).encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q"),
        base.mark_line(point=False, strokeWidth=1).encode(x=x, y=alt.Y("mean:Q", **y)),
        base.mark_point(filled=True, size=60).encode(x=x, y=alt.Y("mean:Q", **y), tooltip="words:N"),
        _here(base, 220).encode(x=x, y=alt.Y("mean:Q", **y)),
    )
    words = f"{_slope(found['order']['drift'], 'a position')} {_slope(found['order']['carry_over'], 'for each point that the clip before was rated')}"
    header = ("Position", "n", "Mean", "95 % interval")
    lines = [
        (str(place["position"]), str(place["n"]), half_up(place["mean"], 2), _between(place["low"], place["high"]))
        for place in places
    ]
    return _figure("order", "Does the order matter?", words, header, lines, chart, marks, 9)


def staying(found):
    """How many sessions got how far."""
    places = found["order"]["places"]
    if len(places) < 2:
        return None
    marks = [
        {
            "position": place["position"],
            "share": place["share"],
            "words": f"{place['n_sessions']} sessions ({half_up(100 * place['share'], 0)} %) rated at position {place['position']} or later",
        }
        for place in places
    ]
    x = _position_axis()
    y = alt.Y("share:Q", title="Sessions that got so far", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    base = _chart(marks).encode(x=x, y=y)
    chart = alt.layer(
        base.mark_area(interpolate="step-after", opacity=0.25),
        base.mark_point(filled=True, size=50).encode(tooltip="words:N"),
        _here(base, 220),
    )
    last = places[-1]
    words = (
        f"Of {places[0]['n_sessions']} sessions, {last['n_sessions']} reached the last position, {last['position']}."
    )
    header = ("Position", "Sessions", "Share")
    lines = [
        (str(place["position"]), str(place["n_sessions"]), f"{half_up(100 * place['share'], 0)} %") for place in places
    ]
    return _figure("staying", "Who stayed how long", words, header, lines, chart, marks, 7)


def agreement(found):
    """How reliable the mean of so many sessions would be."""
    curve, k, whole = (found["agreement"][name] for name in ("curve", "k", "icc_2_k"))
    marks = [
        one | {"words": f"The mean of {one['sessions']} sessions: ICC {half_up(one['icc'], 2)}"}
        for one in curve
        if one["icc"] is not None
    ]
    if not marks:
        return None
    x = alt.X("sessions:Q", title="Sessions", axis=alt.Axis(format="d", grid=False))
    y = alt.Y("icc:Q", title="Reliability of their mean (ICC)", scale=alt.Scale(domain=[0, 1]))
    base = _chart(marks).encode(x=x, y=y)
    layers = [
        base.mark_line(strokeWidth=2),
        base.mark_point(filled=True, size=30, opacity=0).encode(tooltip="words:N"),
        _here(base, 200),
    ]
    if k <= marks[-1]["sessions"]:
        layers.insert(0, alt.Chart(alt.Data(values=[{"sessions": k}])).mark_rule(style="level").encode(x="sessions:Q"))
    chart = alt.layer(*layers)
    words = f"One session: {half_up(marks[0]['icc'], 2)}. "
    if whole is not None:
        words += f"This study's {in_short(k)} for a clip: {half_up(whole, 2)}. "
    words += f"With {marks[-1]['sessions']} sessions: {half_up(marks[-1]['icc'], 2)}."
    lines = [(str(mark["sessions"]), half_up(mark["icc"], 3)) for mark in marks]
    return _figure("agreement", "With more listeners", words, ("Sessions", "ICC"), lines, chart, marks, 8)


def sessions(found):
    """How strict and how decided each session was; flagged ones are marked."""
    flagged = {flag["session"] for flag in found["flags"]}
    marks = [
        {
            "session": one["session"],
            "mean": one["mean"],
            "sd": one["sd"],
            "flagged": "flagged" if one["session"] in flagged else "not flagged",
            "words": f"{one['session']}: mean {half_up(one['mean'], 2)}, SD {half_up(one['sd'], 2)}, {one['n']} ratings"
            + (", flagged" if one["session"] in flagged else ""),
        }
        for one in found["sessions"]
        if one["sd"] is not None
    ]
    if not marks:
        return None
    x = alt.X(
        "mean:Q",
        title="Mean of the session",
        scale=alt.Scale(domain=_ends(found)),
        axis=alt.Axis(grid=False, tickMinStep=1),
    )
    y = alt.Y("sd:Q", title="Standard deviation of the session")
    base = _chart(marks).encode(x=x, y=y)
    order = ["not flagged", "flagged"]
    chart = alt.layer(
        base.mark_point(filled=True, size=70, opacity=0.8).encode(
            color=alt.Color("flagged:N", title=None, sort=order, scale=alt.Scale(domain=order)),
            shape=alt.Shape(
                "flagged:N", title=None, sort=order, scale=alt.Scale(domain=order, range=["circle", "diamond"])
            ),
            tooltip="words:N",
        ),
        _here(base, 240),
    )
    strict, mild = marks[0], marks[-1]
    words = f"From the strictest ({strict['words']}) to the mildest ({mild['words']}). {len(flagged)} flagged."
    lines = [(mark["session"], half_up(mark["mean"], 2), half_up(mark["sd"], 2), mark["flagged"]) for mark in marks]
    header = ("Session", "Mean", "SD", "Flagged")
    return _figure("sessions", "How strict, how decided", words, header, lines, chart, marks, 10)


def measures(found):
    """How each measure of a clip goes with its mean rating."""
    known = (found.get("objective") or {}).get("correlations", ())
    marks = [
        {
            "measure": in_words(one["measure"]),
            "rho": one["rho"],
            "low": one["low"],
            "high": one["high"],
            "words": f"{in_words(one['measure'])}: {half_up(one['rho'], 2)}, 95 % interval {_between(one['low'], one['high'])}, "
            f"{one['n']} clips",
        }
        for one in sorted(known, key=lambda one: -one["rho"])
    ]
    if not marks:
        return None
    y = alt.Y("measure:N", sort=[mark["measure"] for mark in marks], title=None, axis=alt.Axis(grid=False))
    across = {"title": "Rank correlation", "scale": alt.Scale(domain=[-1, 1])}
    base = _chart(marks)
    none = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(style="level").encode(x="at:Q")
    chart = alt.layer(
        none,
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", **across), x2="high:Q", y=y),
        base.mark_point(filled=True, size=80).encode(x=alt.X("rho:Q", **across), y=y, tooltip="words:N"),
        _here(base, 240).encode(x=alt.X("rho:Q", **across), y=y),
    )
    words = f"The clip is the unit. From {marks[0]['words']} to {marks[-1]['words']}."
    lines = [(mark["measure"], half_up(mark["rho"], 2), _between(mark["low"], mark["high"])) for mark in marks]
    header = ("Measure", "Rank correlation", "95 % interval")
    return _figure("measures", "Measures of a clip beside its ratings", words, header, lines, chart, marks, len(marks))


def _with_intervals(marks, y, x, **across):
    """Means with an interval for each question, one above the other, told apart by colour and by shape."""
    questions = [THESE, NEW]
    offset = alt.YOffset("question:N", sort=questions)
    colour = alt.Color("question:N", title=None, sort=questions, scale=alt.Scale(domain=questions))
    shape = alt.Shape("question:N", title=None, sort=questions, scale=alt.Scale(domain=questions))
    base = _chart(marks)
    return alt.layer(
        base.mark_rule(strokeWidth=2.5).encode(
            x=alt.X("low:Q", **across), x2="high:Q", y=y, yOffset=offset, color=colour
        ),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x=alt.X(f"{x}:Q", **across), y=y, yOffset=offset, color=colour, shape=shape, tooltip="words:N"
        ),
        _here(base, 260).encode(x=alt.X(f"{x}:Q", **across), y=y, yOffset=offset),
    )


def _chart(marks: Iterable[dict]):
    return alt.Chart(alt.Data(values=[mark | {"index": index} for index, mark in enumerate(marks)]))


def _here(base, size):
    """The mark that the keyboard stands on; all others are there too, unseen, so that no axis has to do without data."""
    here = alt.condition("datum.index === at", alt.value(1), alt.value(0))
    # It lies over the mark, so it says the same to who points at it.
    return base.mark_point(style="here", size=size, aria=False).encode(opacity=here, tooltip="words:N")


def _figure(name, title, words, header, lines, chart, marks, n_rows):
    shaped = chart.properties(width=WIDTH, height=max(n_rows, 3) * ROW_PX).add_params(AT)
    spec = shaped.to_dict() | {"usermeta": {"points": [mark["words"] for mark in marks]}}
    return Figure(name, title, words, header, lines, spec)


def _conditions(found):
    return [one["condition"] for one in found["conditions"]]


def _colour(found):
    names = _conditions(found)
    legend = None if len(names) == 1 else alt.Legend(title=None, orient="top")
    return alt.Color("condition:N", sort=names, scale=alt.Scale(domain=names), legend=legend)


def _values(found):
    return sorted({float(value) for row in found["rows"] for value in row["values"]})


def _answers(found):
    """The answers that could be given: all whole numbers of a scale of whole ones, else those that were."""
    low, high = _ends(found)
    whole = [*range(int(low), int(high) + 1)]
    return whole if len(whole) <= MOST_ANSWERS and set(_values(found)) <= set(whole) else _values(found)


def _ends(found):
    """The lowest and highest answer that could be given where that is known, else that was."""
    values = _values(found)
    low, high = found.get("scale_ends") or (values[0], values[-1])
    return [low, high if high > low else low + 1]


def _position_axis():
    scale = alt.Scale(zero=False, nice=False, padding=8)
    return alt.X("position:Q", title="Position in the session", scale=scale, axis=alt.Axis(format="d", grid=False))


def _rating_axis(found, marks):
    """An axis of the whole scale, and beyond it as far as an interval reaches."""
    reached = [mark[side] for mark in marks for side in ("low", "high") if mark[side] is not None]
    ends = [min([*_ends(found), *reached]), max([*_ends(found), *reached])]
    axis = alt.Axis(tickMinStep=1, format="d")
    return {"title": "Rating", "scale": alt.Scale(domain=ends, nice=False, padding=8), "axis": axis}


def _between(low, high):
    return NONE if low is None or high is None else f"{half_up(low, 2)} to {half_up(high, 2)}"


def _of_several(name, n):
    return name if n == 1 else f"{name} and {n - 1} more"


def _slope(estimate, unit):
    if estimate is None:
        return ""
    between = _between(estimate["low"], estimate["high"])
    p = p_in_words(estimate["p"]) if estimate["p"] is not None else "no test"
    return f"Ratings move by {decimals(estimate['slope'], 3)} {unit} (95 % interval {between}, {p})."
