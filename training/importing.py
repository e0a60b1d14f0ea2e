"""Music files as rolls that a corpus can use: read on all cores, noted as they come, and each bad one passed over."""

import hashlib
import json
import multiprocessing
import os
import re
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from music import lpd, midi, pianoroll
from music.pianoroll import BASS, DRUMS, Roll

MIN_BEATS = 16
MAX_BEATS = 896  # 99 % of LPD is shorter; the longest has 39,960 beats and would be drawn from all the time
CHUNK = 4  # files that are handed to a process at once
FEW_FILES = 12  # fewer are imported sooner than a second process starts
ENDED = "ended the process that read it"


@dataclass(frozen=True, eq=False)
class Imported:
    """What became of one file: a roll that can be used, or the reason why not."""

    file: str
    md5: str = ""
    roll: Roll | None = None
    reason: str = ""


class Journal:
    """What was imported so far, file after file, so that a build which was interrupted does not begin anew.

    Records stand one after the other, each three arrays: a header (JSON as bytes), the notes, the tempo. One that was cut
    off, or of a file that has changed since, ends what is taken from it.
    """

    def __init__(self, path, source, steps_per_beat):
        self.path, self.source, self.steps_per_beat = path, source, steps_per_beat

    def __enter__(self):
        self._file = open(self.path, "a+b")
        return self

    def __exit__(self, *_):
        self._file.close()

    def imported(self, files):
        """Yield the Imported of these files, in their order: as they were noted, then as they are read."""
        self._file.seek(0)
        done = 0
        for file in files:
            at = self._file.tell()
            piece = self._noted(file)
            if piece is None:
                self._file.truncate(at)
                break
            done += 1
            yield piece
        work = partial(import_file, self.source, steps_per_beat=self.steps_per_beat)
        for piece in imports(work, files[done:]):
            self._note(piece)
            yield piece

    def _about(self, file):
        stat = (self.source / file).stat()
        return [str(self.source.resolve()), file, stat.st_size, stat.st_mtime_ns, self.steps_per_beat]

    def _noted(self, file):
        try:
            header, notes, tempo = (np.load(self._file, allow_pickle=False) for _ in range(3))
            said = json.loads(header.tobytes())
            if said.pop("about") != self._about(file):
                return None
            n_steps = said.pop("n_steps")
            roll = None if n_steps is None else pianoroll.roll_of(notes, n_steps, self.steps_per_beat, tempo)
            return Imported(file, roll=roll, **said)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None

    def _note(self, piece):
        roll = piece.roll
        said = {"md5": piece.md5, "reason": piece.reason, "n_steps": roll and roll.n_steps}
        header = json.dumps(said | {"about": self._about(piece.file)}).encode()
        notes, tempo = (np.zeros(0), np.zeros(0)) if roll is None else (roll.notes, roll.tempo_bpm)
        for array in (np.frombuffer(header, np.uint8), notes, tempo):
            np.save(self._file, array)
        self._file.flush()


def imports(work, files):
    """Yield work(file), an Imported, for each of these files in their order, made on all cores.

    A file that ends the process which reads it is left out; the others are read all the same.
    """
    return on_all_cores(work, files, lambda file: Imported(file, reason=ENDED))


def on_all_cores(work, items, lost):
    """Yield work(item) for each of these items in their order; few are worked on here, many on all cores.

    lost: called with an item that ended the process which worked on it; its answer is yielded instead
    """
    cores = os.cpu_count() or 1
    if len(items) < FEW_FILES or cores == 1:
        yield from map(work, items)
        return
    done = 0
    while done < len(items):
        try:
            with _pool(cores) as pool:
                for result in pool.map(work, items[done:], chunksize=CHUNK):
                    done += 1
                    yield result
        except BrokenProcessPool:
            # One of those that were being worked on did it. Each of them alone, then all cores again.
            suspects = items[done : done + 2 * CHUNK * cores]
            for item in suspects:
                done += 1
                yield _alone(work, item, lost)


def _alone(work, item, lost):
    try:
        with _pool(1) as pool:
            return pool.submit(work, item).result()
    except BrokenProcessPool:
        return lost(item)


@contextmanager
def _pool(n_processes):
    # Spawned, not forked: the caller may have threads of its own (TensorFlow, a server).
    context = multiprocessing.get_context("spawn")
    ignore = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
    pool = ProcessPoolExecutor(n_processes, context, **ignore)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def import_file(source, file, steps_per_beat):
    """Return what became of one file (Imported): its roll on this grid, or why it was left out."""
    path = source / file
    try:
        roll = read_roll(path)
        reason = why_left_out(roll)
        if reason:
            return Imported(file, reason=reason)
        return Imported(file, _md5(path), pianoroll.coarsen(_capped(roll), steps_per_beat))
    except (lpd.LpdError, midi.MidiError, OSError) as problem:
        return Imported(file, reason=str(problem))
    except MemoryError:
        return Imported(file, reason="more than this machine's memory holds")


def why_left_out(roll):
    """Return why this roll is of no use for training, or an empty text if it is."""
    sounding = set(np.unique(roll.notes["track"]).tolist())
    if roll.n_beats < MIN_BEATS:
        return f"too short: {roll.n_beats} beats, not {MIN_BEATS}"
    if DRUMS not in sounding:
        return "no drums"
    if BASS not in sounding:
        return "no bass"
    if len(sounding) < 3:
        return "nothing but drums and bass"
    return ""


def read_roll(path):
    """Return the Roll in this LPD or MIDI file.

    Raises LpdError or MidiError, each a ValueError, for what is neither, and for music that is not in 4/4.
    """
    if path.suffix.lower() == ".npz":
        return lpd.read(path)
    content = path.read_bytes()
    if not midi.is_in_four_four(content):
        raise midi.MidiError("not in 4/4 throughout")
    return midi.read(content)


def _capped(roll):
    return pianoroll.excerpt(roll, 0, min(roll.n_steps, MAX_BEATS * roll.steps_per_beat))


def _md5(path):
    """The md5 of the MIDI file that this piece was made of: an LPD file knows it, else it is the file's own."""
    if path.suffix.lower() == ".npz":
        for name in (path.stem, lpd.read_name(path)):
            if re.fullmatch("[0-9a-f]{32}", name.lower()):
                return name.lower()
    return hashlib.md5(path.read_bytes()).hexdigest()
