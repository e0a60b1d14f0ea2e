"""Who may see and change what: look-up and permission in one step, for every room.

What somebody may not see is not there (404). What they see and may not change says so (403).
"""

from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import Change, Share, kind_of

CHANGES_SHOWN = 10
# kind -> functions of a researcher that return keys: what comes along with other things that they may see.
_COMES_WITH: dict = {}


def comes_with(kind, keys):
    """Have things of this kind seen by whoever sees what they are part of.

    keys: called with a researcher, returns a subquery of keys
    """
    _COMES_WITH.setdefault(kind, []).append(keys)


class OwnedQuerySet(models.QuerySet):
    """What belongs to its owner alone."""

    def owned_by(self, researcher):
        return self.filter(owner=researcher)

    def visible_to(self, researcher):
        return self.owned_by(researcher)

    def editable_by(self, researcher):
        return self.owned_by(researcher)


class SharedQuerySet(OwnedQuerySet):
    """What can be shared with named researchers."""

    def visible_to(self, researcher):
        seen = Q(owner=researcher) | Q(pk__in=Share.objects.keys(self.model, researcher))
        for keys in _COMES_WITH.get(kind_of(self.model), ()):
            seen |= Q(pk__in=keys(researcher))
        return self.filter(seen)

    def editable_by(self, researcher):
        shared = Share.objects.keys(self.model, researcher, Share.Role.EDITOR)
        return self.filter(Q(owner=researcher) | Q(pk__in=shared))


def visible(request, rows, **key):
    """Return what this researcher may see; anything else is not there."""
    return get_object_or_404(rows.visible_to(request.user), **key)


def editable(request, rows, **key):
    thing = visible(request, rows, **key)
    if not may_edit(request.user, thing):
        raise PermissionDenied(f"{thing.owner} shared this for you to look at. It is not yours to change.")
    return thing


def owned(request, rows, **key):
    thing = visible(request, rows, **key)
    require_owner(request, thing)
    return thing


def require_owner(request, thing):
    if thing.owner_id != request.user.pk:
        raise PermissionDenied(f"Only {thing.owner}, whose it is, may share or remove it.")


def may_edit(researcher, thing):
    if thing.owner_id == researcher.pk:
        return True
    return type(thing).objects.editable_by(researcher).filter(pk=thing.pk).exists()


def rights(request, thing):
    """What a page needs to know of its reader."""
    return {"may_edit": may_edit(request.user, thing), "is_owner": thing.owner_id == request.user.pk}


def about(request, thing):
    """The same, with whom a thing is shared with and what was done to it lately."""
    return {
        **rights(request, thing),
        "thing": thing,
        "shares": Share.objects.about(thing).select_related("researcher"),
        "changes": Change.objects.about(thing).select_related("researcher")[:CHANGES_SHOWN],
        "all_changes": f"{reverse('accounts:log')}?{urlencode({'kind': kind_of(thing), 'subject': thing.pk})}",
    }
