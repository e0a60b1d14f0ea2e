"""From a folder of files to clips by the commands: real training, real sampling, in a child as the worker does it."""

import io

import pytest
from django.core.management import CommandError, call_command

from generation.models import Checkpoint, Clip, Corpus, Job, TrainingRun

pytestmark = pytest.mark.django_db


def told(command, *arguments, **options):
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


def test_from_a_folder_of_files_to_clips(ada, source):
    assert told("corpus", str(source), name="Ten") == "Ten: 7 pieces to train on, 3 held out; files left out: 1.\n"
    trained = told("train", "rnn", corpus="Ten", minutes=0.2, seed=4)
    checkpoint = Checkpoint.objects.get()
    run = TrainingRun.objects.get()
    told("sample", checkpoint.name, clips=2, seconds=5.0, seed=7, top_p=0.9, settings_given=["min_note_beats=1"])
    told("sample", str(checkpoint.pk), clips=1, seconds=5.0, seed=7, top_p=0.9, settings_given=["min_note_beats=1"])

    assert trained.startswith(
        f"Baseline RNN on Ten: test loss {run.best_test_loss:.4f} after {len(run.history)} epochs."
    )
    assert (checkpoint.owner, checkpoint.family, checkpoint.run) == (ada, "rnn", run)
    assert set(run.baselines) == {"marginal", "hold"}
    assert [epoch["epoch"] for epoch in run.history] == list(range(1, len(run.history) + 1))
    assert checkpoint.card["corpus"]["checksum"] == Corpus.objects.get().checksum
    assert [job.state for job in Job.objects.all()] == ["done"] * 3
    first, second, again = Clip.objects.order_by("created_at")
    assert first.provenance["sha256"] == again.provenance["sha256"] != second.provenance["sha256"]
    drawn = first.provenance["sampling"]
    assert (drawn["top_p"], drawn["settings"]) == (0.9, {"min_note_beats": 1.0})
    assert first.provenance["checkpoint"]["sha256"] == checkpoint.sha256
    assert {"tensorflow-cpu", "keras", "midirenderer"} <= set(first.provenance["versions"])
    assert first.loudness_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("corpus", ["/nowhere", "--name", "Ten"], "/nowhere is not a folder."),
        ("train", ["rnn", "--corpus", "Ten", "--minutes", "1"], "There is no corpus named Ten."),
        ("sample", ["Tiny", "--clips", "1"], "There is no checkpoint named Tiny."),
        ("sample", ["Tiny", "--clips", "1", "--owner", "eve"], "There is no researcher named eve."),
    ],
)
def test_a_command_that_cannot_be_done_says_so_in_one_sentence(ada, command, arguments, sentence):
    with pytest.raises(CommandError) as refusal:
        call_command(command, *arguments)

    assert str(refusal.value) == sentence
    assert (Corpus.objects.count(), Job.objects.count()) == (0, 0)


def test_a_corpus_of_nothing_is_refused_and_leaves_nothing(ada, tmp_path):
    (tmp_path / "notes.npz").write_bytes(b"no music")

    with pytest.raises(CommandError, match="nothing that can be used"):
        call_command("corpus", str(tmp_path), name="Nothing")

    assert not Corpus.objects.exists()


def test_a_name_is_given_to_one_corpus_only(corpus, source):
    with pytest.raises(CommandError, match="There is a corpus named Ten pieces already"):
        call_command("corpus", str(source), name="Ten pieces")


def test_a_checkpoint_whose_name_two_share_is_asked_for_by_id(checkpoint, ada):
    Checkpoint.objects.create(owner=ada, name=checkpoint.name, family="rnn", card={}, file="none")

    with pytest.raises(CommandError, match="Several are named Tiny RNN; give the id of the one you mean"):
        call_command("sample", checkpoint.name, clips=1)


def test_a_wish_that_makes_no_sense_is_refused_by_its_name(checkpoint):
    with pytest.raises(CommandError, match=r"^Clips: Ensure this value is less than or equal to 50\.$"):
        call_command("sample", checkpoint.name, clips=99)

    assert not Job.objects.exists()


def test_with_two_researchers_a_command_asks_whose_it_is(ada, ben, source):
    with pytest.raises(CommandError, match="Say whose it is: --owner USERNAME"):
        call_command("corpus", str(source), name="Ten")


def test_the_sweep_puts_back_what_a_dead_worker_left(job):
    Job.objects.claim(job.pk, "dead").release()

    assert told("sweep") == "Put back into the queue: 1.\n"
