"""A study whose sounds or results the disk has no room for says so, keeps nothing of them, and goes on afterwards."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from generation import faults, work
from generation.models import Job
from study import opening
from study.models import Rating, Study
from tests.console import address

pytestmark = pytest.mark.django_db
MOST_PAGES = 2**32 - 2  # SQLite's own limit


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


@pytest.fixture
def limit_pages(transactional_db):
    """limit_pages(): let the database have no more pages than it needs; limit_pages(n): so many."""

    def limit(n=1):
        with connection.cursor() as cursor:
            if n == 1:
                cursor.execute("VACUUM")  # earlier tests left pages free, which would take in every answer
            cursor.execute(f"PRAGMA max_page_count = {n}")

    yield limit
    limit(MOST_PAGES)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a full disk is made of SQLite's own limit")
def test_a_rating_that_finds_no_room_is_told_so_and_stored_when_there_is_some(limit_pages, make_study, listener_of):
    listener = listener_of(make_study({"Secret CNN": 40}))
    listener.begin()
    listener.client.raise_request_exception = False
    sent = {"overall": 7, "comment": "x" * 1000}

    n_stored, refused = 0, None
    limit_pages()
    while refused is None and n_stored < 39:
        answer = listener.rate(position=n_stored + 1, follow=False, **sent)
        refused, n_stored = (answer, n_stored) if answer.status_code != 303 else (None, n_stored + 1)
    kept = Rating.objects.count()
    page = listener.client.get(listener.link)
    limit_pages(MOST_PAGES)
    again = listener.rate(position=n_stored + 1, follow=False, **sent)

    assert (refused.status_code, "The disk is full" in refused.content.decode()) == (507, True)
    assert (kept, page.status_code) == (n_stored, 200)
    assert (again.status_code, Rating.objects.count()) == (303, n_stored + 1)


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
