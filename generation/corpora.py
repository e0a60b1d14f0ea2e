"""Corpora on disk and their rows; which of their pieces can be played as references."""

from pathlib import Path

from django.conf import settings

from generation.models import Corpus
from music import pianoroll
from training import corpus as packed

DEFAULT_SECONDS = 30.0


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


def why_no_opening(pieces, index, seconds):
    """Return what keeps a piece of an opened corpus from being a reference of this length, or the empty string."""
    try:
        pianoroll.opening(pieces.roll(index), seconds)
    except ValueError as error:
        return str(error)
    return ""
