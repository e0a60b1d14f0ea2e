"""How many bytes a researcher's files may take on the disk."""

import os

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import FileField

from generation.models import Checkpoint, Clip, Upload
from music.refusal import Refusal

COUNTED = (Checkpoint, Clip, Upload)


def used_bytes(researcher):
    """Return how many bytes the files of what this researcher made and brought take."""
    return sum(_size(storage, name) for storage, name in _files(researcher))


def require_room(researcher, n_bytes):
    """Refuse files that there is no room for any more. Raises Refusal, which says how much is used and allowed.

    Within a transaction that stores them: whoever brings files at the same moment waits here, and counts these too.
    """
    get_user_model().objects.select_for_update().get(pk=researcher.pk)
    used, allowed = used_bytes(researcher), settings.QUOTA_BYTES
    if used + n_bytes > allowed:
        raise Refusal(
            f"You use {shown(used)} of the {shown(allowed)} that your files may take, and this needs {shown(n_bytes)} more. "
            "Delete clips or checkpoints that nothing uses, or ask whoever runs the site for more.",
            "quota.full",
        )


@transaction.atomic
def receive(researcher, files, batch):
    """Keep files until they are read, and return their uploads. Raises Refusal if there is no room for all."""
    require_room(researcher, sum(file.size for file in files))
    return [Upload.objects.receive(researcher, file, batch) for file in files]


def shown(n_bytes):
    return f"{n_bytes / 1e9:,.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"


def _files(researcher):
    for model in COUNTED:
        for field in model._meta.fields:
            if isinstance(field, FileField):
                names = model.objects.filter(owner=researcher).exclude(**{field.name: ""})
                yield from ((field.storage, name) for name in names.values_list(field.name, flat=True))


def _size(storage, name):
    try:
        return os.stat(storage.path(name)).st_size
    except FileNotFoundError:
        return 0
