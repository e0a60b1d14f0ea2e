"""Every change stands in the log: each address that changes something is asked to, and has to have said so."""

import re
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone

from accounts.models import Change, Researcher
from generation.models import Job
from study import opening, tasks
from study.models import Study
from tests import test_matrix
from tests.console import QUESTION, SETTINGS, text
from tests.generation.conftest import checkpoint_bytes, corpus, packed_folder, playable, source
from tests.studies import draft, make_draft, silent_for
from tests.world import world

__all__ = ["checkpoint_bytes", "corpus", "draft", "make_draft", "packed_folder", "playable", "source", "world"]
pytestmark = pytest.mark.django_db

PASSWORD = {"new_password1": "difference engine", "new_password2": "difference engine"}
ARCHIVES = (("generation", "archive_checkpoint"), ("generation", "archive_clip"), ("study", "archive"))
# Page -> what is sent, and what the log then says of it.
CHANGES = {
    "accounts:join": (
        {"username": "cleo", "password1": "a long enough one", "password2": "a long enough one"},
        "joined, invited by ada",
    ),
    "accounts:password_change": ({"old_password": "analytical engine", **PASSWORD}, "changed the password"),
    "accounts:people": ({"for_whom": "Cleo"}, "invited"),
    "accounts:take_back": ({}, "took back the invitation"),
    "accounts:suspend": ({}, "suspended"),
    "accounts:restore": ({}, "restored"),
    "accounts:reset_link": ({}, "made a link for a new password"),
    "generation:new_checkpoint": ("checkpoint", "brought it"),
    "generation:checkpoint": ({"n_clips": 1, "seconds": 5, "seed": 1, "temperature": 1}, "asked for 1 clip"),
    "generation:share_checkpoint": ({"username": "ben", "role": "viewer"}, "shared it with ben as viewer"),
    "generation:end_share_of_checkpoint": ({}, "stopped sharing it with emil"),
    "generation:share_clip": ({"username": "ben", "role": "editor"}, "shared it with ben as editor"),
    "generation:end_share_of_clip": ({}, "stopped sharing it with emil"),
    "generation:receive": ("file", "brought the file"),
    "generation:uploads": ("file", "had 1 file read"),
    "generation:read": ({}, "had 1 file read"),
    "generation:cancel_job": ({}, "cancelled it"),
    "generation:new_run": ("run", "started training"),
    "generation:resume_run": ({"minutes": 1}, "went on training"),
    "generation:sample_run": ({}, "asked for a sample"),
    "generation:references": ("references", "asked for 1 clip of real music"),
    "study:new_study": ({**SETTINGS, "title": "New"}, "made it"),
    "study:import": ("table", "brought the file"),
    "study:import_columns": ("columns", "made it of 1 ratings that were collected elsewhere"),
    "study:simulate": (test_matrix.SENT["study:simulate"], "asked for it"),
    "study:settings": ({**SETTINGS, "title": "Another"}, "changed the settings"),
    "study:new_scale": (QUESTION, "added the question “harmony”"),
    "study:scale": (QUESTION, "changed the question “harmony”"),
    "study:move_scale": ({"direction": "up"}, "moved the question “overall”"),
    "study:remove_scale": ({}, "removed the question “overall”"),
    "study:new_condition": ({"name": "New"}, "added the condition “New”"),
    "study:condition": ({"name": "New"}, "changed the condition “Zeisig 1”"),
    "study:move_condition": ({"direction": "down"}, "moved the condition “Zeisig 1”"),
    "study:remove_condition": ({}, "removed the condition “Zeisig 1”"),
    "study:clips": ({}, "chose 0 clips for “Zeisig 1”"),
    "study:label": ({"label": "New"}, "called the clip “Zeisig 1 1” “New”"),
    "study:move_stimulus": ({"direction": "down"}, "moved the clip “Zeisig 1 1”"),
    "study:remove_stimulus": ({}, "removed the clip “Zeisig 1 1” from it"),
    **{f"{room}:{page}": ({}, "archived it") for room, page in ARCHIVES},
    **{f"{room}:un{page}": ({}, "took it out of the archive") for room, page in ARCHIVES},
    "generation:delete_checkpoint": ({}, "deleted it"),
    "generation:delete_clip": ({}, "deleted it"),
    "study:share": ({"username": "ben", "role": "viewer"}, "shared it with ben as viewer"),
    "study:end_share": ({}, "stopped sharing it with emil"),
    "study:remove": ({}, "removed it"),
    "study:open": ({}, "asked to open it"),
    "study:open_again": ({}, "asked again to open it"),
    "study:take_back": ({}, "took the opening back"),
    "study:close": ({}, "closed it"),
    "study:unseal": ({}, "unsealed the results"),
    "study:analyse": ({}, "asked for it"),
}
CHANGE_NOTHING = {"accounts:login", "accounts:logout", "accounts:password_reset"}
# Chosen by a link of Django's in two steps, of which the second changes (tests/accounts/test_people.py).
IN_TWO_STEPS = {"accounts:password_reset_confirm"}
OF_PARTICIPANTS = {"study:welcome", "study:withdraw", "study:rate", "study:shown", "study:heard"}
BY_STAFF = {"people", "take_back", "suspend", "restore", "reset_link"}
OF_AN_OPEN_STUDY = {"close", "unseal", "analyse"}


def changing_pages():
    nothing = (test_matrix.NONE, test_matrix.NONE_BUT_STAFF)
    return {name for name, (_, post) in test_matrix.TABLE.items() if post not in nothing}


def test_every_page_that_changes_something_is_listed():
    assert set(CHANGES) == changing_pages() - CHANGE_NOTHING - IN_TWO_STEPS - OF_PARTICIPANTS


@pytest.fixture
def sent(corpus, playable, checkpoint_bytes, world):
    """What is sent with files, or with what the world holds; made anew for each request."""
    table = b"session,condition,stimulus,rating\n1,A,x,5\n"
    settings = {"family": "rnn", "corpus": corpus.pk, "minutes": 1, "seed": 1}
    columns = {name: name for name in ("session", "condition", "stimulus", "rating")}
    files = {"sent": [SimpleUploadedFile("a.mid", b"x")], "seconds": 5, "batch": uuid.uuid4()}
    return {
        "checkpoint": {"file": SimpleUploadedFile("tiny.keras", checkpoint_bytes)},
        "file": files,
        "run": settings,
        "references": {"pieces": playable[:1], "seconds": 5},
        "table": {"file": SimpleUploadedFile("ratings.csv", table)},
        "columns": {"title": "Elsewhere", "low": 1, "high": 10, **columns},
    }


def prepared(world, page):
    """Bring things into the state in which this page has something to change."""
    if page in ("resume_run", "sample_run"):
        state = "done" if page == "resume_run" else "running"
        Job.objects.filter(kind="training").update(state=state)
        Job.objects.filter(kind="sample").update(state="done")
    if page == "open_again":
        tasks.ask_to_open(world.studies["draft"])
        silent_for(world.studies["draft"], 1000)
    if page.startswith("unarchive"):
        for thing in (world.things["checkpoint"], world.things["clip"], world.studies["draft"]):
            type(thing).objects.update(archived_at=timezone.now())
    if page.startswith("delete"):
        world.session.delete()
        Study.objects.all().delete()
        Job.objects.filter(kind="clips").update(state="done")
        if page == "delete_checkpoint":
            world.things["clip"].delete()
    if page == "take_back":
        tasks.ask_to_open(world.studies["draft"])


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_stands_in_the_log(world, sent, name):
    page = name.split(":")[1]
    who = "staff" if name.startswith("accounts") and page in BY_STAFF else "owner"
    data, deed = CHANGES[name]
    Study.objects.filter(state="draft").update(length_seconds=2)
    if name.startswith(("study", "generation")):
        prepared(world, page)
    if page == "password_change":
        Researcher.objects.get(username="ada").set_password("analytical engine")
    address = world.address(name, "open" if page in OF_AN_OPEN_STUDY else "draft")
    known = set(Change.objects.values_list("pk", flat=True))

    answer = world.clients[who].post(address, sent[data] if isinstance(data, str) else data)

    new = Change.objects.exclude(pk__in=known)
    assert deed in {change.deed for change in new}, text(answer)
    author = {"accounts:join": "cleo"}.get(name, "ada" if who == "owner" else "sue")
    assert {change.researcher.username for change in new} == {author}
    assert not [secret for secret in secrets_of(world, data, answer) if secret in str(list(Change.objects.values()))]


def secrets_of(world, data, answer):
    """What opens an account or a session: passwords that were sent, links that the page shows, codes of participants."""
    sent = data if isinstance(data, dict) else {}
    passwords = {value for name, value in sent.items() if "password" in name}
    links = re.findall(r"/accounts/(?:invitation|forgotten/\w+)/([\w-]+)/", answer.content.decode())
    return {*passwords, *links, str(world.session.code)}


def test_what_is_refused_stands_in_no_log(world):
    before = Change.objects.count()

    for name in sorted(CHANGES):
        with transaction.atomic():
            world.clients["stranger"].post(world.address(name, "draft"), {})
            transaction.set_rollback(name == "accounts:join")

    assert Change.objects.count() == before


def test_what_the_worker_did_stands_in_the_history(draft, client_of, ada):
    opening.open_study(draft)

    page = client_of(ada).get(f"/studies/{draft.slug}/")

    assert "Earmark opened it" in text(page)


def test_why_a_study_could_not_be_opened_stands_in_the_history(draft):
    draft.stimuli().first().clip.master.delete()

    with pytest.raises(opening.NotReadyError):
        opening.open_study(draft)

    change = Change.objects.about(draft).get()
    assert (change.deed, change.details["problem"][:30]) == ("could not open it", "“CNN 1” cannot be played: the ")
