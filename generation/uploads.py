"""Checkpoints that researchers bring. A child reads each before it leaves a trace, and what is kept was written here."""

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Change
from generation import answers, quota
from generation.child import ChildFailed
from generation.facts import of_card
from generation.kinds import SAVE_WEIGHTS, kind_of, suffix_of
from generation.models import Checkpoint
from generation.storing import passing_folder, sha256, stored
from music.refusal import Refusal, shown_name
from training import checkpoint as checkpoint_file

MOST_BYTES = 300 * 2**20
WRITTEN = "checkpoint.keras"


def accept_checkpoint(owner, file, name, card=None):
    """Check an uploaded checkpoint and keep it.

    file: a Django File; card: the one that comes beside weights alone; name: what the researcher calls the checkpoint

    Raises ValidationError with one sentence that names the file and what is wrong with it; then nothing is kept.
    """
    try:
        with passing_folder() as folder:
            known = written_checkpoint(file, folder, card)
            return store(owner, folder / WRITTEN, name, known)
    except Refusal as refusal:
        raise ValidationError(f"{shown_name(file.name)}: {refusal}", code=refusal.problem) from refusal


def written_checkpoint(file, folder, card=None):
    """Check an uploaded checkpoint, and write one of our own (WRITTEN) from its card and its arrays. Returns the card.

    Outside any transaction, which would keep everybody else from writing for as long. Raises Refusal.
    """
    if kind_of(file.name) != "checkpoint":
        raise Refusal(f"It is no checkpoint; {SAVE_WEIGHTS}, and bring its card.", "file.type")
    path = received(file, folder / f"upload{suffix_of(file.name)}")
    card_path = received(card, folder / "card.json") if card else None
    known, weights = answers.checkpoint(path, card_path, folder)
    known["uploaded"] = {"name": shown_name(file.name), "sha256": sha256(path)}
    try:
        checkpoint_file.write(folder / WRITTEN, known, weights)
    except (ValueError, TypeError) as problem:
        raise Refusal(answers.UNBELIEVED, "file.limits") from problem
    return known


def received(file, path):
    """Copy an upload to a path of ours. Raises Refusal if it is empty, too large or not there any more."""
    if not file.size:
        raise Refusal("The file is empty.", "file.empty")
    if file.size > MOST_BYTES:
        raise Refusal(f"It has {file.size / 1e6:.0f} MB; the most is {MOST_BYTES / 1e6:.0f} MB.", "file.size")
    try:
        content = file.open("rb")
    except FileNotFoundError:
        raise Refusal("It is gone from the storage; bring it again.", "file.gone") from None
    with content, open(path, "wb") as copy:
        copy.writelines(content.chunks())
    return path


def checked_card(path, folder):
    """Return the card of a checkpoint that was trained here. Raises ChildFailed, one sentence, if it is damaged."""
    try:
        return answers.checkpoint(path, None, folder)[0]
    except Refusal as refusal:
        raise ChildFailed(str(refusal), refusal.problem) from refusal


def store(owner, path, name, card, run=None):
    """Keep a checked checkpoint: the file by renaming it, and its row. What a run learnt is kept whatever room there is."""
    n_bytes = path.stat().st_size
    checkpoint = Checkpoint(owner=owner, name=name, family=card["family"], card=card, sha256=sha256(path), run=run)
    with stored(file=(checkpoint.file, path)), transaction.atomic():
        if run is None:
            quota.require_room(owner, n_bytes)
        checkpoint.save(force_insert=True)
        Change.objects.note(owner, "trained it" if run else "brought it", checkpoint)
    return checkpoint


def understood(checkpoint):
    """What an uploaded checkpoint was taken for: [label, text] pairs."""
    return [list(fact) for fact in of_card(checkpoint.card)]


class Named:
    """An upload's bytes as a file of the name it came with."""

    def __init__(self, upload):
        self.name, self.size, self.open = upload.name, upload.n_bytes, upload.file.open
