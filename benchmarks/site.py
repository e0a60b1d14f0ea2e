"""A site of its own to measure: gunicorn on a free port, its data in a folder that is gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS, THREADS = 2, 4
START_SECONDS = 30
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def fresh_site(database_url=None):
    """Set Django up on an empty database, in this process and for the servers that it starts; yield a Site."""
    folder = Path(tempfile.mkdtemp(prefix="earmark-bench-"))
    os.environ |= {
        "EARMARK_DATA": str(folder),
        "DJANGO_SETTINGS_MODULE": "settings.dev",
        "LOG_LEVEL": "ERROR",
        "DATABASE_URL": database_url or f"sqlite:///{folder / 'db.sqlite3'}",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    site = Site(folder)
    try:
        yield site
    finally:
        site.kill()
        shutil.rmtree(folder, ignore_errors=True)


class Site:
    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = probe.getsockname()
        self.process = None

    def start(self):
        bind = f"{self.address[0]}:{self.address[1]}"
        arguments = ["--bind", bind, "--workers", str(WORKERS), "--threads", str(THREADS), "--log-level", "error"]
        command = [sys.executable, "-m", "gunicorn", "settings.wsgi", *arguments]
        # A group of its own, so that one signal reaches the workers too.
        self.process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, env=os.environ)
        _wait_until(self._answers, "the site did not start")

    def _answers(self):
        try:
            with socket.create_connection(self.address, timeout=1) as connection:
                connection.sendall(b"GET /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return connection.recv(16).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def _is_port_free(self):
        # Its workers die by the same signal, but not at the same moment.
        with socket.socket() as probe:
            return probe.connect_ex(self.address) != 0

    def kill(self):
        """End the server and its workers as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self):
        """End the server as an update does: what it has begun it finishes."""
        self._end(signal.SIGTERM)

    def _end(self, number):
        if self.process is not None:
            # The workers of a server that stops are told by it; those of one that is killed get the signal themselves.
            (os.killpg if number == signal.SIGKILL else os.kill)(self.process.pid, number)
            self.process.wait()
            self.process = None
            _wait_until(self._is_port_free, "the killed server kept its port")

    def cpu_seconds(self):
        """Processor time that the server and its workers have used."""
        return sum(_ticks(pid) for pid in self._pids()) / TICKS

    def _pids(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]


def _ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def postgres():
    """Yield the URL of an empty PostgreSQL database, or None where there is no PostgreSQL to be started."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not programs:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="earmark-postgres-"))
    user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}  # PostgreSQL refuses to run as root
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    data = str(folder / "data")
    subprocess.run([programs[-1] / "initdb", "-D", data, "-U", "earmark", "-A", "trust"], check=True, **quiet, **user)
    server = subprocess.Popen(
        [programs[-1] / "postgres", "-D", data, "-k", str(folder), "-c", "listen_addresses="], **quiet, **user
    )
    try:
        _wait_until(lambda: _listens(folder / ".s.PGSQL.5432"), "PostgreSQL did not start")
        yield f"postgres://earmark@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _listens(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _wait_until(is_so, otherwise):
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(0.05)
