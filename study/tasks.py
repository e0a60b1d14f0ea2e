"""What the worker does for studies: the sounds of one that a researcher opens from its page."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from study import opening
from study.models import Study

log = logging.getLogger(__name__)


def ask_to_open(study):
    """Freeze the draft and have the worker open it. Raises NotReadyError if something is missing."""
    if problems := opening.check(study):
        raise opening.NotReadyError(" ".join(problems))
    ask_again(study)
    transaction.on_commit(lambda: _look_later(study.pk))


def ask_again(study):
    """Have the worker open it, from now on. False if it has changed hands meanwhile: opened, taken back, asked for."""
    now = timezone.now()
    as_found = Study.objects.filter(pk=study.pk, state=Study.State.DRAFT, opening_at=study.opening_at)
    with transaction.atomic():
        was_first = as_found.update(opening_at=now, problem="")
        if was_first:
            study.opening_at, study.problem = now, ""
            transaction.on_commit(lambda: open_study.enqueue(study.pk, now.isoformat()))
    return bool(was_first)


def sweep():
    """Ask again for every study that a dead worker left half opened. Returns how many those were."""
    opening_now = Study.objects.filter(state=Study.State.DRAFT).exclude(opening_at=None)
    return sum(ask_again(study) for study in opening_now if opening.is_stalled(study))


def take_back(study):
    """Make it a draft to edit again; a worker that makes its sounds finds out and stops. False if none was opening."""
    opening_now = Study.objects.filter(pk=study.pk, state=Study.State.DRAFT).exclude(opening_at=None)
    return bool(opening_now.update(opening_at=None))


# Before the jobs that wait: participants are waiting for this.
@task(priority=50)
def open_study(study_id, asked_at):
    # A second delivery, or one that comes after the study was taken back, finds another time and does nothing.
    study = Study.objects.filter(pk=study_id, opening_at=datetime.fromisoformat(asked_at)).first()
    if study is None:
        return
    try:
        opening.open_study(study)
    except (opening.NotReadyError, opening.NoLongerOpeningError) as error:
        log.info("study %s was not opened: %s", study.slug, error)


def _look_later(study_id):
    if look_after.get_backend().supports_defer:
        look_after.using(run_after=timezone.now() + opening.PATIENCE).enqueue(study_id)


@task(priority=60)
def look_after(study_id):
    """Come back as long as the study is being opened: whichever worker lives then finds out that this one died."""
    sweep()
    if Study.objects.filter(pk=study_id, state=Study.State.DRAFT).exclude(opening_at=None).exists():
        _look_later(study_id)
