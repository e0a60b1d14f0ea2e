"""The forms that ask for clips, references and trainings, and the job's page."""

import re
from pathlib import Path

import pytest

from generation.models import Checkpoint, Clip, Job

pytestmark = pytest.mark.django_db

WISHES = {"n_clips": "3", "seconds": "30", "seed": "11", "temperature": "0.9"}


def errors(response):
    return {field: list(found) for field, found in response.context["form"].errors.items()}


def test_asking_for_clips_leads_to_their_job(client_of, ada, checkpoint):
    response = client_of(ada).post(f"/checkpoints/{checkpoint.pk}/", WISHES)

    job = Job.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/jobs/{job.pk}/")
    assert (job.owner, job.kind, job.checkpoint, job.n_total) == (ada, "clips", checkpoint, 3)
    assert job.settings == {"n_clips": 3, "seconds": 30.0, "seed": 11, "temperature": 0.9, "top_p": 1.0} | {
        "settings": {"min_note_beats": 0.25}
    }


def test_how_a_family_draws_can_be_said_under_more(client_of, ada):
    cnn = Checkpoint.objects.create(owner=ada, name="CNN", family="cnn", card={}, file="none")
    client, address = client_of(ada), f"/checkpoints/{cnn.pk}/"
    more = {
        "top_p": "0.8",
        "set-density": "off",
        "set-hysteresis": "2",
        "set-min_note_beats": "",
        "set-polyphony": "3,3, 2,1,4",
    }
    drawn = {"density": False, "hysteresis": 2.0, "min_note_beats": 0.25, "polyphony": [3, 3, 2, 1, 4]}

    assert re.findall(r'name="(top_p|set-\w+)"', client.get(address).content.decode()) == list(more)
    client.post(address, WISHES | more)

    asked = Job.objects.get().settings
    assert (asked["top_p"], asked["settings"]) == (0.8, drawn)
    assert "top-p 0.8" in client.get(f"/jobs/{Job.objects.get().pk}/").content.decode()


def test_a_family_is_drawn_from_as_it_sounds_best_unless_something_else_is_asked_for(client_of, ada):
    chain = Checkpoint.objects.create(owner=ada, name="GRU", family="gru-chain", card={}, file="none")
    client, address = client_of(ada), f"/checkpoints/{chain.pk}/"

    form = client.get(address).context["form"]
    client.post(address, WISHES)

    assert (form["temperature"].value(), form["top_p"].value()) == (0.9, 0.95)
    assert Job.objects.get().settings["top_p"] == 0.95


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("set-polyphony", value) for value in ("4", "4,4,4,1,17", "4,4,4,1,x", "4,4,4,1,1.5", "," * 201)),
        *(("set-hysteresis", value) for value in ("-1", "11", "nan", "x")),
        ("set-density", "maybe"),
    ],
)
def test_what_the_familys_table_does_not_take_is_refused_at_its_field(client_of, ada, field, value):
    cnn = Checkpoint.objects.create(owner=ada, name="CNN", family="cnn", card={}, file="none")

    response = client_of(ada).post(f"/checkpoints/{cnn.pk}/", WISHES | {field: value})

    assert (response.status_code, list(errors(response)), Job.objects.exists()) == (422, [field], False)
    assert "<details open>" in response.content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("n_clips", value) for value in ("0", "51", "ten", "", "1.5")),
        *(("seconds", value) for value in ("4", "121", "nan", "inf", "")),
        *(("seed", value) for value in ("-1", "4294967296", "x", "")),
        *(("temperature", value) for value in ("0", "3.1", "hot", "")),
        *(("top_p", value) for value in ("0", "1.1", "most")),
        ("set-min_note_beats", "5"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_at_its_field(client_of, ada, checkpoint, field, value):
    response = client_of(ada).post(f"/checkpoints/{checkpoint.pk}/", WISHES | {field: value})

    assert (response.status_code, list(errors(response))) == (422, [field])
    assert not Job.objects.exists()


def test_the_form_offers_another_seed_at_each_visit(client_of, ada, checkpoint):
    client = client_of(ada)

    seeds = {client.get(f"/checkpoints/{checkpoint.pk}/").context["form"]["seed"].value() for _ in range(5)}

    assert len(seeds) > 1


def test_the_checkpoints_page_shows_its_card_and_its_loss(client_of, ada, checkpoint):
    client = client_of(ada)

    page = client.get(f"/checkpoints/{checkpoint.pk}/")
    light = client.get(f"/checkpoints/{checkpoint.pk}/loss.svg?theme=light")
    dark = client.get(f"/checkpoints/{checkpoint.pk}/loss.svg?theme=dark")

    facts = dict(page.context["facts"])
    assert (facts["Family"], facts["Units"], facts["Corpus"], facts["Epochs"]) == (
        "Baseline RNN",
        "4",
        "Ten pieces",
        "2",
    )
    assert f"/checkpoints/{checkpoint.pk}/loss.svg?theme=dark" in page.content.decode()
    assert (light["Content-Type"], light.content.startswith(b"<svg")) == ("image/svg+xml", True)
    assert light.content != dark.content


def test_a_card_that_says_little_still_makes_a_page(client_of, ada, checkpoint):
    checkpoint.card = {
        "family": "rnn",
        "history": [{"epoch": "<b>", "train_loss": None}, 7],
        "baselines": 3,
        "corpus": [],
    }
    checkpoint.save()
    client = client_of(ada)

    page = client.get(f"/checkpoints/{checkpoint.pk}/")

    assert [label for label, _ in page.context["facts"]] == ["Family", "SHA-256 of what is kept"]
    assert client.get(f"/checkpoints/{checkpoint.pk}/loss.svg").status_code == 404


def test_choosing_held_out_pieces_leads_to_their_job(client_of, ada, corpus, playable):
    response = client_of(ada).post(f"/corpora/{corpus.pk}/references/", {"pieces": playable[:2], "seconds": "10"})

    job = Job.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/jobs/{job.pk}/")
    assert (job.kind, job.corpus, job.settings) == ("references", corpus, {"pieces": playable[:2], "seconds": 10.0})


def test_a_piece_that_cannot_be_a_reference_is_refused_by_name(client_of, ada, corpus, playable, unplayable):
    page = f"/corpora/{corpus.pk}/references/"

    response = client_of(ada).post(page, {"pieces": [playable[0], unplayable], "seconds": "10"})

    [refusal] = errors(response)["pieces"]
    assert re.fullmatch(r"“\w+”: There is no bar in which drums, bass and another track play\.", refusal)
    assert (response.status_code, Job.objects.exists()) == (422, False)


def test_pieces_too_short_for_what_was_asked_are_refused(client_of, ada, corpus, playable):
    response = client_of(ada).post(f"/corpora/{corpus.pk}/references/", {"pieces": playable[:1], "seconds": "100"})

    assert (response.status_code, "s follow" in errors(response)["pieces"][0]) == (422, True)


@pytest.mark.parametrize("pieces", [[], ["999"], ["x"], ["-1"]])
def test_no_piece_or_one_that_is_not_held_out_is_refused(client_of, ada, corpus, pieces):
    response = client_of(ada).post(f"/corpora/{corpus.pk}/references/", {"pieces": pieces, "seconds": "10"})

    assert (response.status_code, list(errors(response))) == (422, ["pieces"])
    assert not Job.objects.exists()


def test_the_corpus_page_tells_what_was_left_out_and_which_pieces_cannot_be_played(client_of, ada, corpus, unplayable):
    html = client_of(ada).get(f"/corpora/{corpus.pk}/").content.decode()

    assert "broken.npz" in html
    [obstructed] = re.findall(r'value="(\d+)"[^>]* disabled', html)
    assert int(obstructed) == unplayable
    assert "There is no bar in which drums, bass and another track play" in html


def test_the_pieces_to_train_on_cannot_be_chosen(client_of, ada, corpus):
    html = client_of(ada).get(f"/corpora/{corpus.pk}/?split=train").content.decode()

    assert ('name="pieces"' in html, html.count("Drums, Piano, Bass")) == (False, 7)


def test_a_corpus_that_is_gone_from_the_disk_still_shows_its_card(client_of, ada, corpus):
    corpus.folder = "gone"
    corpus.save()

    html = client_of(ada).get(f"/corpora/{corpus.pk}/").content.decode()

    assert ("The corpus is not on this disk any more." in html, corpus.checksum in html) == (True, True)


def test_starting_a_run_leads_to_its_page(client_of, ada, corpus):
    wishes = {"family": "cnn", "corpus": corpus.pk, "minutes": "2.5", "seed": "3"}

    response = client_of(ada).post("/runs/new/", wishes)

    job = Job.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/runs/{job.run_id}/")
    assert (job.run.family, job.run.corpus, job.run.minutes, job.run.seed) == ("cnn", corpus, 2.5, 3)
    assert (job.owner, job.run.owner, job.kind) == (ada, ada, "training")


@pytest.mark.parametrize(
    ("field", "value"),
    [("family", "transformer"), ("minutes", "0"), ("minutes", "1441"), ("seed", "-1"), ("corpus", "x")],
)
def test_a_run_that_makes_no_sense_is_refused_at_its_field(client_of, ada, corpus, field, value):
    wishes = {"family": "cnn", "corpus": corpus.pk, "minutes": "2", "seed": "3", field: value}

    response = client_of(ada).post("/runs/new/", wishes)

    assert (response.status_code, list(errors(response)), Job.objects.exists()) == (422, [field], False)


def test_a_run_on_another_researchers_corpus_is_refused(client_of, ben, corpus):
    wishes = {"family": "cnn", "corpus": corpus.pk, "minutes": "2", "seed": "3"}

    response = client_of(ben).post("/runs/new/", wishes)

    assert (response.status_code, list(errors(response)), Job.objects.exists()) == (422, ["corpus"], False)


def test_a_running_jobs_page_polls_and_a_finished_ones_does_not(client_of, ada, job):
    client = client_of(ada)
    claimed = Job.objects.claim(job.pk, "worker")
    claimed.keep(n_done=1, stage="playing", seconds_left=75.0)

    running = client.get(f"/jobs/{job.pk}/").content.decode()
    claimed.fail("The network fell silent.")
    failed = client.get(f"/jobs/{job.pk}/progress/").content.decode()

    assert f'hx-get="/jobs/{job.pk}/progress/"' in running
    assert ("1 of 2 clips" in running, "playing, about 1 min 15 s left" in running) == (True, True)
    assert ("hx-get" in failed, "The network fell silent." in failed, "Cancel" in failed) == (False, True, False)


def test_clips_arrive_on_the_jobs_page_one_after_the_other(client_of, ada, job, make_clip):
    client = client_of(ada)
    Job.objects.claim(job.pk, "worker")
    first = make_clip(ada, "First", seconds=1, job=job, index=0)

    page = client.get(f"/jobs/{job.pk}/").content.decode()
    second = make_clip(ada, "Second", seconds=1, job=job, index=1)
    more = client.get(f"/jobs/{job.pk}/clips/?shown=1").content.decode()

    assert (str(first.pk) in page, f'hx-get="/jobs/{job.pk}/clips/?shown=1"' in page) == (True, True)
    assert (str(first.pk) in more, str(second.pk) in more) == (False, True)
    assert f'hx-get="/jobs/{job.pk}/clips/?shown=2"' in more


@pytest.mark.parametrize("shown", ["", "x", "-1", "9" * 5000, "٣"])
def test_a_count_of_shown_clips_that_makes_no_sense_shows_them_all(client_of, ada, job, make_clip, shown):
    clip = make_clip(ada, seconds=1, job=job)

    html = client_of(ada).get(f"/jobs/{job.pk}/clips/", {"shown": shown}).content.decode()

    assert str(clip.pk) in html


def test_cancelling_leads_back_to_the_job(client_of, ada, job):
    client = client_of(ada)

    response = client.post(f"/jobs/{job.pk}/cancel/")
    again = client.post(f"/jobs/{job.pk}/cancel/", follow=True)

    job.refresh_from_db()
    assert (response["Location"], job.state) == (f"/jobs/{job.pk}/", "cancelled")
    assert [str(message) for message in again.context["messages"]] == ["It had ended already."]


def test_a_clips_master_is_served_whole_and_by_range(client_of, ada, make_clip):
    clip = make_clip(ada, seconds=1)
    master = Path(clip.master.path).read_bytes()
    client = client_of(ada)

    whole = client.get(f"/clips/{clip.pk}/sound.flac")
    part = client.get(f"/clips/{clip.pk}/sound.flac", headers={"Range": "bytes=10-19"})

    assert (whole["Content-Type"], whole.getvalue()) == ("audio/flac", master)
    assert (part.status_code, part.getvalue()) == (206, master[10:20])


def test_a_clip_whose_files_are_gone_has_a_page_without_them(client_of, ada, make_clip):
    clip = make_clip(ada, seconds=1, roll="rolls/gone.npz")
    Path(clip.master.path).unlink()
    client = client_of(ada)

    assert "<svg" not in client.get(f"/clips/{clip.pk}/").content.decode().split("<main")[1]
    assert client.get(f"/clips/{clip.pk}/sound.flac").status_code == 404
    assert client.get(f"/clips/{clip.pk}/roll.npz").status_code == 404


def test_a_clip_without_provenance_has_a_page(client_of, ada):
    clip = Clip.objects.create(owner=ada, title="Brought", source="uploaded", seconds=1, loudness_lufs=-20.04)

    page = client_of(ada).get(f"/clips/{clip.pk}/")

    assert page.context["facts"] == [("Loudness of the clip", "-20.0 LUFS")]
