"""/healthz: what of the site lives, for whoever watches over it. It names no path, no machine and no version."""

import logging
from datetime import timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Min
from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from generation import heartbeat
from generation.models import Job

logger = logging.getLogger(__name__)
# A job may wait for hours behind a training; but where nothing is worked on, a worker would have come by now.
QUEUE_PATIENCE = timedelta(minutes=10)


@never_cache
@require_safe
def healthz(request):
    found = {name: _told(name, look) for name, look in PARTS.items()}
    is_well = all(part["ok"] for part in found.values())
    return JsonResponse({"ok": is_well, **found}, status=200 if is_well else 503)


def _told(name, look):
    try:
        return look()
    except Exception:
        # Whatever it was: that it does not work is all that a stranger reads, the log has the rest.
        logger.exception("/healthz: the %s does not work", name)
        return {"ok": False}


def _database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"ok": True}


def _media():
    name = default_storage.save("healthz", ContentFile(b"written and deleted again"))
    default_storage.delete(name)
    return {"ok": True}


def _queue():
    now = timezone.now()
    oldest = Job.objects.filter(state=Job.State.WAITING).aggregate(oldest=Min("created_at"))["oldest"]
    if oldest is None:
        return {"ok": True, "oldest_waiting_seconds": None}
    is_moving = now - oldest < QUEUE_PATIENCE or Job.objects.underway().exists()
    return {"ok": is_moving, "oldest_waiting_seconds": round((now - oldest).total_seconds())}


def _worker():
    seconds = heartbeat.seconds_since()
    is_alive = seconds is not None and seconds < heartbeat.LIFE_SECONDS
    return {"ok": is_alive, "last_sign_of_life_seconds": None if seconds is None else round(seconds)}


PARTS = {"database": _database, "media": _media, "queue": _queue, "worker": _worker}
