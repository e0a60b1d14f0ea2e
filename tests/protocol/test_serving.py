"""Site and worker run side by side and end together, however the one who started them ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from study import serving

ROOT = Path(__file__).parents[2]
CODE = """
import sys, django
django.setup()
from django.core.management import call_command
from study import serving
call_command("migrate", verbosity=0)
try:
    serving.serve(int(sys.argv[1]), lambda: print("serving", flush=True))
except serving.ServingError as error:
    sys.exit(str(error))
print("ended")
"""


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def served(port, tmp_path):
    """A process that serves, in a data folder of its own."""
    environment = os.environ | {"EARMARK_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "settings.dev"}
    command = [sys.executable, "-c", CODE, str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "serving\n"
        yield process
        process.kill()


def children_of(pid):
    """Return the pids of a process' children and theirs."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = dict(map(int, line.split()) for line in found.splitlines())
    known = {pid}
    while more := {child for child, parent in parents.items() if parent in known} - known:
        known |= more
    return known - {pid}


def all_gone(pids, within_seconds=20):
    until = time.monotonic() + within_seconds
    while time.monotonic() < until:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_its_like_end_site_and_worker(served, port, ending):
    children = children_of(served.pid)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=60) as page:
        assert b"Log in" in page.read()

    served.send_signal(ending)

    assert served.wait(40) == 0
    assert len(children) >= 3  # gunicorn, its workers, and the queue's worker
    assert all_gone(children)


def test_a_second_ctrl_c_leaves_nobody_behind(served):
    children = children_of(served.pid)

    served.send_signal(signal.SIGINT)
    assert served.stdout.readline() == "Stopping ...\n"
    served.send_signal(signal.SIGINT)

    assert served.wait(40) == 0
    assert all_gone(children)


def test_a_killed_demo_takes_site_and_worker_with_it(served):
    children = children_of(served.pid)

    served.kill()
    served.wait(10)

    assert all_gone(children)


def test_a_port_that_is_taken_is_refused_with_a_way_out(port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()

        with pytest.raises(serving.ServingError, match=rf"Port {port} is taken .* make demo PORT={port + 1}"):
            serving.refuse_busy_port(port)


@pytest.mark.parametrize("number", [0, -1, 65_536, 99_999])
def test_a_number_that_is_no_port_is_refused(number):
    with pytest.raises(serving.ServingError, match=f"PORT is a number from 1 to 65535, not {number}"):
        serving.refuse_busy_port(number)
