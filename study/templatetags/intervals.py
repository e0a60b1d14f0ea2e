"""An average and its interval, drawn on the scale that participants had."""

from django import template

from analysis.describe import half_up

register = template.Library()
WIDTH = 160  # of the drawing's own units


@register.inclusion_tag("study/interval.html")
def interval(line, scale):
    def place(value):
        inside = min(max(value, scale.low), scale.high)  # an interval may reach beyond the scale, its drawing not
        return round((inside - scale.low) / (scale.high - scale.low) * WIDTH, 2)

    drawn = {"line": line, "scale": scale, "width": WIDTH}
    if line.n:
        drawn["mean"] = place(line.mean)
    if line.low is not None:
        drawn |= {"low": place(line.low), "high": place(line.high)}
    return drawn


@register.filter
def decimals(value, places):
    """As a table prints it: halves up; a dash where there is nothing to say."""
    return "—" if value is None else half_up(value, places)
