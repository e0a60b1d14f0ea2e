"""Studies, checkpoints and clips are shared with named researchers, who look or change; only the owner shares and removes."""

import pytest
from django.urls import reverse

from accounts.models import Change, Share
from generation.models import Checkpoint, Clip, Job
from study.models import Study
from tests.console import SETTINGS, labels, text
from tests.generation.conftest import checkpoint_bytes
from tests.studies import clip_row, draft, make_draft, paper_study

__all__ = ["checkpoint_bytes", "draft", "make_draft", "paper_study"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def checkpoint(ada):
    return Checkpoint.objects.create(owner=ada, name="Adas RNN", family="rnn", card={}, file="none")


@pytest.fixture
def things(draft, checkpoint, ada):
    """One of each kind that can be shared, Ada's."""
    return {"study": draft, "checkpoint": checkpoint, "clip": clip_row(ada, "Adas clip")}


def page_of(thing):
    if isinstance(thing, Study):
        return reverse("study:study", args=[thing.slug])
    return reverse(f"generation:{thing._meta.model_name}", args=[thing.pk])


def list_of(thing):
    return {"study": "/studies/", "checkpoint": "/checkpoints/", "clip": "/clips/"}[thing._meta.model_name]


def share(client, thing, **sent):
    return client.post(page_of(thing) + "sharing/", {"username": "ben", "role": "viewer", **sent})


KINDS = ["study", "checkpoint", "clip"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shared_is_found_with_whose_it_is_until_sharing_ends(client_of, ada, ben, things, kind):
    thing, adas, bens = things[kind], client_of(ada), client_of(ben)
    assert bens.get(page_of(thing)).status_code == 404

    assert share(adas, thing)["Location"] == page_of(thing) + "sharing/"

    given = Share.objects.get()
    page = bens.get(page_of(thing))
    assert "ada, the owner You, viewer You may look at it" in text(page)
    assert f'"{page_of(thing)}sharing/"' not in page.content.decode()
    assert f"{thing} of ada" in text(bens.get(list_of(thing)))
    assert f"{thing} of ada" not in text(adas.get(list_of(thing)))
    assert "ben viewer" in text(adas.get(page_of(thing) + "sharing/"))

    adas.post(f"{page_of(thing)}sharing/{given.pk}/end/")

    assert bens.get(page_of(thing)).status_code == 404
    assert str(thing) not in text(bens.get(list_of(thing)))


@pytest.mark.parametrize("kind", KINDS)
def test_sharing_stands_in_the_history_of_the_thing(client_of, ada, ben, things, kind):
    adas = client_of(ada)
    share(adas, things[kind])
    share(adas, things[kind], role="editor")
    adas.post(f"{page_of(things[kind])}sharing/{Share.objects.get().pk}/end/")

    assert list(Change.objects.about(things[kind]).values_list("deed", "researcher", "owner")) == [
        ("stopped sharing it with ben", ada.pk, ada.pk),
        ("shared it with ben as editor", ada.pk, ada.pk),
        ("shared it with ben as viewer", ada.pk, ada.pk),
    ]
    assert "ada stopped sharing it with ben" in text(adas.get(page_of(things[kind])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"username": "nobody"}, "Nobody here has this user name."),
        ({"username": "gone"}, "Nobody here has this user name."),
        ({"username": "ada"}, "It is yours already."),
        ({"username": ""}, "This field is required."),
        ({"role": "owner"}, "owner is not one of the available choices."),
    ],
)
def test_a_share_that_makes_no_sense_is_refused(client_of, ada, ben, things, django_user_model, kind, sent, sentence):
    django_user_model.objects.create_user("gone", is_active=False)

    answer = share(client_of(ada), things[kind], **sent)

    assert (answer.status_code, sentence in text(answer)) == (422, True)
    assert not Share.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", Share.Role.values)
def test_only_the_owner_shares(client_of, ada, ben, things, kind, role, django_user_model):
    django_user_model.objects.create_user("eve")
    share(client_of(ada), things[kind], role=role)
    page = page_of(things[kind]) + "sharing/"

    answers = [
        client_of(ben).get(page),
        client_of(ben).post(page, {"username": "eve", "role": "viewer"}),
        client_of(ben).post(f"{page}{Share.objects.get().pk}/end/"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert "Only ada, whose it is, may share or remove it." in text(answers[0])
    assert Share.objects.get().researcher == ben


def test_a_share_of_another_thing_is_not_ended_by_this_ones_address(client_of, ada, ben, things):
    share(client_of(ada), things["clip"])

    answer = client_of(ada).post(f"{page_of(things['study'])}sharing/{Share.objects.get().pk}/end/")

    assert answer.status_code == 404
    assert Share.objects.count() == 1


def test_a_viewer_changes_nothing_and_is_offered_no_change(client_of, ada, ben, draft):
    share(client_of(ada), draft)
    bens = client_of(ben)

    page = bens.get(page_of(draft))
    answer = bens.post(page_of(draft) + "settings/", {**SETTINGS, "title": "Bens"})

    assert page.context["shares"].get().role == "viewer"
    for word in ("Settings", "Remove", "Open the study", "Choose clips", "Rename", "Add a question"):
        assert word not in text(page)
    assert answer.status_code == 403
    assert "ada shared this for you to look at. It is not yours to change." in text(answer)
    draft.refresh_from_db()
    assert draft.title == "Pilot"


def test_an_editor_changes_a_study_and_does_not_remove_it(client_of, ada, ben, draft):
    share(client_of(ada), draft, role="editor")
    bens = client_of(ben)

    bens.post(page_of(draft) + "settings/", {**SETTINGS, "title": "Ours"})
    removed = bens.post(page_of(draft) + "remove/")

    draft.refresh_from_db()
    assert (draft.title, draft.owner, removed.status_code) == ("Ours", ada, 403)
    assert "Settings" in text(bens.get(page_of(draft)))
    assert "Remove the draft" not in text(bens.get(page_of(draft)))


def test_an_editor_adds_clips_of_their_own_and_leaves_the_owners(client_of, ada, ben, draft):
    share(client_of(ada), draft, role="editor")
    condition = draft.conditions.get(name="CNN")
    bens = clip_row(ben, "Bens clip")
    page = reverse("study:clips", args=[draft.slug, condition.pk])
    chosen = list(condition.stimuli.values_list("clip_id", flat=True))
    shown = client_of(ben).get(page).content.decode()

    client_of(ben).post(page, {"clips": [*chosen, bens.pk]})

    assert shown.count(" checked>") == 2
    assert labels(draft) == [(f"CNN {k}", f"CNN {k}") for k in (1, 2, 3)] + [("Real 1", "Real")]
    assert client_of(ada).get(page_of(bens)).status_code == 200  # it plays in a study of hers now


def test_whoever_sees_a_study_hears_its_clips_and_nothing_else_of_its_owner(client_of, ada, ben, draft):
    other = clip_row(ada, "Adas other clip")
    [clip, *_] = [stimulus.clip for stimulus in draft.stimuli()]
    sound = reverse("generation:clip_sound", args=[clip.pk])
    assert client_of(ben).get(sound).status_code == 404

    share(client_of(ada), draft)

    heard = client_of(ben).get(sound)
    assert (heard.status_code, heard["Content-Type"], bool(heard.getvalue())) == (200, "audio/flac", True)
    assert set(Clip.objects.visible_to(ben)) == {stimulus.clip for stimulus in draft.stimuli()}
    assert not Clip.objects.editable_by(ben).exists()
    assert client_of(ben).get(page_of(other)).status_code == 404


def test_results_and_files_are_a_viewers_too(client_of, ada, ben, paper_study):
    share(client_of(ada), paper_study)

    results = client_of(ben).get(f"/studies/{paper_study.slug}/results/")
    table = client_of(ben).get(f"/studies/{paper_study.slug}/table.csv").getvalue().decode()

    assert "9.3" in text(results)
    assert "LPD5 Samples" in table


def test_clips_are_made_of_a_shared_checkpoint_by_editors_alone(client_of, ada, ben, checkpoint):
    wishes = {"n_clips": 1, "seconds": 5, "seed": 1, "temperature": 1}
    share(client_of(ada), checkpoint)
    refused = client_of(ben).post(page_of(checkpoint), wishes)
    share(client_of(ada), checkpoint, role="editor")

    client_of(ben).post(page_of(checkpoint), wishes)

    assert refused.status_code == 403
    assert Job.objects.get().owner == ben


def test_a_checkpoints_page_lists_the_clips_that_its_reader_sees(client_of, ada, ben, checkpoint):
    clip_row(ada, "Adas clip of it", checkpoint=checkpoint)
    clip_row(ben, "Bens clip of it", checkpoint=checkpoint)
    share(client_of(ada), checkpoint)

    seen = text(client_of(ben).get(page_of(checkpoint)))

    assert ("Adas clip of it" in seen, "Bens clip of it" in seen) == (False, True)
    assert "Adas RNN of ada Baseline RNN 1" in text(client_of(ben).get("/checkpoints/"))


def test_a_removed_draft_leaves_no_share(client_of, ada, ben, draft):
    share(client_of(ada), draft)

    client_of(ada).post(page_of(draft) + "remove/")

    assert not Share.objects.exists()
    assert client_of(ben).get("/studies/").status_code == 200


def test_the_log_is_seen_by_those_whom_it_concerns(ada, ben, things, django_user_model):
    eve = django_user_model.objects.create_user("eve", is_staff=True)
    Change.objects.note(ada, "edited", things["study"])
    Change.objects.note(ada, "edited", things["clip"])
    Share.objects.give(things["clip"], ben, "viewer")

    assert list(Change.objects.visible_to(ben).values_list("kind", flat=True)) == ["clip"]
    assert Change.objects.visible_to(ada).count() == Change.objects.visible_to(eve).count() == 2
