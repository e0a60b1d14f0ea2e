import re

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db


def test_a_researcher_logs_in_and_lands_on_their_studies(client, ada):
    response = client.post(reverse("accounts:login"), {"username": "ada", "password": "analytical engine"})

    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(client, ada):
    answers = [
        client.post(reverse("accounts:login"), {"username": name, "password": "wrong"}).content.decode()
        for name in ("ada", "xyz")
    ]

    alike = [re.sub(r'"[A-Za-z0-9]{64}"', "", answer).replace("xyz", "ada") for answer in answers]
    assert alike[0] == alike[1]
    assert "Please enter a correct username and password" in answers[0]


def test_logging_in_leads_to_this_site_alone(client, ada):
    response = client.post(
        reverse("accounts:login") + "?next=https://evil.example/", {"username": "ada", "password": "analytical engine"}
    )

    assert response["Location"] == "/"


def test_logging_out_takes_a_post_and_ends_the_login(client_of, ada):
    client = client_of(ada)

    assert client.get(reverse("accounts:logout")).status_code == 405
    response = client.post(reverse("accounts:logout"))

    assert (response.status_code, response["Location"]) == (302, reverse("accounts:login"))
    assert "_auth_user_id" not in client.session
