"""What people and logs read when something is wrong."""

import logging
import sys

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from settings.logs import OneLine, WithoutCodes

SENTENCES = {
    "404.html": ("There is nothing here", "Hier ist nichts"),
    "403_csrf.html": ("This did not come from our page", "Das kam nicht von unserer Seite"),
    "400.html": ("This request could not be read", "Diese Anfrage war nicht zu lesen"),
    "413.html": ("This is too long", "Das ist zu lang"),
    "429.html": ("One moment, please", "Einen Moment, bitte"),
    "507.html": ("The disk is full", "Die Festplatte ist voll"),
    "500.html": ("Something went wrong on our side", "Bei uns ist etwas schiefgegangen"),
}


@pytest.mark.parametrize("page", SENTENCES)
@pytest.mark.parametrize(("language", "which"), [("en", 0), ("de", 1)])
def test_an_error_page_speaks_the_readers_language(page, language, which):
    with translation.override(language):
        html = render_to_string(page)

    assert f"<h1>{SENTENCES[page][which]}</h1>" in html
    assert f'<html lang="{language}">' in html


@pytest.mark.django_db
def test_an_unknown_address_answers_in_german_too(client):
    answer = client.get("/no/such/page/", headers={"accept-language": "de"})

    assert answer.status_code == 404
    assert "Hier ist nichts" in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/t/fG3-kd_93jdkAAAA/3/", "Not Found: /t/.../3/"),
        ("/sound/fG3-kd_93jdkAAAA/", "Not Found: /sound/.../"),
        ("/s/abcd1234/", "Not Found: /s/abcd1234/"),
        ("/accounts/invitation/fG3-kd_93jdkAAAA/", "Not Found: /accounts/invitation/.../"),
        ("/accounts/forgotten/MQ/c8f-9a3b/", "Not Found: /accounts/forgotten/MQ/.../"),
        ("/accounts/forgotten/sent/", "Not Found: /accounts/forgotten/sent/"),
    ],
)
def test_no_log_holds_what_opens_a_session_or_a_sound(path, logged):
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "%s: %s", ("Not Found", path), None)

    assert WithoutCodes().filter(record)
    assert record.getMessage() == logged


def test_a_fault_is_one_line_of_the_log_with_its_traceback():
    try:
        raise ValueError("first\n2026-01-01 00:00:00 ERROR forged")
    except ValueError:
        record = logging.LogRecord("study", logging.ERROR, "", 0, "%s", ("x" * 900 + "\r\n",), sys.exc_info())

    WithoutCodes().filter(record)
    line = OneLine("{levelname} {message}", style="{").format(record)

    assert len(record.getMessage()) == 500
    assert line.startswith("ERROR xxx")
    assert line.endswith(r"ValueError: first\n2026-01-01 00:00:00 ERROR forged")
    assert line.isprintable()
