"""What a clip is like among the training pieces of a corpus, by an index that is made once and kept in the corpus' folder.

    neighbours/index.json   version and checksum of the corpus
    neighbours/bars.npy     uint16 (bar, 28), similarity's fingerprints of all training pieces, one piece after the other
    neighbours/bar_at.npy   int32 (bar,), which bar of its piece each is
    neighbours/first.npy    int64 (piece + 1,), where the bars of each training piece begin
    neighbours/letters.npy  int32 (letter,), verbatim's texts of all melodies, a shard after the other
    neighbours/order.npy    int32 (letter,), the suffixes of each shard
    neighbours/onset.npy    int32 (letter,), the sixteenth of its piece on which the note before each letter begins
    neighbours/texts.npy    TEXT (text,), what each text is the melody of
    neighbours/shards.npy   int64 (shard + 1,), where the letters of each shard begin

All are mapped into memory, not loaded. Held-out pieces are not in it: nothing could be learnt from them by heart.
"""

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from music import similarity, verbatim
from music.spans import PITCHED, SIXTEENTHS

VERSION = 1
FOLDER = "neighbours"
SHARD_LETTERS = 4_000_000  # sorting so many takes 0.2 GB; 1,000 pieces of LPD-5 have 2.7 million
N_NEAREST = 5
TEXT = np.dtype([("first", "i8"), ("piece", "i4"), ("track", "u1")])  # first: index into all letters


@dataclass(frozen=True)
class Neighbour:
    """A training piece that a clip is like.

    piece: index into the corpus' pieces
    likeness: how much of the clip stands in it, 0 to 1
    bar: of the piece, from which on it lies best beside the clip
    """

    piece: int
    likeness: float
    bar: int


@dataclass(frozen=True)
class Source:
    """A run of a clip and where it stands: in this track of this piece of the corpus, from this beat on."""

    run: verbatim.Run
    piece: int
    track: int
    start: float


@dataclass(frozen=True, eq=False)
class Index:
    """The arrays that the module describes; `pieces` says which piece of the corpus each training piece is."""

    pieces: np.ndarray
    bars: np.ndarray
    bar_at: np.ndarray
    first: np.ndarray
    letters: np.ndarray
    order: np.ndarray
    onset: np.ndarray
    texts: np.ndarray
    shards: np.ndarray

    def nearest(self, roll, n=N_NEAREST):
        """Return the n Neighbours of a roll that it is most like; fewer if it has something in common with fewer."""
        bars, at = similarity.fingerprints(roll)
        found = similarity.likeness_to_each(bars, self.bars, self.first)
        best = np.argsort(-found, kind="stable")[:n]
        return [
            Neighbour(int(self.pieces[i]), float(found[i]), self._beside(bars, at, i)) for i in best if found[i] > 0
        ]

    def _beside(self, bars, at, i):
        here = slice(self.first[i], self.first[i + 1])
        alike = similarity.likeness(bars, self.bars[here])
        offset = self.bar_at[here] - at[:, None]  # (bar of the clip, bar of the piece)
        inside = offset >= 0
        return int(np.bincount(offset[inside], alike[inside], minlength=1).argmax())

    def sources(self, roll):
        """Return the Sources of the runs of a roll that stand in a training piece note by note, longest first."""
        found = []
        for start, stop in zip(self.shards, self.shards[1:], strict=False):
            shard = slice(start, stop)
            found += [self._source(run, start) for run in verbatim.runs(roll, self.letters[shard], self.order[shard])]
        return sorted(found, key=lambda source: (-source.run.beats, -source.run.n_notes))

    def _source(self, run, start):
        place = start + run.place
        text = self.texts[np.searchsorted(self.texts["first"], place, side="right") - 1]
        return Source(run, int(text["piece"]), int(text["track"]), float(self.onset[place] / SIXTEENTHS))


def index_of(corpus, report=None):
    """Return the Index of a corpus, made now (1,000 pieces take 15 s) unless it is there.

    report: called with (pieces done, pieces in all, seconds left)
    """
    folder = corpus.folder / FOLDER
    if not _is_of(folder, corpus):
        building = Path(tempfile.mkdtemp(prefix=f".{FOLDER}-", dir=corpus.folder))
        try:
            _build(building, corpus, report)
            _put_in_place(building, folder, corpus)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    names = [name for name in Index.__dataclass_fields__ if name != "pieces"]
    arrays = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)) for name in names}
    return Index(pieces=np.array(corpus.of_split("train")), **arrays)


def _is_of(folder, corpus):
    try:
        return json.loads((folder / "index.json").read_text()) == _about(corpus)
    except (OSError, ValueError):
        return False


def _about(corpus):
    return {"version": VERSION, "checksum": corpus.card["checksum"]}


def _put_in_place(building, folder, corpus):
    if folder.exists() and not _is_of(folder, corpus):
        shutil.rmtree(folder)
    try:
        building.rename(folder)
    except OSError:
        if not _is_of(folder, corpus):  # else another process was faster, and its index is as good
            raise


def _build(folder, corpus, report):
    pieces = corpus.of_split("train")
    fingerprints, melodies, texts = [], [], []
    started = time.monotonic()
    for done, piece in enumerate(pieces, 1):
        roll = corpus.roll(piece)
        fingerprints.append(similarity.fingerprints(roll))
        for track in PITCHED:
            melody = verbatim.melody(roll, track)
            if len(melody[0]) > verbatim.SHORTEST:
                melodies.append(melody)
                texts.append((0, piece, track))
        if report is not None:
            report(done, len(pieces), (time.monotonic() - started) / done * (len(pieces) - done))
    bars, first = similarity.together([bars for bars, _ in fingerprints])
    _save(folder, bars=bars, first=first, bar_at=np.concatenate([at for _, at in fingerprints]).astype(np.int32))
    _save(folder, **_library(melodies, np.array(texts, TEXT)))
    (folder / "index.json").write_text(json.dumps(_about(corpus)))


def _save(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def _library(melodies, texts):
    """Return the arrays of the melodies, shard by shard."""
    letters, order, shards = [], [], [0]
    ends = np.cumsum([len(at) for at, _ in melodies])
    texts["first"] = np.append(0, ends)[: len(texts)]
    for shard in np.split(np.arange(len(melodies)), _shard_starts(ends)):
        text, _ = verbatim.library([melodies[number] for number in shard])
        letters.append(text)
        order.append(verbatim.suffixes(text))
        shards.append(shards[-1] + len(text))
    onset = np.concatenate([np.zeros(0, np.int64), *(at for at, _ in melodies)]).astype(np.int32)
    parts = {"letters": np.concatenate(letters), "order": np.concatenate(order), "onset": onset}
    return {**parts, "texts": texts, "shards": np.array(shards)}


def _shard_starts(ends):
    """Return the melodies with which a shard begins, the first one's not."""
    shard = ends // SHARD_LETTERS
    return np.flatnonzero(np.diff(shard)) + 1
