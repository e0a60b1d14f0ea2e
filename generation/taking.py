"""Files that came together, read one after the other: each becomes what it is, or is refused in one sentence.

A file that is refused costs none of the others, but for the clips of one archive, which come together or not at all.
"""

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from django.db import transaction

from generation import answers, described, faults, playing, uploads
from generation.kinds import CLIPS, kind_of, stem_of, suffix_of
from generation.leases import Stopped
from generation.models import Clip
from generation.storing import sha256
from music import audio, pianoroll
from music.refusal import Refusal

logger = logging.getLogger(__name__)

INTERNAL = "Something went wrong inside Earmark while it was read; the log says more."


def read_uploads(job, folder):
    """Read every upload of the job that is not read yet. Yields the job after each."""
    batch = Batch(job, folder)
    for kind in ("other", "table", "checkpoint", "card", "roll", "sound", "archive"):
        for upload in batch.of_kind(kind):
            job.keep(stage=f"reading {upload}"[:60])
            batch.read(upload, kind)
            job.keep(n_done=job.uploads.count() - job.uploads.unread().count())
            yield job


@dataclass(frozen=True, eq=False)
class Found:
    """One finished clip in a file, before it is a row: a roll, or samples at 48 kHz."""

    name: str
    sha256: str  # of the file's own bytes
    kind: str
    roll: pianoroll.Roll | None = None
    samples: object = None
    whole_seconds: float = 0.0
    said: described.Said = described.NOTHING

    @property
    def digest(self):
        """Of what is heard: two clips of one sound would tell a participant that they are the same."""
        if self.roll is None:
            return hashlib.sha256(self.samples.tobytes()).hexdigest()
        return hashlib.sha256(self.roll.notes.tobytes() + self.roll.tempo_bpm.tobytes()).hexdigest()


class Batch:
    """The uploads of one job, with what its tables and cards say of the other files."""

    def __init__(self, job, folder):
        self.job, self.folder = job, folder
        self.uploads = list(job.uploads.all())
        self.said = {}  # name of a file -> what a table says of it
        self.cards = {}  # primary key of a card's upload -> the checkpoint's upload it went with
        self.heard = {}  # digest of a clip -> the name of its file

    def of_kind(self, wanted):
        return [upload for upload in self.uploads if not upload.is_read and _kind(upload) == wanted]

    def read(self, upload, kind):
        """Take the upload for what it is, or refuse it; whatever goes wrong, the next one gets its turn."""
        try:
            getattr(self, f"_read_{kind}")(upload)
        except Refusal as refusal:
            upload.refuse(f"{upload.name}: {refusal}", refusal.problem)
        except Stopped:
            raise
        except Exception as failure:
            if faults.of_machine(failure):
                raise
            logger.exception("Upload %s could not be read", upload.pk)
            upload.refuse(f"{upload.name}: {INTERNAL}", "file.unreadable")

    def _read_other(self, upload):
        kind_of(upload.name)

    def _read_table(self, upload):
        path = uploads.received(uploads.Named(upload), self.folder / "table.csv")
        said = described.read(path, self.folder)
        others = {other.name for other in self.uploads if _kind(other) in ("roll", "sound")}
        described.check_names(said, others | self._names_in_archives())
        for name in said:
            if name in self.said:
                raise Refusal(f"Another table describes {name} already.", "csv.path")
        self.said |= said
        upload.take([["Table", f"{len(said)} clips"], ["Columns", ", ".join(described.columns(said))]])

    def _names_in_archives(self):
        """The clips in the archives that came along, by their whole names and without folders."""
        names = set()
        for archive in self.of_kind("archive"):
            try:
                path = uploads.received(uploads.Named(archive), self.folder / "archive.zip")
                names |= {name for name, _ in answers.archive(path, list(CLIPS), self.folder)}
            except Refusal:
                continue  # it says so itself when its turn comes
        return names | {PurePosixPath(name).name for name in names}

    def _read_checkpoint(self, upload):
        card = self._card_of(upload)
        name = PurePosixPath(upload.name).stem.removesuffix(".weights")[:200]
        known = uploads.written_checkpoint(uploads.Named(upload), self.folder, uploads.Named(card) if card else None)
        with transaction.atomic():
            checkpoint = uploads.store(self.job.owner, self.folder / uploads.WRITTEN, name, known)
            upload.take(uploads.understood(checkpoint), checkpoint)
        if card:
            self.cards[card.pk] = upload

    def _card_of(self, upload):
        stem = stem_of(upload.name)
        cards = [other for other in self.uploads if _kind(other) == "card" and not other.is_read]
        alike = [card for card in cards if stem_of(card.name) == stem]
        n_checkpoints = sum(_kind(other) == "checkpoint" for other in self.uploads)
        return next(iter(alike or (cards if len(cards) == n_checkpoints == 1 else [])), None)

    def _read_card(self, upload):
        goes_with = self.cards.get(upload.pk)
        if goes_with is None:
            raise Refusal("No checkpoint that was taken goes with this card; bring both, with one name.", "card.alone")
        upload.take([["Card of", goes_with.name]])

    def _read_roll(self, upload):
        self._take_clips(upload, [self._found(upload.name, uploads.Named(upload))])

    _read_sound = _read_roll

    def _read_archive(self, upload):
        path = uploads.received(uploads.Named(upload), self.folder / "archive.zip")
        members = answers.archive(path, list(CLIPS), self.folder)
        tables = [content for name, content in members if suffix_of(name) == ".csv"]
        clips = [(name, content) for name, content in members if suffix_of(name) != ".csv"]
        said = self.said | self._said_in_archive(tables, clips)
        found = []
        for name, content in clips:
            try:
                one = self._found(name, Content(name, content))
            except Refusal as refusal:
                raise Refusal(f"{name}: {refusal}", refusal.problem) from refusal
            found.append(replace(one, said=described.of(name, said)))
            self.job.keep()
        self._take_clips(upload, found)

    def _said_in_archive(self, tables, clips):
        if not tables:
            return {}
        path = self.folder / "table.csv"
        path.write_bytes(tables[0])
        said = described.read(path, self.folder)
        described.check_names(said, {name for name, _ in clips} | {PurePosixPath(name).name for name, _ in clips})
        return said

    def _found(self, name, file):
        """Return what a child finds in a file that claims to be a clip."""
        suffix = suffix_of(name)
        path = uploads.received(file, self.folder / f"clip{suffix}")
        about = {"name": name, "sha256": sha256(path), "said": described.of(name, self.said)}
        if kind_of(name) == "sound":
            samples, kind = answers.sound(path, self.folder)
            return Found(kind=kind.upper(), samples=samples, whole_seconds=len(samples) / audio.SAMPLE_RATE, **about)
        played = answers.roll(path, self.job.settings["seconds"], self.folder)
        kind = "LPD-5 roll" if suffix == ".npz" else "MIDI"
        return Found(kind=kind, roll=played.roll, whole_seconds=played.whole_seconds, **about)

    def _take_clips(self, upload, found):
        """Keep all that was found in one upload, or nothing of it."""
        self._refuse_twins(found)
        first = self.job.clips.count()
        prepared = [self._prepared(upload, index, one) for index, one in enumerate(found, start=first)]
        with playing.kept(prepared):
            upload.take(_understood(found, prepared))
            self.job.keep()
        self.heard |= {one.digest: one.name for one in found}

    def _refuse_twins(self, found):
        heard = dict(self.heard)
        for one in found:
            twin = heard.setdefault(one.digest, one.name)
            if twin != one.name or one.digest in self.heard:
                raise Refusal(f"{one.name} sounds exactly as {twin} does; bring it once.", "clip.duplicate_content")

    def _prepared(self, upload, index, one):
        about = {
            "title": one.said.title or one.said.label or PurePosixPath(one.name).stem[:200],
            "source": Clip.Source.UPLOADED,
            "upload": upload,
            "provenance": {
                "kind": "uploaded",
                "file": {"name": one.name, "kind": one.kind, "sha256": one.sha256, "seconds": one.whole_seconds},
                **one.said.provenance(),
            },
        }
        try:
            if one.roll is None:
                return playing.prepared_sound(self.job, index, one.samples, self.folder, **about)
            return playing.prepared_roll(self.job, index, one.roll, self.folder, **about)
        except ValueError as problem:
            raise Refusal(f"{str(problem).rstrip('.')}.", "audio.silent") from problem


def _kind(upload):
    try:
        return kind_of(upload.name)
    except Refusal:
        return "other"


class Content:
    """A member of an archive as a file."""

    def __init__(self, name, content):
        self.name, self.size, self.content = name, len(content), content

    def open(self, mode="rb"):
        return self

    def chunks(self):
        yield self.content

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        return None


def _understood(found, prepared):
    if len(found) == 1:
        return _understood_of_one(found[0], prepared[0].clip)
    kinds = ", ".join(f"{n} {kind}" for kind, n in Counter(one.kind for one in found).items())
    conditions = Counter(one.said.condition for one in found if one.said.condition)
    said = [["Conditions", ", ".join(f"{name} ({n})" for name, n in conditions.items())]] if conditions else []
    return [["Clips", f"{len(found)}: {kinds}"], *said]


def _understood_of_one(one, clip):
    facts = [["Kind", one.kind], ["Length", _length(one, clip)]]
    if one.roll is not None:
        tracks = [pianoroll.TRACKS[track] for track in sorted(set(one.roll.notes["track"].tolist()))]
        low, high = one.roll.tempo_bpm.min(), one.roll.tempo_bpm.max()
        tempo = f"{low:.0f}" if high - low < 1 else f"{low:.0f} to {high:.0f}"
        facts += [["Tracks", ", ".join(tracks)], ["Tempo", f"{tempo} bpm"], ["Notes", f"{len(one.roll.notes):,}"]]
    facts.append(["Level", f"{clip.provenance['loudness']['before_lufs']:.1f} LUFS"])
    return facts + ([["Condition", one.said.condition]] if one.said.condition else [])


def _length(one, clip):
    cut = f", cut from {one.whole_seconds:.1f} s" if one.whole_seconds > clip.seconds + 1 else ""
    return f"{clip.seconds:.1f} s{cut}"
