"""Files of the Lakh Pianoroll Dataset: LPD-5, and unmerged LPD by the official merge rule.

A file is a zip: `info.json`, and for track i the sparse columns `pianoroll_<i>_csc_{data,indices,indptr,shape}.npy` of a
roll (time, pitch 128), with `tempo` and `downbeat` beside them. Whatever comes in may be broken or hostile, so nothing
is unpickled, no size is believed before it is checked, and indices are checked before they are used (scipy and with it
pypianoroll crash on bad ones).
"""

import io
import json
import zipfile
from contextlib import contextmanager, nullcontext
from os import PathLike

import numpy as np

from music import arrays
from music.archive import Archive, Limits
from music.pianoroll import (
    BASS,
    DRUMS,
    GUITAR,
    LPD_STEPS_PER_BEAT,
    N_PITCHES,
    N_TRACKS,
    PIANO,
    PROGRAMS,
    STRINGS,
    TRACKS,
    from_cells,
    refine,
)
from music.refusal import Refusal, is_plain

MAX_BEATS = 40_000  # the longest of the 21,425 files has 39,960
MAX_SOURCE_TRACKS = 128
MAX_STEPS_PER_BEAT = 96
MAX_MEMBERS = 1_000
MAX_MEMBER_BYTES = 32 * 2**20  # MAX_BEATS of float64 tempo at the finest grid take 29 MB
MAX_CELLS = 4_000_000
TEMPO_RANGE_BPM = (10.0, 500.0)

# A constant tempo or an empty roll packs as tightly as deflate can, so the ratio says nothing; the sizes do.
_LIMITS = Limits(MAX_MEMBERS, MAX_MEMBER_BYTES, total_bytes=2**30, ratio=2_000)
_NUMBERS = ("<i4", "<i8")


class LpdError(Refusal):
    """The file is not what LPD files are; the message is one sentence that says where and how."""


def read(file):
    """Return the Roll of an LPD-5 or an unmerged LPD file: tracks merged by the official rule, tempo of each beat.

    file: a path or an open binary file

    Raises LpdError for a file that is broken, hostile, silent, or beyond the caps above.
    """
    with _archive(file) as archive:
        info = _info(archive)
        tracks = _source_tracks(info)
        steps_per_beat = _steps_per_beat(info)
        parts, n_steps = _cells(archive, tracks, steps_per_beat)
        tempo_bpm = _tempo(archive, n_steps, steps_per_beat)
    track, pitch, step, velocity = np.concatenate(parts, axis=1)
    return from_cells(track, pitch, step, velocity, n_steps, steps_per_beat, tempo_bpm)


def read_name(file):
    """Return the name that the file gives itself (in LPD the md5 of the MIDI file it was made from)."""
    with _archive(file) as archive:
        return _info(archive)["name"]


def track_of(program, is_drum):
    """Return the track that this General MIDI program merges into by LPD's rule, or None for effects."""
    if is_drum:
        return DRUMS
    if program <= 7:
        return PIANO
    if 24 <= program <= 31:
        return GUITAR
    if 32 <= program <= 39:
        return BASS
    if program < 96 or 104 <= program <= 111:
        return STRINGS
    return None


def write(file, roll, name=""):
    """Write the roll as an LPD-5 file, 24 steps to a beat; the same roll gives the same bytes.

    file: a path or an open binary file
    name: what the file calls itself, in LPD the md5 of a MIDI file

    The format holds cells, not notes: drums become one step long, and the last step of a note that is struck again at
    once is left silent, as in LPD. Two notes of one step each, one right after the other and equally loud, become one.

    Raises ValueError if the roll's steps_per_beat does not divide 24.
    """
    roll = refine(roll, LPD_STEPS_PER_BEAT)
    members = {"tempo": np.resize(roll.tempo_bpm, roll.n_steps), "downbeat": np.arange(roll.n_steps) == 0}
    for track in range(N_TRACKS):
        members |= _csc_members(roll, track)
    info = {str(i): {"program": PROGRAMS[i], "is_drum": i == DRUMS, "name": TRACKS[i]} for i in range(N_TRACKS)}
    info |= {"name": name, "beat_resolution": LPD_STEPS_PER_BEAT}
    with zipfile.ZipFile(file, "w") as archive:
        for member, array in members.items():
            npy = io.BytesIO()
            np.lib.format.write_array(npy, array, version=(1, 0), allow_pickle=False)
            _add(archive, f"{member}.npy", npy.getvalue())
        _add(archive, "info.json", json.dumps(info).encode())


def _add(archive, name, content):
    # A ZipInfo of our own carries a fixed date: the bytes must not depend on when they were written.
    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _csc_members(roll, track):
    notes = np.sort(roll.notes[roll.notes["track"] == track], order=["pitch", "onset"])
    lengths = _cell_lengths(notes, track)
    pitch = np.repeat(notes["pitch"], lengths)
    step = np.repeat(notes["onset"] - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
    shape = [roll.n_steps if len(notes) else 0, N_PITCHES]  # LPD marks an absent track so, and gives it dtype bool
    members = {
        "data": np.repeat(notes["velocity"], lengths) if len(notes) else np.zeros(0, bool),
        "indices": step.astype(np.int32),
        "indptr": np.searchsorted(pitch, np.arange(N_PITCHES + 1)).astype(np.int32),
        "shape": np.array(shape, np.int64),
    }
    return {f"pianoroll_{track}_csc_{part}": array for part, array in members.items()}


def _cell_lengths(notes, track):
    if track == DRUMS:
        return np.ones(len(notes), int)
    lengths = (notes["end"] - notes["onset"]).astype(int)
    struck_again = (notes["pitch"][1:] == notes["pitch"][:-1]) & (notes["onset"][1:] == notes["end"][:-1])
    lengths[:-1] -= struck_again & (lengths[:-1] > 1)
    return lengths


@contextmanager
def _archive(file):
    # Opened here, so that a path that cannot be read stays an OSError and only the content can be an LpdError.
    with open(file, "rb") if isinstance(file, (str, PathLike)) else nullcontext(file) as content:
        try:
            yield Archive(content, _LIMITS)
        except LpdError:
            raise
        except Refusal as refusal:
            raise LpdError(f"This is not an LPD file: {_begun_small(str(refusal))}", refusal.problem) from refusal


def _begun_small(sentence):
    return sentence[0].lower() + sentence[1:] if sentence.startswith("The ") else sentence


def _info(archive):
    if "info.json" not in archive:
        raise LpdError("info.json is missing, so this is not an LPD file.", "lpd.info")
    try:
        info = json.loads(archive.read("info.json"))
    except Refusal:
        raise
    except (ValueError, RecursionError) as error:
        raise LpdError("info.json is not JSON.", "lpd.info") from error
    if not isinstance(info, dict):
        raise LpdError("info.json does not describe tracks.", "lpd.info")
    info["name"] = info.get("name", "")
    if not is_plain(info["name"]):
        raise LpdError("info.json: the name is too long or holds markup or control characters.", "text.markup")
    return info


def _steps_per_beat(info):
    steps = info.get("beat_resolution", info.get("resolution"))
    if type(steps) is not int or not 1 <= steps <= MAX_STEPS_PER_BEAT:
        raise LpdError(
            f"info.json: beat_resolution must be a whole number from 1 to {MAX_STEPS_PER_BEAT}.", "lpd.resolution"
        )
    return steps


def _source_tracks(info):
    """Return for each roll in the file the track it merges into, or None."""
    tracks = []
    while (entry := info.get(str(len(tracks)))) is not None and len(tracks) <= MAX_SOURCE_TRACKS:
        program, is_drum = (entry.get("program"), entry.get("is_drum")) if isinstance(entry, dict) else (None, None)
        if type(program) is not int or not 0 <= program <= 127 or type(is_drum) is not bool:
            raise LpdError(
                f"info.json: track {len(tracks)} needs a program from 0 to 127 and is_drum true or false.",
                "lpd.program",
            )
        tracks.append(track_of(program, is_drum))
    if not 1 <= len(tracks) <= MAX_SOURCE_TRACKS:
        raise LpdError(f"info.json: the file needs 1 to {MAX_SOURCE_TRACKS} tracks.", "lpd.info")
    return tracks


def _cells(archive, tracks, steps_per_beat):
    """Return int arrays (track, pitch, step, velocity; cell) of each roll, and the length of all in steps."""
    parts, lengths, n_cells = [], set(), 0
    for source, track in enumerate(tracks):
        pitch, step, velocity, n_steps = _csc(archive, f"pianoroll_{source}_csc", MAX_BEATS * steps_per_beat)
        if n_steps:
            lengths.add(n_steps)
        n_cells += len(step)
        if n_cells > MAX_CELLS:
            raise LpdError(f"The piece has more than {MAX_CELLS} sounding cells.", "lpd.shape")
        if track is not None:
            parts.append(np.stack([np.full(len(step), track), pitch, step, velocity]))
    if len(lengths) > 1:
        raise LpdError("The tracks are of different lengths.", "lpd.shape")
    if not lengths:
        raise LpdError("The piece has no time steps.", "lpd.shape")
    if not any(part.shape[1] for part in parts):
        raise LpdError("The piece holds no note.", "lpd.silent")
    return parts, lengths.pop()


def _csc(archive, prefix, max_steps):
    shape = _array(archive, f"{prefix}_shape", _NUMBERS)
    if len(shape) != 2 or shape[1] != N_PITCHES or not 0 <= shape[0] <= max_steps:
        raise LpdError(f"{prefix}_shape is not [time, 128] of at most {MAX_BEATS} beats.", "lpd.shape")
    data = _array(archive, f"{prefix}_data", ("|u1", "|b1"))
    step = _array(archive, f"{prefix}_indices", _NUMBERS)
    columns = _array(archive, f"{prefix}_indptr", _NUMBERS)
    if len(step) != len(data) or (len(step) and not 0 <= step.min() <= step.max() < shape[0]):
        raise LpdError(f"{prefix}_indices does not give each value a time step of the piece.", "lpd.indices")
    if len(columns) != N_PITCHES + 1 or columns[0] != 0 or columns[-1] != len(step) or (np.diff(columns) < 0).any():
        raise LpdError(f"{prefix}_indptr does not part the values into 128 pitches.", "lpd.indices")
    if data.dtype == bool:
        data = data * np.uint8(64)  # a binary roll: as loud as pypianoroll plays it
    if len(data) and data.max() > 127:
        raise LpdError(f"{prefix}_data holds a velocity above 127.", "lpd.velocity")
    pitch = np.repeat(np.arange(N_PITCHES), np.diff(columns))
    sounds = data > 0
    return pitch[sounds], step[sounds], data[sounds], int(shape[0])


def _tempo(archive, n_steps, steps_per_beat):
    """Return the tempo of each beat in bpm, (beats,).

    The array in the file has one number a step, but in every file of LPD the tempi of the beats are written one after
    the other and then tiled over the steps, so that the first `beats` numbers are the tempi. Taken
    step by step they would be wrong in every file that changes tempo, one in five.
    """
    if "tempo.npy" not in archive:
        return np.full(-(-n_steps // steps_per_beat), 120.0)
    tempo = _array(archive, "tempo", ("<f8", "<f4"))
    if len(tempo) != n_steps:
        raise LpdError(f"tempo has {len(tempo)} values for {n_steps} steps.", "lpd.tempo")
    tempo = tempo[: -(-n_steps // steps_per_beat)]
    low, high = TEMPO_RANGE_BPM
    if not ((tempo >= low) & (tempo <= high)).all():
        raise LpdError(f"tempo holds a value that is not from {low:g} to {high:g} beats a minute.", "lpd.tempo")
    return tempo.astype(float)


def _array(archive, name, kinds):
    """Return the one-dimensional content of a .npy member whose dtype is one of these kinds."""
    if f"{name}.npy" not in archive:
        raise LpdError(f"{name} is missing.", "lpd.info")
    try:
        array = arrays.read(archive.read(f"{name}.npy"), name, kinds)
    except arrays.ArrayError as refusal:
        raise LpdError(str(refusal), refusal.problem) from refusal
    if array.size != max(array.shape, default=1):
        raise LpdError(f"{name} does not hold one row of numbers.", "npz.shape")
    return array.reshape(-1)
