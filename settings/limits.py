"""How many answers one session may send: a laboratory's thirty sessions behind one address are thirty, not one."""

import re
from pathlib import Path

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.shortcuts import render

from accounts.turns import Turns
from generation.failing import hear_out

OF_A_SESSION = re.compile(r"/t/([\w-]+)/(\d+/$)?")


class AnswersOfASession:
    """Refuse what a session posts beyond its burst until its time has come. The page waits and sends it again."""

    def __init__(self, get_response):
        if settings.ANSWERS_OF_A_SESSION is None:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self.turns = Turns(Path(settings.DATA_DIR) / "turns", **settings.ANSWERS_OF_A_SESSION)

    def __call__(self, request):
        found = request.method == "POST" and OF_A_SESSION.match(request.path_info)
        if not found:
            return self.get_response(request)
        # Ratings apart from reports of what was shown and heard: neither takes the other's turn.
        code, is_rating = found.groups()
        seconds = self.turns.wait(f"{code} {bool(is_rating)}")
        return self._refuse(request, seconds) if seconds > 0 else self.get_response(request)

    def _refuse(self, request, seconds):
        hear_out(request)
        response = render(request, "429.html", status=429)
        response["Retry-After"], response["Cache-Control"] = str(int(seconds) + 1), "private, no-store"
        return response
