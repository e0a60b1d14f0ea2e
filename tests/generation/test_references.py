"""Held-out pieces of a corpus become clips of real music."""

import shutil

import pytest

from generation import corpora, work
from generation.models import Corpus, Job
from music import lpd, pianoroll
from training.corpus import CorpusError, open_corpus

pytestmark = pytest.mark.django_db


def test_a_corpus_is_registered_with_its_card(corpus, packed_folder, ada):
    assert (corpus.owner, corpus.name, corpus.path) == (ada, "Ten pieces", packed_folder)
    assert corpus.card == open_corpus(packed_folder).card
    assert corpus.checksum == corpus.card["checksum"]


def test_a_folder_that_is_no_corpus_is_not_registered(ada, tmp_path):
    with pytest.raises(CorpusError):
        corpora.register(ada, "Nothing", tmp_path)

    assert not Corpus.objects.exists()


def test_a_corpus_outside_the_corpora_folder_is_not_registered(ada, packed_folder, tmp_path):
    elsewhere = shutil.copytree(packed_folder, tmp_path / "elsewhere")

    with pytest.raises(ValueError, match="elsewhere"):
        corpora.register(ada, "Elsewhere", elsewhere)

    assert not Corpus.objects.exists()


def test_chosen_pieces_become_clips_of_their_opening(ada, corpus, playable):
    job = Job.objects.ask_for_references(ada, corpus, playable[:2], 10)

    work.run(job.pk)

    job.refresh_from_db()
    pieces = open_corpus(corpus.path)
    assert (job.state, job.n_done, job.message) == ("done", 2, "")
    for clip, index in zip(job.clips.order_by("index"), playable, strict=False):
        assert (clip.source, clip.title, clip.corpus) == ("reference", pieces.pieces[index].title, corpus)
        assert clip.seconds == pytest.approx(10, abs=0.03)
        with clip.roll.open("rb") as file:
            roll = lpd.read(file)
        assert roll.notes.tolist() == pianoroll.opening(pieces.roll(index), 10).notes.tolist()
        assert clip.provenance["piece"]["md5"] == pieces.pieces[index].md5
        assert clip.provenance["corpus"]["checksum"] == corpus.checksum


def test_a_piece_without_an_opening_costs_only_itself(ada, corpus, playable, unplayable):
    job = Job.objects.ask_for_references(ada, corpus, [unplayable, playable[0]], 10)

    work.run(job.pk)

    job.refresh_from_db()
    title = open_corpus(corpus.path).pieces[unplayable].title
    assert (job.state, [clip.index for clip in job.clips.all()]) == ("failed", [1])
    assert job.message == (
        f"1 of 2 clips could not be made. “{title}”: There is no bar in which drums, bass and another track play."
    )


def test_a_corpus_that_is_gone_from_the_disk_fails_the_job_in_one_sentence(ada, corpus, playable):
    corpus.folder = "gone"
    corpus.save()
    job = Job.objects.ask_for_references(ada, corpus, playable[:1], 10)

    work.run(job.pk)

    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "The corpus “Ten pieces” is not on this disk.")
