"""The edge for what comes from a participant's page: read once, checked once."""

import json
import math
import re

from django import forms
from django.utils.translation import gettext as _

PLAYER_EVENTS = {"play", "pause", "ended", "error"}
MARK = re.compile(r"[a-z0-9-]{1,24}")
MOST_EVENTS = 500  # of one report: far more than anybody presses a button, few enough to store at once


class ConsentForm(forms.Form):
    consent = forms.BooleanField()
    admission = forms.RegexField(regex=r"\A[A-Za-z0-9_-]{16,32}\Z", required=False)


class AnswerForm(forms.Form):
    """One choice for each scale of the trial, and a comment where the study asks for one."""

    comment = forms.CharField(required=False, strip=False)

    def __init__(self, data, scales):
        super().__init__(data)
        self.scales = scales
        for scale in scales:
            choices = [(str(value), value) for value in range(scale.low, scale.high + 1)]
            # A choice, not a whole number: Django's integers also take "7.0", "+7", "1_0" and other scripts' digits.
            self.fields[f"rating-{scale.name}"] = forms.ChoiceField(choices=choices, error_messages=_refusals(scale))

    def clean(self):
        for scale in self.scales:
            name = f"rating-{scale.name}"
            if len(self.data.getlist(name)) > 1:
                self.add_error(name, _refusals(scale)["invalid_choice"])
        return self.cleaned_data

    def values(self):
        """Return {scale id: value}."""
        return {scale.id: int(self.cleaned_data[f"rating-{scale.name}"]) for scale in self.scales}


def _refusals(scale):
    sentence = _("Please choose a whole number from %(low)s to %(high)s.") % {"low": scale.low, "high": scale.high}
    return {"required": sentence, "invalid_choice": sentence}


def report(data):
    """Return what the page says of its player: {heard_seconds, plays, events}. What cannot be read counts as nothing."""
    return {
        "heard_seconds": _number(data.get("heard_seconds")),
        "plays": int(min(_number(data.get("plays")), 30_000)),
        "events": _events(data.get("events")),
    }


def _number(text):
    try:
        number = float(text)
    except (TypeError, ValueError):
        return 0.0
    return max(number, 0.0) if math.isfinite(number) else 0.0


def _events(text):
    try:
        pairs = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    if not isinstance(pairs, list):
        return []
    return [(pair[0], _number(pair[1]), *pair[2:]) for pair in pairs[:MOST_EVENTS] if _is_event(pair)]


def _is_event(pair):
    """Is it [kind, seconds], or [kind, seconds, mark]?"""
    if not isinstance(pair, list) or len(pair) not in (2, 3) or not isinstance(pair[0], str):
        return False
    return pair[0] in PLAYER_EVENTS and (len(pair) == 2 or bool(isinstance(pair[2], str) and MARK.fullmatch(pair[2])))
