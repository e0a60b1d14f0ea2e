"""From a roll or a sound to a clip: brought to one loudness, stored with all that made it."""

import math
import platform
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from django.db import transaction

from accounts.models import Change
from generation import quota
from generation.models import Clip
from generation.storing import sha256, stored
from music import audio, loudness, lpd, render
from training.checkpoint import VERSION
from training.code_version import fingerprint

PACKAGES = ("numpy", "tensorflow-cpu", "tensorflow", "keras", "midirenderer", "pyloudnorm", "soundfile")


@dataclass(frozen=True)
class Prepared:
    """A clip that is finished but for its place in the storage: a row not yet saved, and {field: path of its file}."""

    clip: Clip
    files: dict

    def stored(self):
        return stored(**{name: (getattr(self.clip, name), path) for name, path in self.files.items()})


def make_clip(job, index, roll, folder, *, title, source, provenance):
    """Play the roll and keep it as the job's clip of this index: two files and a row, or nothing.

    Raises ValueError if there is nothing to hear, and Stopped if the job is no longer this worker's.
    """
    prepared = prepared_roll(job, index, roll, folder, title=title, source=source, provenance=provenance)
    with kept([prepared]):
        job.keep(n_done=job.clips.count())
    return prepared.clip


def prepared_roll(job, index, roll, folder, *, provenance, **about):
    """Return the clip that this roll makes. Raises ValueError if there is nothing to hear."""
    path = folder / f"{index}.npz"
    provenance = {**provenance, "renderer": render.RENDERER}
    return _prepared(job, index, played(roll, path), folder, {"roll": path}, provenance, **about)


def played(roll, path):
    """Write the roll and return the sound of what was written, in which LPD lets go of a note that is struck again at once.

    So every clip is played from the roll that is kept, and one brought as MIDI has no finer notes than those of LPD.
    """
    lpd.write(path, roll)
    return render.render(lpd.read(path))


def prepared_sound(job, index, sound, folder, *, provenance, **about):
    """Return the clip that this sound makes: float32 (samples, 2) at 48 kHz. Raises ValueError for silence."""
    return _prepared(job, index, sound, folder, {}, provenance, **about)


def _prepared(job, index, sound, folder, files, provenance, **about):
    before = loudness.integrated_lufs(sound)
    if not math.isfinite(before):
        raise ValueError("The sound is too quiet to have a loudness")
    levelled = loudness.level(sound)
    files = {**files, "master": folder / f"{index}.flac"}
    audio.write_master(files["master"], levelled)
    clip = Clip(
        owner=job.owner,
        job=job,
        index=index,
        checkpoint=job.checkpoint,
        corpus=job.corpus,
        seconds=len(levelled) / audio.SAMPLE_RATE,
        loudness_lufs=loudness.integrated_lufs(levelled),
        **about,
    )
    clip.provenance = {
        **provenance,
        "index": index,
        "loudness": {
            "before_lufs": before,
            "after_lufs": clip.loudness_lufs,
            "true_peak_dbtp": loudness.true_peak_dbtp(levelled),
        },
        "versions": versions(),
        "sha256": {name: sha256(path) for name, path in files.items()},
    }
    return Prepared(clip, files)


@contextmanager
def kept(prepared):
    """Keep finished clips, their files and their rows, for as long as the block succeeds: all of them, or none.

    Raises Refusal if their owner has no room for them.
    """
    n_bytes = sum(path.stat().st_size for one in prepared for path in one.files.values())
    with ExitStack() as unfinished:
        for one in prepared:
            unfinished.enter_context(one.stored())
        unfinished.enter_context(transaction.atomic())
        for owner in {one.clip.owner for one in prepared}:
            quota.require_room(owner, n_bytes)
        for one in prepared:
            one.clip.save(force_insert=True)
            Change.objects.note(one.clip.owner, "had it made", one.clip)
        yield


def versions():
    """Return what made a clip here: name -> version."""
    found = {"earmark": VERSION, "earmark code": fingerprint(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
