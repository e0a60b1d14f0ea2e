"""Numbers as a page prints them. Nothing is rounded before."""

from django import template

register = template.Library()


@register.filter
def duration(seconds):
    """75 -> 1 min 15 s"""
    if seconds is None:
        return ""
    seconds = round(seconds)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {seconds % 60} s" if seconds % 60 else f"{minutes} min"
    return f"{seconds} s"


@register.filter
def number(value, digits=3):
    """A figure with a few digits that mean something; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{digits}f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2e}"
