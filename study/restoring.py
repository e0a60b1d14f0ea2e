"""A site back out of a backup: all of it is unpacked and verified beside the site before anything of that is touched."""

import hashlib
import json
import shutil
import tarfile
import uuid
from contextlib import contextmanager
from pathlib import PurePosixPath

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from generation.storing import work_folder
from study import backups, snapshots

CHUNK = 1 << 20
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
OURS = ("accounts", "generation", "study")


class RestoreError(Exception):
    """The site was left as it was; the message says why."""


def restore(source, overwrite=False):
    """Have this site be what it was when the backup was made. Returns the manifest.

    overwrite: also where the site holds something already, which is then gone
    """
    if not overwrite and (held := inhabitants()):
        raise RestoreError(f"This site holds {held} already: --overwrite puts the backup in their place.")
    with work_folder(f"restore-{uuid.uuid4()}") as folder:
        manifest = _unpacked(source, folder)
        _refuse_what_does_not_fit(manifest)
        try:
            with _files_in_place(folder):
                snapshots.put_back(folder / "database", manifest["rows"])
        except snapshots.SnapshotError as error:
            raise RestoreError(str(error)) from error
        call_command("migrate", verbosity=0)
    return manifest


def inhabitants():
    """Return what this site holds, in words; empty if nothing."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    rows = [
        _in_words(model) for label in OURS for model in apps.get_app_config(label).get_models() if _is_in(model, tables)
    ]
    kinds = [f"files of its {name}" for name, folder in backups.folders().items() if _has_files(folder)]
    return ", ".join([*rows, *kinds][:4])


def _is_in(model, tables):
    return model._meta.db_table in tables and model.objects.exists()


def _in_words(model):
    n = model.objects.count()
    return f"{n} {model._meta.verbose_name if n == 1 else model._meta.verbose_name_plural}"


def _has_files(folder):
    return any(path.is_file() for path in folder.rglob("*"))


def _unpacked(source, folder):
    """Unpack into this folder and return the manifest, which lists all that is there and nothing else."""
    try:
        with tarfile.open(source) as archive:
            found = {entry.name: _unpack(archive, entry, folder) for entry in archive}
        manifest = json.loads((folder / backups.MANIFEST).read_bytes())
        listed = {name: file["sha256"] for name, file in manifest["files"].items()}
    except FileNotFoundError:
        raise RestoreError(f"{source} is not there, or breaks off before its manifest.") from None
    except OSError as error:
        raise RestoreError(f"{source} cannot be unpacked: {error.strerror or error}.") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RestoreError(f"{source} is not a backup of Earmark, or breaks off.") from error
    del found[backups.MANIFEST]
    for name in sorted(listed.keys() | found.keys()):
        if listed.get(name) != found.get(name):
            raise RestoreError(f"{source} is damaged: {name} is not what its manifest lists.")
    return manifest


def _unpack(archive, entry, folder):
    """Write one file of the archive and return its sha256."""
    path = PurePosixPath(entry.name)
    if not entry.isfile() or path.is_absolute() or ".." in path.parts:
        raise RestoreError(f"The backup holds {entry.name}, which no backup of Earmark does.")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.extractfile(entry) as packed, open(target, "wb") as file:
        while part := packed.read(CHUNK):
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def _refuse_what_does_not_fit(manifest):
    if manifest["format"] != backups.FORMAT:
        raise RestoreError(f"The backup has the layout {manifest['format']}, this Earmark reads {backups.FORMAT}.")
    theirs, ours = (DATABASES[name] for name in (manifest["database"], connection.vendor))
    if theirs != ours:
        raise RestoreError(f"The backup holds a {theirs} database; DATABASE_URL names {ours}.")
    known = MigrationLoader(None).disk_migrations.keys()
    if newer := [".".join(row) for row in manifest["migrations"] if tuple(row) not in known]:
        raise RestoreError(f"The backup was made by a newer Earmark ({manifest['earmark']}), which knows {newer[0]}.")


@contextmanager
def _files_in_place(folder):
    """Have the unpacked files be the site's. If the block fails, those that were there come back."""
    moved = []
    try:
        for name, place in backups.folders().items():
            place.mkdir(parents=True, exist_ok=True)
            _move_all(place, folder / "before" / name, moved)
            _move_all(folder / name, place, moved)
        yield
    except BaseException:
        for source, target in reversed(moved):
            shutil.move(target, source)
        raise


def _move_all(source, target, moved):
    """Move what is in one folder to another; a folder itself may be a disk of its own."""
    target.mkdir(parents=True, exist_ok=True)
    for path in list(source.iterdir()) if source.is_dir() else []:
        shutil.move(path, target / path.name)
        _readable(target / path.name)
        moved.append((path, target / path.name))


def _readable(path):
    """Give what was unpacked the rights that the storage gives."""
    for one in [path, *path.rglob("*")]:
        if one.is_file():
            one.chmod(settings.FILE_UPLOAD_PERMISSIONS)
