"""Whether a worker lives: each one touches a file every few seconds, also while it has nothing to do."""

import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

BEAT_SECONDS = 10
# Three beats may come late on a busy disk; a worker that is started anew takes a few seconds.
LIFE_SECONDS = 45


def path():
    # Beside the media, which site and workers share wherever they run.
    return Path(settings.DATA_DIR) / "worker-alive"


@contextmanager
def beating():
    """Say for as long as the block runs that a worker lives. A thread does: the worker may be an hour at one job."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat_until(ended):
    while True:
        with suppress(OSError):  # a disk that comes back is written to again
            path().touch()
        if ended.wait(BEAT_SECONDS):
            return


def seconds_since():
    """Return how long ago a worker last said that it lives; None if none ever did."""
    try:
        return max(0.0, time.time() - path().stat().st_mtime)
    except FileNotFoundError:
        return None
