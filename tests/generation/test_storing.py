"""A stored file is whole or absent, and what belongs to nobody is swept after an hour."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from generation import storing, tidying
from generation.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    """A storage and a folder of work in progress with nothing in them."""
    settings.MEDIA_ROOT, settings.DATA_DIR = tmp_path / "media", tmp_path
    (tmp_path / "work").mkdir()


class CutOff(ContentFile):
    """A body whose sender is gone after the first chunk."""

    def chunks(self, chunk_size=None):
        yield self.read(3)
        raise OSError("gone")


def files():
    return sorted(path.name for path in Path(default_storage.location).rglob("*") if path.is_file())


def age(path, hours):
    then = time.time() - 3600 * hours
    os.utime(path, (then, then))


def test_what_breaks_off_leaves_nothing():
    with pytest.raises(OSError, match="gone"):
        default_storage.save("sounds/a.mp3", CutOff(b"half a sound"))

    assert files() == []


def test_a_name_stands_for_a_whole_file_at_every_moment(monkeypatch):
    seen = []
    monkeypatch.setattr(storing, "_sync", lambda path: seen.append(files()))

    default_storage.save("sounds/a.mp3", ContentFile(b"a sound"))

    during, after = seen  # the bytes are synced under another name, then the folder that holds the new one
    assert [name.endswith(storing.PART) for name in during] == [True]
    assert after == ["a.mp3"]


def test_a_finished_file_is_taken_by_renaming_it(tmp_path):
    made = tmp_path / "work" / "made"
    made.write_bytes(b"a sound")
    inode = made.stat().st_ino

    with storing.Finished(made) as finished:
        name = default_storage.save("masters/a.flac", finished)

    assert (made.exists(), Path(default_storage.path(name)).stat().st_ino) == (False, inode)


def test_a_name_that_is_taken_stays_what_it_was():
    first = default_storage.save("a.mp3", ContentFile(b"one"))
    second = default_storage.save("a.mp3", ContentFile(b"another"))

    assert (first == second, Path(default_storage.path(first)).read_bytes()) == (False, b"one")


def test_old_files_without_a_row_are_swept_and_no_other(ada, make_clip):
    kept = Path(make_clip(ada).master.path)
    new, old = (Path(default_storage.path(default_storage.save(name, ContentFile(b"x")))) for name in ("new", "old"))
    half = kept.with_name(f".1{storing.PART}")
    half.write_bytes(b"half")
    for path in (kept, old, half):
        age(path, hours=2)

    swept = tidying.sweep()

    assert sorted(swept) == sorted([old, half])
    assert files() == sorted([kept.name, new.name])


def test_the_folders_of_jobs_that_run_are_left_alone_however_old(ada, job, tmp_path):
    Job.objects.claim(job.pk, "alive")
    folders = [tmp_path / "work" / name for name in (f"{job.pk}-1", f"{job.pk}-0", "passing-1")]
    for folder in folders:
        folder.mkdir()
        age(folder, hours=2)

    assert sorted(tidying.sweep()) == sorted(folders[1:])
    assert [folder.exists() for folder in folders] == [True, False, False]


def test_work_in_which_something_is_new_is_not_abandoned(tmp_path):
    folder = tmp_path / "work" / "passing-1"
    folder.mkdir()
    (folder / "answer.npz").write_bytes(b"x")
    age(folder, hours=2)

    assert tidying.sweep() == []
    assert tidying.sweep(older_than=timedelta()) == [folder]
