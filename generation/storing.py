"""Files that come into the storage whole or not at all."""

import hashlib
import os
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.files import File


class Finished(File):
    """A finished temporary file; a storage on the same disk takes it by renaming it."""

    def __init__(self, path):
        super().__init__(open(path, "rb"), name=Path(path).name)  # noqa: SIM115
        self.path = str(path)

    def temporary_file_path(self):
        return self.path


@contextmanager
def work_folder(name):
    """A folder for work in progress, beside the storage so that a rename is enough; empty at first, gone afterwards."""
    folder = Path(settings.DATA_DIR) / "work" / str(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def passing_folder():
    """A work folder that no job owns."""
    return work_folder(f"passing-{uuid.uuid4()}")


@contextmanager
def folder_of(job):
    """The work folder of this attempt at a job; what a worker that died left of an earlier one goes."""
    for left in (Path(settings.DATA_DIR) / "work").glob(f"{job.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)
    with work_folder(f"{job.pk}-{job.attempts}") as folder:
        yield folder


@contextmanager
def stored(**files):
    """Move finished files into the storage, each into its FieldFile, for as long as the block succeeds.

    files: name -> (FieldFile, path). If the block fails (a row that cannot be written, a job that was cancelled) the
    files are deleted again.
    """
    kept = []
    try:
        for field_file, path in files.values():
            _sync(path)
            with Finished(path) as finished:
                field_file.save(finished.name, finished, save=False)
            kept.append(field_file)
        yield
    except BaseException:
        for field_file in kept:
            field_file.storage.delete(field_file.name)
        raise


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path):
    """Have the bytes on the disk before a row speaks of them."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
