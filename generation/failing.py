"""The page that a request ends with when something of ours, or of the machine's, is wrong."""

import sys

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from generation import faults

NO_ROOM = 507


def server_error(request):
    """Say so where the disk is full; Django asks for this page while the failure is being handled."""
    failure = sys.exception()
    if failure is not None and faults.is_disk_full(failure):
        return HttpResponse(render_to_string("507.html"), status=NO_ROOM)
    return defaults.server_error(request)
