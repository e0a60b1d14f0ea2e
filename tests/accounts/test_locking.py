"""Passwords are not guessed: so many tries an hour for an account, so many for an address; then the right one works again."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Change
from tests.console import text, without_tokens

pytestmark = pytest.mark.django_db
TRIES = 20


@pytest.fixture(autouse=True)
def counted(settings):
    settings.AXES_ENABLED = True


@pytest.fixture
def checked(django_user_model):
    """The passwords that were looked at, right or wrong."""
    seen = []
    check, hash_anyway = django_user_model.check_password, django_user_model.set_password

    def look(researcher, password):
        seen.append(password)
        return check(researcher, password)

    def hash_of_unknown(researcher, password):
        seen.append(password)
        return hash_anyway(researcher, password)

    with (
        patch.object(django_user_model, "check_password", look),
        patch.object(django_user_model, "set_password", hash_of_unknown),
    ):
        yield seen


def knock(username="ada", password="wrong", address="192.0.2.1", **headers):
    # A stranger has no session to be told apart by.
    return Client().post(
        "/accounts/login/", {"username": username, "password": password}, REMOTE_ADDR=address, headers=headers
    )


@contextmanager
def later(**time):
    then = timezone.now() + datetime.timedelta(**time)
    with patch("axes.handlers.proxy.now", return_value=then), patch("django.utils.timezone.now", return_value=then):
        yield


def test_of_200_wrong_passwords_for_an_account_20_are_looked_at(ada, checked):
    answers = [knock(password=f"wrong {k}", address=f"192.0.2.{k}") for k in range(200)]

    assert checked == [f"wrong {k}" for k in range(TRIES)]
    assert [answer.status_code for answer in answers] == [200] * (TRIES - 1) + [429] * (201 - TRIES)


def test_of_200_accounts_tried_from_an_address_20_are_looked_at(ada, checked):
    answers = [knock(username=f"user{k}", password=f"wrong {k}") for k in range(200)]

    assert len(checked) == TRIES
    assert [answer.status_code for answer in answers].count(429) == 201 - TRIES
    assert knock(username="ada", password="analytical engine", address="192.0.2.2").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_16_who_try_at_once_no_more_passwords_are_looked_at(ada, checked):
    def knock_often(number):
        for k in range(5):
            knock(password=f"wrong {number} {k}", address=f"192.0.2.{number}")
        connection.close()

    with ThreadPoolExecutor(16) as people:
        list(people.map(knock_often, range(16)))

    assert TRIES - 16 < len(checked) <= TRIES


def test_the_right_password_costs_no_try(ada, checked):
    answers = [knock(password="analytical engine") for _ in range(TRIES + 5)]

    assert {answer.status_code for answer in answers} == {302}


@pytest.mark.parametrize("n_proxies", [0, 1])
def test_writing_other_addresses_into_the_request_gains_nothing(checked, settings, n_proxies):
    settings.TRUSTED_PROXIES = n_proxies
    for k in range(60):
        # The proxy, if there is one, adds whom it heard from.
        knock(
            f"user{k}", **{"x-forwarded-for": f"10.0.{k}.1" + ", 198.51.100.7" * n_proxies, "x-real-ip": f"10.{k}.0.1"}
        )

    assert len(checked) == TRIES


def test_behind_a_proxy_of_ours_one_address_does_not_lock_the_others_out(ada, settings):
    settings.TRUSTED_PROXIES = 1
    for k in range(TRIES):
        knock(f"user{k}", address="127.0.0.1", **{"x-forwarded-for": "198.51.100.7"})

    answers = [
        knock(password="analytical engine", address="127.0.0.1", **{"x-forwarded-for": heard})
        for heard in ("198.51.100.7", "198.51.100.8")
    ]

    assert [answer.status_code for answer in answers] == [429, 302]


@pytest.mark.parametrize("heard", ["", "nonsense", "' OR 1=1", "10.0.0.1, "])
def test_what_is_no_address_is_not_believed(checked, settings, heard):
    settings.TRUSTED_PROXIES = 1
    answers = [knock(f"user{k}", **{"x-forwarded-for": heard}) for k in range(TRIES + 1)]

    assert len(checked) == TRIES
    assert answers[-1].status_code == 429


def test_a_lock_ends_by_itself_even_while_somebody_goes_on_knocking(ada):
    for _ in range(TRIES):
        knock()
    assert knock(password="analytical engine").status_code == 429
    with later(minutes=50):
        assert knock().status_code == 429

    with later(minutes=61):
        assert knock(password="analytical engine").status_code == 302


def test_after_the_wait_20_more_are_looked_at_and_no_more(ada, checked):
    for _ in range(TRIES):
        knock()

    with later(minutes=61):
        for _ in range(60):
            knock()

    assert len(checked) == 2 * TRIES


def test_the_admins_door_has_the_same_lock(ada, checked):
    for k in range(30):
        Client().post("/admin/login/", {"username": "ada", "password": f"wrong {k}"}, REMOTE_ADDR=f"192.0.2.{k}")

    assert len(checked) == TRIES
    assert knock(password="analytical engine", address="192.0.2.99").status_code == 429


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "In 60 minutes you can log in again, with the right one."),
        ("de", "In 60 Minuten können Sie sich wieder anmelden, mit dem richtigen."),
    ],
)
def test_who_is_locked_out_reads_for_how_long(ada, language, sentence):
    for _ in range(TRIES):
        answer = knock(**{"accept-language": language})

    assert sentence in text(answer)
    assert answer["Retry-After"] == "3600"


def test_a_lock_stands_in_the_log_once(ada):
    for _ in range(TRIES + 5):
        knock()
        knock("nobody", address="192.0.2.2")

    assert [(change.title, change.deed) for change in Change.objects.all()] == [
        ("ada", "was locked out: too many wrong passwords")
    ]


def test_a_known_and_an_unknown_name_are_answered_alike(ada, ben, checked):
    ben.suspend()

    for _ in range(TRIES + 1):
        answers = [knock(name, "x", f"192.0.2.{k}") for k, name in enumerate(("ada", "ben", "eve"))]

        names = ("ada", "ben", "eve")
        bodies = {without_tokens(answer).replace(f'"{name}"', "") for answer, name in zip(answers, names, strict=True)}
        assert len({answer.status_code for answer in answers}) == len(bodies) == 1
    # As much work for one as for the other: a hash of each password.
    assert len(checked) == 3 * TRIES
