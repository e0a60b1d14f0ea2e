"""All of a site as one file: its database of one moment, every file that a row of it names, and a list with checksums.

The file is a tar archive: `database`, then `media/...`, `corpora/...` and `runs/...`, and last `manifest.json`. What is
secret and differs between machines (the environment) is not in it.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
import uuid
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from analysis.results import VERSION
from generation.models import Corpus, TrainingRun
from generation.storing import work_folder
from generation.tidying import file_fields
from study import snapshots

FORMAT = 1
MANIFEST = "manifest.json"
# A file may go between the moment of the database and its being linked; nothing is deleted three times in a row.
MOST_MOMENTS = 3


def folders():
    """Return {name in the archive: folder on disk}."""
    return {"media": Path(settings.MEDIA_ROOT), "corpora": Path(settings.CORPUS_DIR), "runs": Path(settings.RUN_DIR)}


def back_up(target):
    """Write the whole site to this file while it runs. Returns (manifest, names of files that rows name but are gone)."""
    unfinished = target.with_name(target.name + ".part")
    with work_folder(f"backup-{uuid.uuid4()}") as folder:
        manifest, gone = _moment(folder)
        try:
            with _private(unfinished) as file, tarfile.open(fileobj=file, mode="w") as archive:
                manifest["files"] = {name: _add(archive, name, folder) for name in _names(folder)}
                _add_manifest(archive, manifest)
            _sync(unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    return manifest, gone


def _moment(folder):
    """Gather in this folder the database and links to all files that its rows name, as of one moment."""
    for _ in range(MOST_MOMENTS):
        shutil.rmtree(folder)
        folder.mkdir()
        with snapshots.taken(folder / "database") as ask:
            manifest = {
                "earmark": VERSION,
                "format": FORMAT,
                "made_at": timezone.now().isoformat(timespec="seconds"),
                "database": connection.vendor,
                "migrations": [list(row) for row in ask(_MIGRATIONS)],
                "rows": snapshots.rows_of(ask),
            }
            named = _files_named(ask)
        gone = [name for name in named if not _is_kept(name, folder)]
        if not gone:
            break
    _keep_folders(folder)
    return manifest, gone


_MIGRATIONS = f"SELECT app, name FROM {MigrationRecorder.Migration._meta.db_table} ORDER BY id"


def _files_named(ask):
    """Return the names, as in the archive, of all files that rows of this database name."""
    found = set()
    for model, field in file_fields():
        found |= {name for (name,) in ask(f'SELECT "{field.column}" FROM "{model._meta.db_table}"') if name}
    return sorted(f"media/{name}" for name in found)


def _keep_folders(folder):
    """Keep what belongs to corpora and runs as well; those that are newer than the database do no harm."""
    for corpus in Corpus.objects.only("folder"):
        _keep_all("corpora", corpus.folder, folder, _link)
    for run in TrainingRun.objects.only("pk"):
        _keep_all("runs", str(run.pk), folder, shutil.copyfile)  # a run that trains writes on into its files


def _keep_all(kind, name, folder, keep):
    source = folders()[kind]
    for path in (source / name).rglob("*"):
        if path.is_file() and not path.is_symlink():
            kept = folder / kind / path.relative_to(source)
            kept.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # a temporary file of a training
                keep(path, kept)


def _link(path, kept):
    """Keep a file under another name as well, whatever becomes of it: no file of ours is ever written to again."""
    try:
        os.link(path, kept)
    except FileNotFoundError:
        raise
    except OSError:  # another disk
        shutil.copyfile(path, kept)


def _is_kept(name, folder):
    kept = folder / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        _link(folders()["media"] / Path(name).relative_to("media"), kept)
    except FileNotFoundError:
        return False
    return True


def _names(folder):
    """Return the names of all files in a folder, the database first."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(names, key=lambda name: name != "database")


def _private(path):
    """Open a file to write that nobody else may read: it holds what participants said."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _add(archive, name, folder):
    folder.touch()  # it may take hours, and a worker sweeps what nobody touched for one
    with open(folder / name, "rb") as file:
        entry, state = tarfile.TarInfo(name), os.fstat(file.fileno())
        entry.size, entry.mtime = state.st_size, int(state.st_mtime)
        read = _Hashed(file)
        archive.addfile(entry, read)
    return {"bytes": entry.size, "sha256": read.sha256.hexdigest()}


class _Hashed:
    """A file that is read once, for the archive and for its checksum."""

    def __init__(self, file):
        self.file, self.sha256 = file, hashlib.sha256()

    def read(self, n_bytes):
        part = self.file.read(n_bytes)
        self.sha256.update(part)
        return part


def _add_manifest(archive, manifest):
    text = json.dumps(manifest, indent=1).encode()
    entry = tarfile.TarInfo(MANIFEST)
    entry.size = len(text)
    archive.addfile(entry, io.BytesIO(text))


def _sync(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
