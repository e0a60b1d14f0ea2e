"""A disk that is full, until there is room again."""

import errno
import subprocess
from contextlib import suppress

import pytest

from generation import storing

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def small_disk(settings, tmp_path, monkeypatch):
    """small_disk(): fill the disk to the brim; called again, make room. A real one of 3 MB where this user may mount it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], check=False, capture_output=True)
    is_real = mounted.returncode == 0
    settings.MEDIA_ROOT, settings.DATA_DIR = disk / "media", disk
    settings.FILE_UPLOAD_TEMP_DIR = disk / "work"
    for folder in ("media", "work"):
        (disk / folder).mkdir()
    ballast = disk / "ballast"

    def turn():
        if not is_real:
            monkeypatch.setattr(storing, "_sync", _refuse if storing._sync is not _refuse else _let)
        elif ballast.exists():
            ballast.unlink()
        else:
            _fill(ballast)

    yield turn
    if is_real:
        subprocess.run(["umount", "--lazy", disk], check=True)


def _fill(path):
    with open(path, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def _refuse(path):
    raise FULL


def _let(path):
    pass
