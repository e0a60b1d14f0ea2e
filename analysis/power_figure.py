"""The power of a design over its sessions, a line for each number of clips: what more listeners would bring, and more clips."""

import altair as alt

from analysis.describe import half_up
from analysis.drawing import WIDTH, Figure
from analysis.figures import AT
from analysis.planning import power_table

SESSIONS = (2, 5, 10, 15, 20, 30, 40, 60, 80, 100)
CLIPS = (2, 4, 6, 10, 20, 40)


def power_figure(spread, difference):
    """Return the Figure of the power to find that difference (points) between two conditions.

    spread: planning.Spread
    """
    found = power_table(spread, difference, SESSIONS, CLIPS)
    marks = [
        {
            "sessions": sessions,
            "clips": f"{clips} clips",
            "power": power,
            "words": f"{sessions} participants, {clips} clips a condition: found in {half_up(100 * power, 0)} of 100 studies",
            "index": index,
        }
        for index, (sessions, clips, power) in enumerate(found)
    ]
    base = alt.Chart(alt.Data(values=marks)).encode(
        x=alt.X("sessions:Q", title="Participants", axis=alt.Axis(grid=False)),
        y=alt.Y("power:Q", title="Found in so many studies", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
    )
    order = [f"{clips} clips" for clips in CLIPS]
    colour = alt.Color("clips:N", title="A condition has", sort=order, scale=alt.Scale(domain=order))
    here = alt.condition("datum.index === at", alt.value(1), alt.value(0))
    chart = alt.layer(
        alt.Chart(alt.Data(values=[{"power": 0.8}])).mark_rule(style="level").encode(y="power:Q"),
        base.mark_line(strokeWidth=2).encode(color=colour),
        base.mark_point(filled=True, size=50).encode(color=colour, tooltip="words:N"),
        base.mark_point(style="here", size=200, aria=False).encode(opacity=here, tooltip="words:N"),
    )
    spec = chart.properties(width=WIDTH, height=260).add_params(AT).to_dict()
    spec["usermeta"] = {"points": [mark["words"] for mark in marks]}
    lines = [
        (str(sessions), *(f"{half_up(100 * power, 0)} %" for s, _, power in found if s == sessions))
        for sessions in SESSIONS
    ]
    best = max(marks, key=lambda mark: mark["power"])
    words = f"Power rises with clips more than with participants. {marks[0]['words']}; {best['words']}."
    return Figure("power", "Power", words, ("Participants", *order), lines, spec)
