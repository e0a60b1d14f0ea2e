"""What a child found in an uploaded file, looked through before it is believed.

The child read bytes that somebody brought, so it may be theirs by now: its object and its arrays are taken for text and
numbers of the expected names, types and bounds, or not at all.
"""

import errno
import json
import logging
import math
import os
from dataclasses import dataclass

import numpy as np

from generation import child
from music import arrays, audio, pianoroll
from music.archive import Archive, Limits
from music.lpd import TEMPO_RANGE_BPM
from music.refusal import Refusal, is_plain
from training import card, json_file, weights_file
from training.families import family_named

logger = logging.getLogger(__name__)

CHECKING = "generation.checking"
LIMITS_REFUSAL = "It could not be read within the limits of time and memory."
UNBELIEVED = "It could not be read: its reader gave an answer that cannot be true."
LONGEST_SECONDS = 120  # of a clip
MOST_ROLL_STEPS = 200_000
CHECKPOINT_BYTES = 320 * 2**20  # the arrays of the largest checkpoint, or the members of the largest archive


@dataclass(frozen=True, eq=False)
class Played:
    """A roll out of a file, and how long it was before it was cut."""

    roll: pianoroll.Roll
    whole_seconds: float


def checkpoint(path, card_path, folder):
    """Return (card, weights) of a checkpoint file. Raises Refusal."""
    request = {"path": str(path), "card": str(card_path) if card_path else None}
    said, read = _asked("checkpoint", request, folder, CHECKPOINT_BYTES)
    known = card.checked(_as_from_a_file(_expected(said.get("card"), dict)))
    shapes = family_named(known["family"]).weight_shapes(known["configuration"])
    weights = {name: read(str(index), ("<f4",), shape) for index, (name, shape) in enumerate(shapes.items())}
    return known, {name: weights_file.checked_values(array, name) for name, array in weights.items()}


def roll(path, seconds, folder):
    """Return what an LPD-5 or MIDI file plays, at most `seconds` of it. Raises Refusal."""
    said, read = _asked("roll", {"path": str(path), "seconds": seconds}, folder)
    n_steps = _whole(said.get("n_steps"), MOST_ROLL_STEPS)
    steps_per_beat = _whole(said.get("steps_per_beat"), 96)
    tempo_bpm = read("tempo_bpm", ("<f8",), (-(-n_steps // steps_per_beat),))
    low, high = TEMPO_RANGE_BPM
    _believe(((tempo_bpm >= low) & (tempo_bpm <= high)).all())
    notes = _notes(read("notes", ("<i4",), (5, None)), n_steps)
    played = pianoroll.roll_of(notes, n_steps, steps_per_beat, tempo_bpm)
    whole_seconds = said.get("whole_seconds")
    _believe(played.seconds < seconds + 60 / low and isinstance(whole_seconds, float) and math.isfinite(whole_seconds))
    return Played(played, max(whole_seconds, played.seconds))


def sound(path, folder):
    """Return (samples float32 (n, 2) at 48 kHz, kind of file). Raises Refusal."""
    said, read = _asked("sound", {"path": str(path), "longest_seconds": LONGEST_SECONDS}, folder)
    samples = read("samples", ("<f4",), (None, audio.N_CHANNELS))
    _believe(0 < len(samples) <= LONGEST_SECONDS * audio.SAMPLE_RATE + audio.SAMPLE_RATE and np.isfinite(samples).all())
    return samples, _expected(said.get("kind"), str)[:8]


def archive(path, suffixes, folder):
    """Return [(name, bytes)] of a zip of clips. Raises Refusal."""
    said, read = _asked("archive", {"path": str(path), "suffixes": suffixes}, folder, CHECKPOINT_BYTES)
    names = _expected(said.get("names"), list)
    _believe(all(isinstance(name, str) and is_plain(name) for name in names))
    return [(name, read(str(index), ("|u1",), (None,)).tobytes()) for index, name in enumerate(names)]


def table(path, most_rows, folder):
    """Return (header, rows) of a CSV file, texts all. Raises Refusal."""
    _, read = _asked("table", {"path": str(path), "most_rows": most_rows}, folder)
    try:
        lines = json.loads(read("table", ("|u1",), (None,)).tobytes())
    except (ValueError, RecursionError) as problem:
        raise Refusal(UNBELIEVED, "file.limits") from problem
    _believe(isinstance(lines, list) and 1 <= len(lines) <= most_rows + 1)
    width = len(_expected(lines[0], list))
    _believe(all(len(_expected(line, list)) == width and all(isinstance(cell, str) for cell in line) for line in lines))
    return lines[0], lines[1:]


def _asked(deed, request, folder, written_bytes=child.WRITTEN_BYTES):
    """Have a child do this; return what it says and a function that reads an array which it wrote."""
    out = folder / "answer.npz"
    out.unlink(missing_ok=True)
    request = {"deed": deed, **request, "out": str(out)}
    try:
        said = child.answer(CHECKING, request, folder=folder, written_bytes=written_bytes)
    except child.ChildFailed as failure:
        if failure.problem == child.DISK_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from failure  # no fault of the file's
        logger.info("A file was refused: %s", ascii(str(failure)))
        sentence = (
            str(failure) if failure.problem and is_plain(str(failure), child.LONGEST_SENTENCE) else LIMITS_REFUSAL
        )
        raise Refusal(sentence, failure.problem or "file.limits") from failure
    finally:
        _log(folder)
    return said, lambda name, kinds, shape: _array(out, name, kinds, shape)


def _log(folder):
    """Say in the site's log what a child said aside; first of all that it could not be parted from the network."""
    for line in child.log(folder).splitlines()[-3:]:
        logger.warning("A child that read an upload said: %s", ascii(line[:300]))
    (folder / "log.txt").unlink(missing_ok=True)


def _array(path, name, kinds, shape):
    """Return an array of the child's, of this shape (None: any length)."""
    try:
        with open(path, "rb") as file:
            content = Archive(file, Limits(1_000, CHECKPOINT_BYTES, CHECKPOINT_BYTES, ratio=2_000)).read(f"{name}.npy")
        array = arrays.read(content, name, kinds)
    except (OSError, KeyError, Refusal) as problem:
        raise Refusal(UNBELIEVED, "file.limits") from problem
    _believe(array.ndim == len(shape))
    _believe(all(wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)))
    return array


def _as_from_a_file(found):
    """Return the card after the same look that one in a file gets: what a child says of NaN or of NUL nobody can keep."""
    try:
        return json_file.read(json.dumps(found).encode(), "card.json", 4 * card.MAX_BYTES)
    except RecursionError as problem:
        raise Refusal(UNBELIEVED, "file.limits") from problem


def _notes(columns, n_steps):
    onset, end, track, pitch, velocity = columns
    _believe(((onset >= 0) & (onset < end) & (end <= n_steps)).all())
    for values, low, high in ((track, 0, 4), (pitch, 0, 127), (velocity, 1, 127)):
        _believe(((values >= low) & (values <= high)).all())
    notes = np.zeros(len(onset), pianoroll.NOTE)
    for name, values in zip(("onset", "end", "track", "pitch", "velocity"), columns, strict=True):
        notes[name] = values
    return notes


def _whole(value, most):
    _believe(type(value) is int and 0 < value <= most)
    return value


def _expected(value, kind):
    _believe(isinstance(value, kind))
    return value


def _believe(is_true):
    if not is_true:
        raise Refusal(UNBELIEVED, "file.limits")
