"""Sampled rolls as files: for each an LPD-5 file, and as people hear it a MIDI file and an mp3; clips.json says what made them."""

import hashlib
import json

import numpy as np

from music import audio, loudness, lpd, midi, pianoroll, render


def write(folder, rolls, made, report=None):
    """Write clip_000.npz, ... and, last of all, clips.json.

    folder: pathlib.Path, made if need be
    rolls: list of Roll
    made: dict for clips.json, what made the clips; `seconds` in it is the length of the mp3s
    report: called with the number of clips that are done; None leaves out the .mid and .mp3 files
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number, roll in enumerate(rolls):
        stem = folder / f"clip_{number:03}"
        lpd.write(stem.with_suffix(".npz"), roll)
        suffixes = [".npz"]
        if report is not None:
            stem.with_suffix(".mid").write_bytes(midi.write(roll))
            stem.with_suffix(".mp3").write_bytes(as_mp3(roll, made["seconds"]))
            suffixes += [".mid", ".mp3"]
            report(number + 1)
        sums = {suffix[1:]: _sha256(stem.with_suffix(suffix)) for suffix in suffixes}
        notes = np.bincount(roll.notes["track"], minlength=pianoroll.N_TRACKS)
        per_track = dict(zip(pianoroll.TRACKS, notes.tolist(), strict=True))
        entries.append({"file": f"{stem.name}.npz", "seconds": roll.seconds, "notes": per_track, "sha256": sums})
    (folder / "clips.json").write_text(json.dumps({**made, "clips": entries}, indent=1) + "\n")


def as_mp3(roll, seconds):
    """Return the bytes of an mp3 of exactly so many seconds, at the loudness of all clips."""
    sound = audio.fit_length(render.render(roll), seconds)
    return audio.encode_mp3(loudness.level(sound))


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
