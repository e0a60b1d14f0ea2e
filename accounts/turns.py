"""How often somebody may do a thing, counted by all processes of this machine together."""

import fcntl
import mmap
import os
import struct
import threading
import time
import zlib
from contextlib import contextmanager
from functools import cache

TIME = struct.Struct("d")


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


@cache
def shared_turns(path, burst, every_seconds):
    """The turns in this file. Opened once for each process: closing a file lets go of all locks that it has on it."""
    return Turns(path, burst, every_seconds)
