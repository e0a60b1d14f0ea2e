"""The page that a request ends with when something of ours, or of the machine's, is wrong."""

import sys
from contextlib import suppress

from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from generation import faults
from generation.bounded import TOO_LARGE

NO_ROOM = 507
HEARD_OUT_BYTES, PIECE_BYTES = 1 << 25, 1 << 16


def bad_request(request, exception):
    """Say so where a form is longer than anything that is taken in."""
    if isinstance(exception, RequestDataTooBig):
        hear_out(request)
        return HttpResponse(render_to_string("413.html"), status=TOO_LARGE)
    return defaults.bad_request(request, exception)


def hear_out(request):
    """Let a body that nobody wants come in: whoever is cut off while sending never reads the answer."""
    with suppress(OSError):
        for _ in range(0, HEARD_OUT_BYTES, PIECE_BYTES):
            if not request.read(PIECE_BYTES):
                return


def server_error(request):
    """Say so where the disk is full; Django asks for this page while the failure is being handled."""
    failure = sys.exception()
    if failure is not None and faults.is_disk_full(failure):
        return HttpResponse(render_to_string("507.html"), status=NO_ROOM)
    return defaults.server_error(request)
