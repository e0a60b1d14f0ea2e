"""Participants whom a recruiter sends (Prolific, a list of one's own): known again when they come back, never named.

A link such as /s/abc/?PROLIFIC_PID=... is followed once. What it says of the person becomes a keyed hash, which nobody
can turn back, and the page goes on without it: it is in no address that a browser passes on, in no table and in no log.
"""

import re

from django.conf import settings
from django.http import HttpResponseRedirect
from django.utils.crypto import salted_hmac

PROLIFIC, LIST = "prolific", "list"
PARAMETERS = {"PROLIFIC_PID": PROLIFIC, "participant": LIST}
NAMED = re.compile(r"[\w.@+-]{1,100}", re.ASCII)
COOKIE = "earmark-sent"
COOKIE_SECONDS = 24 * 3600
MARK = re.compile(rf"({PROLIFIC}|{LIST}):([0-9a-f]{{64}})")
COMPLETION_CODE = r"[A-Z0-9]{6,12}"


def sent_on(request, study):
    """Return the answer that leads on without what the link says of the person; None where it says nothing."""
    for parameter, recruiter in PARAMETERS.items():
        name = request.GET.get(parameter, "")
        if NAMED.fullmatch(name):
            response = HttpResponseRedirect(request.path)
            _remember(response, f"{recruiter}:{mark_of(study, recruiter, name)}", request.path)
            return response
    return None


def mark_of(study, recruiter, name):
    """Return what stands for a person of this recruiter in this study: always the same, and no way back."""
    return salted_hmac(f"participant of study {study.pk}, {recruiter}", name, algorithm="sha256").hexdigest()


def mark_in(request):
    """Return (recruiter, mark) of the person in this browser, two empty texts if nobody sent them."""
    found = MARK.fullmatch(request.COOKIES.get(COOKIE, ""))
    return found.groups() if found else ("", "")


def way_back(session):
    """Return where a participant who has finished goes back to; empty if the recruiter has no such page.

    The address is made here: a researcher gives the code alone, so no link of ours leads anywhere else.
    """
    code = session.study.completion_code
    if session.recruiter != PROLIFIC or not re.fullmatch(COMPLETION_CODE, code):
        return ""
    return f"https://app.prolific.com/submissions/complete?cc={code}"


def _remember(response, mark, path):
    response.set_cookie(
        COOKIE,
        mark,
        max_age=COOKIE_SECONDS,
        path=path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
