"""Site and worker side by side on one machine, from one terminal: both end with it."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time

from django.conf import settings

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_SECONDS = 60
STOP_SECONDS = 10


class ServingError(Exception):
    """Site or worker could not run; the message says which and why."""


def refuse_busy_port(port):
    """Raise ServingError where this port cannot be listened on."""
    if not 1 <= port <= 65_535:
        raise ServingError(f"PORT is a number from 1 to 65535, not {port}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServingError(_refusal(port, error)) from error


def _refusal(port, error):
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}. Choose one above 1023: make demo PORT=8000"
    return (
        f"Port {port} is taken by another program (perhaps an Earmark that still runs in another terminal). "
        f"Stop that one, or choose another: make demo PORT={port % 65_535 + 1}"
    )


def serve(port, announce, look=lambda: None):
    """Run site and worker until Ctrl-C, SIGTERM or the terminal's end.

    announce: called once the site answers; look: called every half second from then on

    Raises ServingError if the port is taken or either of them ends on its own.
    """
    refuse_busy_port(port)
    for number in ENDINGS:
        signal.signal(number, signal.default_int_handler)
    processes = {}
    try:
        processes["site"] = _start(
            *("-m", "gunicorn", "settings.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4"),
            *("--log-level", "warning"),
        )
        processes["worker"] = _start("manage.py", "worker", "--no-reload", "--verbosity", "0")
        _wait_for(port, processes)
        announce()
        while True:
            _refuse_the_dead(processes)
            look()
            time.sleep(0.5)
    except KeyboardInterrupt:
        pass
    finally:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave the worker behind
        print("Stopping ...", flush=True)  # noqa: T201
        _stop(processes.values())


def _start(*arguments):
    # A session of its own: Ctrl-C reaches this process alone, and this one then ends the two in good order. Should it
    # be killed, both die with it.
    confine = settings.ROOT / "generation" / "confine.py"
    command = [sys.executable, str(confine), str(os.getpid()), "{}", sys.executable, *arguments]
    return subprocess.Popen(command, cwd=settings.ROOT, env=os.environ, start_new_session=True)


def _wait_for(port, processes):
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        _refuse_the_dead(processes)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise ServingError(f"The site did not answer within {START_SECONDS} s.")


def _refuse_the_dead(processes):
    for name, process in processes.items():
        if (code := process.poll()) is not None:
            raise ServingError(f"The {name} ended by itself (exit code {code}); its last words are above.")


def _stop(processes):
    # A busy worker takes the first SIGTERM as "after this job" and the second as "now"; the job is then taken up again.
    for stop in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        alive = [process for process in processes if process.poll() is None]
        for process in alive:
            process.send_signal(stop)
        until = time.monotonic() + STOP_SECONDS
        for process in alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0))
