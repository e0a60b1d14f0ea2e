"""A new password by mail, which tells nobody who has an account and fills nobody's letter box."""

import re
import threading

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client

from accounts import forgotten
from accounts.models import Researcher
from tests.accounts.test_people import new_password_by
from tests.console import text, without_tokens
from tests.settings.test_limits import clock

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


def letters():
    """The letters that were sent, once the postman is back."""
    forgotten.POSTMAN.submit(bool).result(timeout=10)
    return mail.outbox


def ask(email="ada@example.org", address="192.0.2.1"):
    return Client().post("/accounts/forgotten/", {"email": email}, REMOTE_ADDR=address)


def test_a_forgotten_password_is_set_anew_by_a_mail_with_our_host(client, ada):
    Researcher.objects.update(email="ada@example.org")

    sent = client.post(
        "/accounts/forgotten/", {"email": "ada@example.org"}, headers={"x-forwarded-host": "evil.example"}
    )
    [letter] = letters()
    [link] = re.findall(r"https?://\S+", letter.body)

    assert sent["Location"] == "/accounts/forgotten/sent/"
    assert link.startswith("http://testserver/accounts/forgotten/")
    assert "evil" not in letter.body
    assert new_password_by(link, client)["Location"] == "/accounts/login/"
    ada.refresh_from_db()
    assert ada.check_password("difference engine")
    assert "This link was used" in text(Client().get(link, follow=True))


def test_no_mail_is_sent_for_another_host(client, ada):
    Researcher.objects.update(email="ada@example.org")

    answer = client.post("/accounts/forgotten/", {"email": "ada@example.org"}, headers={"host": "evil.example"})

    assert (answer.status_code, letters()) == (400, [])


def test_asking_for_a_new_password_does_not_tell_who_has_an_account(ada, ben):
    Researcher.objects.filter(pk=ada.pk).update(email="ada@example.org")
    Researcher.objects.filter(pk=ben.pk).update(email="ben@example.org", is_active=False)

    answers = [
        Client().post("/accounts/forgotten/", {"email": f"{name}@example.org"}, follow=True)
        for name in ("ada", "ben", "nobody")
    ]

    assert len({without_tokens(answer) for answer in answers}) == 1
    assert [letter.to for letter in letters()] == [["ada@example.org"]]


def test_whoever_asks_waits_for_no_mail_server(ada, monkeypatch):
    Researcher.objects.update(email="ada@example.org")
    arrived, sent = threading.Event(), []
    monkeypatch.setattr(EmailMessage, "send", lambda letter: sent.append(arrived.wait(10)))

    answer = ask()
    waited = list(sent)
    arrived.set()
    letters()

    assert (answer.status_code, waited, sent) == (302, [], [True])


def test_a_mail_server_that_is_gone_tells_nobody_who_has_an_account(ada, monkeypatch, caplog):
    Researcher.objects.update(email="ada@example.org")

    def refuse(letter):
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailMessage, "send", refuse)

    assert [ask(email)["Location"] for email in ("ada@example.org", "nobody@example.org")] == [
        "/accounts/forgotten/sent/"
    ] * 2
    assert letters() == []
    assert f"Failed to send password reset email to {ada.pk}" in caplog.text


def test_a_known_and_an_unknown_address_are_as_much_work(ada, ben, client, monkeypatch, django_assert_num_queries):
    Researcher.objects.filter(pk=ada.pk).update(email="ada@example.org")
    Researcher.objects.filter(pk=ben.pk).update(email="ben@example.org", is_active=False)
    tokens, make = [], default_token_generator.make_token
    monkeypatch.setattr(default_token_generator, "make_token", lambda user: tokens.append(user.pk) or make(user))

    for name in ("ada", "ben", "nobody"):
        with django_assert_num_queries(1):
            ask(f"{name}@example.org")

    assert tokens == [ada.pk, 0, 0]


@pytest.fixture
def limited(settings, tmp_path, clock):
    settings.DATA_DIR = tmp_path
    settings.FORGOTTEN_PASSWORDS = {
        "to_an_address": {"burst": 3, "every_seconds": 1200},
        "from_an_address": {"burst": 60, "every_seconds": 60},
    }


def test_three_letters_go_to_an_address_and_then_three_an_hour(limited, clock, ada, client):
    Researcher.objects.update(email="ada@example.org")

    answers = [ask(email, f"192.0.2.{k}") for k in range(20) for email in ("ada@example.org", "ADA@example.org")]
    flooded = len(letters())
    clock(3600)
    answers += [ask() for _ in range(10)]

    assert (flooded, len(letters())) == (3, 6)
    assert {answer["Location"] for answer in answers} == {"/accounts/forgotten/sent/"}
    [link] = re.findall(r"https?://\S+", mail.outbox[-1].body)
    assert new_password_by(link, client)["Location"] == "/accounts/login/"


def test_who_has_had_three_letters_reads_what_an_unknown_address_reads(limited, ada):
    Researcher.objects.update(email="ada@example.org")

    pages = [
        without_tokens(Client().post("/accounts/forgotten/", {"email": f"{name}@example.org"}, follow=True))
        for name in ("ada", "nobody")
        for _ in range(5)
    ]

    assert len(set(pages)) == 1
    assert "No more than three an hour" in pages[0]


def test_thirty_people_behind_one_address_may_all_forget_twice(limited, clock, django_user_model):
    django_user_model.objects.bulk_create(
        django_user_model(username=f"r{k}", email=f"r{k}@example.org", password="md5$a$b") for k in range(30)
    )

    answers = [ask(f"r{k}@example.org") for _ in range(2) for k in range(30)]

    assert {answer.status_code for answer in answers} == {302}
    assert len(letters()) == 60


def test_who_asks_for_very_many_is_refused_until_a_minute_is_over(limited, clock, settings):
    settings.TRUSTED_PROXIES = 1

    def asked(name, heard="198.51.100.7"):
        headers = {"x-forwarded-for": f"10.0.0.{len(name)}, {heard}"}
        return Client().post("/accounts/forgotten/", {"email": f"{name}@example.org"}, headers=headers)

    codes = [asked(f"r{k}").status_code for k in range(100)]
    refused, other = asked("ada"), asked("ada", "198.51.100.8")
    clock(float(refused["Retry-After"]))

    assert codes == [302] * 60 + [429] * 40
    assert "Too many links were asked for from where you are. Try again in 61 s." in text(refused)
    assert (other.status_code, asked("ada").status_code) == (302, 302)
