"""Processes of our own for what is too heavy for a worker (TensorFlow) or what it must survive (uploaded weights).

A child says what it does as one JSON object a line. Whatever it does instead (dies, says something else, goes on for
too long) ends as ChildFailed with one sentence.
"""

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TICK_SECONDS = 0.5  # with the grace, a cancelled job's child is gone within five seconds
GRACE_SECONDS = 3.0  # between asking a child to stop and killing it
LONGEST_LINE = 4_000_000
LONGEST_SENTENCE = 500
LOG_BYTES = 20_000
SUBJECT = "The process that was to do this"
DISK_FULL = "disk.full"
LEAST_ROOM_BYTES = 2**20  # whatever a child says of its failure: where there was less, that was why
PROBLEM = re.compile(r"[a-z0-9_]{1,20}\.[a-z0-9_]{1,30}")
FOLDERS = re.compile(r"(?<![\w.…/])/(?:[^\s/:'\"]+/)+")  # "/srv/earmark/music/lpd.py" is "…/lpd.py" to a researcher
# For what reads uploaded bytes. 1.5 GB hold the largest checkpoint three times over; what is written is one array file.
FOR_UPLOADS = {"AS": 1_500_000_000, "CPU": 25, "NOFILE": 64, "network": False}
UPLOAD_SECONDS = 30
WRITTEN_BYTES = 64 * 2**20
# What a child may know of this machine. No database address, no secret key, nobody's credentials.
PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TF_NUM_INTRAOP_THREADS",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
)


class ChildFailed(Exception):
    """Its text is one sentence for the person who asked; `problem` is empty where the child itself failed."""

    def __init__(self, sentence, problem=""):
        super().__init__(sentence)
        self.problem = problem


def environment(folder):
    known = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return known | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # No filter of a file's own choosing is ever loaded to read it.
        "HDF5_PLUGIN_PRELOAD": "::",
    }


def bare_environment(folder):
    """What a child that reads uploaded bytes may know: nothing but how to behave."""
    nowhere = "/nonexistent"
    return {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "OPENBLAS_NUM_THREADS": "1",
        "HDF5_PLUGIN_PRELOAD": "::",
        "HDF5_EXTFILE_PREFIX": nowhere,
        "HDF5_EXT_PREFIX": nowhere,
        "HDF5_VDS_PREFIX": nowhere,
    }


def answer(module, request, *, folder, written_bytes=WRITTEN_BYTES):
    """Run `python -m module REQUEST` under FOR_UPLOADS and return the one object that it says.

    Raises ChildFailed: with the child's own sentence and the class of the problem, or without a class if it died, said
    anything else, or took longer than UPLOAD_SECONDS. It is never asked twice.
    """
    asked = events(
        module,
        json.dumps(request),
        folder=folder,
        longest_seconds=UPLOAD_SECONDS,
        limits={**FOR_UPLOADS, "FSIZE": written_bytes},
        known=bare_environment(folder),
    )
    said = None
    for event in asked:
        if event is not None and said is not None:
            asked.close()  # and with it the child: one that goes on and on would fill our memory
            raise ChildFailed(f"{SUBJECT} said something that cannot be understood.")
        said = event or said
    if said is None or said["event"] != "done":
        raise ChildFailed(f"{SUBJECT} said something that cannot be understood.")
    return said


def events(module, *arguments, folder, longest_seconds, limits=None, known=None):
    """Run `python -m module arguments` and yield what it says, an object a line, and None whenever a second passed.

    folder: its home and place for temporary files; what it writes to stderr goes to `log.txt` there
    longest_seconds: after that it is killed
    limits: what `confine` holds it to
    known: its environment, if not the usual one

    Raises ChildFailed if it says that something is wrong, says what is no event, dies or does not end in time. Closing
    the generator kills the child and everything that it started.
    """
    try:
        yield from _told(module, arguments, folder, longest_seconds, limits or {}, known or environment(folder))
    except ChildFailed as failure:
        if shutil.disk_usage(folder).free < LEAST_ROOM_BYTES:
            raise ChildFailed(str(failure), DISK_FULL) from failure
        raise


def _told(module, arguments, folder, longest_seconds, limits, known):
    ends_at = time.monotonic() + longest_seconds
    with _started(module, arguments, folder, limits, known) as process:
        for line in _lines(process.stdout):
            if time.monotonic() > ends_at:
                raise ChildFailed(
                    f"{SUBJECT} was stopped after {longest_seconds:.0f} seconds, the longest that it may take."
                )
            yield None if line is None else _event(line)
        try:
            code = process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            raise ChildFailed(f"{SUBJECT} fell silent and did not end.") from None
    if code < 0:
        raise ChildFailed(f"{SUBJECT} ended unexpectedly (signal {-code}), perhaps for want of memory.")
    if code > 0:
        raise ChildFailed(f"{SUBJECT} ended unexpectedly (exit code {code}).")


def log(folder):
    """Return the end of what the folder's children wrote to stderr, without the folders of this machine."""
    path = Path(folder) / "log.txt"
    said = path.read_bytes()[-LOG_BYTES:].decode(errors="replace").replace("\0", "") if path.exists() else ""
    return FOLDERS.sub("…/", said)


@contextmanager
def _started(module, arguments, folder, limits, known):
    confine = Path(__file__).with_name("confine.py")
    confined = [sys.executable, str(confine), str(os.getpid()), json.dumps(limits)]
    command = [*confined, sys.executable, "-m", module, *map(str, arguments)]
    with (
        open(Path(folder) / "log.txt", "ab") as said,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=known,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _stop(process)


def _stop(process):
    """End the child's whole process group: politely, for a training then keeps its best epoch, and soon for certain."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal(process, signal.SIGKILL)  # what it started may be alive still


def _signal(process, number):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _lines(pipe):
    """Yield each whole line as bytes, and None for each tick or piece of a line: whoever asks can look at the clock."""
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(TICK_SECONDS):
                yield None
                continue
            said = os.read(pipe.fileno(), 65_536)
            if not said:
                return
            *lines, buffer = (buffer + said).split(b"\n")
            yield from lines or [None]
            if len(buffer) > LONGEST_LINE:
                raise ChildFailed(f"{SUBJECT} said something that cannot be understood.")


def _event(line):
    try:
        event = json.loads(line)
        kind = event["event"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ChildFailed(f"{SUBJECT} said something that cannot be understood.") from None
    if kind == "error":
        sentence = str(event.get("message", ""))[:LONGEST_SENTENCE] or f"{SUBJECT} gave up without a reason."
        problem = event.get("problem")
        raise ChildFailed(sentence, problem if isinstance(problem, str) and PROBLEM.fullmatch(problem) else "")
    return event
