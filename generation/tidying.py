"""What lies in the storage or among the work in progress and belongs to nobody: a killed worker's, a cut-off upload's."""

import shutil
import time
from datetime import timedelta
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db.models import FileField

from generation.models import Job
from generation.storing import PART

# A file is older than its row only for as long as one transaction takes.
GRACE = timedelta(hours=1)


def sweep(older_than=GRACE):
    """Remove files without a row and work that nobody goes on with, if they are so old. Returns what went."""
    # The files first and the rows after: a row that comes meanwhile finds its file spared.
    orphans = [path for path in files_without_row() if is_older(path, older_than)]
    left = [path for path in abandoned_work() if is_older(path, older_than)]
    for path in [*orphans, *left]:
        _remove(path)
    return [*orphans, *left]


def sweep_now_and_then():
    """Sweep if this process has not for a while: a worker does so before each job."""
    if cache.add("files-were-swept", True, GRACE.total_seconds()):
        sweep()


def file_fields():
    """Yield (model, field) of everything that has a stored file."""
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, FileField):
                yield model, field


def files_without_row():
    """Return the stored files that no row names, those among them that never became whole."""
    stored = [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    named = set()
    for model, field in file_fields():
        named.update(model._base_manager.exclude(**{field.name: ""}).values_list(field.name, flat=True))
    return [path for path in stored if path.name.endswith(PART) or name_of(path) not in named]


def abandoned_work():
    """Return what is in the folder of work in progress, but for the folders of jobs that run."""
    running = Job.objects.filter(state=Job.State.RUNNING).values_list("pk", "attempts")
    alive = {f"{pk}-{attempts}" for pk, attempts in running}
    folder = Path(settings.DATA_DIR) / "work"
    return [path for path in folder.glob("*") if path.name not in alive]


def is_older(path, age):
    return _changed_at(path) <= time.time() - age.total_seconds()


def name_of(path):
    return path.relative_to(settings.MEDIA_ROOT).as_posix()


def _changed_at(path):
    """When it was last changed, or anything in it; a file that went meanwhile is new."""
    try:
        return max(one.stat().st_mtime for one in (path, *path.rglob("*")))
    except FileNotFoundError:
        return time.time()


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
