"""The participant's requests, one by one: what is shown, what is stored, and what changes nothing."""

import json
import random

import pytest
from django.conf import settings
from django.test import Client
from django.utils.html import escape

from study.models import PlayEvent, Rating, Session, Trial

pytestmark = pytest.mark.django_db
STYLE = (settings.ROOT / "static/css/participant.css").read_text()


def stored(study):
    """[(position, scale, value)] in order."""
    ratings = Rating.objects.filter(trial__session__study=study).order_by("trial__position", "scale__position")
    return list(ratings.values_list("trial__position", "scale__name", "value"))


def everything():
    """What the database knows of participants, row by row."""
    return [list(model.objects.order_by("id").values()) for model in (Session, Trial, Rating, PlayEvent)]


# ---- the way through


def test_a_participant_hears_each_clip_once_and_rates_it(make_study, listener_of):
    study = make_study({"A": 2, "B": 1})
    listener = listener_of(study)
    listener.begin()

    for value in ("7", "1", "10"):
        assert f"Clip {listener.position} of 3" in listener.text
        listener.rate(overall=value)

    session = Session.objects.get()
    assert stored(study) == [(1, "overall", 7), (2, "overall", 1), (3, "overall", 10)]
    assert "All 3 ratings are stored." in listener.text
    assert sorted(session.trials.values_list("stimulus__label", flat=True)) == ["A 1", "A 2", "B 1"]
    assert session.finished_at is not None


def test_reloading_a_hundred_times_shows_the_same_clip_and_changes_nothing(make_study, listener_of):
    listener = listener_of(make_study())
    listener.begin()
    listener.rate(overall="4")
    before, address = everything(), listener.sound_address

    addresses = set()
    for _ in range(100):
        listener.go_on()
        addresses.add(listener.sound_address)

    assert addresses == {address}
    assert everything() == before


def test_no_get_anywhere_on_the_way_changes_anything(make_study, listener_of):
    listener = listener_of(make_study())
    listener.begin()
    before = everything()

    base = f"{listener.link}1/"
    codes = [listener.client.get(path).status_code for path in (base, base + "shown/", base + "heard/")]
    listener.fetch_sound()
    listener.open()

    assert codes == [405, 405, 405]
    assert everything() == before


def test_the_link_resumes_at_the_same_place_on_another_device(make_study, listener_of):
    listener = listener_of(make_study())
    listener.begin()
    listener.rate(overall="4")
    place = listener.position, listener.sound_address

    listener.client = Client()
    listener.go_on()

    assert (listener.position, listener.sound_address) == place
    listener.rate(overall="9")
    assert [value for _, _, value in stored(listener.study)] == [4, 9]


def test_the_welcome_page_leads_back_to_what_was_begun_in_this_browser(make_study, listener_of):
    listener = listener_of(make_study())
    listener.begin()

    here, elsewhere = listener.open(), Client().get(f"/s/{listener.study.slug}/")

    assert f'href="{listener.link}"' in here.content.decode()
    assert "You have begun already" not in elsewhere.content.decode()


def test_who_has_finished_can_begin_anew_on_the_same_computer(make_study, listener_of):
    listener = listener_of(make_study({"A": 1}))
    listener.begin()
    listener.rate(overall="4")

    listener.begin()

    assert listener.position == 1
    assert Session.objects.count() == 2


def test_a_link_that_was_never_given_out_leads_nowhere(make_study, listener_of):
    make_study()

    assert Client().get("/t/AAAAAAAAAAAAAAAAAAAAAA/").status_code == 404


# ---- consent


def test_nobody_takes_part_without_consent(make_study):
    study = make_study()

    page = Client().post(f"/s/{study.slug}/", {"admission": "x" * 22})

    assert page.status_code == 422
    assert "Please tick the box to say that you agree." in page.content.decode()
    assert Session.objects.count() == 0


def test_a_double_click_on_begin_makes_one_session(make_study, listener_of):
    listener = listener_of(make_study())
    listener.open()
    form = {"consent": "on", "admission": listener.find("admission", "value")}

    links = {listener.client.post(f"/s/{listener.study.slug}/", form).headers["Location"] for _ in range(3)}

    assert len(links) == 1
    assert Session.objects.count() == 1


def test_the_study_speaks_in_its_researchers_words_as_text(make_study):
    study = make_study(public_title="Ears & minds", welcome="First.\n\n<b>Second.</b>", consent="I know what I do.")

    text = Client().get(f"/s/{study.slug}/").content.decode()

    assert "Ears &amp; minds" in text
    assert "<p>First.</p>" in text
    assert "&lt;b&gt;Second.&lt;/b&gt;" in text
    assert "I know what I do." in text


@pytest.mark.parametrize(
    "words", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 }}{% x %} 100 %"]
)
def test_whatever_a_researcher_types_is_text(make_study, listener_of, words):
    scales = ({"question": words, "low_label": words, "high_label": words},)
    listener = listener_of(make_study(public_title=words, welcome=words, consent=words, thanks=words, scales=scales))

    pages = [listener.open(), listener.begin(), *(listener.rate(overall="5") for _ in range(3))]

    for page in pages:
        assert escape(words) in page.content.decode()
        assert escape(words) == words or words not in page.content.decode()


# ---- a rating, once


def test_a_double_click_leaves_the_first_rating(make_study, listener_of):
    listener = listener_of(make_study())
    listener.begin()

    answers = [listener.rate(position=1, follow=False, overall="6") for _ in range(3)]

    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [(303, listener.link)] * 3
    assert stored(listener.study) == [(1, "overall", 6)]


def test_a_later_different_answer_does_not_overwrite_and_says_so(make_study, listener_of):
    listener = listener_of(make_study(comments=True))
    listener.begin()
    listener.rate(position=1, overall="6", comment="first")
    before = everything()

    page = listener.rate(position=1, overall="2", comment="second")

    assert page.status_code == 409
    assert "That clip had its rating already; the first one counts." in listener.text
    assert listener.position == 2
    assert everything() == before


def test_clips_cannot_be_rated_out_of_turn(make_study, listener_of):
    listener = listener_of(make_study({"A": 4}))
    listener.begin()
    before = everything()

    answers = [listener.rate(position=position, follow=False, overall="6") for position in (2, 3, 4)]

    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [(303, listener.link)] * 3
    assert everything() == before


@pytest.mark.parametrize("position", [0, 4, 10**30])
def test_a_position_that_this_session_has_not_is_unknown(make_study, listener_of, position):
    listener = listener_of(make_study({"A": 3}))
    listener.begin()

    assert listener.client.post(f"{listener.link}{position}/", {"rating-overall": "6"}).status_code == 404
    assert stored(listener.study) == []


def test_a_thousand_trials_of_others_are_unknown_and_look_like_nothing(make_study, listener_of):
    short, long = make_study({"A": 2}), make_study({"A": 12})
    sessions, chance = [short.admit() for _ in range(5)], random.Random(1)
    others = [trial.position for trial in long.admit().trials.all()][2:]
    client, answer = Client(), {"rating-overall": "6"}
    unknown = client.post(f"/t/{'A' * 22}/1/", answer)

    seen = set()
    for _ in range(1_000):
        page = client.post(f"/t/{chance.choice(sessions).code}/{chance.choice(others)}/", answer)
        seen.add((page.status_code, page.content))

    assert seen == {(404, unknown.content)}
    assert Rating.objects.count() == 0


@pytest.mark.parametrize("value", [str(value) for value in range(1, 11)])
def test_whole_numbers_from_one_to_ten_are_ratings(make_study, listener_of, value):
    listener = listener_of(make_study())
    listener.begin()

    listener.rate(overall=value)

    assert stored(listener.study) == [(1, "overall", int(value))]


ODD_VALUES = [
    *[
        "",
        "0",
        "11",
        "-1",
        "ten",
        "7.0",
        "7.",
        " 7",
        "7 ",
        "+7",
        "07",
        "7\n",
        "\t7",
        "7\0",
        "1_0",
        "1e1",
        "0x7",
    ],
    *[
        "-0",
        "NaN",
        "inf",
        "\N{FULLWIDTH DIGIT SEVEN}",
        "\N{ARABIC-INDIC DIGIT SEVEN}",
        "\N{TAMIL DIGIT SEVEN}",
        "七",
        "1" * 400,
        "10.5",
        "null",
        "true",
        "7,0",
        "[7]",
        "<b>7</b>",
    ],
]


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
def test_anything_else_is_refused_with_a_sentence_and_nothing_is_stored(make_study, listener_of, value):
    listener = listener_of(make_study())
    listener.begin()

    page = listener.rate(overall=value)

    assert page.status_code == 422
    assert "Please choose a whole number from 1 to 10." in listener.text
    assert listener.position == 1
    assert stored(listener.study) == []


@pytest.mark.parametrize("values", [{}, {"rating-overall": ["7", "8"]}, {"rating-other": "7"}], ids=str)
def test_no_value_or_two_are_refused(make_study, listener_of, values):
    listener = listener_of(make_study())
    listener.begin()

    page = listener.client.post(f"{listener.link}1/", values)

    assert page.status_code == 422
    assert "Please choose a whole number from 1 to 10." in page.content.decode()
    assert stored(listener.study) == []


def test_a_refused_form_keeps_what_was_chosen(make_study, listener_of):
    scales = ({"name": "overall"}, {"name": "rhythm", "question": "How is the rhythm?"})
    listener = listener_of(make_study(scales=scales, comments=True))
    listener.begin()

    listener.rate(overall="7", comment="a & b")

    assert listener.page.status_code == 422
    assert 'name="rating-overall" value="7" checked' in listener.text
    assert listener.text.count("checked>") == 2  # that one, and the switch for the keys
    assert "a &amp; b</textarea>" in listener.text


# ---- scales, comments, repeats


def test_several_scales_with_ranges_and_ends_of_their_own(make_study, listener_of):
    scales = (
        {"name": "overall"},
        {
            "name": "rhythm",
            "question": "Is there a beat?",
            "low": 0,
            "high": 4,
            "low_label": "none",
            "high_label": "clear",
        },
    )
    listener = listener_of(make_study({"A": 1}, scales=scales))
    listener.begin()
    text = listener.text

    listener.rate(overall="10", rhythm="0")

    assert "Is there a beat?" in text
    assert "none" in text
    assert stored(listener.study) == [(1, "overall", 10), (1, "rhythm", 0)]


@pytest.mark.parametrize(
    ("high", "columns"), [(2, 2), (3, 3), (5, 5), (6, 3), (7, 4), (8, 4), (9, 5), (10, 5), (11, 4), (12, 4)]
)
def test_the_rows_of_a_scale_on_a_phone_are_about_as_long(make_study, listener_of, high, columns):
    listener = listener_of(make_study({"A": 1}, scales=({"high": high},)))

    listener.begin()

    assert f'data-columns="{columns}"' in listener.text
    assert f'[data-columns="{columns}"]' in STYLE or columns == 5


def test_scales_in_separate_passes_are_asked_one_at_a_time(make_study, listener_of):
    scales = ({"name": "overall"}, {"name": "rhythm"})
    listener = listener_of(make_study({"A": 2}, scales=scales, separate_passes=True))
    listener.begin()

    asked = []
    while listener.position:
        asked.append([name for name in ("overall", "rhythm") if f'name="rating-{name}"' in listener.text])
        listener.rate(**{asked[-1][0]: "5"})

    assert asked == [["overall"], ["overall"], ["rhythm"], ["rhythm"]]
    assert stored(listener.study) == [(1, "overall", 5), (2, "overall", 5), (3, "rhythm", 5), (4, "rhythm", 5)]


def test_a_hidden_repeat_looks_like_any_other_clip(make_study, listener_of):
    listener = listener_of(make_study({"A": 2}, n_repeats=1))
    listener.begin()

    addresses = []
    while listener.position:
        assert "repeat" not in listener.text
        addresses.append(listener.sound_address)
        listener.rate(overall="5")

    assert len(set(addresses)) == 3
    assert Trial.objects.get(is_repeat=True).position == 3


@pytest.mark.parametrize("comment", ["a+b & 100%41", "=1+1", "Nan", "007", "é日本🎺\r\nnext", "x" * 7_900_000])
def test_a_comment_is_kept_as_it_was_written(make_study, listener_of, comment):
    listener = listener_of(make_study(comments=True))
    listener.begin()

    listener.rate(overall="5", comment=comment)

    assert Trial.objects.get(position=1).comment == comment


# ---- was it heard?


@pytest.fixture
def listener(make_study, listener_of):
    listener = listener_of(make_study(min_heard_seconds=10))
    listener.begin()
    return listener


def show(listener, position=1):
    return listener.client.post(f"{listener.link}{position}/shown/")


def test_a_clip_that_was_heard_long_enough_is_rated(listener, clock):
    show(listener)
    clock.forward(12)

    listener.rate(overall="7", heard_seconds="11.5", plays="2")

    trial = Trial.objects.get(position=1)
    assert stored(listener.study) == [(1, "overall", 7)]
    assert (trial.heard_seconds, trial.plays) == (11.5, 2)


@pytest.mark.parametrize(
    ("seconds", "said", "left"),
    [(30, "0", 10), (30, "4.2", 6), (3, "30", 7), (3, "1e9", 7), (30, "NaN", 10), (30, "-5", 10), (30, "x", 10)],
)
def test_a_clip_that_was_not_heard_enough_is_not(listener, clock, seconds, said, left):
    show(listener)
    clock.forward(seconds)

    page = listener.rate(overall="7", heard_seconds=said)

    assert page.status_code == 422
    assert f"Please listen for {left} more seconds before you rate." in listener.text
    assert 'value="7" checked' in listener.text
    assert stored(listener.study) == []


def test_clips_that_lie_ahead_can_be_neither_shown_nor_heard(listener, clock):
    for position in (1, 2):
        show(listener, position)
    clock.forward(20)
    listener.client.post(f"{listener.link}2/heard/", {"heard_seconds": "20", "plays": "1"})
    listener.rate(position=1, overall="5", heard_seconds="20")

    second = Trial.objects.get(position=2)
    assert (second.shown_at, second.heard_seconds, second.plays) == (None, 0, 0)
    assert listener.rate(position=2, overall="5", heard_seconds="20").status_code == 422


def test_a_clip_that_was_never_shown_cannot_have_been_heard(listener, clock):
    clock.forward(60)

    assert listener.rate(overall="7", heard_seconds="30").status_code == 422
    assert stored(listener.study) == []


def test_the_first_showing_counts_and_is_never_moved(listener, clock):
    show(listener)
    first = Trial.objects.get(position=1).shown_at
    clock.forward(5)

    show(listener)

    assert Trial.objects.get(position=1).shown_at == first
    assert list(PlayEvent.objects.values_list("kind", flat=True)) == ["shown"]


def test_what_was_heard_before_a_reload_counts(listener, clock):
    show(listener)
    clock.forward(7)
    listener.client.post(f"{listener.link}1/heard/", {"heard_seconds": "6.5", "plays": "1"})
    listener.go_on()

    assert 'data-heard="6.5"' in listener.text
    assert 'data-plays="1"' in listener.text


def test_a_report_that_comes_late_or_twice_takes_nothing_away(listener, clock):
    show(listener)
    clock.forward(20)

    for said in ("12", "3", "12"):
        listener.client.post(f"{listener.link}1/heard/", {"heard_seconds": said, "plays": "1"})

    trial = Trial.objects.get(position=1)
    assert (trial.heard_seconds, trial.plays) == (12, 1)


def test_after_the_rating_reports_change_nothing(listener, clock):
    show(listener)
    clock.forward(12)
    listener.rate(overall="7", heard_seconds="11", plays="1")

    listener.client.post(f"{listener.link}1/heard/", {"heard_seconds": "12", "plays": "9"})

    trial = Trial.objects.get(position=1)
    assert (trial.heard_seconds, trial.plays) == (11, 1)


def test_an_offline_batch_is_judged_when_it_arrives(listener, clock):
    # The page could not say that it was shown; both arrive together, half a minute later.
    clock.forward(30)
    show(listener)
    assert listener.rate(overall="7", heard_seconds="30").status_code == 422

    clock.forward(10)
    listener.rate(position=1, overall="7", heard_seconds="30")

    assert stored(listener.study) == [(1, "overall", 7)]


def test_a_clock_that_was_set_back_never_makes_a_time_below_nothing(listener, clock):
    show(listener)
    clock.forward(-3600)

    first = Trial.objects.get(position=1)
    assert listener.rate(overall="7", heard_seconds="12", follow=False).status_code == 303

    first.refresh_from_db()
    assert first.heard_seconds == 12

    # What is shown from now on is judged by the clock as it is.
    show(listener, position=2)
    clock.forward(5)
    assert listener.rate(position=2, overall="7", heard_seconds="12").status_code == 422


@pytest.mark.parametrize("jump", [-86_400, -3600, 3600, 86_400])
def test_a_clock_that_jumps_while_a_clip_plays_refuses_nobody_and_makes_no_time_negative(listener, clock, jump):
    while listener.position:
        show(listener, listener.position)
        clock.forward(6 + jump)
        listener.client.post(f"{listener.link}{listener.position}/heard/", {"heard_seconds": "6", "plays": "1"})
        clock.forward(6 - jump)
        assert listener.rate(overall="7", heard_seconds="12", follow=False).status_code == 303
        clock.forward(jump)
        listener.go_on()
        clock.forward(-jump)

    trials = list(Trial.objects.all())
    assert [trial.heard_seconds for trial in trials] == [12] * 3
    assert all(trial.rated_at >= trial.shown_at for trial in trials)


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumps_for_good_loses_nothing_either(listener, clock, jump):
    show(listener)
    clock.forward(12 + jump)

    assert listener.rate(overall="7", heard_seconds="12", follow=False).status_code == 303

    trial = Trial.objects.get(position=1)
    assert (trial.heard_seconds, trial.rated_at >= trial.shown_at) == (12, True)
    assert listener.study.admit().n_trials == 3


def test_a_page_that_is_shown_again_after_the_clock_was_set_back_counts_from_then_on(listener, clock):
    show(listener)
    clock.forward(-3600)
    show(listener)
    clock.forward(12)

    assert listener.rate(overall="7", heard_seconds="12", follow=False).status_code == 303
    assert Trial.objects.get(position=1).heard_seconds == 12


def test_an_event_that_is_told_twice_is_stored_once_and_two_of_one_place_are_two(listener, clock):
    show(listener)
    clock.forward(3)
    told = json.dumps([["play", 0, "page-1"], ["pause", 2.5, "page-2"], ["play", 0, "page-3"]])

    for _ in range(3):
        report = {"heard_seconds": "2.5", "plays": "2", "events": told}
        assert listener.client.post(f"{listener.link}1/heard/", report).status_code == 204

    stored = PlayEvent.objects.exclude(kind="shown").values_list("kind", "at_seconds", "mark")
    assert list(stored) == [("play", 0, "page-1"), ("pause", 2.5, "page-2"), ("play", 0, "page-3")]


def test_no_more_is_asked_for_than_the_clip_has(make_study, listener_of, clock):
    listener = listener_of(make_study(min_heard_seconds=10, length_seconds=4))
    listener.begin()
    show(listener)
    clock.forward(5)

    listener.rate(overall="7", heard_seconds="3.9")

    assert stored(listener.study) == [(1, "overall", 7)]


def test_play_events_are_logged_in_their_order(listener, clock):
    show(listener)
    clock.forward(12)

    listener.client.post(f"{listener.link}1/heard/", {"events": '[["play", 0], ["pause", 4.5]]'})
    listener.rate(
        overall="7", heard_seconds="11", events='[["play", 4.5], ["ended", 30], ["nonsense", 1], 5, ["play"]]'
    )

    logged = list(PlayEvent.objects.values_list("trial__position", "kind", "at_seconds"))
    assert logged == [(1, "shown", None), (1, "play", 0), (1, "pause", 4.5), (1, "play", 4.5), (1, "ended", 30)]


@pytest.mark.parametrize("events", ["{", "7", "{}", '[[["play"], 1]]', "[[1, 1]]", '[["play", "x"]]', "[" * 9_000])
def test_events_that_cannot_be_read_do_no_harm(listener, events):
    assert listener.client.post(f"{listener.link}1/heard/", {"events": events}).status_code == 204


# ---- closing


def test_a_study_that_closes_lets_those_inside_finish(make_study, listener_of):
    inside, outside = listener_of(make_study({"A": 2})), None
    inside.begin()
    inside.study.close()
    outside = Client().get(f"/s/{inside.study.slug}/")

    inside.rate(overall="3")
    inside.rate(overall="4")

    assert outside.status_code == 410
    assert "This study is closed" in outside.content.decode()
    assert "All 2 ratings are stored." in inside.text
    assert stored(inside.study) == [(1, "overall", 3), (2, "overall", 4)]


def test_who_reads_the_welcome_while_it_closes_is_told(make_study, listener_of):
    listener = listener_of(make_study())
    listener.open()
    listener.study.close()

    page = listener.client.post(f"/s/{listener.study.slug}/", {"consent": "on", "admission": "x" * 22})

    assert page.status_code == 410
    assert Session.objects.count() == 0


def test_a_draft_is_not_to_be_found(make_study):
    study = make_study(state="draft")

    assert Client().get(f"/s/{study.slug}/").status_code == 404
    assert Client().post(f"/s/{study.slug}/", {"consent": "on"}).status_code == 404


def test_thanks_come_only_when_everything_is_stored(make_study, listener_of):
    listener = listener_of(make_study({"A": 2}, thanks="You were great."))
    listener.begin()

    pages = []
    while listener.position:
        pages.append(listener.text)
        listener.rate(overall="5")

    assert [page.count("You were great.") for page in pages] == [0, 0]
    assert "You were great." in listener.text


# ---- the edge


def test_a_post_from_another_site_is_refused(make_study, listener_of):
    listener = listener_of(make_study())
    listener.begin()
    stranger = Client(enforce_csrf_checks=True)
    paths = [f"/s/{listener.study.slug}/", f"{listener.link}1/", f"{listener.link}1/shown/", f"{listener.link}1/heard/"]
    before = everything()

    codes = [stranger.post(path, {"rating-overall": "5", "consent": "on"}).status_code for path in paths]

    assert codes == [403] * 4
    assert everything() == before


def test_nothing_a_participant_gets_is_kept_by_a_cache(make_study, listener_of):
    listener = listener_of(make_study({"A": 1}))
    pages = [listener.open(), listener.begin(), show(listener), listener.fetch_sound()]
    pages += [listener.rate(overall="x"), listener.rate(overall="5", follow=False), listener.go_on()]

    assert [page.headers["Cache-Control"] for page in pages] == ["private, no-store"] * 7


def test_a_body_beyond_all_measure_is_refused_in_words(make_study, listener_of):
    listener = listener_of(make_study(comments=True))
    listener.begin()

    page = listener.rate(overall="5", comment="x" * 8_000_000)

    assert page.status_code == 413
    assert "What you wrote is longer than this site can take in" in listener.text
    assert stored(listener.study) == []


@pytest.mark.parametrize("n_clips", [1, 3])
def test_a_cycle_takes_few_queries_however_long_the_study(make_study, listener_of, django_assert_num_queries, n_clips):
    listener = listener_of(make_study({"A": n_clips + 2}))
    listener.begin()

    with django_assert_num_queries(2):  # session and study; this trial and the next
        listener.go_on()
    with django_assert_num_queries(9):  # the same two; begin, claim, ratings, three counts, commit
        listener.rate(follow=False, overall="5")
