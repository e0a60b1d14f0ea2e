"""How often each answer was given, as small bars; and numbers as a table prints them."""

from django import template

from analysis.describe import half_up, in_short
from analysis.rules import RULES
from analysis.words import p_in_words

register = template.Library()
register.filter(in_short)
BAR, GAP, HEIGHT = 7, 2, 22


@register.inclusion_tag("study/distribution.html")
def distribution(values, scale):
    """values: {answer: how often}; scale: with its ends"""
    counted = {int(float(value)): n for value, n in values.items()}
    answers = range(scale.low, scale.high + 1)
    most = max(counted.values(), default=0)
    bars = [
        {"x": k * (BAR + GAP), "height": round(HEIGHT * counted.get(answer, 0) / most, 2) if most else 0}
        for k, answer in enumerate(answers)
    ]
    words = ", ".join(f"{answer}: {counted[answer]}" for answer in answers if counted.get(answer))
    return {"bars": bars, "width": len(answers) * (BAR + GAP) - GAP, "height": HEIGHT, "words": words}


@register.filter
def of_condition(found, name):
    """Return what was computed of a condition, by its name; an empty table before anything was."""
    return next((one for one in (found or {}).get("conditions", ()) if one["condition"] == name), {})


@register.filter
def percent(share):
    return f"{half_up(100 * share, 0)} %"


@register.filter
def p_value(p):
    """As analysis.printing.p_cell has it, which brings pandas along."""
    return "—" if p is None else p_in_words(p).removeprefix("p = ").removeprefix("p ")


@register.filter
def rule_in_words(rule):
    return RULES.get(rule, rule)
