"""Whose tries to log in are counted together, and what is said once there were too many (django-axes does the counting)."""

from datetime import timedelta

from django.conf import settings
from django.shortcuts import render
from django.utils import timezone

from accounts.models import Change, Researcher

TOO_MANY = 429


def client_address(request):
    """The address that the outermost of our own proxies saw.

    Each proxy adds to the right of X-Forwarded-For whom it heard from; what stands further left the sender wrote.
    """
    heard = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    n_ours = settings.TRUSTED_PROXIES
    if n_ours and len(heard) >= n_ours and heard[-n_ours]:
        return heard[-n_ours]
    return request.META.get("REMOTE_ADDR")


def locked(request, response, credentials, *args, **kwargs):
    """Say that no password is looked at for a while, whether there is such an account or not."""
    hours = settings.AXES_COOLOFF_TIME
    _note_once((credentials or {}).get("username"), timezone.now() - timedelta(hours=hours))
    answer = render(request, "accounts/locked.html", {"minutes": round(60 * hours)}, status=TOO_MANY)
    answer["Retry-After"] = str(round(3600 * hours))
    return answer


def _note_once(username, since):
    """Write a lock into the log, once for as long as it lasts."""
    researcher = Researcher.objects.filter(username=username or "").first()
    deed = "was locked out: too many wrong passwords"
    if researcher and not Change.objects.about(researcher).filter(deed=deed, at__gte=since).exists():
        Change.objects.note(None, deed, researcher)
