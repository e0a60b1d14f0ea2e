"""Pictures as SVG text: the piano roll of a clip, and the loss of a training run.

Both go into a page as they are: no style element, no script, nothing fetched. Ink is `currentColor`, and each track has
a class (`track-drums`, ...) beside its fill, so that a page's own colours win and a file on its own still has them.
"""

import re
from html import escape

import numpy as np
import vl_convert

from music.pianoroll import BEATS_PER_BAR, DRUMS, N_TRACKS, TRACKS, step_times

# Okabe and Ito's blue, vermilion and green, a purple darkened to be read on white, and a grey: told apart by
# colour-blind readers. The same as --track-... in the site's tokens.css.
TRACK_COLOURS = ("#56606b", "#0072b2", "#d55e00", "#009e73", "#b8578f")
DARK_TRACK_COLOURS = ("#aab3bd", "#56b4e9", "#f0803c", "#2fc79b", "#e08bbd")

_LABEL_PX, _LANE_PX, _GAP_PX, _AXIS_PX = 20, 56, 12, 26
_WIDE = 10_000  # units across a lane, stretched to the width of the page
_LEAST_SPAN = 12  # semitones: a lane of one pitch would otherwise be one thick bar
_SHADES = ((64, 0.55), (96, 0.8), (127, 1.0))  # soft, middle and loud notes: highest velocity and opacity of each
_NOTE_SHARE = 1 / 16  # of a lane's height, the least that a note takes: 3.5 px
_MOST_LABELS = 7  # times on the axis that fit across a phone
_BASELINES = {"marginal": "Knowing nothing", "hold": "Holding the last frame"}
_CHART_WIDTH = 360
_LINES = ({"Train": "#0072b2", "Test": "#d55e00"}, {"Train": "#56b4e9", "Test": "#f0803c"})  # light, dark
_INK = ({"quiet": "#5b6070", "line": "#e2dfd9"}, {"quiet": "#a3a6b3", "line": "#32353f"})
_DARK_INK = 'color="#ecebe8" '
_FONT = 'font-family="system-ui, sans-serif" font-size="12"'


def piano_roll(roll, title="", dark=False):
    """Return the roll as an SVG picture: five lanes, a track each, pitch upwards, time in seconds to the right.

    title: what the picture is of, for its accessible name
    dark: ink and colours for a dark page, which within the page come from its style

    The picture is as wide as where it stands, and its letters stay as large: only time is stretched.
    """
    seconds = step_times(roll)
    x = np.rint(seconds / max(roll.seconds, 1e-9) * _WIDE).astype(int)  # (steps + 1,)
    lane = _LABEL_PX + _LANE_PX + _GAP_PX
    height = N_TRACKS * lane - _GAP_PX + _AXIS_PX
    lanes = "".join(_lane(roll, track, x, track * lane, dark) for track in range(N_TRACKS))
    name = f"Piano roll of {title}" if title else "Piano roll"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="piano-roll" role="img" width="100%" height="{height}" '
        f'{_DARK_INK if dark else ""}fill="currentColor" {_FONT}>'
        f"<title>{escape(name)}</title><desc>{escape(_description(roll))}</desc>"
        f"{lanes}{_axis(roll.seconds, height)}</svg>"
    )


def _description(roll):
    counts = np.bincount(roll.notes["track"], minlength=N_TRACKS)
    parts = [f"{name} {count} {'note' if count == 1 else 'notes'}" for name, count in zip(TRACKS, counts, strict=True)]
    return f"{roll.seconds:.1f} seconds, {roll.n_beats} beats. {', '.join(parts)}."


def _lane(roll, track, x, top, dark):
    notes = roll.notes[roll.notes["track"] == track]
    low, high = _span(notes["pitch"])
    box = f'y="{-high - 1}" width="{_WIDE}" height="{high - low + 1}"'
    colour = f'class="track-{TRACKS[track].lower()}" fill="{(DARK_TRACK_COLOURS if dark else TRACK_COLOURS)[track]}"'
    return (
        f'<rect {colour} x="0" y="{top + 4}" width="10" height="10" rx="2"/>'
        f'<text x="16" y="{top + 13}" font-weight="600">{TRACKS[track]}</text>'
        f'<text x="100%" y="{top + 13}" text-anchor="end" opacity=".65">{_range(notes, track)}</text>'
        f'<svg y="{top + _LABEL_PX}" width="100%" height="{_LANE_PX}" preserveAspectRatio="none" '
        f'viewBox="0 {-high - 1} {_WIDE} {high - low + 1}">'
        f'<rect {box} opacity=".05"/>'
        f"{_bar_lines(roll, x, -high - 1, high - low + 1)}<g {colour}>{_notes(notes, x, max(1, (high - low + 1) * _NOTE_SHARE))}</g></svg>"
    )


def _span(pitches):
    """Return the lowest and the highest pitch that a lane shows."""
    if len(pitches) == 0:
        return 60, 60 + _LEAST_SPAN
    low, high = int(pitches.min()) - 1, int(pitches.max()) + 1
    missing = max(_LEAST_SPAN - (high - low), 0)
    return low - missing // 2, high + missing - missing // 2


def _range(notes, track):
    if len(notes) == 0:
        return "silent"
    return "" if track == DRUMS else f"{_pitch_name(notes['pitch'].min())} to {_pitch_name(notes['pitch'].max())}"


def _pitch_name(pitch):
    names = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
    return f"{names[pitch % 12]}{int(pitch) // 12 - 1}"


def _bar_lines(roll, x, top, height):
    bars = x[: roll.n_steps : BEATS_PER_BAR * roll.steps_per_beat][1:]
    sparse = bars[:: 1 + len(bars) // 64]
    lines = "".join(f"M{bar} {top}v{height}" for bar in sparse)
    return f'<path d="{lines}" stroke="currentColor" opacity=".16" vector-effect="non-scaling-stroke"/>'


def _notes(notes, x, tall):
    """Return the notes as one path for each shade: a note is a rectangle around the middle of its semitone."""
    left, right = x[notes["onset"]], x[notes["end"]]
    # On a phone a drum stroke would be a fifth of a pixel wide, and notes without a gap would run together.
    right = np.maximum(right - _WIDE // 1000, left + _WIDE // 350)
    paths, softer = [], 0
    for loudest, opacity in _SHADES:
        here = (notes["velocity"] > softer) & (notes["velocity"] <= loudest)
        tops = -0.5 - tall / 2 - notes["pitch"][here]
        rows = zip(left[here].tolist(), (right - left)[here].tolist(), tops.tolist(), strict=True)
        d = "".join(f"M{start} {top:.4g}h{width}v{tall:.3g}h-{width}z" for start, width, top in rows)
        if d:
            paths.append(f'<path d="{d}" opacity="{opacity}"/>')
        softer = loudest
    return "".join(paths)


def _axis(seconds, height):
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    every = next((step for step in steps if seconds / step < _MOST_LABELS), steps[-1])
    times = np.arange(0, seconds + 1e-6, every)
    labels = []
    for time in times:
        share = time / max(seconds, 1e-9)
        anchor = "start" if time == 0 else "end" if share > 0.97 else "middle"
        place = f'x="{100 * share:.2f}%" y="{height - 8}" text-anchor="{anchor}"'
        labels.append(f'<text {place} opacity=".65">{time:g} s</text>')
    return "".join(labels)


def in_band(value, low, median, high):
    """Return where a figure lies beside the band of real music, as a small SVG picture without words: the row says them.

    The band fills the middle third; what lies far beyond stands at the edge.
    """
    width = max(high - low, 1e-9)

    def x(figure):
        return round(min(max(60 + 60 * (figure - low) / width, 4), 176))

    outside = "" if low <= value <= high else " outside"
    return (
        f'<svg class="in-band{outside}" width="180" height="16" viewBox="0 0 180 16" aria-hidden="true" focusable="false">'
        '<path d="M0 8h180" stroke="currentColor" stroke-opacity=".25"/>'
        '<rect x="60" y="3" width="60" height="10" rx="2" fill="currentColor" fill-opacity=".18"/>'
        f'<path d="M{x(median)} 3v10" stroke="currentColor" stroke-opacity=".6"/>'
        f'<circle cx="{x(value)}" cy="8" r="4" fill="currentColor"/></svg>'
    )


def loss_curve(history, baselines, dark=False):
    """Return the loss of a training run over its epochs as an SVG picture, beside what needs no training.

    history: list of {"epoch": 1, 2, ..., "train_loss": loss, "test_loss": loss, ...}; may be empty
    baselines: {"marginal": loss of knowing nothing but how common each cell is, "hold": of holding the last frame}
    dark: ink and colours for a dark page

    Each line is named where it stands, so that nobody has to look from a legend to a line and back.
    """
    import altair as alt  # a second to import, which pages without a chart need not wait for

    ink = _INK[dark]
    last = max([row["epoch"] for row in history], default=1)
    curves = [
        {"line": name, "epoch": row["epoch"], "loss": row[key]}
        for key, name in (("train_loss", "Train"), ("test_loss", "Test"))
        for row in history
        if np.isfinite(row[key])
    ]
    levels = [{"line": _BASELINES[name], "epoch": last, "loss": loss} for name, loss in baselines.items()]
    left, right = _named_apart(curves, levels)
    few = {"values": list(range(1, last + 1))} if last <= 6 else {}  # of few epochs Vega would label one twice
    x = alt.X(
        "epoch:Q",
        title="Epoch",
        axis=alt.Axis(**few),
        scale=alt.Scale(domain=[min(1, last), max(last, 2)], nice=False),
    )
    y = alt.Y("loss:Q", title="Loss", scale=alt.Scale(zero=False))
    colour = alt.Color(
        "line:N", legend=None, scale=alt.Scale(domain=list(_LINES[dark]), range=list(_LINES[dark].values()))
    )
    drawn = alt.Chart(alt.Data(values=curves)).encode(x=x, y=y, color=colour)
    ends = alt.Chart(alt.Data(values=_apart(curves, levels))).encode(x=x, y=y, color=colour, text="line:N")
    flat = alt.Chart(alt.Data(values=levels)).encode(y=y)
    chart = alt.layer(
        flat.mark_rule(color=ink["quiet"], strokeDash=[4, 3]),
        alt.Chart(alt.Data(values=right))
        .mark_text(color=ink["quiet"], align="right", dy=-9)
        .encode(x=alt.value(_CHART_WIDTH), y=y, text="line:N"),
        alt.Chart(alt.Data(values=left))
        .mark_text(color=ink["quiet"], align="left", dy=-9)
        .encode(x=alt.value(0), y=y, text="line:N"),
        drawn.mark_line(strokeWidth=2, point=last == 1),
        ends.mark_text(align="left", dx=7, fontWeight=600),
    )
    svg = vl_convert.vegalite_to_svg(chart.properties(width=_CHART_WIDTH, height=240).configure(**_look(ink)).to_dict())
    return _with_words(svg, "Loss of the training run", _loss_in_words(history, baselines))


def _named_apart(curves, levels):
    """Return the levels to be named at their left end and at their right: two close ones would be written over."""
    losses = [point["loss"] for point in curves + levels]
    found = sorted(levels, key=lambda level: level["loss"])
    if len(found) == 2 and found[1]["loss"] - found[0]["loss"] < 0.08 * (max(losses) - min(losses)):
        return found[:1], found[1:]
    return [], found


def _apart(curves, levels):
    """Return the last point of each curve, moved apart where their names would lie on one another."""
    ends = sorted({point["line"]: dict(point) for point in curves}.values(), key=lambda end: end["loss"])
    losses = [point["loss"] for point in curves + levels]
    if len(ends) == 2:
        missing = 0.06 * (max(losses) - min(losses)) - (ends[1]["loss"] - ends[0]["loss"])
        ends[0]["loss"] -= max(missing, 0) / 2
        ends[1]["loss"] += max(missing, 0) / 2
    return ends


def _look(ink):
    return {
        "background": "transparent",
        "padding": {"left": 4, "top": 8, "right": 4, "bottom": 4},
        "font": "system-ui, sans-serif",
        "text": {"fontSize": 13},
        "view": {"stroke": None},
        "axis": {"labelColor": ink["quiet"], "titleColor": ink["quiet"], "labelFontSize": 12, "titleFontSize": 12}
        | {"titleFontWeight": "normal", "domain": False, "ticks": False, "labelPadding": 6, "tickCount": 5},
        "axisX": {"grid": False, "format": "d"},
        "axisY": {"gridColor": ink["line"]},
    }


def _loss_in_words(history, baselines):
    levels = ", ".join(f"{_BASELINES[name].lower()} {loss:.3f}" for name, loss in baselines.items())
    if not history:
        return f"No epoch yet; {levels}."
    end = history[-1]
    return f"Epoch {end['epoch']}: train {end['train_loss']:.3f}, test {end['test_loss']:.3f}; {levels}."


def _with_words(svg, title, description):
    """Return a chart that stretches with its page, and that a screen reader reads as one picture."""
    head, inside = svg.split(">", 1)
    size = re.search(r'viewBox="[^"]+"', head)[0]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width="100%" {size}>'
    return f"{head}<title>{escape(title)}</title><desc>{escape(description)}</desc>{inside}"
