"""Every page: which methods it answers (test_matrix.py asks whom), and that a list costs the same whether it has one row or three."""

import pytest
from django.core.files import File
from django.urls import reverse

from generation.models import Checkpoint, Clip, Corpus, Job, TrainingRun
from music import lpd, pianoroll
from music.pictures import DARK_TRACK_COLOURS

pytestmark = pytest.mark.django_db

LISTS = ["checkpoints", "jobs", "clips", "runs", "corpora"]
FORMS = ["new_checkpoint", "new_run"]
ANSWERS = ["expected"]
# The page of one thing, the kind of thing, and the methods that it answers.
ONE = [
    ("checkpoint", "checkpoint", {"GET", "POST"}),
    ("checkpoint_loss", "checkpoint", {"GET"}),
    ("job", "job", {"GET"}),
    ("job_progress", "job", {"GET"}),
    ("job_clips", "job", {"GET"}),
    ("cancel_job", "job", {"POST"}),
    ("clip", "clip", {"GET"}),
    ("clip_sound", "clip", {"GET"}),
    ("clip_roll", "clip", {"GET"}),
    ("run", "run", {"GET"}),
    ("run_progress", "run", {"GET"}),
    ("run_loss", "run", {"GET"}),
    ("run_epochs", "run", {"GET"}),
    ("resume_run", "run", {"POST"}),
    ("sample_run", "run", {"POST"}),
    ("sample", "sample", {"GET"}),
    ("corpus", "corpus", {"GET"}),
    ("references", "corpus", {"POST"}),
]
METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH"}


@pytest.fixture
def things(ada, checkpoint, job, corpus, make_clip):
    """One of each kind, Ada's."""
    run = Job.objects.ask_for_training(ada, "rnn", corpus, minutes=1).run
    run.history = [{"epoch": 1, "train_loss": 2.0, "test_loss": 2.5, "seconds": 3.0}]
    run.baselines = {"marginal": 2.4, "hold": 1.9}
    run.save()
    return {
        "checkpoint": checkpoint,
        "job": job,
        "corpus": corpus,
        "run": run,
        "sample": Job.objects.ask_for_sample(ada, run, seconds=5, seed=1),
        "clip": make_clip(ada, seconds=1, roll=checkpoint.file.name),  # any stored file
    }


def status(client, method, page):
    response = client.generic(method, page)
    response.getvalue()  # a sound is read to its end, which closes its file
    return response.status_code


def address(name, things, kind):
    return reverse(f"generation:{name}", args=[things[kind].pk])


@pytest.mark.parametrize(("name", "kind", "methods"), ONE)
def test_a_things_page_answers_no_other_method(client_of, ada, things, name, kind, methods):
    page = address(name, things, kind)

    for method in METHODS - methods:
        assert status(client_of(ada), method, page) == 405


@pytest.mark.parametrize("name", LISTS + ANSWERS)
def test_a_list_answers_no_other_method(client_of, ada, name):
    for method in METHODS - {"GET"}:
        assert status(client_of(ada), method, reverse(f"generation:{name}")) == 405


@pytest.mark.parametrize("name", FORMS)
def test_a_forms_page_answers_no_other_method(client_of, ada, name):
    for method in METHODS - {"GET", "POST"}:
        assert status(client_of(ada), method, reverse(f"generation:{name}")) == 405


@pytest.mark.parametrize(
    ("name", "next_step"),
    [
        ("checkpoints", "/runs/new/"),
        ("jobs", "/checkpoints/"),
        ("clips", "/checkpoints/"),
        ("runs", "/runs/new/"),
        ("corpora", "python manage.py corpus"),
        ("new_run", "python manage.py corpus"),
    ],
)
def test_an_empty_page_says_what_to_do_next(client_of, ada, name, next_step):
    html = client_of(ada).get(reverse(f"generation:{name}")).content.decode()

    [empty] = [part.split("</div>")[0] for part in html.split('<div class="empty">')[1:]]
    assert next_step in empty


@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_its_own_researchers_rows_alone(client_of, ada, ben, things, name):
    kind = {"corpora": "corpus"}.get(name, name.removesuffix("s"))
    link = f'href="{address(kind, things, kind)}"'

    assert link in client_of(ada).get(reverse(f"generation:{name}")).content.decode()
    assert link not in client_of(ben).get(reverse(f"generation:{name}")).content.decode()


def more(ada, name, things):
    """Make two more rows of what this list shows."""
    for number in range(2):
        if name == "clips":
            Clip.objects.create(owner=ada, title=f"Clip {number}", source="reference", seconds=1, loudness_lufs=-23)
        elif name == "checkpoints":
            Checkpoint.objects.create(owner=ada, name=f"CNN {number}", family="cnn", card={}, file="none")
        elif name == "corpora":
            Corpus.objects.create(owner=ada, name=f"Corpus {number}", card=things["corpus"].card)
        else:
            Job.objects.ask_for_training(ada, "cnn", things["corpus"], minutes=1)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_queries_with_one_row_as_with_three(
    client_of, ada, things, name, django_assert_num_queries
):
    client = client_of(ada)
    n_queries = {"checkpoints": 5, "jobs": 4, "clips": 5, "runs": 6, "corpora": 4}[name]
    Job.objects.exclude(kind="training").delete()  # one job is left, the training

    with django_assert_num_queries(n_queries):
        client.get(reverse(f"generation:{name}"))
    more(ada, name, things)
    with django_assert_num_queries(n_queries):
        client.get(reverse(f"generation:{name}"))


def test_a_long_list_comes_in_pages(client_of, ada):
    for number in range(51):
        TrainingRun.objects.create(owner=ada, family=f"family{number:02d}")
    client = client_of(ada)

    first = client.get("/runs/").content.decode()
    second = client.get("/runs/?page=2").content.decode()

    assert ("family50" in first, "family00" in first, "Page 1 of 2" in first) == (True, False, True)
    assert ("family50" in second, "family00" in second, "Page 2 of 2" in second) == (False, True, True)


def test_a_clips_roll_is_a_picture_for_its_owner_alone(client_of, ada, ben, make_clip, tmp_path):
    notes = [(0, 12, 1, 60, 90), (24, 36, 3, 36, 90)]
    lpd.write(tmp_path / "roll.npz", pianoroll.roll_of(notes, 480))
    clip = make_clip(ada, seconds=1)
    with (tmp_path / "roll.npz").open("rb") as file:
        clip.roll.save("roll.npz", File(file))
    picture = f"/clips/{clip.pk}/roll.svg"

    response = client_of(ada).get(picture)

    assert response.headers["Content-Type"] == "image/svg+xml"
    assert response.content.decode().startswith("<svg")
    assert "private" in response.headers["Cache-Control"]
    assert DARK_TRACK_COLOURS[0] in client_of(ada).get(f"{picture}?theme=dark").content.decode()
    assert client_of(ben).get(picture).status_code == 404
    assert client_of(ada).post(picture).status_code == 405
    assert client_of(ada).get(f"/clips/{make_clip(ada, seconds=1).pk}/roll.svg").status_code == 404
