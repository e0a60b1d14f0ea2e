"""What a study rests on stays whole: it is put out of sight, and deleted only where nothing uses it."""

from pathlib import Path

import pytest
from django.urls import reverse

from accounts.models import Change
from generation.models import Checkpoint, Clip, Job
from study import opening
from study.forms import ClipsForm
from tests.console import address, text
from tests.studies import draft, make_draft

__all__ = ["draft", "make_draft"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client_of, ada):
    return client_of(ada)


def page(deed, thing):
    kind = thing._meta.model_name
    return reverse(f"generation:{deed}_{kind}", args=[thing.pk])


def said(client, response):
    return [str(message) for message in client.get(response["Location"]).context["messages"]]


@pytest.mark.parametrize("kind", ["checkpoint", "clip"])
def test_what_is_archived_leaves_lists_and_comes_back(client, ada, checkpoint, make_clip, kind):
    thing = {"checkpoint": checkpoint, "clip": make_clip(ada, title="A tone")}[kind]
    link = f'href="{reverse(f"generation:{kind}", args=[thing.pk])}"'

    def listed(query=""):
        return link in client.get(f"/{kind}s/{query}").content.decode()

    assert (listed(), listed("?archived")) == (True, False)
    client.post(page("archive", thing))
    assert (listed(), listed("?archived")) == (False, True)
    assert client.get(f"/{kind}s/{thing.pk}/").status_code == 200
    client.post(page("unarchive", thing))
    assert (listed(), listed("?archived")) == (True, False)
    assert [change.deed for change in Change.objects.about(thing)][:2] == ["took it out of the archive", "archived it"]


def test_a_study_offers_no_archived_clip_but_the_one_it_has(draft, ada, make_clip):
    condition = draft.conditions.first()
    chosen, other = condition.stimuli.first().clip, make_clip(ada, title="Other")
    for clip in (chosen, other):
        clip.archive(ada)

    offered = ClipsForm(condition=condition, researcher=ada).fields["clips"].queryset

    assert (chosen in offered, other in offered) == (True, False)


def test_a_clip_of_a_study_cannot_be_deleted_and_its_sessions_finish(client, client_of, draft, ada):
    opening.open_study(draft)
    session = draft.admit()
    clip = session.next_trial().stimulus.clip

    response = client.post(page("delete", clip))
    client.post(page("archive", clip))
    client.post(address("archive", draft))

    assert said(client, response)[0].startswith(f"“{clip}” is used, by a study, a clip or a job")
    assert (Clip.objects.filter(pk=clip.pk).exists(), Path(clip.master.path).exists()) == (True, True)
    assert client.get(f"/t/{session.code}/").status_code == 200
    sound = client.get(f"/sound/{session.next_trial().address}/")
    assert (sound.status_code, len(sound.getvalue()) > 10_000) == (200, True)
    assert "deleted it" not in {change.deed for change in Change.objects.about(clip)}


def test_a_clip_that_nothing_uses_is_deleted_with_its_files_once_that_is_confirmed(
    client, ada, make_clip, django_capture_on_commit_callbacks
):
    clip = make_clip(ada, title="A tone")
    path = Path(clip.master.path)

    asked = client.get(page("delete", clip))
    assert ("Delete “A tone”?" in text(asked), Clip.objects.count()) == (True, 1)
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(page("delete", clip))

    assert (response["Location"], Clip.objects.count(), path.exists()) == ("/clips/", 0, False)


@pytest.mark.parametrize(("state", "is_gone"), [("waiting", False), ("running", False), ("failed", True)])
def test_a_checkpoint_goes_with_jobs_that_are_over_and_not_with_one_that_waits(client, checkpoint, job, state, is_gone):
    Job.objects.filter(pk=job.pk).update(state=state)

    response = client.post(page("delete", checkpoint))

    assert response.status_code == 302
    assert Checkpoint.objects.exists() is not is_gone
    assert Job.objects.filter(pk=job.pk).exists() is not is_gone


def test_a_checkpoint_that_made_a_clip_stays(client, checkpoint, ada, make_clip, job):
    make_clip(ada, checkpoint=checkpoint)
    Job.objects.filter(pk=job.pk).update(state="done")

    client.post(page("delete", checkpoint))

    assert (Checkpoint.objects.count(), Job.objects.count()) == (1, 1)


def test_an_archived_study_leaves_the_list_and_its_link_works(client, draft):
    opening.open_study(draft)

    client.post(address("archive", draft))

    link = f'href="{address("study", draft)}"'
    assert [link in client.get(f"/studies/{query}").content.decode() for query in ("", "?archived")] == [False, True]
    assert client.get(f"/s/{draft.slug}/").status_code == 200
