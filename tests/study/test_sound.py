"""What a browser gets when it asks for a clip, and what it cannot learn from it."""

import re

import pytest
from django.test import Client

from generation.models import Clip
from study.models import Session, Stimulus, Trial
from tests.listeners import SOUND

pytestmark = pytest.mark.django_db
TELLING = {"etag", "last-modified", "content-disposition", "x-sendfile", "x-accel-redirect", "server"}


@pytest.fixture
def listener(make_study, listener_of):
    listener = listener_of(make_study({"Secret CNN": 2, "Secret real": 2}))
    listener.begin()
    return listener


def test_a_clip_is_served_whole_or_by_one_range(listener):
    whole = listener.fetch_sound()
    part = listener.fetch_sound(Range="bytes=100-199")
    beyond = listener.fetch_sound(Range="bytes=999999-")
    several = listener.fetch_sound(Range="bytes=0-1,5-6")

    assert (whole.status_code, whole.bytes, whole.headers["Accept-Ranges"]) == (200, SOUND, "bytes")
    assert (part.status_code, part.bytes) == (206, SOUND[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(SOUND)}"
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(SOUND)}")
    assert (several.status_code, several.bytes) == (200, SOUND)


def test_each_address_plays_the_clip_of_its_own_trial(make_study, listener_of):
    study = make_study({"A": 3, "B": 2})
    for number, stimulus in enumerate(study.stimuli()):
        with stimulus.sound.open("wb") as file:
            file.write(bytes([number]) * 100)
    listener = listener_of(study)
    listener.begin()

    while listener.position:
        trial = Trial.objects.select_related("stimulus").get(position=listener.position)
        with trial.stimulus.sound.open("rb") as file:
            assert listener.fetch_sound().bytes == file.read()
        listener.rate(overall="5")


def test_all_clips_come_with_the_same_headers_and_nothing_that_tells(listener):
    headers = []
    while listener.position:
        headers.append(dict(listener.fetch_sound().headers))
        listener.rate(overall="5")

    assert all(one == headers[0] for one in headers)
    assert not TELLING & {name.lower() for name in headers[0]}
    assert headers[0]["Content-Type"] == "audio/mpeg"
    assert headers[0]["Cache-Control"] == "private, no-store"


def test_addresses_are_random_and_never_the_same_for_two_trials(make_study, listener_of):
    study, addresses = make_study({"A": 3}, n_repeats=1), set()
    for _ in range(30):
        listener = listener_of(study)
        listener.begin()
        while listener.position:
            addresses.add(listener.sound_address)
            listener.rate(overall="5")

    assert len(addresses) == 30 * 4
    assert all(re.fullmatch(r"/sound/[A-Za-z0-9_-]{22}/", address) for address in addresses)


def test_an_address_ends_with_its_session(listener):
    address = listener.sound_address
    while listener.position:
        listener.rate(overall="5")

    gone, never = listener.client.get(address), listener.client.get("/sound/AAAAAAAAAAAAAAAAAAAAAA/")

    assert (gone.status_code, gone.content, dict(gone.headers)) == (404, never.content, dict(never.headers))
    assert address.encode() not in gone.content


def test_a_rated_clip_can_be_fetched_until_the_session_ends(listener):
    # A phone that lost the page in the middle comes back to whatever it was told last.
    address = listener.sound_address
    listener.rate(overall="5")

    assert b"".join(listener.client.get(address).streaming_content) == SOUND


def test_a_sound_takes_no_other_method(listener):
    codes = [
        getattr(listener.client, method)(listener.sound_address).status_code for method in ("post", "put", "delete")
    ]

    assert codes == [405] * 3


def test_a_sound_that_vanished_is_a_clear_answer_and_a_line_in_the_log(listener, caplog):
    trial = Trial.objects.get(position=1)
    trial.stimulus.sound.storage.delete(trial.stimulus.sound.name)

    answer = listener.client.get(listener.sound_address)

    assert (answer.status_code, answer.content) == (503, b"This sound cannot be read at the moment.")
    assert f"stimulus {trial.stimulus_id}" in caplog.text


def test_nothing_a_participant_gets_names_what_they_hear(listener):
    """Everything is kept and searched: pages, headers, cookies; the names are told to begin with, so they could leak."""
    session = Session.objects.get()
    secrets = {*Clip.objects.values_list("title", flat=True), "Secret", listener.study.title, str(session.seed)}
    secrets |= {str(pk) for pk in Clip.objects.values_list("pk", flat=True)}
    secrets |= {stimulus.sound.name for stimulus in Stimulus.objects.all()}
    secrets |= {str(listener.study.seed), "stimulus", "condition"}

    seen = [listener.open(), listener.go_on(), listener.rate(overall="x"), Client().get("/t/none/")]
    while listener.position:
        seen += [listener.page, listener.fetch_sound(), listener.fetch_sound(Range="bytes=9999999-")]
        seen += [listener.client.get(listener.sound_address + "x"), listener.rate(overall="5")]
    text = "\n".join(str(dict(page.headers)) + str(page.cookies) for page in seen)
    text += "\n".join(page.content.decode() for page in seen if not page.streaming)

    assert [secret for secret in secrets if secret in text] == []
    assert len(seen) > 20


def test_no_number_in_a_page_is_a_row_of_ours(make_study, listener_of):
    study = make_study({"A": 3})
    # Far from any number that a page has a reason to show.
    Session.objects.create(pk=770_077, study=study, seed=1, number=0)
    Trial.objects.create(pk=880_088, session_id=770_077, stimulus=Stimulus.objects.first(), position=1)
    listener = listener_of(study)
    listener.begin()

    numbers = set(re.findall(r"\d{4,}", re.sub(r'value="[A-Za-z0-9]{64}"', "", listener.text)))

    assert Session.objects.order_by("pk").last().pk == 770_078
    assert not numbers & {str(pk) for model in (Session, Trial) for pk in model.objects.values_list("pk", flat=True)}
