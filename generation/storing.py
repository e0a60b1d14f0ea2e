"""Files that come into the storage whole or not at all."""

import hashlib
import os
import shutil
import uuid
from contextlib import contextmanager, nullcontext
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage

PART = ".part"  # how a file is called that is not whole yet


class Finished(File):
    """A finished temporary file; a storage on the same disk takes it by renaming it."""

    def __init__(self, path):
        super().__init__(open(path, "rb"), name=Path(path).name)  # noqa: SIM115
        self.path = str(path)

    def temporary_file_path(self):
        return self.path


class WholeFiles(FileSystemStorage):
    """The disk, on which a name stands for a whole file: written beside it, synced, and only then renamed.

    Every stored file comes through here, whoever writes it. What a killed process leaves ends with PART, and is swept.
    """

    def _save(self, name, content):
        folder = Path(self.path(name)).parent
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{uuid.uuid4().hex}{PART}"
        try:
            _write(content, part)
            with Finished(part) as finished:
                name = super()._save(name, finished)
        finally:
            part.unlink(missing_ok=True)
        _sync(folder)
        return name


def _write(content, part):
    """Have the content at this path, and on the disk before a name or a row speaks of it."""
    made_at = content.temporary_file_path() if hasattr(content, "temporary_file_path") else None
    if made_at and _is_here(made_at, part.parent):
        os.rename(made_at, part)
    else:
        with open(part, "wb") as copy:
            copy.writelines(content.chunks())
    _sync(part)


def _is_here(path, folder):
    return os.stat(path).st_dev == os.stat(folder).st_dev


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
    """Move files into the storage, each into its FieldFile, for as long as the block succeeds.

    files: name -> (FieldFile, the path of a finished file or a Django File). If the block fails (a row that cannot be
    written, a job that was cancelled) the files are deleted again.
    """
    kept = []
    try:
        for field_file, content in files.values():
            with Finished(content) if isinstance(content, str | Path) else nullcontext(content) as file:
                field_file.save(Path(file.name).name, file, save=False)
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
    """Have a file's bytes, or a folder's names, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
