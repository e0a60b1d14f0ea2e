"""Corpora on disk and their rows; which of their pieces can be played as references."""

import hashlib
import secrets
from pathlib import Path

from django.conf import settings
from django.utils.text import slugify

from accounts.models import Change
from generation.models import Corpus
from music import pianoroll
from training import corpus as packed
from training.corpus import CorpusError

DEFAULT_SECONDS = 30.0


def build(owner, name, source, steps_per_beat=pianoroll.LPD_STEPS_PER_BEAT, limit=None, report=None, genre_list=None):
    """Make a corpus of a folder of music files, on disk and as a row.

    report: called with (files done, files in all, seconds left) as the files are read
    genre_list: file of ids, as LPD's label lists have them; only those pieces are taken

    Raises CorpusError if nothing in the folder can be used; then nothing is kept.
    """
    # The same name leads to the same folder, where a build that was interrupted is taken up.
    number = hashlib.sha256(f"{owner.pk} {name}".encode()).hexdigest()[:8]
    folder = Path(settings.CORPUS_DIR) / f"{slugify(name) or 'corpus'}-{number}"
    if folder.exists():  # of a corpus that had this name before
        folder = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    packed.build(source, folder, steps_per_beat, limit, report, name, genre_list)
    return register(owner, name, folder)


def register(owner, name, folder):
    """Make the row of a corpus that `training.corpus` built in this folder below settings.CORPUS_DIR."""
    folder = Path(folder).resolve()
    card = packed.open_corpus(folder).card
    corpus = Corpus.objects.create(
        owner=owner,
        name=name,
        folder=str(folder.relative_to(Path(settings.CORPUS_DIR).resolve())),
        card=card,
        checksum=card["checksum"],
    )
    Change.objects.note(owner, "made it", corpus)
    return corpus


def why_not_whole(corpus):
    """Return in a sentence what became of a corpus on the disk, or None where it is what was stored."""
    try:
        packed.open_corpus(corpus.path)
        if packed.checksum(corpus.path) == corpus.checksum:
            return None
    except (CorpusError, OSError):
        return f"The corpus “{corpus}” ({corpus.folder}) is gone, or not whole."
    return f"The corpus “{corpus}” ({corpus.folder}) is not what was stored."


def is_up_to_date(corpus):
    """Whether the corpus is there and the files of its source are those that it was made of."""
    source = Path(corpus.card["source"])
    try:
        state = packed.state_of(source, packed.music_files(source))
    except (CorpusError, OSError):
        return False
    return corpus.path.is_dir() and state == corpus.card.get("source_files")


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
