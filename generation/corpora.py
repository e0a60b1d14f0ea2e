"""Corpora on disk and their rows; which of their pieces can be played as references."""

import secrets
from pathlib import Path

from django.conf import settings
from django.utils.text import slugify

from generation.models import Corpus
from music import pianoroll
from training import corpus as packed
from training.corpus import CorpusError  # noqa: F401 (for the study's demo, which may not import training)

DEFAULT_SECONDS = 30.0


def build(owner, name, source, steps_per_beat=pianoroll.LPD_STEPS_PER_BEAT, limit=None, report=None):
    """Make a corpus of a folder of music files, on disk and as a row.

    report: called with (files done, files in all, seconds left) as the files are read

    Raises CorpusError if nothing in the folder can be used; then nothing is kept.
    """
    folder = Path(settings.CORPUS_DIR) / f"{slugify(name) or 'corpus'}-{secrets.token_hex(4)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    packed.build(source, folder, steps_per_beat, limit, report, name)
    return register(owner, name, folder)


def register(owner, name, folder):
    """Make the row of a corpus that `training.corpus` built in this folder below settings.CORPUS_DIR."""
    folder = Path(folder).resolve()
    card = packed.open_corpus(folder).card
    return Corpus.objects.create(
        owner=owner,
        name=name,
        folder=str(folder.relative_to(Path(settings.CORPUS_DIR).resolve())),
        card=card,
        checksum=card["checksum"],
    )


def held_out_with_opening(corpus, seconds):
    """Return which of the corpus' held-out pieces can be references of this length."""
    pieces = packed.open_corpus(corpus.path)
    return [index for index in pieces.held_out() if not why_no_opening(pieces, index, seconds)]


def why_no_opening(pieces, index, seconds):
    """Return what keeps a piece of an opened corpus from being a reference of this length, or the empty string."""
    try:
        pianoroll.opening(pieces.roll(index), seconds)
    except ValueError as error:
        return str(error)
    return ""
