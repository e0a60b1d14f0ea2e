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
    study.opening_at, study.problem = timezone.now(), ""
    study.save(update_fields=["opening_at", "problem"])
    transaction.on_commit(lambda: open_study.enqueue(study.pk, study.opening_at.isoformat()))


def take_back(study):
    """Make it a draft to edit again; a worker that makes its sounds finds out and stops."""
    Study.objects.filter(pk=study.pk, state=Study.State.DRAFT).update(opening_at=None)


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
