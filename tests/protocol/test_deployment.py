"""What docs/deploy.md sets up does run: the commands of its units, its environment, its proxy."""

import json
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from tests.deployed import HOST, ROOT, ask_by_tls, behind_nginx, deployed, environment_file, unit, wait_until

UNITS = sorted(path.name for path in (ROOT / "deploy").glob("*.service"))
TIMERS = sorted(path.name for path in (ROOT / "deploy").glob("*.timer"))


@pytest.fixture(scope="module")
def site():
    with deployed() as site:
        yield site


def health(site):
    status, _, body = site.ask("GET", "/healthz", host="127.0.0.1")
    return status, json.loads(body)


def test_the_services_run_do_a_job_and_stop_when_they_are_told(site):
    made = site.populated()
    site.start_site()
    assert health(site)[1]["worker"] == {"ok": False, "last_sign_of_life_seconds": None}
    site.start("earmark-worker@.service")

    job = f"/jobs/{made['job']}/progress/"
    wait_until(lambda: b"done" in site.ask("GET", job, Cookie=made["cookie"])[2], "the job was not done")
    status, found = health(site)

    assert (status, found["ok"]) == (200, True)
    assert site.stop("earmark-worker@.service") == 0
    assert site.stop("earmark-web.service") == 0


def test_the_nights_backup_restores(site):
    command = unit("earmark-backup.service")["Service"]["ExecStart"]
    (site.folder / "backups").mkdir()
    for there, here in {"/opt/earmark": site.code, "/var/backups/earmark": site.folder / "backups", "%%": "%"}.items():
        command = command.replace(there, str(here))

    site.run("/bin/sh", "-c", command)

    [backup] = (site.folder / "backups").iterdir()
    assert re.fullmatch(r"[A-Z][a-z]+day\.tar", backup.name)
    assert site.manage("restore", str(backup), "--overwrite").startswith("The site is what it was at ")


def test_the_weeks_look_at_all_files_names_those_that_are_gone_and_fails(site):
    site.populated()
    command = unit("earmark-check.service")["Service"]["ExecStart"].replace("/opt/earmark", str(site.code)).split()

    def look():
        done = subprocess.run(command, cwd=site.code, env=site.environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()

    _, before = look()
    next((site.folder / "data" / "media" / "masters").iterdir()).unlink()
    code, after = look()

    assert set(before) == {"The corpus “Ten” (ten) is gone, or not whole."}  # this site has but its row
    [fault] = set(after) - set(before)
    assert (code, fault.startswith("The master of clip “CNN "), fault.endswith(" is gone.")) == (1, True, True)


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_starts_a_unit_that_is_there_at_a_time_that_comes(name):
    timer = unit(name)

    assert name.replace("timer", "service") in UNITS
    assert timer["Install"]["WantedBy"] == "timers.target"
    if shutil.which("systemd-analyze"):
        subprocess.run(["systemd-analyze", "calendar", timer["Timer"]["OnCalendar"]], capture_output=True, check=True)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_what_systemd_understands(name, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    # systemd looks whether the programs are there.
    text = re.sub(r"/opt/earmark/.venv/bin/\w+", "/bin/true", (ROOT / "deploy" / name).read_text())
    (tmp_path / name).write_text(text)

    verified = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True, check=False
    )

    assert (verified.returncode, verified.stderr) == (0, "")


def test_every_unit_runs_as_nobody_in_particular_with_the_same_environment():
    assert len(UNITS) == 4
    for name in UNITS:
        service = unit(name)["Service"]
        assert (service["User"], service["EnvironmentFile"]) == ("earmark", "/etc/earmark.env")
        assert (service["NoNewPrivileges"], service["CapabilityBoundingSet"], service["ProtectSystem"]) == (
            "yes",
            "",
            "strict",
        )


def test_the_page_names_every_variable_and_every_file_that_is_there():
    page = (ROOT / "docs" / "deploy.md").read_text()

    code = "".join(path.read_text() for path in (ROOT / "settings").glob("*.py"))
    used = set(re.findall(r'env(?:\.\w+)?\("([A-Z_]+)"', code)) - {"DEBUG"}  # of settings.dev
    files = [f"deploy/{path.name}" for path in (ROOT / "deploy").iterdir() if path.is_file()]

    assert {"SECRET_KEY", "DATABASE_URL"} <= used
    assert [name for name in used | environment_file().keys() if f"`{name}`" not in page] == []
    assert [name for name in files if name not in page] == []


def test_commands_run_in_the_sites_environment(site, tmp_path):
    environment = "\n".join(f"{name}='{value}'" for name, value in site.environment.items())
    (tmp_path / "earmark.env").write_text(environment)
    script = (ROOT / "deploy" / "earmark").read_text()
    for there, here in {"/etc/earmark.env": tmp_path / "earmark.env", "/opt/earmark": site.code}.items():
        script = script.replace(there, str(here))
    (tmp_path / "earmark").write_text(script)

    checked = subprocess.run(
        ["/bin/sh", tmp_path / "earmark", "check", "--deploy"], env={}, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")


def plainly(port, host):
    """Ask without TLS; return all that comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"GET /s/x/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile().read()


@pytest.fixture
def proxied(site, tmp_path):
    """The ports of nginx with the configuration of docs/deploy.md, in front of the site."""
    if shutil.which("nginx") is None:
        pytest.skip("no nginx here")
    with behind_nginx(site, tmp_path) as ports:
        yield ports


def test_behind_nginx_the_site_is_reached_by_its_name_and_by_tls_alone(site, proxied, tmp_path):
    made, (plain, tls) = site.populated(), proxied
    site.start_site()

    status, headers, body = ask_by_tls(tls, "GET", f"/t/{made['code']}/")
    told = dict(headers)

    assert (status, b'data-position="1"' in body) == (200, True)
    assert told["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert told["Server"] == "nginx"
    redirected = plainly(plain, HOST)
    assert "301 Moved Permanently\n" in redirected
    assert f"Location: https://{HOST}/s/x/\n" in redirected
    assert plainly(plain, "evil.example") == ""
    with pytest.raises(ssl.SSLError, match="unrecognized"):
        ask_by_tls(tls, "GET", "/", name="evil.example")
    assert ask_by_tls(tls, "TRACE", "/")[0] == 405
    # What opens a session is in no log.
    ask_by_tls(tls, "GET", "/accounts/invitation/once-and-for-a-week/")
    ask_by_tls(tls, "GET", f"/s/{made['study']}/?PROLIFIC_PID=somebody")
    logged = (tmp_path / "earmark.log").read_text()
    assert not [word for word in (made["code"], "once-and-for-a-week", "somebody") if word in logged]
    assert "GET /accounts/invitation/... 404" in logged
    assert "GET /t/.../ 200" in logged
