"""A study whose sounds or results the disk has no room for says so, keeps nothing of them, and goes on afterwards."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from generation import faults, work
from generation.models import Job
from study import opening
from study.models import Study
from tests.console import address

pytestmark = pytest.mark.django_db


def stored(folder):
    return [path for path in (Path(default_storage.location) / folder).rglob("*") if path.is_file()]


def test_a_draft_whose_sounds_find_no_room_says_so_and_opens_later(draft, small_disk, settings, tmp_path):
    shutil.copytree(tmp_path / "masters", Path(settings.MEDIA_ROOT) / "masters")
    small_disk()

    with pytest.raises(OSError, match="No space left"):
        opening.open_study(draft)

    draft.refresh_from_db()
    assert (draft.state, draft.opening_at, draft.problem) == (Study.State.DRAFT, None, faults.DISK_FULL)
    assert (stored("sounds"), draft.stimuli().exclude(sound="").count()) == ([], 0)
    small_disk()
    opening.open_study(draft)
    assert (draft.state, draft.problem, len(stored("sounds"))) == (Study.State.OPEN, "", 3)


def test_results_that_find_no_room_are_computed_once_there_is_some(client_of, ada, paper_study, small_disk):
    client_of(ada).post(address("analyse", paper_study))
    job = Job.objects.get()
    small_disk()

    work.run(job.pk)

    job.refresh_from_db()
    assert (job.state, job.message) == ("waiting", f"{faults.DISK_FULL} It will be tried again.")
    assert (stored("analyses"), job.analysis.done_at) == ([], None)
    small_disk()
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() - timedelta(seconds=1))
    work.run(job.pk)
    job.refresh_from_db()
    assert (job.state, len(stored("analyses"))) == ("done", 1)
