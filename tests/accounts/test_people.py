"""People come by a link that works once, forget their passwords, are suspended and come back."""

import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import models
from accounts.models import Change, Invitation, Researcher
from study.models import Study
from tests.console import rows_of, text, without_tokens

pytestmark = pytest.mark.django_db
ANSWERS = {"username": "cleo", "password1": "a long enough one", "password2": "a long enough one"}
OVER = "This link does not work"


@pytest.fixture
def sue(django_user_model):
    return django_user_model.objects.create_superuser("sue", password="looks after it")


@pytest.fixture
def invite(client_of, sue):
    """invite(): the path of a fresh invitation's link."""

    def make(for_whom="Cleo"):
        page = client_of(sue).post("/accounts/people/", {"for_whom": for_whom})
        return re.search(r"http://testserver(/accounts/invitation/[\w-]{43}/)", page.content.decode())[1]

    return make


def test_an_invited_person_chooses_name_and_password_and_is_in(invite, client):
    link = invite()

    answer = client.post(link, ANSWERS, follow=True)

    cleo = Researcher.objects.get(username="cleo")
    assert answer.redirect_chain == [("/studies/", 302)]
    assert "Welcome, cleo." in text(answer)
    assert (cleo.is_staff, cleo.is_superuser, cleo.is_active) == (False, False, True)
    assert Client().login(username="cleo", password="a long enough one", request=answer.wsgi_request)


def test_what_a_password_has_to_be_belongs_to_its_field(invite, client):
    page = client.get(invite()).content.decode()

    # A list within a paragraph would end it, and describe nothing.
    [rules] = re.findall(r'<div class="help" id="id_password1_helptext">(.*?)</div>', page, re.DOTALL)
    assert rules.count("<li>") == 3
    assert 'aria-describedby="id_password1_helptext"' in page


def test_the_link_is_stored_as_a_hash_alone(invite):
    token = invite().split("/")[-2]

    kept = Invitation.objects.values().get()

    assert kept["token_hash"] == models.hashed(token)
    assert token not in str(kept) + str(list(Change.objects.values()))


def test_the_link_works_once(invite):
    link = invite()
    Client().post(link, ANSWERS)

    again = Client().get(link), Client().post(link, {**ANSWERS, "username": "another"})

    assert [(answer.status_code, OVER in text(answer)) for answer in again] == [(404, True)] * 2
    assert not Researcher.objects.filter(username="another").exists()


def test_of_two_who_open_it_at_once_one_gets_in(invite, django_user_model):
    token = invite().split("/")[-2]
    first, second = (Invitation.objects.of_token(token) for _ in range(2))

    class Form:
        def save(self):
            return django_user_model.objects.create_user("cleo")

    assert first.accept(Form()).username == "cleo"
    assert second.accept(Form()) is None


def test_used_expired_void_and_unknown_links_are_answered_alike(invite, client_of, sue):
    links = {name: invite() for name in ("used", "expired", "void")}
    _, expired, void = Invitation.objects.order_by("pk")
    Client().post(links["used"], ANSWERS)
    Invitation.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    client_of(sue).post(f"/accounts/people/invitations/{void.pk}/take-back/")

    answers = [Client().get(link) for link in (*links.values(), "/accounts/invitation/" + "x" * 43 + "/")]

    assert {answer.status_code for answer in answers} == {404}
    assert len({without_tokens(answer) for answer in answers}) == 1


def test_an_invitation_lasts_seven_days(invite):
    invite()

    assert Invitation.objects.get().expires_at - timezone.now() > timedelta(days=6, hours=23)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"password1": "short", "password2": "short"}, "This password is too short."),
        ({"password1": "password12", "password2": "password12"}, "This password is too common."),
        ({"password2": "another one, as long"}, "The two password fields didn"),
        ({"username": "ADA"}, "A user with that username already exists."),
        ({"username": "a b"}, "Enter a valid username."),
    ],
)
def test_a_name_or_password_that_will_not_do_leaves_the_link_good(invite, client, ada, sent, sentence):
    link = invite()

    refused = client.post(link, {**ANSWERS, **sent})

    assert (refused.status_code, sentence in text(refused)) == (422, True)
    assert client.post(link, ANSWERS).status_code == 302


def test_nobody_makes_themselves_staff_by_the_form(invite, client):
    client.post(invite(), {**ANSWERS, "is_staff": "on", "is_superuser": "on", "is_active": "", "groups": "1"})

    cleo = Researcher.objects.get(username="cleo")
    assert (cleo.is_staff, cleo.is_superuser, cleo.is_active) == (False, False, True)


def test_invitations_that_wait_are_listed_and_can_be_taken_back(invite, client_of, sue):
    invite("Cleo of the choir")
    page = client_of(sue).get("/accounts/people/")
    assert "Cleo of the choir by sue" in text(page)

    page = client_of(sue).post(f"/accounts/people/invitations/{Invitation.objects.get().pk}/take-back/", follow=True)

    assert "The invitation for Cleo of the choir is void." in text(page)
    assert not Invitation.objects.exists()


def test_an_invitation_needs_a_word_for_whom(client_of, sue):
    answer = client_of(sue).post("/accounts/people/", {"for_whom": ""})

    assert (answer.status_code, "This field is required." in text(answer)) == (422, True)


def test_where_the_site_says_so_every_researcher_invites_and_sees_no_more(invite, client_of, ada, settings):
    invite("Cleo of the choir")
    adas = client_of(ada)
    assert adas.post("/accounts/people/", {"for_whom": "Dora"}).status_code == 403
    settings.RESEARCHERS_INVITE = True

    page = adas.post("/accounts/people/", {"for_whom": "Dora"})
    taken_back = adas.post(
        f"/accounts/people/invitations/{Invitation.objects.get(made_by__username='sue').pk}/take-back/"
    )

    assert page.status_code == 201
    assert "Dora by ada" in text(page)
    assert "Cleo of the choir" not in text(page)
    assert rows_of(page) == []
    assert taken_back.status_code == 404
    assert adas.post(f"/accounts/people/{ada.pk}/suspend/").status_code == 403


def test_people_are_listed_with_their_state(client_of, sue, ada, ben):
    ben.suspend()
    Researcher.objects.filter(pk=ada.pk).update(email="ada@example.org", last_login="2026-03-01T12:00Z")
    client = client_of(sue)
    Researcher.objects.filter(pk=sue.pk).update(last_login=None)

    assert [row[:4] for row in rows_of(client.get("/accounts/people/"))] == [
        ["ada", "ada@example.org", "active", "last login 1 Mar 2026, 12:00"],
        ["ben", "", "suspended", "last login never"],
        ["sue", "", "staff", "last login never"],
    ]


def test_who_is_suspended_is_out_at_once_and_loses_nothing(client_of, sue, ada):
    Study.objects.create(owner=ada, title="Pilot")
    adas, sues = client_of(ada), client_of(sue)
    assert "Suspend ada?" in text(sues.get(f"/accounts/people/{ada.pk}/suspend/"))
    assert "Pilot" in text(adas.get("/studies/"))

    sues.post(f"/accounts/people/{ada.pk}/suspend/")

    assert adas.get("/studies/")["Location"] == "/accounts/login/?next=/studies/"
    refused = Client().post("/accounts/login/", {"username": "ada", "password": "analytical engine"})
    assert "Please enter a correct username and password." in text(refused)

    sues.post(f"/accounts/people/{ada.pk}/restore/")

    assert adas.get("/studies/").status_code == 302  # the old session stays dead
    adas.post("/accounts/login/", {"username": "ada", "password": "analytical engine"})
    assert "Pilot" in text(adas.get("/studies/"))
    assert list(Change.objects.about(ada).values_list("deed", "researcher")) == [
        ("restored", sue.pk),
        ("suspended", sue.pk),
    ]


def test_nobody_suspends_themselves_or_a_superuser_above_them(client_of, sue, django_user_model):
    staff = django_user_model.objects.create_user("sam", is_staff=True)

    own = client_of(sue).post(f"/accounts/people/{sue.pk}/suspend/")
    above = client_of(staff).post(f"/accounts/people/{sue.pk}/suspend/")
    link = client_of(staff).post(f"/accounts/people/{sue.pk}/reset-link/")

    assert [answer.status_code for answer in (own, above, link)] == [403, 403, 403]
    assert "This is your own account" in text(own)
    sue.refresh_from_db()
    assert sue.is_active


def test_a_password_is_changed_by_who_knows_the_old_one(client_of, ada):
    client = client_of(ada)
    new = {"new_password1": "difference engine", "new_password2": "difference engine"}

    wrong = client.post("/accounts/password/", {"old_password": "not it", **new})
    right = client.post("/accounts/password/", {"old_password": "analytical engine", **new}, follow=True)

    assert "Your old password was entered incorrectly." in text(wrong)
    assert "Your password is changed." in text(right)
    ada.refresh_from_db()
    assert ada.check_password("difference engine")
    assert Change.objects.about(ada).get().deed == "changed the password"


def new_password_by(link, client):
    form = client.get(link, follow=True)
    return client.post(
        form.request["PATH_INFO"], {"new_password1": "difference engine", "new_password2": "difference engine"}
    )


def test_staff_make_a_link_for_a_site_without_mail(client_of, sue, ada):
    page = client_of(sue).post(f"/accounts/people/{ada.pk}/reset-link/").content.decode()
    link = re.search(r"http://testserver(/accounts/forgotten/[^<]+)", page)[1]

    new_password_by(link, Client())

    ada.refresh_from_db()
    assert ada.check_password("difference engine")
    assert "This link was used" in text(Client().get(link, follow=True))


def test_the_command_prints_such_a_link(ada, capsys):
    call_command("reset_link", "ada", site="https://earmark.example/")

    link = capsys.readouterr().out.strip()
    assert link.startswith("https://earmark.example/accounts/forgotten/")
    new_password_by(link.removeprefix("https://earmark.example"), Client())
    ada.refresh_from_db()
    assert ada.check_password("difference engine")


def test_no_link_is_made_for_who_is_suspended_or_unknown(client_of, sue, ada):
    ada.suspend()

    page = client_of(sue).post(f"/accounts/people/{ada.pk}/reset-link/", follow=True)

    assert "ada is suspended: restore the account first." in text(page)
    with pytest.raises(CommandError, match="ada is suspended: restore the account first"):
        call_command("reset_link", "ada")
    with pytest.raises(CommandError, match="There is no researcher “nobody”"):
        call_command("reset_link", "nobody")


def test_everybody_reads_their_log_and_staff_everybodys(client_of, sue, ada, ben, django_assert_num_queries):
    for number in range(51):
        Change.objects.note(ada, f"did {number:02d}", ada)
    Change.objects.note(sue, "invited", ben)

    adas, sues = (client_of(one).get("/accounts/log/") for one in (ada, sue))

    assert (len(rows_of(adas)), rows_of(adas)[0][1:]) == (50, ["ada", "did 50", "ada researcher"])
    assert "Page 1 of 2" in text(adas)
    assert rows_of(sues)[0][1:] == ["sue", "invited", "ben researcher"]
    assert "There" not in text(client_of(ben).get("/accounts/log/?page=2"))
    client = client_of(ada)
    with django_assert_num_queries(4):
        client.get("/accounts/log/")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"who": "ADA"}, ["opened", "began"]),
        ({"who": "Lovelace ada"}, ["opened", "began"]),
        ({"who": "Earmark"}, ["was locked out"]),
        ({"words": "pilot OPEN"}, ["opened"]),
        ({"words": "study"}, ["opened"]),
        ({"since": "2026-03-02"}, ["opened", "was locked out"]),
        ({"since": "2026-03-02", "who": "ada", "kind": "study"}, ["opened"]),
        ({"who": "nobody"}, []),
        # What makes no sense narrows nothing.
        ({"since": "soon"}, ["opened", "was locked out", "began"]),
        ({"who": "a\0b", "subject": "\0", "kind": "k" * 50}, ["opened", "was locked out", "began"]),
    ],
)
def test_the_log_is_narrowed_to_who_what_and_when(client_of, sue, ada, asked, found):
    study = Study.objects.create(owner=ada, title="Pilot")
    Researcher.objects.filter(pk=ada.pk).update(first_name="Ada", last_name="Lovelace")
    for day, who, deed, subject in (
        (1, ada, "began", ada),
        (2, None, "was locked out", ada),
        (2, ada, "opened", study),
    ):
        change = Change.objects.note(who, deed, subject)
        Change.objects.filter(pk=change.pk).update(at=f"2026-03-{day:02d}T12:00Z")

    page = client_of(sue).get("/accounts/log/", asked)

    assert (page.status_code, [row[2] for row in rows_of(page)]) == (200, found)


def test_a_narrowed_log_goes_on_over_its_pages(client_of, ada, sue):
    for number in range(51):
        Change.objects.note(ada, f"did {number:02d}", ada)
        Change.objects.note(sue, "looked after it", sue)

    first = client_of(sue).get("/accounts/log/?who=ada&words=did")
    further = re.search(r'href="([^"]+)" rel="next"', first.content.decode())[1].replace("&amp;", "&")

    assert [row[2] for row in rows_of(client_of(sue).get("/accounts/log/" + further))] == ["did 00"]


def test_the_log_of_one_thing_goes_on_over_its_pages(client_of, ada, ben):
    study = Study.objects.create(owner=ada, title="Pilot")
    for number in range(51):
        Change.objects.note(ada, f"did {number:02d}", study)
    Change.objects.note(ada, "something else", ada)
    link = re.search(r'href="(/accounts/log/[^"]+)"', client_of(ada).get(f"/studies/{study.slug}/").content.decode())[1]

    first = client_of(ada).get(link.replace("&amp;", "&"))
    further = re.search(r'href="([^"]+)" rel="next"', first.content.decode())[1].replace("&amp;", "&")
    second = client_of(ada).get("/accounts/log/" + further)

    assert [row[2] for row in rows_of(first) + rows_of(second)] == [f"did {k:02d}" for k in range(50, -1, -1)]
    assert rows_of(client_of(ben).get(link.replace("&amp;", "&"))) == []
