"""A corpus: pieces made ready for training, packed in a folder that is mapped into memory, never loaded.

    card.json    what it is: counts, what was left out and why, statistics, checksum
    pieces.json  one entry a piece: md5, title, length, split, tracks
    notes.npy    the notes of all pieces one after the other, each piece's sorted by onset (pianoroll.NOTE)
    beats.npy    int32 (beat, 2), for each beat of each piece, and its end: the first of its notes that sounds at or
                 after the beat, and how many of its notes begin before the beat
    tempo.npy    float64 (beat,), the tempo of each beat of each piece

Conventions: steps and notes count from the start of a piece; pieces are split by the md5 of their MIDI file, since one
MIDI file stands in LPD under up to 46 names.
"""

import hashlib
import json
import math
import os
import re
import shutil
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from music import pianoroll
from music.pianoroll import N_TRACKS, TRACKS
from training import duplicates
from training.families import STEPS_PER_BEAT
from training.importing import Journal

SUFFIXES = {".npz", ".mid", ".midi"}
MIN_PIECES = 2  # one to train on and one to test on
TEST_SHARE = 1 / 8
MIN_TEST_PIECES = 3  # as many as a study's references, where there are ten pieces or more
MIN_TEST_SHARE = 1 / 10  # chance gave 3 of Freedoom's 54 pieces: too few for a loss to mean much
READ_BYTES = 1 << 20  # the notes of all of LPD-5 take a few hundred megabytes
USUAL_VELOCITY = 80.0  # of a track that no piece has


class CorpusError(ValueError):
    """The folder holds nothing to train on, or no corpus; one sentence."""


@dataclass(frozen=True)
class Piece:
    """One piece of a corpus; first_note and first_beat say where it lies in the packed arrays."""

    md5: str
    title: str
    file: str
    split: str
    tracks: list
    n_steps: int
    n_notes: int
    seconds: float
    first_note: int
    first_beat: int


class Corpus:
    """A corpus on disk. `card` is its card, `pieces` the list of its Pieces; nothing else is held in memory."""

    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            self.card = json.loads((self.folder / "card.json").read_text())
            self.pieces = [Piece(**entry) for entry in json.loads((self.folder / "pieces.json").read_text())]
            self.notes = self._mapped("notes.npy")
            self.beats = self._mapped("beats.npy")
            self.tempo = self._mapped("tempo.npy")
            self.steps_per_beat = int(self.card["steps_per_beat"])
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise CorpusError(f"{self.folder} is not a corpus, or one that is not whole: {problem}") from problem
        if len(self.notes) != sum(piece.n_notes for piece in self.pieces):
            raise CorpusError(f"{self.folder} is not whole: its notes are not those of its pieces.")

    def _mapped(self, name):
        return np.asarray(np.load(self.folder / name, mmap_mode="r", allow_pickle=False))

    @cached_property
    def n_steps(self):
        """int64 (piece,): lengths in steps."""
        return np.array([piece.n_steps for piece in self.pieces], np.int64)

    @cached_property
    def first_note(self):
        return np.array([piece.first_note for piece in self.pieces], np.int64)

    @cached_property
    def first_beat(self):
        return np.array([piece.first_beat for piece in self.pieces], np.int64)

    @cached_property
    def first_onset(self):
        """int64 (piece,): the step at which the first note of each piece begins."""
        return self.notes["onset"][self.first_note].astype(np.int64)

    def notes_between(self, piece, start, stop):
        """Return (first, stop), int64 arrays: a range in `notes` that holds all which sound from step start to step stop.

        It is found by beats, so it holds a few that do not as well.
        """
        n_beats = -(-self.n_steps[piece] // self.steps_per_beat)
        start_beat = np.clip(start // self.steps_per_beat, 0, n_beats)
        stop_beat = np.clip(-(-stop // self.steps_per_beat), 0, n_beats)
        first = self.beats[self.first_beat[piece] + start_beat, 0].astype(np.int64)
        last = self.beats[self.first_beat[piece] + stop_beat, 1].astype(np.int64)
        return self.first_note[piece] + first, self.first_note[piece] + np.maximum(first, last)

    def roll(self, i):
        """Return piece i as a Roll."""
        piece = self.pieces[i]
        n_beats = -(-piece.n_steps // self.steps_per_beat)
        notes = self.notes[piece.first_note : piece.first_note + piece.n_notes]
        # A piece has one more row in beats than it has beats, so the tempo is padded likewise.
        tempo = self.tempo[piece.first_beat : piece.first_beat + n_beats]
        return pianoroll.roll_of(notes, piece.n_steps, self.steps_per_beat, tempo)

    def of_split(self, split):
        """Return the indices of the pieces of this split, "train" or "test"."""
        return [i for i, piece in enumerate(self.pieces) if piece.split == split]

    def held_out(self):
        """Return the indices of the pieces that no network trains on."""
        return self.of_split("test")


def open_corpus(folder):
    """Return the Corpus in this folder.

    Raises CorpusError if there is none, or one that is not whole.
    """
    return Corpus(folder)


def build(
    source, out_dir, steps_per_beat=pianoroll.LPD_STEPS_PER_BEAT, limit=None, report=None, name=None, genre_list=None
):
    """Build a corpus of the LPD and MIDI files below a folder, whatever the folders between are called.

    source: folder with .npz (LPD-5 or unmerged LPD), .mid and .midi files
    out_dir: folder to write; a corpus that is there already is replaced, once the new one is whole
    steps_per_beat: 24, 12 or 4
    limit: how many pieces to keep at most, or None; which ones depends on their names only
    report: called with (files done, files in all, seconds left)
    genre_list: file of ids, as LPD's label lists have them; only files named after one, or in a folder that is, count
    returns: Corpus

    What was imported is kept beside out_dir until the corpus is whole: interrupted, the next build goes on from there.

    Raises CorpusError if there is nothing to build it of, or out_dir holds something else.
    """
    source, out_dir = Path(source), Path(out_dir)
    if steps_per_beat not in STEPS_PER_BEAT:
        raise CorpusError(f"A corpus has 24, 12 or 4 steps to a beat, not {steps_per_beat}.")
    if limit is not None and limit < MIN_PIECES:
        raise CorpusError(f"A corpus needs {MIN_PIECES} pieces or more, not {limit}: one to train on, one to test on.")
    if out_dir.exists() and not (out_dir / "card.json").is_file() and any(out_dir.iterdir()):
        raise CorpusError(f"{out_dir} holds something that is not a corpus; choose another folder.")
    files = music_files(source)
    listed = None if genre_list is None else Listed.read(genre_list)
    if listed is not None:
        listed, files = listed.chosen(files)
    if limit is not None:
        files.sort(key=lambda file: hashlib.md5(file.encode()).digest())
    building = out_dir.with_name(f".{out_dir.name}.building")
    building.mkdir(parents=True, exist_ok=True)
    try:
        with Journal(building / "imported", source, steps_per_beat) as journal:
            _write(building, name or source.resolve().name, source, files, journal, limit, report, listed)
        (building / "imported").unlink()
        _put_in_place(building, out_dir)
    except CorpusError:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return Corpus(out_dir)


@dataclass(frozen=True)
class Listed:
    """A list of ids, and how many files are not on it."""

    file: str
    sha256: str
    ids: frozenset
    n_files_not_on_it: int = 0

    @classmethod
    def read(cls, path):
        """Return the list in this file: MIDI md5s and Million Song ids, in any columns.

        Raises CorpusError if there is none in it.
        """
        content = Path(path).read_bytes()
        words = content.decode(errors="replace").split()
        ids = frozenset(word.lower() for word in words if re.fullmatch("(?i)[0-9a-f]{32}|TR[A-Z0-9]{16}", word))
        if not ids:
            raise CorpusError(f"{path} holds no MIDI md5 and no Million Song id.")
        return cls(Path(path).name, hashlib.sha256(content).hexdigest(), ids)

    def chosen(self, files):
        """Return (this list with its count, the files that are on it).

        Raises CorpusError if none is.
        """
        chosen = [file for file in files if self.ids & {part.lower() for part in Path(file).with_suffix("").parts}]
        if not chosen:
            raise CorpusError(f"None of the {len(files)} files is named after an id in {self.file}, or its folder is.")
        return replace(self, n_files_not_on_it=len(files) - len(chosen)), chosen

    def card(self):
        return {"file": self.file, "sha256": self.sha256, "ids": len(self.ids), "not_on_it": self.n_files_not_on_it}


def music_files(source):
    """Return the paths, relative to the folder and sorted, of all files in it that may be music.

    Raises CorpusError if there is no such folder or no such file.
    """
    if not source.is_dir():
        raise CorpusError(f"{source} is not a folder.")
    files = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise CorpusError(f"{source} holds no .npz, .mid or .midi file.")
    return files


def state_of(source, files):
    """Return a hash of the files' names, sizes and times: another one where some were added, taken away or written anew."""
    digest = hashlib.sha256()
    for file in files:
        found = (Path(source) / file).stat()
        digest.update(f"{_readable(file)}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _put_in_place(building, out_dir):
    if not out_dir.exists():
        building.rename(out_dir)
        return
    old = out_dir.with_name(f".{out_dir.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    out_dir.rename(old)
    building.rename(out_dir)
    shutil.rmtree(old)


def _write(folder, name, source, files, journal, limit, report, listed):
    steps_per_beat = journal.steps_per_beat
    kept, left_out = _collected(source, files, journal, limit, report)
    if len(kept) < MIN_PIECES:
        raise CorpusError(_too_few(source, kept, left_out))
    test = held_out_pieces([piece.md5 for piece in kept])
    pieces = _pack(folder, kept, test)
    _write_json(folder / "pieces.json", [asdict(piece) for piece in pieces])
    n_test = sum(piece.split == "test" for piece in pieces)
    card = {
        "name": name,
        "source": str(source),
        "source_files": state_of(source, files),
        "steps_per_beat": steps_per_beat,
        "n_pieces": len(pieces),
        "n_beats": sum(-(-piece.n_steps // steps_per_beat) for piece in pieces),
        "n_notes": sum(piece.n_notes for piece in pieces),
        "seconds": sum(piece.seconds for piece in pieces),
        "counts": {"files": len(kept) + len(left_out), "kept": len(kept), "left_out": len(left_out)},
        "split": {"train": len(pieces) - n_test, "test": n_test},
        "left_out": left_out,
        "statistics": statistics(folder, [-(-piece.n_steps // steps_per_beat) for piece in pieces], steps_per_beat),
        "near_duplicates": duplicates.across_splits(
            pieces, np.load(folder / "notes.npy", mmap_mode="r"), steps_per_beat
        ),
        "list": listed and listed.card(),
        "checksum": checksum(folder),
    }
    _write_json(folder / "card.json", card)


def _too_few(source, kept, left_out):
    reasons = Counter(entry["reason"].split(":")[0] for entry in left_out)
    why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
    found = "nothing that can be used" if not kept else "only one piece that can be used"
    return f"{source} holds {found}; left out were {len(left_out)} of its files: {why}."


def _collected(source, files, journal, limit, report):
    """Return the usable pieces (Imported), each md5 once, and what was left out: [{file, reason}]."""
    kept, left_out = {}, []
    started = time.monotonic()
    with closing(journal.imported(files)) as imports:
        for done, piece in enumerate(imports, 1):
            if piece.roll is None:
                left_out.append({"file": _readable(piece.file), "reason": piece.reason})
            elif piece.md5 in kept:
                left_out.append(
                    {"file": _readable(piece.file), "reason": f"same MIDI file as {_readable(kept[piece.md5].file)}"}
                )
            else:
                kept[piece.md5] = piece
            if report is not None:
                report(done, len(files), (time.monotonic() - started) / done * (len(files) - done))
            if len(kept) == limit:
                break
    return list(kept.values()), left_out


def held_out_pieces(md5s):
    """Return which of these pieces are held out: bool list, the same for the same md5s in any order.

    A piece is held out if its hash says so, whatever else there is; where too few are, those next in line join them.
    """
    chance = [int(hashlib.sha256(md5.encode()).hexdigest()[:12], 16) / 16**12 for md5 in md5s]
    in_line = sorted(range(len(md5s)), key=chance.__getitem__)
    fewest = max(MIN_TEST_PIECES, math.ceil(MIN_TEST_SHARE * len(md5s))) if len(md5s) >= 10 else 1
    n_test = max(fewest, sum(value < TEST_SHARE for value in chance))
    held_out = set(in_line[: min(n_test, len(md5s) // 2)])
    return [i in held_out for i in range(len(md5s))]


def _readable(name):
    """Return a file's name as text that can be stored: bytes that are no UTF-8 become replacement characters."""
    return os.fsencode(name).decode(errors="replace")


def _pack(folder, kept, test):
    """Write the packed arrays and return the Pieces."""
    pieces, first_note, first_beat = [], 0, 0
    for piece, is_test in zip(kept, test, strict=True):
        roll = piece.roll
        entry = Piece(
            md5=piece.md5,
            title=_readable(Path(piece.file).stem),
            file=_readable(piece.file),
            split="test" if is_test else "train",
            tracks=[TRACKS[track] for track in np.unique(roll.notes["track"])],
            n_steps=roll.n_steps,
            n_notes=len(roll.notes),
            seconds=roll.seconds,
            first_note=first_note,
            first_beat=first_beat,
        )
        pieces.append(entry)
        first_note += len(roll.notes)
        first_beat += roll.n_beats + 1
    rolls = [piece.roll for piece in kept]
    np.save(folder / "notes.npy", np.concatenate([roll.notes for roll in rolls]))
    np.save(folder / "beats.npy", np.concatenate([beat_index(roll) for roll in rolls]))
    padded = [np.append(roll.tempo_bpm, roll.tempo_bpm[-1]) for roll in rolls]
    np.save(folder / "tempo.npy", np.concatenate(padded))
    return pieces


def beat_index(roll):
    """Return int32 (beats + 1, 2): for each beat and the end, the first note that sounds there or later, and how many began before."""
    at = np.minimum(np.arange(roll.n_beats + 1) * roll.steps_per_beat, roll.n_steps)
    longest = np.maximum.accumulate(roll.notes["end"])
    first = np.searchsorted(longest, at, side="right")
    begun = np.searchsorted(roll.notes["onset"], at, side="left")
    return np.stack([first, begun], axis=1).astype(np.int32)


def statistics(folder, n_beats, steps_per_beat):
    """Return what sampling needs to know of the corpus: a tempo, and of each track its velocity and density.

    density: mean number of cells that sound at a step, a track
    velocity: median, a track
    """
    notes = np.load(folder / "notes.npy", mmap_mode="r")
    tempo = np.load(folder / "tempo.npy", mmap_mode="r")
    lengths = (notes["end"] - notes["onset"]).astype(float)
    cells = np.bincount(notes["track"], lengths, minlength=N_TRACKS)
    velocities = [notes["velocity"][notes["track"] == track] for track in range(N_TRACKS)]
    return {
        "tempo_bpm": float(np.median(tempo)),
        "density": [float(count / (sum(n_beats) * steps_per_beat)) for count in cells],
        "velocity": [float(np.median(values)) if len(values) else USUAL_VELOCITY for values in velocities],
    }


def checksum(folder):
    """Return the SHA-256 of all that a corpus holds, as its card has it."""
    digest = hashlib.sha256()
    for name in ("pieces.json", "notes.npy", "beats.npy", "tempo.npy"):
        with (Path(folder) / name).open("rb") as file:
            while part := file.read(READ_BYTES):
                digest.update(part)
    return digest.hexdigest()


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
