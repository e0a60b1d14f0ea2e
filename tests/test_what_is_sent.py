"""What a request may not bring about: fields that no form has, other sites to go on to, headers made of a title, addresses to fetch."""

import ast
from pathlib import Path
from urllib.parse import quote

import pytest
from django import forms
from django.apps import apps
from django.db import connection, models, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Researcher
from generation.models import Job
from study.forms import StudyForm
from study.models import Study
from tests import test_log
from tests.console import SETTINGS, address
from tests.generation.conftest import checkpoint_bytes, corpus, packed_folder, playable, source
from tests.studies import draft, make_draft
from tests.world import world

__all__ = ["checkpoint_bytes", "corpus", "draft", "make_draft", "packed_folder", "playable", "source", "world"]
pytestmark = pytest.mark.django_db
sent = test_log.sent

ROOT = Path(__file__).parents[1]
OURS = ("accounts", "generation", "study")

# Fields that no form has


def settled():
    """What decides whose things are, what state they are in and who may do what: {model.field: values in all rows}."""
    fields = ("owner", "is_staff", "is_superuser", "is_active", "password", "role", "state", "researcher", "made_by")
    times = ("opened_at", "closed_at", "unsealed_at", "opening_at", "used_at", "done_at", "started_at")
    found = {}
    for model in apps.get_models():
        names = {field.name for field in model._meta.fields} if model._meta.app_label in OURS else set()
        for name in names & {*fields, "kind", "sha256", "provenance", "is_reference", *times}:
            values = [value is None if name in times else value for value in model.objects.values_list(name, flat=True)]
            found[f"{model.__name__}.{name}"] = sorted(map(str, values))
    return found


def hidden(ben):
    """Fields as an attacker would guess them."""
    later = timezone.now().isoformat()
    people = dict.fromkeys(("owner", "owner_id", "researcher", "made_by", "user"), ben.pk)
    rights = {"is_published": "on", "is_staff": "on", "is_superuser": "on", "is_active": "", "groups": "1"}
    times = dict.fromkeys(("opened_at", "unsealed_at", "closed_at"), later)
    rest = {"state": "open", "id": 1, "pk": 1, "slug": "taken", "kind": "training", "sha256": "0" * 64}
    return people | rights | times | rest | {"role": "editor", "is_reference": ""}


@pytest.mark.parametrize("name", sorted(test_log.CHANGES))
def test_fields_that_a_form_does_not_have_change_nothing(world, sent, ben, name):
    page = name.split(":")[1]
    data, _ = test_log.CHANGES[name]
    who = "staff" if page in test_log.BY_STAFF and name.startswith("accounts") else "owner"
    test_log.prepared(world, page)
    place = world.address(name, "open" if page in test_log.OF_AN_OPEN_STUDY else "draft")
    data = sent[data] if isinstance(data, str) else data

    outcomes = []
    for extra in ({}, hidden(ben)):
        with transaction.atomic():
            client = Client()
            client.force_login(Researcher.objects.get(username={"staff": "sue", "owner": "ada"}[who]))
            rewind(data)
            client.post(place, {**extra, **data})
            outcomes.append(settled())
            transaction.set_rollback(True)

    plain, attacked = outcomes
    # A new password is hashed with another salt each time.
    assert {**attacked, "Researcher.password": None} == {**plain, "Researcher.password": None}


def rewind(data):
    for value in data.values():
        for file in value if isinstance(value, list) else [value]:
            if hasattr(file, "seek"):
                file.seek(0)


# Other sites to go on to

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "////evil.example/%2e%2e",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "http://evil.example",
    "https://testserver@evil.example",
    "https://testserver:443@evil.example/",
    "\\\\evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "https://testserver.evil.example",
    "https://evil.example%2etestserver",
    "https://evil.example\u3002testserver",
    "//evil\u3002example",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/\r\nLocation: https://evil.example",
    "https://testserver:8443/",
    "\thttps://evil.example",
    " //evil.example",
]


def stays(place):
    """Whether a browser that is sent here stays on this site. It reads a backslash as a slash, and skips control signs."""
    read = "".join(sign for sign in place if sign > " ").replace("\\", "/")
    return read.startswith("/") and not read.startswith("//")


@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("door", ["/accounts/login/", "/admin/login/"])
def test_the_login_leads_nowhere_else(ada, place, door):
    Researcher.objects.update(is_staff=True)
    data = {"username": "ada", "password": "analytical engine"}

    by_query = Client().post(f"{door}?next={quote(place)}", data)
    by_field = Client().post(door, {**data, "next": place})

    for answer in (by_query, by_field):
        assert answer.status_code == 302
        assert stays(answer["Location"]), answer["Location"]
        assert "\n" not in answer["Location"]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_the_logout_leads_nowhere_else(client_of, ada, place):
    answer = client_of(ada).post("/accounts/logout/", {"next": place})

    assert stays(answer["Location"]), answer["Location"]


def test_where_one_wanted_to_go_is_where_the_login_leads(ada):
    answer = Client().post(
        "/accounts/login/?next=/clips/%3Fpage%3D2", {"username": "ada", "password": "analytical engine"}
    )

    assert answer["Location"] == "/clips/?page=2"


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_way_back_is_a_code_and_no_address(place):
    form = StudyForm({**SETTINGS, "completion_code": place})

    assert not form.is_valid()
    assert "completion_code" in form.errors


# Headers made of a title

TITLES = [
    "a\r\nSet-Cookie: a=b",
    'a"; filename="b.exe',
    "a\nX: y",
    "x" * 200,
    "\u202egnp.exe",
    "Ünïcode — “quoted”",
    "../../etc/passwd",
    "%0d%0aX: y",
]
FILES = (
    "table_csv",
    "ratings_csv",
    "repeats_csv",
    "comments_csv",
    "figure_svg",
    "figure_png",
    "figure_pdf",
    "takeaway",
)


@pytest.mark.parametrize("title", TITLES)
def test_a_title_makes_no_header(world, title):
    study, client = world.studies["closed"], world.clients["owner"]
    plain = [headers(client.get(address(name, study))) for name in FILES]

    Study.objects.filter(pk=study.pk).update(title=title, public_title=title)
    attacked = [headers(client.get(address(name, study))) for name in FILES]

    assert attacked == plain
    assert all(found["Content-Disposition"].isascii() for found in attacked)


def headers(response):
    assert response.status_code == 200
    response.getvalue()  # reads a file to its end, which closes it
    return dict(response.headers)


def test_a_title_of_300_signs_or_with_a_line_break_is_refused(client_of, ada):
    answers = [client_of(ada).post("/studies/new/", {**SETTINGS, "title": title}) for title in ("x" * 300, "a\0b")]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert not Study.objects.exists()


# Addresses to fetch

FETCHING = {"urllib.request", "urllib3", "http.client", "requests", "httpx", "aiohttp", "ftplib", "webbrowser"}


def test_no_field_takes_an_address_that_is_fetched():
    of_models = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if model._meta.app_label in OURS and isinstance(field, models.URLField)
    }
    written = [form for form in every_form() if any(isinstance(f, forms.URLField) for f in form.base_fields.values())]

    assert (of_models, written) == (set(), [])
    assert len(every_form()) > 10


def every_form(kind=forms.BaseForm):
    below = [form for child in kind.__subclasses__() for form in every_form(child)]
    ours = kind.__module__.split(".")[0] in OURS and hasattr(kind, "base_fields")
    return [*below, kind] if ours else below


def test_the_site_fetches_nothing():
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for room in (*OURS, "music", "analysis")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
        if name in FETCHING
    }

    assert found == set()


def test_a_link_that_a_job_shows_is_the_sites_own(world):
    client = world.clients["owner"]
    client.post(
        "/studies/plan/simulate/", {**test_log.test_matrix.SENT["study:simulate"], "link": "https://evil.example"}
    )

    links = [job.settings["link"] for job in Job.objects.filter(kind="coverage")]
    assert links == ["/studies/plan/", "/studies/plan/"]


# A null character, which PostgreSQL knows in no text


@pytest.mark.parametrize(
    "address",
    [
        "/studies/plan/?study=a%00b",
        "/accounts/log/?who=a%00b&kind=%00&subject=%00&words=%00&since=%00",
        "/runs/new/?family=%00&corpus=%00",
        "/clips/?page=%00",
        "/s/of-open/?PROLIFIC_PID=a%00b",
        "/accounts/forgotten/MQ%00/a-b/",
    ],
)
def test_a_null_character_in_an_address_reaches_no_database(world, address):
    asked = []

    def look(execute, sql, params, many, context):
        asked.append(params)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        answer = world.clients["owner"].get(address)

    assert answer.status_code < 500
    assert len(asked) > 0
    assert [params for params in asked if "\0" in "".join(map(str, params or ()))] == []
