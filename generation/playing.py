"""From a roll to a clip: played, brought to one loudness, stored with all that made it."""

import platform
from importlib.metadata import PackageNotFoundError, version

from django.db import transaction

from generation.models import Clip
from generation.storing import sha256, stored
from music import audio, loudness, lpd, render

PACKAGES = ("numpy", "tensorflow-cpu", "tensorflow", "keras", "midirenderer", "pyloudnorm", "soundfile")


def make_clip(job, index, roll, folder, *, title, source, provenance):
    """Play the roll and keep it as the job's clip of this index: two files and a row, or nothing.

    Raises ValueError if there is nothing to hear, and Stopped if the job is no longer this worker's.
    """
    sound = render.render(roll)  # float32 (samples, 2)
    levelled = loudness.level(sound)
    roll_file, master_file = folder / f"{index}.npz", folder / f"{index}.flac"
    lpd.write(roll_file, roll)
    audio.write_master(master_file, levelled)
    clip = Clip(
        owner=job.owner,
        job=job,
        index=index,
        title=title,
        source=source,
        checkpoint=job.checkpoint,
        corpus=job.corpus,
        seconds=len(levelled) / audio.SAMPLE_RATE,
        loudness_lufs=loudness.integrated_lufs(levelled),
    )
    clip.provenance = {
        **provenance,
        "index": index,
        "renderer": render.RENDERER,
        "loudness": {
            "before_lufs": loudness.integrated_lufs(sound),
            "after_lufs": clip.loudness_lufs,
            "true_peak_dbtp": loudness.true_peak_dbtp(levelled),
        },
        "versions": versions(),
        "sha256": {"roll": sha256(roll_file), "master": sha256(master_file)},
    }
    with stored(roll=(clip.roll, roll_file), master=(clip.master, master_file)), transaction.atomic():
        clip.save(force_insert=True)
        job.keep(n_done=job.clips.count())
    return clip


def versions():
    """Return what made a clip here: name -> version."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
