"""A clip made again from what its provenance names, to see whether that is all there is to it. Nothing stored changes."""

from dataclasses import dataclass

from generation import playing, work
from generation.models import Checkpoint, Clip
from generation.storing import passing_folder, sha256
from generation.watching import Refused
from music import audio, loudness, lpd, pianoroll, render
from training.corpus import CorpusError, open_corpus


@dataclass(frozen=True)
class Remade:
    """How a clip that was made again compares with the stored one; `changes` says what was another version then."""

    is_roll_identical: bool
    is_sound_identical: bool
    changes: tuple[str, ...]

    @property
    def is_identical(self):
        return self.is_roll_identical and self.is_sound_identical


def remake(clip):
    """Make the clip again and compare. Raises Refused, one sentence, where that cannot be done."""
    made_of = {Clip.Source.REFERENCE: _reference, Clip.Source.GENERATED: _sampled, Clip.Source.UPLOADED: _brought}
    with passing_folder() as folder:
        sound = playing.played(made_of[clip.source](clip, folder), folder / "again.npz")
        audio.write_master(folder / "again.flac", loudness.level(sound))
        sums = clip.provenance.get("sha256", {})
        return Remade(
            sha256(folder / "again.npz") == sums.get("roll"),
            sha256(folder / "again.flac") == sums.get("master"),
            tuple(_changes(clip.provenance)),
        )


def _sampled(clip, folder):
    """Return the roll that its checkpoint and its seed give. Clip k is the same however many are asked for."""
    made, rolls = clip.provenance, folder / "rolls"
    try:
        wishes = {"n_clips": made["index"] + 1, "seed": made["seed"], **made["sampling"]}
        wishes["temperature"], wishes["seconds"]
    except (KeyError, TypeError):
        raise Refused("Its provenance does not say how it was sampled.") from None
    work.fetch(_checkpoint_of(clip), folder / "checkpoint.keras")
    for _ in work.sampling(folder / "checkpoint.keras", wishes, rolls, folder):
        pass
    return lpd.read(rolls / f"clip_{made['index']:03d}.npz")


def _checkpoint_of(clip):
    """Return its checkpoint by what its weights were; a sample's epoch may have been kept as one, or not."""
    wanted = clip.provenance.get("checkpoint", {}).get("sha256")
    found = Checkpoint.objects.filter(sha256=wanted).first() if wanted else None
    if found is None:
        raise Refused("The weights that it was sampled from were not kept.")
    return found


def _reference(clip, folder):
    """Return the opening of the piece that it was taken from."""
    if clip.corpus is None:
        raise Refused("Its corpus is not known here.")
    try:
        pieces = open_corpus(clip.corpus.path)
    except CorpusError:
        raise Refused(f"The corpus “{clip.corpus}” is not on this disk.") from None
    wanted = clip.provenance.get("piece", {}).get("md5")
    index = next((index for index, piece in enumerate(pieces.pieces) if piece.md5 == wanted), None)
    if index is None:
        raise Refused(f"Its piece is not in the corpus “{clip.corpus}” any more.")
    return pianoroll.opening(pieces.roll(index), clip.provenance["seconds"])


def _brought(clip, folder):
    """Return the roll that is kept of it: the file that it came in is not."""
    if not clip.roll:
        raise Refused("It was brought as sound: there is nothing that it could be made from again.")
    try:
        with clip.roll.open("rb") as file:
            return lpd.read(file)
    except FileNotFoundError:
        raise Refused("Its roll is gone from the storage.") from None


def _changes(made):
    """Yield what is another version, or another renderer, than when the clip was made."""
    now = {**render.RENDERER, **playing.versions()}
    then = {**made.get("renderer", {}), **made.get("versions", {})}
    for name in sorted(then):
        if then[name] != now.get(name):
            yield f"{name.replace('_', ' ')} was {then[name]}, is {now.get(name, 'absent')}"
