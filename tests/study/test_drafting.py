"""A draft and its settings, questions, conditions and clips: each works, refuses bad input, and is worth its queries."""

import re

import pytest

from generation.models import Clip
from study.models import Condition, Scale, Study
from tests.console import (
    QUESTION,
    SETTINGS,
    address,
    labels,
    rows_of,
    text,
)
from tests.studies import clip_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client_of, ada):
    return client_of(ada)


# Making a study


def test_a_new_study_begins_as_a_draft_with_one_question(client, ada):
    assert "A new study asks “How much do you like this clip?”, 1 to 10." in text(client.get("/studies/new/"))

    response = client.post("/studies/new/", {**SETTINGS, "target_sessions": "40"})

    study = Study.objects.get()
    assert response.headers["Location"] == f"/studies/{study.slug}/"
    assert (study.owner, study.title, study.public_title, study.state) == (ada, "Pilot", "Music and you", "draft")
    assert (study.length_seconds, study.min_heard_seconds, study.target_sessions) == (30, 10, 40)
    assert asked(study) == [("overall", "How much do you like this clip?", 1, 10, "not at all", "very much")]


def asked(study):
    return list(study.scales.values_list("name", "question", "low", "high", "low_label", "high_label"))


def test_the_form_suggests_what_most_studies_want(client):
    page = client.get("/studies/new/").content.decode()

    found = {name: re.search(rf'name="{name}"[^>]* value="([^"]*)"|value="([^"]*)"[^>]* name="{name}"', page) for name in (
        "public_title", "length_seconds", "min_heard_seconds", "n_repeats"
    )}  # fmt: skip
    assert {name: match[1] or match[2] for name, match in found.items()} == {
        "public_title": "Listening study",
        "length_seconds": "30",
        "min_heard_seconds": "10",
        "n_repeats": "0",
    }
    assert re.findall(r'name="(\w+)"[^>]*? checked', page) == ["order"]
    assert 'value="shuffle" required id="id_order_0" checked' in page


WISHES = {
    "order": "blocks",
    "separate_conditions": "on",
    "clips_per_session": "8",
    "n_repeats": "2",
    "separate_passes": "on",
    "comments": "on",
    "is_blind_to_researchers": "on",
}


def test_every_wish_is_stored(client):
    client.post("/studies/new/", {**SETTINGS, **WISHES})

    assert Study.objects.values(*WISHES).get() == {
        "order": "blocks",
        "separate_conditions": True,
        "clips_per_session": 8,
        "n_repeats": 2,
        "separate_passes": True,
        "comments": True,
        "is_blind_to_researchers": True,
    }


def test_wishes_that_are_left_out_are_the_plain_ones(client):
    client.post(
        "/studies/new/", {name: value for name, value in SETTINGS.items() if name not in WISHES} | {"order": "shuffle"}
    )

    assert set(Study.objects.values_list(*(WISHES.keys() - {"order"})).get()) == {
        False,
        None,
    }  # 0 repeats are False to Python


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": ""}, "This field is required."),
        ({"length_seconds": "0.5"}, "Choose from 1 to 300 seconds."),
        ({"length_seconds": "301"}, "Choose from 1 to 300 seconds."),
        ({"length_seconds": "nan"}, "Enter a number."),
        ({"loudness_lufs": "-13"}, "Choose from -40 to -14 LUFS."),
        ({"order": "latin-square", "clips_per_session": "3"}, "A Latin square needs everybody to hear all clips"),
        ({"min_heard_seconds": "31"}, "Choose from 0 to 30, the length of a clip."),
        ({"min_heard_seconds": "-1"}, "Choose from 0 to 30, the length of a clip."),
        ({"target_sessions": "0"}, "Choose one participant at least, or leave it empty."),
        ({"title": "x" * 201}, "Ensure this value has at most 200 characters (it has 201)."),
        ({"order": "sorted"}, "Select a valid choice. sorted is not one of the available choices."),
        ({"clips_per_session": "1"}, "Choose from 2 to 1000 clips, or leave it empty for all."),
        ({"clips_per_session": "1001"}, "Choose from 2 to 1000 clips, or leave it empty for all."),
        ({"clips_per_session": "9" * 30}, "Choose from 2 to 1000 clips, or leave it empty for all."),
        ({"clips_per_session": "4", "n_repeats": "5"}, "Choose from 0 to 4: a session has no more clips to repeat."),
        ({"n_repeats": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"n_repeats": "1001"}, "Ensure this value is less than or equal to 1000."),
        (
            {"order": "latin-square", "separate_conditions": "on"},
            "A Latin square settles what follows what: leave this off, or choose another order.",
        ),
    ],
)
def test_bad_settings_make_no_study(client, change, sentence):
    response = client.post("/studies/new/", SETTINGS | change)

    assert response.status_code == 422
    assert sentence in text(response)
    assert Study.objects.count() == Scale.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"clips_per_session": "4"}, "There are only 3 clips: choose fewer, or leave it empty for all."),
        ({"n_repeats": "4"}, "Choose from 0 to 3: a session has no more clips to repeat."),
        ({"clips_per_session": "2", "n_repeats": "3"}, "Choose from 0 to 2: a session has no more clips to repeat."),
    ],
)
def test_a_session_cannot_have_more_clips_than_the_study(client, draft, change, sentence):
    response = client.post(address("settings", draft), SETTINGS | change)

    assert response.status_code == 422
    assert sentence in text(response)
    assert Study.objects.values_list("clips_per_session", "n_repeats").get() == (None, 0)


def test_hidden_fields_change_nothing(client, ada, ben):
    client.post("/studies/new/", {**SETTINGS, "owner": ben.pk, "state": "open", "slug": "mine", "seed": "1"})

    study = Study.objects.get()
    assert (study.owner, study.state) == (ada, "draft")
    assert study.slug != "mine"
    assert study.seed != 1


def test_settings_of_a_draft_can_be_changed(client, draft):
    assert 'value="Pilot"' in client.get(address("settings", draft)).content.decode()

    response = client.post(address("settings", draft), {**SETTINGS, "title": "Main study", "n_repeats": ""})

    draft.refresh_from_db()
    assert response.headers["Location"] == f"/studies/{draft.slug}/"
    assert (draft.title, draft.length_seconds, draft.n_repeats, draft.scales.count()) == ("Main study", 30, 0, 1)


def test_bad_settings_leave_the_draft(client, draft):
    response = client.post(address("settings", draft), {**SETTINGS, "title": "Main study", "n_repeats": "99"})

    draft.refresh_from_db()
    assert (response.status_code, draft.title, draft.n_repeats) == (422, "Pilot", 0)


def test_a_draft_can_be_removed_and_its_clips_stay(client, draft):
    assert "Remove the draft “Pilot”?" in text(client.get(address("remove", draft)))

    response = client.post(address("remove", draft))

    assert response.headers["Location"] == "/studies/"
    assert (Study.objects.count(), Clip.objects.count()) == (0, 3)


def test_the_settings_say_how_long_a_session_takes(client, draft):
    page = text(client.get(address("settings", draft)))

    # 3 x (1 + 8) s and 3 x (2 + 8) s.
    assert "A session takes 1 minute ." in page
    assert "3 clips, each heard for 1 to 2&nbsp;s and answered in about 8&nbsp;s." in page


def test_the_length_of_a_session_follows_the_form_before_it_is_saved(client, draft):
    draft.scales.create(name="harmony", position=2)
    wishes = {"length_seconds": "120", "min_heard_seconds": "20", "n_repeats": "1", "separate_passes": "on"}

    page = text(client.get(address("estimate", draft), {**wishes, "order": "latin-square", "comments": "on"}))

    # 2 x 4 x (20 + 8) s and 2 x 4 x (120 + 8) s.
    assert "A session takes 4 to 18 minutes ." in page
    assert "2 passes over 3 clips and 1 repeat, each heard for 20 to 120&nbsp;s" in page
    assert "Comments come on top. Its Latin square is complete with every 6 participants." in page
    draft.refresh_from_db()
    assert (draft.length_seconds, draft.n_repeats) == (2, 0)


@pytest.mark.parametrize("nonsense", [{}, {"length_seconds": "long"}, {"clips_per_session": "99", "n_repeats": "-1"}])
def test_a_length_that_cannot_be_reckoned_stays_as_it_was(client, draft, nonsense):
    assert "3 clips, each heard for 1 to 2" in text(client.get(address("estimate", draft), nonsense))


def test_a_new_study_is_estimated_by_an_example(client):
    page = text(client.get("/studies/new/estimate/", {"length_seconds": "60", "min_heard_seconds": "60"}))

    # 10 x (60 + 8) s.
    assert "No clips are chosen yet; with 10 a session would take 12 minutes ." in page


# Questions


def test_a_draft_shows_its_questions(client, draft):
    draft.scales.create(name="harmony", question="Nice harmony?", low=0, high=4, low_label="", position=2)

    page = text(client.get(address("study", draft)))

    assert "overall How much do you like this clip? 1 (not at all) to 10 (very much)" in page
    assert "harmony Nice harmony? 0 to 4 (very much)" in page
    assert "All on one screen." in page


def test_a_question_is_added_behind_the_others(client, draft):
    offered = client.get(address("new_scale", draft)).content.decode()
    assert 'value="How pleasing is the harmony?"' in offered

    response = client.post(address("new_scale", draft), {**QUESTION, "low": "0", "high": "99"})

    assert response.headers["Location"] == f"/studies/{draft.slug}/"
    assert asked(draft)[1:] == [("harmony", "How pleasing is the harmony?", 0, 99, "not at all", "very")]


def test_what_is_often_asked_is_offered_until_all_is_asked(client, draft):
    names = []
    for _ in range(4):
        page = client.get(address("new_scale", draft)).content.decode()
        names.append(re.search(r'name="name"(?: value="([^"]*)")?', page)[1])
        client.post(address("new_scale", draft), {**QUESTION, "name": names[-1] or "sound"})

    assert names == ["harmony", "rhythm", "coherence", None]
    assert [scale.name for scale in draft.scales.all()] == ["overall", "harmony", "rhythm", "coherence", "sound"]


def test_a_draft_without_a_question_says_so(client, draft):
    assert "Remove the question “How much do you like this clip?” (overall)?" in text(
        client.get(address("remove_scale", draft))
    )

    client.post(address("remove_scale", draft))

    assert "The study asks no question: add one." in text(client.get(address("study", draft)))
    assert 'value="overall"' in client.get(address("new_scale", draft)).content.decode()


def test_a_question_can_be_changed_and_renamed(client, draft):
    assert 'value="overall"' in client.get(address("scale", draft)).content.decode()

    client.post(address("scale", draft), {**QUESTION, "name": "Liking", "low": "-3", "high": "3", "low_label": ""})

    assert asked(draft) == [("liking", "How pleasing is the harmony?", -3, 3, "", "very")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"question": ""}, "This field is required."),
        ({"name": "overall"}, "There is a question named “overall” in this study already."),
        ({"name": "OVERALL"}, "There is a question named “overall” in this study already."),
        ({"name": "the rhythm"}, "Use letters without accents, digits and hyphens only, such as “harmony-2”."),
        ({"name": ""}, "This field is required."),
        ({"low": "5", "high": "5"}, "Choose from 6 to 104: participants then have 2 to 100 answers to choose from."),
        ({"low": "5", "high": "1"}, "Choose from 6 to 104: participants then have 2 to 100 answers to choose from."),
        ({"low": "0", "high": "100"}, "Choose from 1 to 99: participants then have 2 to 100 answers to choose from."),
        ({"high": "101"}, "Ensure this value is less than or equal to 100."),
        ({"low": "one"}, "Enter a whole number."),
        ({"low_label": "x" * 61}, "Ensure this value has at most 60 characters (it has 61)."),
    ],
)
def test_a_bad_question_is_refused(client, draft, change, sentence):
    response = client.post(address("new_scale", draft), QUESTION | change)

    assert response.status_code == 422
    assert sentence in text(response)
    assert draft.scales.count() == 1


def test_two_answers_are_enough(client, draft):
    client.post(address("new_scale", draft), {**QUESTION, "low": "0", "high": "1"})

    assert draft.scales.count() == 2


def test_a_question_keeps_its_name_when_the_new_one_is_taken(client, draft):
    draft.scales.create(name="harmony", position=2)

    response = client.post(address("scale", draft), QUESTION)

    assert response.status_code == 422
    assert [scale.name for scale in draft.scales.all()] == ["overall", "harmony"]


@pytest.mark.parametrize(("direction", "order"), [("down", ["harmony", "overall"]), ("up", ["overall", "harmony"])])
def test_questions_can_be_put_in_another_order(client, draft, direction, order):
    draft.scales.create(name="harmony", position=2)

    client.post(address("move_scale", draft), {"direction": direction})

    assert [scale.name for scale in draft.scales.all()] == order


# Conditions and clips


def test_a_draft_shows_its_conditions_and_clips(client, draft):
    page = client.get(address("study", draft))

    assert [row[:3] for row in rows_of(page)[1:]] == [
        ["CNN 1", "CNN clip", "2 s"],
        ["CNN 2", "CNN clip", "2 s"],
        ["Real 1", "Real clip", "2 s"],
    ]
    assert f"http://testserver/s/{draft.slug}/" in text(page)
    assert "Ready to open" in text(page)


@pytest.mark.parametrize("n_clips", [1, 3])
def test_a_draft_takes_the_same_queries_however_many_clips(client, make_draft, n_clips, django_assert_num_queries):
    study = make_draft({"CNN": n_clips, "RNN": n_clips})

    with django_assert_num_queries(22):
        page = client.get(address("study", study))

    assert len(rows_of(page)) == 1 + 2 * n_clips


def test_an_empty_draft_says_what_is_missing(client, ada):
    study = Study.objects.create(owner=ada, title="Empty")

    page = text(client.get(address("study", study)))

    assert "The study has no clips yet: add a condition and choose clips for it." in page
    assert "Open the study" not in page


def test_a_condition_is_added_and_its_clips_are_chosen_next(client, draft):
    response = client.post(address("new_condition", draft), {"name": "RNN"})

    added = draft.conditions.get(name="RNN")
    assert response.headers["Location"] == f"/studies/{draft.slug}/conditions/{added.pk}/clips/"
    assert (added.position, added.is_reference) == (3, False)


def test_the_conditions_that_a_table_gave_to_brought_clips_are_proposed_with_their_clips(client, draft, ada, ben):
    def brought(owner, condition, title):
        about = {"condition": condition} if condition else {}
        return Clip.objects.create(
            owner=owner, title=title, source="uploaded", seconds=30, loudness_lufs=-23, provenance=about
        )

    ours = [brought(ada, "GPT", f"gpt {number}") for number in (1, 2)]
    for owner, condition in ((ada, "CNN"), (ada, "Diffusion"), (ada, None), (ben, "GPT"), (ben, "Markov")):
        brought(owner, condition, "another")

    page = text(client.get(address("study", draft)))
    assert re.findall("Add “[^”]*” with [0-9]+ clips?", page) == [
        "Add “Diffusion” with 1 clip",
        "Add “GPT” with 2 clips",
    ]
    choice = client.get(client.post(address("new_condition", draft), {"name": "GPT"}).headers["Location"])

    assert set(re.findall(r'value="([^"]+)" checked', choice.content.decode())) == {str(clip.pk) for clip in ours}
    assert "Add “GPT”" not in text(client.get(address("study", draft)))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "This field is required."),
        ("CNN", "There is a condition “CNN” in this study already."),
        ("x" * 81, "at most 80 characters"),
    ],
)
def test_a_bad_name_adds_no_condition(client, draft, name, sentence):
    response = client.post(address("new_condition", draft), {"name": name})

    assert response.status_code == 422
    assert sentence in text(response)
    assert draft.conditions.count() == 2


def test_labels_follow_when_a_condition_is_renamed(client, draft):
    draft.stimuli().filter(label="CNN 2").update(label="The best one")

    client.post(address("condition", draft), {"name": "2D CNN"})

    assert labels(draft) == [("2D CNN 1", "2D CNN 1"), ("The best one", "The best one"), ("Real 1", "Real")]


def test_real_music_shares_a_row(client, draft):
    client.post(address("condition", draft), {"name": "LPD5 Samples", "is_reference": "on"})

    assert labels(draft)[:2] == [("LPD5 Samples 1", "LPD5 Samples"), ("LPD5 Samples 2", "LPD5 Samples")]


def test_a_condition_keeps_its_name_when_the_new_one_is_taken(client, draft):
    response = client.post(address("condition", draft), {"name": "Real"})

    assert response.status_code == 422
    assert [condition.name for condition in draft.conditions.all()] == ["CNN", "Real"]


def test_a_condition_can_be_removed(client, draft):
    assert "Remove the condition “CNN”?" in text(client.get(address("remove_condition", draft)))

    client.post(address("remove_condition", draft))

    assert labels(draft) == [("Real 1", "Real")]
    assert Clip.objects.count() == 3


@pytest.mark.parametrize(
    ("direction", "order"), [("down", ["Real", "CNN"]), ("up", ["CNN", "Real"]), ("sideways", ["CNN", "Real"])]
)
def test_conditions_can_be_put_in_another_order(client, draft, direction, order):
    client.post(address("move_condition", draft), {"direction": direction})

    assert [condition.name for condition in draft.conditions.all()] == order


def test_clips_are_chosen_from_those_that_are_ready(client, draft, ada, ben):
    clip_row(ben, "Of somebody else")
    condition = draft.conditions.first()
    first, second = [stimulus.clip for stimulus in condition.stimuli.all()]
    new = clip_row(ada, "New one")

    page = client.get(address("clips", draft)).content.decode()
    client.post(address("clips", draft), {"clips": [new.pk, second.pk]})

    assert "New one" in page
    assert "Of somebody else" not in page
    assert re.findall(r'value="([^"]+)" checked', page) == [str(first.pk), str(second.pk)]
    assert list(condition.stimuli.values_list("label", "row", "clip__title")) == [
        ("CNN 1", "CNN 1", "CNN clip"),
        ("CNN 2", "CNN 2", "New one"),
    ]


def test_no_tick_leaves_a_condition_without_clips(client, draft):
    client.post(address("clips", draft))

    assert labels(draft) == [("Real 1", "Real")]


@pytest.mark.parametrize("bad", ["not-an-id", "00000000-0000-4000-8000-000000000000", "of ben"])
def test_clips_that_are_not_there_are_refused(client, draft, ben, bad):
    bad = clip_row(ben).pk if bad == "of ben" else bad

    response = client.post(address("clips", draft), {"clips": [bad]})

    assert response.status_code == 422
    assert len(labels(draft)) == 3


def test_without_clips_the_page_says_where_they_come_from(client, ada):
    study = Study.objects.create(owner=ada, title="Empty")
    Condition.objects.create(study=study, name="CNN")

    assert "You have no clips yet." in text(client.get(address("clips", study)))


@pytest.mark.parametrize("n_more", [0, 2])
def test_choosing_takes_the_same_queries_however_many_clips(client, draft, ada, n_more, django_assert_num_queries):
    for number in range(n_more):
        clip_row(ada, f"More {number}")

    with django_assert_num_queries(7):
        page = client.get(address("clips", draft))

    assert page.content.decode().count('type="checkbox"') == 3 + n_more


def test_a_label_can_be_written_by_hand(client, draft):
    client.post(address("label", draft), {"label": "The best one"})

    assert labels(draft) == [("The best one", "The best one"), ("CNN 2", "CNN 2"), ("Real 1", "Real")]


@pytest.mark.parametrize(
    ("label", "sentence"),
    [("", "This field is required."), ("Real 1", "There is a clip “Real 1” in this study already.")],
)
def test_a_bad_label_is_refused(client, draft, label, sentence):
    response = client.post(address("label", draft), {"label": label})

    assert response.status_code == 422
    assert sentence in text(response)
    assert labels(draft)[0] == ("CNN 1", "CNN 1")


def test_clips_can_be_put_in_another_order_and_are_numbered_by_it(client, draft):
    before = list(draft.conditions.first().stimuli.values_list("clip_id", flat=True))

    client.post(address("move_stimulus", draft), {"direction": "down"})

    assert list(draft.conditions.first().stimuli.values_list("clip_id", "label")) == [
        (before[1], "CNN 1"),
        (before[0], "CNN 2"),
    ]


def test_a_clip_can_be_removed_and_those_behind_it_move_up(client, draft):
    assert "Remove “CNN 1” from the study?" in text(client.get(address("remove_stimulus", draft)))

    client.post(address("remove_stimulus", draft))

    assert labels(draft) == [("CNN 1", "CNN 1"), ("Real 1", "Real")]
    assert Clip.objects.count() == 3
