"""The pages of training runs: the form of a family's settings, the watching, the hearing, the going on."""

from datetime import timedelta

import pytest
from django.utils import timezone

from generation import expected
from generation.models import Corpus, Job
from generation.network_picture import network_picture
from training.families import FAMILIES
from training.layers import layers

pytestmark = pytest.mark.django_db

BASELINES = {"marginal": 4.9, "hold": 3.0}


def history(*test_losses, seconds=10.0):
    return [
        {"epoch": number, "train_loss": loss - 0.1, "test_loss": loss, "seconds": seconds * number}
        for number, loss in enumerate(test_losses, 1)
    ]


@pytest.fixture
def training(ada, corpus):
    """A training of Ada's that a worker is at, two epochs in."""
    job = Job.objects.ask_for_training(ada, "rnn", corpus, minutes=2, seed=3)
    job.run.history, job.run.baselines = history(4.0, 3.9), BASELINES
    job.run.save()
    return Job.objects.claim(job.pk, "worker")


def wishes(corpus, family="rnn", **others):
    return {"family": family, "corpus": corpus.pk, "minutes": "2", "seed": "3", **others}


def errors(response):
    return {field: list(found) for field, found in response.context["form"].errors.items()}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_form_offers_each_setting_of_the_family_with_its_default(client_of, ada, corpus, family):
    form = client_of(ada).get(f"/runs/new/?family={family}").context["form"]

    offered = {field.name.removeprefix("set-"): field.value() for field in form.setting_fields()}
    defaults = FAMILIES[family].configuration()
    assert offered == {name: {True: "on"}.get(value, value) for name, value in defaults.items()}


def test_the_form_says_what_a_setting_is_and_how_far_it_goes(client_of, ada, corpus):
    form = client_of(ada).get("/runs/new/?family=rnn").context["form"]

    assert form["set-units"].help_text == "Size of the LSTM's state. From 4 to 1,024."
    assert form["set-learning_rate"].help_text == "Adam's step size. From 0.000001 to 0.1."


def test_settings_that_are_given_make_the_runs_configuration_and_defaults_the_rest(client_of, ada, corpus):
    client_of(ada).post("/runs/new/", wishes(corpus, **{"set-units": "64", "set-rest": "off", "epochs": "9"}))

    run = Job.objects.get().run
    assert run.configuration == FAMILIES["rnn"].configuration({"units": 64, "rest": False})
    assert (run.minutes, run.epochs) == (2.0, 9)


def test_an_early_stop_can_be_asked_for_and_stands_on_the_runs_page(client_of, ada, corpus):
    client = client_of(ada)
    client.post("/runs/new/", wishes(corpus, patience="4"))
    client.post("/runs/new/", wishes(corpus))

    asked = [job.settings.get("patience") for job in Job.objects.order_by("created_at")]
    pages = [client.get(f"/runs/{job.run_id}/").context["facts"] for job in Job.objects.order_by("created_at")]

    assert asked == [4, None]
    assert [dict(facts).get("Early stop") for facts in pages] == ["after 4 without a better test loss", None]
    wrong = client.post("/runs/new/", wishes(corpus, patience="0"))
    assert (wrong.status_code, list(errors(wrong))) == (422, ["patience"])


@pytest.mark.parametrize(
    ("family", "setting", "value"),
    [
        *(("rnn", "units", value) for value in ("3", "1025", "many", "1.5")),
        *(("rnn", "learning_rate", value) for value in ("0", "1", "nan")),
        ("rnn", "rest", "maybe"),
        *(("cnn", "order", value) for value in ("drums", "drums,bass,piano,guitar,guitar")),
    ],
)
def test_a_setting_out_of_its_range_is_refused_at_its_field(client_of, ada, corpus, family, setting, value):
    response = client_of(ada).post("/runs/new/", wishes(corpus, family, **{f"set-{setting}": value}))

    assert (response.status_code, list(errors(response))) == (422, [f"set-{setting}"])
    assert "<details open>" in response.content.decode()
    assert not Job.objects.exists()


def test_a_run_without_any_bound_is_refused(client_of, ada, corpus):
    response = client_of(ada).post("/runs/new/", wishes(corpus, minutes=""))

    refusal = "Say how long to train: a time, a number of epochs, or both."
    assert (response.status_code, errors(response), Job.objects.exists()) == (422, {"minutes": [refusal]}, False)


def test_a_corpus_on_a_grid_that_the_family_cannot_be_brought_to_is_not_offered(client_of, ada, corpus):
    odd = Corpus.objects.create(owner=ada, name="Six steps", folder="six", card={"steps_per_beat": 6})
    client = client_of(ada)

    offered = {
        family: set(client.get(f"/runs/new/?family={family}").context["form"].fields["corpus"].queryset)
        for family in ("rnn", "gru-chain")
    }
    refused = client.post("/runs/new/", wishes(odd, "gru-chain"))

    assert offered == {"rnn": {corpus, odd}, "gru-chain": {corpus}}
    assert list(errors(refused)) == ["corpus"]


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ({"minutes": "90"}, "It will take about 1 h 30 min."),
        (
            {"minutes": "", "epochs": "10"},
            "It will take about 5 min, as measured on two CPU cores; another machine may be several times faster or slower.",
        ),
        ({"minutes": "0"}, "The expected time is said here once the form makes sense."),
    ],
)
def test_the_time_that_a_run_will_take_is_said_before_it_starts(client_of, ada, corpus, bounds, sentence, monkeypatch):
    monkeypatch.setitem(expected.MS_PER_WINDOW, "rnn", 1.0)

    said = client_of(ada).get("/runs/new/expected/", wishes(corpus, **bounds)).content.decode()

    assert said == sentence


def test_earlier_runs_of_the_family_tell_how_long_epochs_take(client_of, ada, ben, corpus, training):
    training.run.configuration = FAMILIES["rnn"].configuration()
    training.run.save()  # ten seconds an epoch
    client = client_of(ada)

    same = client.get("/runs/new/expected/", wishes(corpus, minutes="", epochs="6"))
    twice = client.get("/runs/new/expected/", wishes(corpus, minutes="", epochs="6", **{"set-epoch_windows": "51200"}))
    bounded = client.get("/runs/new/expected/", wishes(corpus, minutes="1", epochs="60"))

    assert same.content.decode() == "It will take about 1 min 20 s, going by 1 earlier run of this family here."
    assert twice.content.decode() == "It will take about 2 min, going by 1 earlier run of this family here."
    assert bounded.content.decode() == (
        "It will take about 1 min: 60 epochs would take about 10 min, going by 1 earlier run of this family here."
    )


def test_a_run_that_learns_nothing_is_said_in_words(client_of, ada, training):
    training.run.history = history(5.3, 5.1, 4.95)
    training.run.save()

    html = client_of(ada).get(f"/runs/{training.run_id}/").content.decode()

    assert "This run learns nothing: after 3 epochs its best test loss, 4.9500, is not below 4.9000" in html


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        ((5.3,), "After 1 epoch the test loss is not below knowing nothing (4.9000); it is early."),
        (
            (4.0,),
            "The best test loss, 4.0000 in epoch 1, is below knowing nothing (4.9000), not below holding the last frame (3.0000).",
        ),
        (
            (2.0, *(2.5,) * 5),
            "The best test loss, 2.0000 in epoch 1, is below knowing nothing (4.9000) and below holding the last frame "
            "(3.0000). No epoch was better in the 5 since.",
        ),
    ],
)
def test_what_the_loss_says_beside_the_two_guesses(client_of, ada, training, losses, sentence):
    training.run.history = history(*losses)
    training.run.save()

    assert client_of(ada).get(f"/runs/{training.run_id}/").context["verdict"] == sentence


def test_a_running_runs_page_is_brought_only_epochs_that_it_does_not_show(client_of, ada, training):
    client = client_of(ada)
    page = f"/runs/{training.run_id}/epochs/"

    html = client.get(f"/runs/{training.run_id}/").content.decode()
    same, more = client.get(f"{page}?shown=2"), client.get(f"{page}?shown=1").content.decode()

    assert f'hx-get="{page}?shown=2"' in html
    assert (same.status_code, same.content) == (204, b"")
    assert (f'hx-get="{page}?shown=2"' in more, "epochs=2" in more, "3.9000" in more) == (True, True, True)


def test_a_page_is_drawn_anew_when_its_run_ended(client_of, ada, training):
    client = client_of(ada)
    running = client.get(f"/runs/{training.run_id}/progress/")

    training.finish()
    ended = client.get(f"/runs/{training.run_id}/progress/")

    assert ("HX-Refresh" in running, "hx-get" in running.content.decode()) == (False, True)
    assert (ended["HX-Refresh"], "hx-get" in ended.content.decode()) == ("true", False)


def test_cancelling_a_run_leads_to_its_page_which_waits_for_the_checkpoint(client_of, ada, training):
    client = client_of(ada)

    response = client.post(f"/jobs/{training.pk}/cancel/")
    soon = client.get(f"/runs/{training.run_id}/").content.decode()
    Job.objects.filter(pk=training.pk).update(finished_at=timezone.now() - timedelta(minutes=2))
    late = client.get(f"/runs/{training.run_id}/").content.decode()

    assert response["Location"] == f"/runs/{training.run_id}/"
    assert ("is being kept" in soon, "is being kept" in late) == (True, False)


def test_a_sample_is_asked_for_once_and_heard_on_the_runs_page(client_of, ada, training, make_clip):
    client = client_of(ada)
    ask = f"/runs/{training.run_id}/samples/"

    client.post(ask)
    again = client.post(ask, follow=True)
    sample = Job.objects.get(kind="sample")
    waiting = client.get(f"/jobs/{sample.pk}/sample/").content.decode()
    clip = make_clip(ada, seconds=1, job=sample, provenance={"epoch": 2})
    Job.objects.claim(sample.pk, "worker").finish()
    heard = client.get(f"/runs/{training.run_id}/").content.decode()
    better = client.post(ask, follow=True)

    assert (sample.run, sample.settings["seed"], sample.settings["seconds"]) == (training.run, 3, 10)
    assert [str(message) for message in again.context["messages"]] == ["A sample is on its way already."]
    assert (f'hx-get="/jobs/{sample.pk}/sample/"' in waiting, "<audio" in waiting) == (True, False)
    assert (f"/clips/{clip.pk}/sound.flac" in heard, f'hx-get="/jobs/{sample.pk}' in heard) == (True, False)
    assert [str(message) for message in better.context["messages"]] == [
        "Epoch 2 is the last that ended, and its sample is here already."
    ]


def test_there_is_no_sample_before_the_first_epoch_or_after_the_end(client_of, ada, training):
    client = client_of(ada)
    ask = f"/runs/{training.run_id}/samples/"

    training.finish()
    after = client.post(ask, follow=True)
    training.run.history = []
    training.run.save()
    before = client.post(ask, follow=True)

    assert [str(said) for said in after.context["messages"]] == [
        "The run has ended: ask for clips from its checkpoint."
    ]
    assert [str(said) for said in before.context["messages"]] == [
        "There is nothing to hear before the first epoch ends."
    ]
    assert not Job.objects.filter(kind="sample").exists()


def test_a_job_that_is_no_sample_is_not_shown_as_one(client_of, ada, training):
    assert client_of(ada).get(f"/jobs/{training.pk}/sample/").status_code == 404


@pytest.mark.parametrize("ended", ["cancelled", "failed", "done"])
def test_a_run_that_ended_goes_on_from_its_page(client_of, ada, training, ended):
    Job.objects.filter(pk=training.pk).update(state=ended, finished_at=timezone.now())
    client = client_of(ada)

    offered = client.get(f"/runs/{training.run_id}/").context["form"]
    response = client.post(f"/runs/{training.run_id}/resume/", {"minutes": "5", "epochs": "10"})

    new = training.run.job
    # Of two minutes, twenty seconds are over; one that ended by itself has had them all, but for its last epoch.
    assert offered["minutes"].value() == (2 if ended == "done" else 1.7)
    assert (response["Location"], new.pk != training.pk) == (f"/runs/{training.run_id}/", True)
    assert (new.kind, new.state, new.corpus) == ("training", "waiting", training.run.corpus)
    assert new.settings == {"minutes": 5.0, "epochs": 12, "seconds_before": 20.0}


@pytest.mark.parametrize("bound", [{}, {"minutes": "0"}, {"epochs": "0"}, {"minutes": "soon"}])
def test_going_on_for_no_time_is_refused(client_of, ada, training, bound):
    training.cancel()

    response = client_of(ada).post(f"/runs/{training.run_id}/resume/", bound)

    assert (response.status_code, Job.objects.count()) == (422, 1)


def test_a_double_click_resumes_once(client_of, ada, training):
    training.cancel()
    client = client_of(ada)

    client.post(f"/runs/{training.run_id}/resume/", {"minutes": "5"})
    again = client.post(f"/runs/{training.run_id}/resume/", {"minutes": "5"}, follow=True)

    assert [str(message) for message in again.context["messages"]] == ["It is underway already."]
    assert Job.objects.filter(state="waiting").count() == 1


def test_a_run_whose_worker_died_is_put_back_from_its_page(client_of, ada, training):
    Job.objects.filter(pk=training.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    client = client_of(ada)

    page = client.get(f"/runs/{training.run_id}/").content.decode()
    client.post(f"/runs/{training.run_id}/resume/")

    training.refresh_from_db()
    assert "Its worker has not been heard of for a while" in page
    assert (training.state, training.worker, Job.objects.count()) == ("waiting", "", 1)


def test_an_uploaded_checkpoint_shows_what_a_run_here_shows(client_of, ada, checkpoint, corpus):
    Corpus.objects.filter(pk=corpus.pk).update(checksum="c0ffee")

    page = client_of(ada).get(f"/checkpoints/{checkpoint.pk}/")

    html = page.content.decode()
    assert page.context["verdict"].startswith("The best test loss, 4.4000 in epoch 2, is below knowing nothing")
    assert dict(page.context["corpus_facts"]) == {
        "Corpus": "Ten pieces",
        "Pieces": "10",
        "Steps a beat": "24",
        "Checksum": "c0ffee",
    }
    assert f'href="/corpora/{corpus.pk}/"' in html
    assert ("Layers of Baseline RNN" in html, "10 × 4</text>" in html) == (True, True)  # noqa: RUF001


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_networks_picture_names_every_layer_and_its_size(family):
    picture = network_picture(family, {})

    for layer in layers(family):
        assert f">{layer.title}<" in picture
        assert " \N{MULTIPLICATION SIGN} ".join(f"{number:,}" for number in layer.size) in picture
    assert "style=" not in picture


def test_a_network_of_no_family_has_no_picture_and_a_setting_of_another_version_is_passed_over():
    assert network_picture("transformer", {}) == ""
    assert network_picture("rnn", {"units": 64, "once_known": 3}) == network_picture("rnn", {"units": 64})
    assert network_picture("rnn", "no table") == network_picture("rnn", {})
