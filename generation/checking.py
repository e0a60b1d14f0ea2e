"""Read an uploaded file in a child: python -m generation.checking REQUEST

REQUEST is one JSON object: `deed`, one of DEEDS, and what that function is to be given. The child says one object: what
it found, or in one sentence what is wrong, and writes the arrays that belong to it to `out`, one .npz. It needs neither
Django nor TensorFlow, and it may die: whoever asked believes neither the object nor the file before looking.
"""

import json
import sys
from pathlib import Path, PurePosixPath

import numpy as np

from music.archive import Archive, Limits
from music.refusal import Refusal

SHORTEST_SECONDS = 0.5
SILENT_PEAK = 1e-4  # -80 dBFS; nobody hears it at any level that is good for the ears
MOST_ARCHIVE_BYTES = 300 * 2**20
MOST_CLIPS = 500
# What a file manager puts into an archive by itself.
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def main(arguments):
    try:
        request = json.loads(arguments[0])
        found = DEEDS[request.pop("deed")](**request)
    except Refusal as refusal:
        found = {"event": "error", "message": str(refusal), "problem": refusal.problem}
    except MemoryError:
        found = {"event": "error", "message": "It takes more memory than its kind may.", "problem": "file.limits"}
    sys.stdout.write(json.dumps({"event": "done", **found}) + "\n")
    return 0


# What only one deed needs is imported there: a child lives for half a second, most of it imports.


def checkpoint(path, card, out):
    from training import checkpoint

    read = checkpoint.read(path, card)
    np.savez(out, **{str(index): array for index, array in enumerate(read.weights.values())})
    return {"card": read.card}


def roll(path, seconds, out):
    """An LPD-5 or MIDI file as notes, cut to its first `seconds`."""
    from music import pianoroll

    whole = _whole_roll(path)
    cut = pianoroll.excerpt(whole, 0, pianoroll.steps_within(whole, seconds))
    if not len(cut.notes):
        raise Refusal(f"There is no note in its first {seconds:g} seconds.", "lpd.silent")
    if cut.seconds < SHORTEST_SECONDS:
        raise Refusal(f"It lasts {cut.seconds:.2f} s, less than the {SHORTEST_SECONDS:g} s of a clip.", "lpd.duration")
    notes = np.stack([cut.notes[name].astype("<i4") for name in ("onset", "end", "track", "pitch", "velocity")])
    np.savez(out, notes=notes, tempo_bpm=cut.tempo_bpm.astype("<f8"))
    return {"n_steps": cut.n_steps, "steps_per_beat": cut.steps_per_beat, "whole_seconds": whole.seconds}


def _whole_roll(path):
    if path.endswith(".npz"):
        from music import lpd

        return lpd.read(path)
    from music import midi

    return midi.read(path)


def sound(path, longest_seconds, out):
    """A sound file as samples (n, 2) at 48 kHz."""
    from music import audio

    samples = audio.read(path, longest_seconds)
    if len(samples) < SHORTEST_SECONDS * audio.SAMPLE_RATE:
        seconds = len(samples) / audio.SAMPLE_RATE
        raise Refusal(f"It lasts {seconds:.2f} s, less than the {SHORTEST_SECONDS:g} s of a clip.", "audio.duration")
    if np.abs(samples).max() < SILENT_PEAK:
        raise Refusal("It is silent.", "audio.silent")
    np.savez(out, samples=samples.astype("<f4"))
    return {"kind": audio.kind_of(Path(path).read_bytes())}


def archive(path, suffixes, out):
    """A zip of clips as the bytes of its members, with or without one CSV that describes them."""
    with open(path, "rb") as file:
        opened = Archive(file, Limits(MOST_CLIPS, MOST_ARCHIVE_BYTES, MOST_ARCHIVE_BYTES, ratio=200))
        names = [name for name in opened.members if not name.endswith("/") and not _is_ignored(name)]
        _check_members(names, suffixes)
        content = [np.frombuffer(opened.read(name), np.uint8) for name in names]
    np.savez(out, **{str(index): member for index, member in enumerate(content)})
    return {"names": names}


def _is_ignored(name):
    return any(part in IGNORED for part in PurePosixPath(name).parts) or name.rsplit("/", 1)[-1].startswith("._")


def _check_members(names, suffixes):
    if any(PurePosixPath(name).name == "saved_model.pb" for name in names):
        sentence = 'A SavedModel is a program and is not run; save with model.save_weights("x.weights.h5").'
        raise Refusal(sentence, "savedmodel.refused")
    kinds = [PurePosixPath(name).suffix.lower() for name in names]
    if not set(kinds) & set(suffixes):
        raise Refusal("The archive holds no clip: no LPD-5, MIDI or sound file.", "zip.no_clips")
    for name, kind in zip(names, kinds, strict=True):
        if kind not in (*suffixes, ".csv"):
            raise Refusal(f"The archive holds {name}, which is no clip.", "zip.unexpected_member")
    if kinds.count(".csv") > 1:
        raise Refusal("The archive holds more than one CSV.", "zip.unexpected_member")


def table(path, most_rows, out):
    """A CSV as JSON within the .npz: too long for a line, however short its rows."""
    from generation import csv_table

    header, rows = csv_table.read(Path(path).read_bytes(), most_rows)
    packed = json.dumps([header, *rows]).encode()
    np.savez(out, table=np.frombuffer(packed, np.uint8))
    return {"n_rows": len(rows)}


DEEDS = {"checkpoint": checkpoint, "roll": roll, "sound": sound, "archive": archive, "table": table}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
