"""A site as docs/deploy.md sets it up, in a temporary folder in the place of /opt, /etc and /var."""

import configparser
import http.client
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOST = "listen.example.org"
START_SECONDS = 60
# Several of everything, made by a process of the site itself.
POPULATE = [sys.executable, "-m", "tests.populated"]


def unit(name):
    """Return the parts of a unit file; of a key that comes twice, its last value."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(ROOT / "deploy" / name)
    return parser


def environment_file():
    lines = shlex.split((ROOT / "deploy" / "earmark.env").read_text(), comments=True)
    return dict(line.split("=", 1) for line in lines)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_so, otherwise):
    until = time.monotonic() + START_SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise AssertionError(otherwise)
        time.sleep(0.05)


class Deployed:
    """The installation: its folder, its environment, and the services that run."""

    def __init__(self, folder, **environment):
        self.folder, self.port, self.services = folder, free_port(), {}
        self.code = folder / "opt" / "earmark"
        self.code.mkdir(parents=True)
        for path in ROOT.iterdir():
            if path.name not in (".venv", ".git", "var"):
                (self.code / path.name).symlink_to(path)
        (self.code / ".venv").symlink_to(sys.prefix)
        given = environment_file() | {"SECRET_KEY": secrets.token_urlsafe(50), "EARMARK_DATA": str(folder / "data")}
        given.pop("DATABASE_URL")
        self.environment = (
            {"PATH": os.environ["PATH"], "HOME": str(folder), "PORT": str(self.port)} | given | environment
        )

    def manage(self, *command):
        return self.run(str(self.code / ".venv" / "bin" / "python"), "manage.py", *command)

    def run(self, *command):
        done = subprocess.run(command, cwd=self.code, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def populated(self):
        return json.loads(self.run(*POPULATE))

    def start(self, name):
        """Start what a unit's ExecStart says, as systemd would."""
        command = shlex.split(unit(name)["Service"]["ExecStart"].replace("/opt/earmark", str(self.code)))
        log = open(self.folder / f"{name}.log", "ab")  # noqa: SIM115
        self.services[name] = subprocess.Popen(
            command, cwd=self.code, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        return self.services[name]

    def start_site(self):
        self.start("earmark-web.service")
        wait_until(self._answers, "the site did not start")
        return self

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, name):
        """Stop it as systemd would, and return how it ended."""
        process = self.services.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(60)

    def kill(self):
        for process in self.services.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def ask(self, method, path, body=None, host=HOST, **headers):
        """Ask as the proxy does; return (status, [(name, value)], body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": host, "X-Forwarded-Proto": "https"} | {name.replace("_", "-"): v for name, v in headers.items()}
        return _answer(connection, method, path, body, sent)


@contextmanager
def behind_nginx(site, folder):
    """Run nginx with deploy/nginx.conf in front of the site; yield its ports (without TLS, with TLS)."""
    plain, tls = free_port(), free_port()
    asked = ["-subj", f"/CN={HOST}", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *asked], capture_output=True, check=True
    )
    ours = (ROOT / "deploy" / "nginx.conf").read_text()
    for there, here in {
        "127.0.0.1:8000": f"127.0.0.1:{site.port}",
        f"/etc/letsencrypt/live/{HOST}": folder,
        "/var/log/nginx": folder,
    }.items():
        assert there in ours
        ours = ours.replace(there, str(here))
    # In one go: a port by chance may begin like the other one.
    ports = {"80": plain, "443": tls}
    ours = re.sub(r"(?<=listen )(\[::\]:)?(80|443)\b", lambda port: f"{port[1] or ''}{ports[port[2]]}", ours)
    (folder / "site.conf").write_text(ours)
    own = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid; error_log stderr; daemon off; events {{}} "
        f"http {{ access_log off; {own} include site.conf; }}"
    )
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
        try:
            wait_until((folder / "nginx.pid").exists, "nginx did not start")
            yield plain, tls
        finally:
            nginx.terminate()


def by_tls(port, name=HOST, timeout=30, receive_bytes=None):
    """Return a connection to the proxy, whatever its certificate. receive_bytes: how much may wait unread here"""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    raw = socket.socket()
    raw.settimeout(timeout)
    if receive_bytes is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.connect(("127.0.0.1", port))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    connection.sock = trusting.wrap_socket(raw, server_hostname=name)
    return connection


def ask_by_tls(port, method, path, name=HOST, **headers):
    return _answer(by_tls(port, name), method, path, None, {"Host": name} | headers)


def _answer(connection, method, path, body, headers):
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


@contextmanager
def deployed(**environment):
    folder = Path(tempfile.mkdtemp(prefix="earmark-deployed-"))
    site = Deployed(folder, **environment)
    try:
        site.manage("migrate", "--verbosity", "0")
        site.manage("collectstatic", "--no-input", "--verbosity", "0")
        yield site
    finally:
        site.kill()
        shutil.rmtree(folder, ignore_errors=True)
