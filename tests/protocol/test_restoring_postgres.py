"""A restore into PostgreSQL that fails leaves every table as it was; one that succeeds leaves nothing behind."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from benchmarks.site import postgres

ROOT = Path(__file__).parents[2]
LOOK = """
import django; django.setup()
from django.db import connection
from accounts.models import Researcher
print(sorted(Researcher.objects.values_list("username", flat=True)))
with connection.cursor() as cursor:
    cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_)'")
    print(cursor.fetchall())
"""


@pytest.fixture
def site(tmp_path):
    """site("manage.py", ...): run a command of a site on a PostgreSQL of its own; return (exit code, output, errors)."""
    with postgres() as url:
        if url is None:
            pytest.skip("no PostgreSQL here")
        own = {"EARMARK_DATA": str(tmp_path / "data"), "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "settings.dev"}

        def run(*command, **more):
            asked, environment = [sys.executable, *map(str, command)], os.environ | own | more
            done = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr

        assert run("manage.py", "migrate", "-v", "0")[0] == 0
        yield run


def create(site, name):
    made = site(
        "manage.py", "createsuperuser", "--no-input", f"--username={name}", "--email=", DJANGO_SUPERUSER_PASSWORD="x"
    )
    assert made[0] == 0


def rewritten(backup, change):
    """The same backup, its files changed: change(name, bytes) -> bytes."""
    altered = backup.with_name("altered.tar")
    with tarfile.open(backup) as source, tarfile.open(altered, "w") as target:
        for entry in source:
            content = change(entry.name, source.extractfile(entry).read())
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))
    return altered


def test_a_restore_is_whole_or_nothing(site, tmp_path):
    backup = tmp_path / "site.tar"
    create(site, "ada")
    assert site("manage.py", "backup", backup)[0] == 0
    create(site, "ben")

    def more_rows(name, content):
        if name != "manifest.json":
            return content
        manifest = json.loads(content)
        manifest["rows"]["study_rating"] = 99
        return json.dumps(manifest).encode()

    refused = site("manage.py", "restore", rewritten(backup, more_rows), "--overwrite")
    after_refusal = site("-c", LOOK)[1]
    restored = site("manage.py", "restore", backup, "--overwrite")
    after_restore = site("-c", LOOK)[1]

    assert refused == (1, "", "CommandError: Its database does not hold the rows that its manifest lists.\n")
    assert after_refusal == "['ada', 'ben']\n[('public',)]\n"
    assert (restored[0], restored[2]) == (0, "")
    assert after_restore == "['ada']\n[('public',)]\n"
