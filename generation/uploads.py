"""Files that researchers bring. Each is checked in a child before it leaves a trace."""

from django.core.exceptions import ValidationError
from django.db import transaction

from generation import child
from generation.models import Checkpoint
from generation.storing import passing_folder, sha256, stored

MOST_BYTES = 256 * 1024 * 1024
LONGEST_CHECK_SECONDS = 60


def accept_checkpoint(owner, file, name):
    """Check an uploaded checkpoint and keep it. `file`: a Django File; `name`: what the researcher calls it.

    Raises ValidationError with one sentence that names the file and what is wrong with it; then nothing is kept.
    """
    shown = shown_name(file.name)
    if file.size > MOST_BYTES:
        raise ValidationError(f"{shown} has {file.size / 1e6:.0f} MB; the most is {MOST_BYTES / 1e6:.0f} MB.")
    with passing_folder() as folder:
        path = folder / "checkpoint.keras"
        with open(path, "wb") as copy:
            copy.writelines(file.chunks())
        try:
            card = checked_card(path, folder)
        except child.ChildFailed as failure:
            raise ValidationError(f"{shown}: {failure}") from failure
        with transaction.atomic():
            return store(owner, path, name, card)


def checked_card(path, folder):
    """Return the card of a checkpoint file. Raises ChildFailed, one sentence, if it is not one of ours or is damaged."""
    card = None
    for event in child.events("generation.checking", path, folder=folder, longest_seconds=LONGEST_CHECK_SECONDS):
        if event is not None:
            card = event.get("card")
    if not isinstance(card, dict):
        raise child.ChildFailed("It could not be read.")
    return card


def store(owner, path, name, card, run=None):
    """Keep a checked checkpoint: the file by renaming it, and its row."""
    checkpoint = Checkpoint(owner=owner, name=name, family=card["family"], card=card, sha256=sha256(path), run=run)
    with stored(file=(checkpoint.file, path)), transaction.atomic():
        checkpoint.save(force_insert=True)
    return checkpoint


def shown_name(name):
    """Return a file's name for a sentence: what cannot be printed is left out, and it is short."""
    return "".join(letter for letter in str(name) if letter.isprintable())[:80] or "The file"
