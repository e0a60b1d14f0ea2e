"""A researcher's pages: each works, refuses bad input, asks for a login, hides from strangers, refuses wrong methods."""

import csv
import io
import re

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver, reverse

from generation.models import Clip
from study import opening, tasks
from study.models import Condition, Scale, Session, Stimulus, Study, Trial
from tests.studies import clip_row, silent_for

pytestmark = pytest.mark.django_db

SETTINGS = {
    "title": "Pilot",
    "public_title": "Music and you",
    "welcome": "",
    "consent": "",
    "thanks": "",
    "length_seconds": "30",
    "min_heard_seconds": "10",
    "target_sessions": "",
    "clips_per_session": "",
    "n_repeats": "0",
    "order": "shuffle",
}
QUESTION = {
    "name": "harmony",
    "question": "How pleasing is the harmony?",
    "low": "1",
    "high": "10",
    "low_label": "not at all",
    "high_label": "very",
}
# Each page with what it answers to; of those with `pk`, whose it is.
PAGES = {
    "home": {"GET"},
    "studies": {"GET"},
    "new_study": {"GET", "POST"},
    "estimate_of_new": {"GET"},
    "study": {"GET"},
    "settings": {"GET", "POST"},
    "estimate": {"GET"},
    "new_scale": {"GET", "POST"},
    "scale": {"GET", "POST"},
    "move_scale": {"POST"},
    "remove_scale": {"GET", "POST"},
    "remove": {"GET", "POST"},
    "open": {"POST"},
    "opening": {"GET"},
    "open_again": {"POST"},
    "take_back": {"POST"},
    "close": {"GET", "POST"},
    "progress": {"GET"},
    "results": {"GET"},
    "table_csv": {"GET"},
    "ratings_csv": {"GET"},
    "repeats_csv": {"GET"},
    "comments_csv": {"GET"},
    "new_condition": {"POST"},
    "condition": {"GET", "POST"},
    "clips": {"GET", "POST"},
    "move_condition": {"POST"},
    "remove_condition": {"GET", "POST"},
    "label": {"GET", "POST"},
    "move_stimulus": {"POST"},
    "remove_stimulus": {"GET", "POST"},
}
OF_NOBODY = {"home", "studies", "new_study", "estimate_of_new"}
OF_A_SCALE = {"scale", "move_scale", "remove_scale"}
OF_A_STIMULUS = {"label", "move_stimulus", "remove_stimulus"}
OF_A_CONDITION = {"condition", "clips", "move_condition", "remove_condition"}
OF_MEMBERS = OF_A_CONDITION | OF_A_STIMULUS | OF_A_SCALE
OF_PARTICIPANTS = {"welcome", "step", "rate", "shown", "heard", "sound"}
EVERY_REQUEST = [(name, method) for name, methods in PAGES.items() for method in sorted(methods)]


def address(name, study):
    if name in OF_NOBODY:
        return reverse(f"study:{name}")
    if name in OF_A_STIMULUS:
        return reverse(f"study:{name}", args=[study.slug, study.stimuli().first().pk])
    if name in OF_A_CONDITION:
        return reverse(f"study:{name}", args=[study.slug, study.conditions.first().pk])
    if name in OF_A_SCALE:
        return reverse(f"study:{name}", args=[study.slug, study.scales.first().pk])
    return reverse(f"study:{name}", args=[study.slug])


@pytest.fixture
def client(client_of, ada):
    return client_of(ada)


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def rows_of(page):
    """The cells of the tables' bodies on a page, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.content.decode().replace("\n", " "))
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows if "<td" in row]
    return [[re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


def labels(study):
    return list(study.stimuli().values_list("label", "row"))


# Every page


def test_the_list_of_pages_is_complete():
    (patterns,) = (found.url_patterns for found in get_resolver().url_patterns if found.namespace == "study")

    assert {pattern.name for pattern in patterns} - OF_PARTICIPANTS == set(PAGES)


@pytest.mark.parametrize(("name", "method"), EVERY_REQUEST)
def test_a_page_asks_for_a_login(client, draft, name, method):
    client.logout()

    response = client.generic(method, address(name, draft))

    assert (response.status_code, response.headers["Location"]) == (
        302,
        f"/accounts/login/?next={address(name, draft)}",
    )


@pytest.mark.parametrize(("name", "method"), [page for page in EVERY_REQUEST if page[0] not in OF_NOBODY])
def test_a_stranger_finds_nothing(client_of, ben, draft, name, method):
    response = client_of(ben).generic(method, address(name, draft))

    assert response.status_code == 404
    assert "Pilot" not in response.content.decode()
    draft.refresh_from_db()
    assert (draft.may_be_edited, labels(draft)) == (True, [("CNN 1", "CNN 1"), ("CNN 2", "CNN 2"), ("Real 1", "Real")])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_refuses_other_methods(client, draft, name):
    for method in {"GET", "POST", "PUT", "DELETE"} - PAGES[name]:
        assert client.generic(method, address(name, draft)).status_code == 405


@pytest.mark.parametrize("name", [name for name in PAGES if "GET" in PAGES[name] and name not in OF_NOBODY])
def test_looking_changes_nothing(client, draft, name):
    client.get(address(name, draft))

    draft.refresh_from_db()
    assert (draft.state, draft.opening_at, len(labels(draft)), Study.objects.count()) == ("draft", None, 3, 1)


EDITS = ["settings", "remove", "open", "new_condition", "new_scale", *sorted(OF_MEMBERS)]


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("state", ["open", "closed", "opening"])
def test_only_a_draft_can_be_changed(client, draft, name, state):
    if state == "opening":
        tasks.ask_to_open(draft)
    else:
        Study.objects.update(state=state)
    before = Study.objects.values().get(), Scale.objects.values().get()

    response = client.post(
        address(name, draft), {**SETTINGS, **QUESTION, "name": "Other", "label": "Other", "direction": "up"}
    )

    assert response.status_code == 409
    assert "This no longer changes" in response.content.decode()
    assert (Study.objects.values().get(), Scale.objects.values().get()) == before
    assert labels(draft) == [("CNN 1", "CNN 1"), ("CNN 2", "CNN 2"), ("Real 1", "Real")]


@pytest.mark.parametrize("name", sorted(OF_MEMBERS))
def test_what_belongs_to_another_study_is_not_found(client, draft, make_draft, name):
    other = make_draft({"RNN": 1}, title="Other")

    response = client.post(address(name, other).replace(other.slug, draft.slug), {"label": "x", "name": "x"})

    assert response.status_code == 404
    assert labels(other) == [("RNN 1", "RNN 1")]
    assert other.scales.count() == 1


# The list


def test_the_list_says_what_to_do_while_it_is_empty(client):
    page = client.get("/studies/")

    assert "There are no studies yet." in text(page)
    assert page.content.decode().count('href="/studies/new/"') == 1


def test_the_list_shows_each_study_with_its_numbers(client, paper_study, ben):
    Study.objects.create(owner=ben, title="Of somebody else")
    Session.objects.create(study=paper_study, number=11, seed=1)

    (row,) = rows_of(client.get("/"))

    assert row[:-1] == ["The report", "open", "13", "11", "10 of 10", "130"]


@pytest.mark.parametrize("n_studies", [1, 3])
def test_the_list_takes_the_same_queries_however_long(client, ada, n_studies, django_assert_num_queries):
    for number in range(n_studies):
        Study.objects.create(owner=ada, title=f"Study {number}")

    with django_assert_num_queries(4):
        page = client.get("/studies/")

    assert len(rows_of(page)) == n_studies


# Making a study


def test_a_new_study_begins_as_a_draft_with_one_question(client, ada):
    assert "1" in client.get("/studies/new/").content.decode()

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

    with django_assert_num_queries(15):
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


# Opening and closing


@pytest.mark.django_db(transaction=True)
def test_a_draft_is_opened_by_the_worker(client, draft):
    client.post(address("open", draft))
    assert "It waits for the worker" in text(client.get(address("study", draft)))

    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)

    draft.refresh_from_db()
    assert draft.state == "open"
    assert client.get(address("opening", draft)).headers["HX-Refresh"] == "true"


def test_progress_is_shown_while_the_sounds_are_made(client, draft):
    tasks.ask_to_open(draft)
    Stimulus.objects.filter(label="CNN 1").update(sound="sounds/x.mp3")

    page = client.get(address("opening", draft))

    assert "1 of 3 sounds are made." in text(page)
    assert '<progress max="3" value="1"' in page.content.decode()


def test_a_study_that_is_not_ready_is_not_opened(client, ada):
    study = Study.objects.create(owner=ada, title="Empty")

    page = client.post(address("open", study), follow=True)

    assert "The study was not opened: something is missing." in text(page)
    assert "The study has no clips yet" in text(page)
    assert Study.objects.get().opening_at is None


def test_a_study_can_be_taken_back_while_it_waits(client, draft):
    tasks.ask_to_open(draft)

    client.post(address("take_back", draft))

    draft.refresh_from_db()
    assert draft.may_be_edited


def test_an_opening_without_a_sign_of_life_can_be_asked_for_again(client, draft):
    tasks.ask_to_open(draft)
    asked_at = silent_for(draft, 61)
    assert "No sign of life for 1 minute" in text(client.get(address("opening", draft)))

    client.post(address("open_again", draft))

    draft.refresh_from_db()
    assert draft.is_opening
    assert draft.opening_at > asked_at
    assert "Ask again" not in text(client.get(address("study", draft)))


def test_an_opening_that_goes_on_is_not_asked_for_again(client, draft):
    tasks.ask_to_open(draft)
    asked_at = silent_for(draft, 50)

    client.post(address("open_again", draft))

    draft.refresh_from_db()
    assert draft.opening_at == asked_at


def test_a_problem_of_the_worker_is_shown(client, draft):
    Study.objects.update(problem="“CNN 1” cannot be played: the sound is silent.")

    assert "It could not be opened. “CNN 1” cannot be played: the sound is silent." in text(
        client.get(address("study", draft))
    )


def test_a_study_is_closed_after_a_question(client, paper_study):
    assert "Close “The report”?" in text(client.get(address("close", paper_study)))
    assert Study.objects.get().is_open

    client.post(address("close", paper_study))

    assert Study.objects.get().state == "closed"
    assert client.get(address("progress", paper_study)).headers["HX-Refresh"] == "true"
    assert 'hx-trigger="every 2s"' not in client.get(address("study", paper_study)).content.decode()


def test_those_inside_a_closed_study_may_finish(client, draft):
    opening.open_study(draft)
    session = draft.admit()
    client.post(address("close", draft))

    inside = Client().get(f"/t/{session.code}/")
    newcomer = Client().get(f"/s/{draft.slug}/")

    assert (inside.status_code, newcomer.status_code) == (200, 410)


# Watching and results


def test_ratings_are_seen_arriving(client, paper_study):
    Session.objects.create(study=paper_study, number=11, seed=1)

    page = client.get(address("progress", paper_study))

    assert "Started 11 Finished 10 of 10 Ratings 130" in text(page)
    assert rows_of(page)[:4] == [
        ["LPD5 Samples 1", "LPD5 Samples", "10"],
        ["LPD5 Samples 2", "LPD5 Samples", "10"],
        ["LPD5 Samples 3", "LPD5 Samples", "10"],
        ["Baseline RNN 1", "Baseline RNN", "10"],
    ]
    assert 'hx-trigger="every 2s"' in page.content.decode()


def test_watching_takes_the_same_queries_however_many_ratings(client, paper_study, django_assert_num_queries):
    with django_assert_num_queries(5):
        client.get(address("progress", paper_study))
    Trial.objects.filter(position__gt=1).delete()
    with django_assert_num_queries(5):
        client.get(address("progress", paper_study))


def test_an_open_study_shows_link_numbers_and_what_was_opened(client, paper_study):
    page = text(client.get(address("study", paper_study)))

    assert "http://testserver/s/paper/" in page
    assert "Ratings 130" in page
    assert "Opened 1 Mar 2026, 12:00 UTC" in page


def test_the_results_are_the_reports_table(client, paper_study):
    rows = rows_of(client.get(address("results", paper_study)))

    assert rows[0] == ["LPD5 Samples", "LPD5 Samples", "30", "9.3", "0.92", "8.82 to 9.78", ""]
    assert [(row[0], row[3]) for row in rows[:11]] == [
        ("LPD5 Samples", "9.3"),
        ("Baseline RNN 1", "7.1"),
        ("Baseline RNN 2", "5.9"),
        ("Baseline RNN 3", "5.5"),
        ("Baseline RNN 4", "4.7"),
        ("2D CNN 1", "6.9"),
        ("2D CNN 2", "8.4"),
        ("2D CNN 3", "7.9"),
        ("2D CNN 4", "6.7"),
        ("2D CNN 5", "7.1"),
        ("2D CNN 6", "5.5"),
    ]
    assert rows[11:] == [
        ["LPD5 Samples", "30", "9.3", "0.92", "8.82 to 9.78", ""],
        ["Baseline RNN", "40", "5.8", "1.87", "4.82 to 6.78", ""],
        ["2D CNN", "60", "7.1", "1.68", "6.44 to 7.72", ""],
    ]


def test_the_results_of_one_participant_have_no_intervals(client, paper_study):
    Session.objects.exclude(number=0).delete()

    rows = rows_of(client.get(address("results", paper_study)))

    assert rows[1][2:] == ["1", "5.0", "—", "—", ""]


def test_results_without_ratings_say_what_to_do(client, draft):
    Study.objects.update(state="open")

    assert "Nobody has rated a clip yet. Send the participants" in text(client.get(address("results", draft)))


def test_the_table_is_taken_away_as_csv(client, paper_study):
    response = client.get(address("table_csv", paper_study))

    lines = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="earmark-paper-table.csv"'
    assert [(line["level"], line["row"], line["average"]) for line in lines][10:12] == [
        ("row", "2D CNN 6", "5.5"),
        ("condition", "LPD5 Samples", "9.3"),
    ]


def test_ratings_are_taken_away_as_csv(client, paper_study):
    response = client.get(address("ratings_csv", paper_study))

    assert response.streaming
    assert response.headers["Content-Disposition"] == 'attachment; filename="earmark-paper-ratings.csv"'
    assert len(response.getvalue().decode().splitlines()) == 131


def test_repeats_and_comments_are_offered_where_there_are_any(client, paper_study):
    assert "Repeats as CSV" not in text(client.get(address("results", paper_study)))
    Trial.objects.filter(position=13).update(is_repeat=True, comment="Again?")

    page = text(client.get(address("results", paper_study)))

    assert ("Repeats as CSV" in page, "Comments as CSV" in page) == (True, True)
    assert len(client.get(address("repeats_csv", paper_study)).getvalue().decode().splitlines()) == 11
    assert "Again?" in client.get(address("comments_csv", paper_study)).getvalue().decode()


def test_several_scales_stand_side_by_side_and_each_has_its_tables(client, paper_study):
    paper_study.scales.create(name="rhythm", question="How is the rhythm?", position=1)

    page = client.get(address("results", paper_study))

    assert "Averages on all 2 scales" in text(page)
    assert rows_of(page)[:2] == [
        ["LPD5 Samples", "LPD5 Samples", "9.3", "—"],
        ["Baseline RNN 1", "Baseline RNN", "7.1", "—"],
    ]
    assert len(rows_of(page)) == 11 + 2 * (11 + 3)


@pytest.mark.parametrize("n_more", [0, 3])
def test_results_take_the_same_queries_however_many_scales(client, paper_study, n_more, django_assert_num_queries):
    for number in range(n_more):
        paper_study.scales.create(name=f"scale-{number}", position=1 + number)

    with django_assert_num_queries(10):
        client.get(address("results", paper_study))


@pytest.mark.parametrize("payload", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_what_researchers_type_is_text(client, draft, payload):
    Study.objects.update(title=payload, problem=payload)
    Condition.objects.filter(name="CNN").update(name=payload)
    Stimulus.objects.filter(label="CNN 1").update(label=payload)
    Clip.objects.update(title=payload)

    for name in ("studies", "study", "settings", "clips", "label", "remove", "results", "condition"):
        assert payload not in client.get(address(name, draft)).content.decode()
    Study.objects.update(state="open")
    for name in ("study", "results", "progress", "close"):
        assert payload not in client.get(address(name, draft)).content.decode()
