"""How many answers one session may send: a laboratory's thirty sessions behind one address are thirty, not one."""

import fcntl
import mmap
import os
import re
import struct
import threading
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.shortcuts import render

OF_A_SESSION = re.compile(r"/t/([\w-]+)/(\d+/$)?")
TIME = struct.Struct("d")


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
        response = render(request, "429.html", status=429)
        response["Retry-After"], response["Cache-Control"] = str(int(seconds) + 1), "private, no-store"
        return response


class Turns:
    """When each key's next turn is due (the generic cell rate algorithm, ITU-T I.371 annex A), for all processes here.

    One file of a fixed size that they share in memory: a few microseconds, no row, nothing to clear away. Keys that fall on
    the same slot share their turns, two of 30 sessions once in 150 studies, which a person does not notice.
    """

    SLOTS = 1 << 18

    def __init__(self, path, burst, every_seconds):
        self.every, self.ahead = every_seconds, (burst - 1) * every_seconds
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self.file, self.SLOTS * TIME.size)
        self.due = mmap.mmap(self.file, self.SLOTS * TIME.size)
        self.threads = threading.Lock()

    def wait(self, key):
        """Take a turn and return 0; or return in how many seconds there is one."""
        at = zlib.crc32(key.encode()) % self.SLOTS * TIME.size
        with self._alone(at):
            now = time.monotonic()
            (due,) = TIME.unpack_from(self.due, at)
            if due < now or due > now + self.ahead + self.every:  # the latter was written before this machine started
                due = now
            if due > now + self.ahead:
                return due - now - self.ahead
            TIME.pack_into(self.due, at, due + self.every)
        return 0

    @contextmanager
    def _alone(self, at):
        with self.threads:
            fcntl.lockf(self.file, fcntl.LOCK_EX, TIME.size, at)
            try:
                yield
            finally:
                fcntl.lockf(self.file, fcntl.LOCK_UN, TIME.size, at)
