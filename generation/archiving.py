"""What a study may rest on is put out of sight rather than deleted; only what nothing uses can go."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, models, transaction
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts import sharing
from accounts.models import Change

IS_USED = "“%s” is used, by a study, a clip or a job, and stays as it is. Archive it to put it out of sight."


class ArchivedRows:
    """What a queryset of things that can be archived knows besides."""

    def current(self):
        """What lists and choices offer: all that was not put away."""
        return self.filter(archived_at=None)

    def listed(self, is_archive):
        return self.exclude(archived_at=None) if is_archive else self.current()


class Archivable(models.Model):
    archived_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def archive(self, researcher, is_archived=True):
        """Put it out of lists and choices, or back; whatever uses it is not touched. Asked twice, it is done once."""
        as_found = type(self).objects.filter(pk=self.pk, archived_at__isnull=is_archived)
        self.archived_at = timezone.now() if is_archived else None
        with transaction.atomic():
            if as_found.update(archived_at=self.archived_at):
                deed = "archived it" if is_archived else "took it out of the archive"
                Change.objects.note(researcher, deed, self)


@transaction.atomic
def remove(thing, researcher):
    """Delete a thing that nothing uses, and its files once that is certain. False if something uses it."""
    files = [getattr(thing, field.name) for field in thing._meta.fields if isinstance(field, models.FileField)]
    try:
        with transaction.atomic():
            Change.objects.note(researcher, "deleted it", thing)
            thing.leave()
            thing.delete()
    except IntegrityError:  # ProtectedError too, where it was seen in time
        return False
    for file in filter(None, files):
        transaction.on_commit(lambda file=file: file.storage.delete(file.name))
    return True


def wants_archive(request):
    """Does this list show what was put away?"""
    return "archived" in request.GET


@login_required
@require_POST
def archive(request, model, id, is_archived=True):
    thing = sharing.owned(request, model.objects.all(), pk=id)
    thing.archive(request.user, is_archived)
    messages.success(request, f"“{thing}” is {'in' if is_archived else 'out of'} the archive.")
    return redirect(_page(thing), thing.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request, model, id):
    thing = sharing.owned(request, model.objects.all(), pk=id)
    if request.method != "POST":
        return render(request, "generation/delete.html", {"thing": thing, "back": _page(thing)})
    title, key = str(thing), thing.pk
    if not remove(thing, request.user):
        messages.error(request, IS_USED % title)
        return redirect(_page(thing), key)
    messages.success(request, f"“{title}” is gone.")
    return redirect(f"{_page(thing)}s")


def _page(thing):
    return f"generation:{thing._meta.model_name}"
