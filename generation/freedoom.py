"""The demo corpus: 75 General MIDI pieces of Freedoom (BSD-3-Clause), fetched from the package registry.

The wheel of vizdoom carries Freedoom's two WAD files, and those carry the music as MIDI lumps. The wheel is used as a
zip: nothing in it is installed or run. A WAD is a header (magic, count and place of the directory) and a directory of
(place, size, name) for each lump (https://doomwiki.org/wiki/WAD).
"""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "vizdoom==1.3.2"
WHEEL_SHA256 = "4376e0957d4e82b857870fc0e7462acc23cb821446c647d3975ce84a5e59032f"
# The same file on every machine, whatever it runs: only the music in it is wanted.
PIP_DOWNLOAD = (
    *("--no-deps", "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.11"),
    *("--disable-pip-version-check", "--quiet"),
)
FETCH_SECONDS = 600
WADS = ("vizdoom/freedoom1.wad", "vizdoom/freedoom2.wad")
INSTEAD = "Run the same command again, or use music of your own: make demo CORPUS=path/to/folder"


class FetchError(Exception):
    """The demo corpus could not be had; the message says why and what to do."""


def fetch(folder, wheel_sha256=WHEEL_SHA256, say=lambda sentence: None):
    """Return `folder/midi`, which holds the pieces as MIDI files; downloads them the first time.

    Raises FetchError where the wheel cannot be downloaded or is not the one expected; then nothing is left behind.
    """
    folder = Path(folder)
    midi = folder / "midi"
    if midi.is_dir():
        return midi
    say("75 pieces of music are fetched from the package index, 39 MB ...")
    folder.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.glob("fetching-*"):  # by a process that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as scratch:
        wheel = _download(Path(scratch))
        if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != wheel_sha256:
            raise FetchError(
                f"The demo corpus was downloaded, but its checksum is {found[:12]}..., not {wheel_sha256[:12]}...; "
                f"nothing of it was used. {INSTEAD}"
            )
        pieces = Path(scratch) / "midi"
        pieces.mkdir()
        for name, content in lumps(wheel):
            (pieces / name).write_bytes(content)
        os.rename(pieces, midi)
    return midi


def _download(folder):
    command = [sys.executable, "-m", "pip", "download", *PIP_DOWNLOAD, "-d", str(folder), WHEEL]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired as late:
        raise FetchError(f"The demo corpus did not arrive within {FETCH_SECONDS} s. {INSTEAD}") from late
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise FetchError(f"The demo corpus could not be downloaded ({reason}). Is there a network? {INSTEAD}")
    return wheels[0]


def lumps(wheel):
    """Yield (file name, bytes) of every MIDI lump in the wheel's WADs, each piece once."""
    seen = set()
    with zipfile.ZipFile(wheel) as archive:
        for wad in WADS:
            data = archive.read(wad)
            _, n_lumps, directory = struct.unpack_from("<4sII", data)
            for place, size, name in struct.iter_unpack("<II8s", data[directory : directory + 16 * n_lumps]):
                lump = data[place : place + size]
                digest = hashlib.sha256(lump).digest()
                if lump.startswith(b"MThd") and digest not in seen:
                    seen.add(digest)
                    title = name.rstrip(b"\0").decode("ascii").lower()
                    yield f"{Path(wad).stem}-{title}.mid", lump
