"""In production: no warning, and no start without what is secret or says who the site is."""

import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = {"SECRET_KEY": secrets.token_urlsafe(50), "ALLOWED_HOSTS": "listen.example.org"}


@pytest.fixture
def started(tmp_path):
    """started("manage.py", "check", SECRET_KEY=...): that command of a site in production, once it has ended."""

    def start(*command, **environment):
        given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "EARMARK_DATA": str(tmp_path / "data")}
        given |= {"DJANGO_SETTINGS_MODULE": "settings.prod"} | environment
        asked = [sys.executable, *command]
        return subprocess.run(asked, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)

    return start


def test_a_site_in_production_has_no_warning(started):
    checked = started("manage.py", "check", "--deploy", "--fail-level", "WARNING", **GOOD)

    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing from the environment: "),
        ({"SECRET_KEY": "x7" * 24}, "SECRET_KEY is too weak, it needs 50 characters by chance: "),
        ({"SECRET_KEY": "x7" * 40}, "SECRET_KEY is too weak, it needs 50 characters by chance: "),
        ({"SECRET_KEY": "django-insecure-" + GOOD["SECRET_KEY"]}, "SECRET_KEY is too weak, it needs 50 characters"),
        ({"ALLOWED_HOSTS": " "}, "ALLOWED_HOSTS is missing from the environment: "),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS may not be *: "),
        ({"EARMARK_DATA": "/dev/null/data"}, "EARMARK_DATA: the folder /dev/null/data cannot be made: "),
    ],
)
def test_without_what_it_needs_it_says_so_in_one_sentence_and_does_not_start(started, environment, sentence):
    refused = started("manage.py", "migrate", **(GOOD | environment))

    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (3, "", 1)
    assert refused.stderr.startswith(sentence)


def test_gunicorn_does_not_try_for_ever(started):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{taken.getsockname()[1]}"

    refused = started(
        "-m", "gunicorn", "settings.wsgi", "--bind", bind, "--no-control-socket", **(GOOD | {"SECRET_KEY": ""})
    )

    assert refused.returncode == 3
    assert refused.stderr.count("SECRET_KEY is missing from the environment") == 1


def test_a_key_printed_as_the_sentence_says_is_good(started):
    sentence = started("manage.py", "migrate", **(GOOD | {"SECRET_KEY": ""})).stderr
    command = sentence.split("'")[1]

    key = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.strip()

    assert started("manage.py", "check", **(GOOD | {"SECRET_KEY": key})).returncode == 0


@pytest.mark.parametrize(
    ("url", "backend", "host"),
    [
        ({}, "console", "None"),
        ({"EMAIL_URL": "smtp+tls://earmark:secret@mail.example.org:587"}, "smtp", "mail.example.org"),
    ],
)
def test_mail_is_optional(started, url, backend, host):
    code = "from django.conf import settings as s; print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.DEFAULT_FROM_EMAIL)"

    told = started("-c", code, **GOOD, **url)

    assert told.stdout == f"django.core.mail.backends.{backend}.EmailBackend {host} earmark@listen.example.org\n"


def test_a_leading_dot_trusts_the_names_below(started):
    code = "from django.conf import settings; print(settings.CSRF_TRUSTED_ORIGINS)"

    told = started("-c", code, **(GOOD | {"ALLOWED_HOSTS": ".example.org, other.example"}))

    assert told.stdout == "['https://*.example.org', 'https://other.example']\n"
