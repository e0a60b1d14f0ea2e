"""Whose tries to log in are counted together, and what is said once there were too many (django-axes does the counting)."""

from datetime import timedelta
from ipaddress import ip_address

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username, get_failure_limit
from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.shortcuts import render
from django.utils import timezone

from accounts.models import Change, Researcher

TOO_MANY = 429


class CountedBefore(AxesDatabaseHandler):
    """Count a try before its password is looked at, and take it back when it was right.

    Counted afterwards, as axes does, as many passwords more are looked at as requests are under way: 16 threads looked at
    35 where 20 were allowed. Of two that reach the limit together both may be refused; never do both pass.
    """

    def is_allowed(self, request, credentials=None):
        if not super().is_allowed(request, credentials):
            return False
        self.clean_expired_user_attempts(request, credentials)
        mine = _count(request, credentials)
        if self.get_failures(request, credentials) > get_failure_limit(request, credentials):
            _take_back(mine)
            return False
        request.counted_try = mine
        return True

    def user_login_failed(self, sender, credentials, request=None, **kwargs):
        if request.axes_locked_out:
            return super().user_login_failed(sender, credentials, request, **kwargs)
        if self.get_failures(request, credentials) >= get_failure_limit(request, credentials):
            request.axes_locked_out, request.axes_credentials = True, credentials
        return None

    def user_logged_in(self, sender, request, user, **kwargs):
        super().user_logged_in(sender, request, user, **kwargs)
        if hasattr(request, "counted_try"):
            _take_back(request.counted_try)


@transaction.atomic
def _count(request, credentials):
    """Add a try to those of this account, address and browser. Returns the key of their row."""
    who = {
        "username": get_client_username(request, credentials),
        "ip_address": request.axes_ip_address,
        "user_agent": request.axes_user_agent,
    }
    tries, is_new = AccessAttempt.objects.select_for_update().get_or_create(
        **who, defaults={"failures_since_start": 1, "path_info": request.axes_path_info}
    )
    if not is_new:
        AccessAttempt.objects.filter(pk=tries.pk).update(
            failures_since_start=F("failures_since_start") + 1, attempt_time=request.axes_attempt_time
        )
    return tries.pk


def _take_back(key):
    AccessAttempt.objects.filter(pk=key).update(failures_since_start=F("failures_since_start") - 1)


def client_address(request):
    """The address that the outermost of our own proxies saw.

    Each proxy adds to the right of X-Forwarded-For whom it heard from; what stands further left the sender wrote.
    """
    heard = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    n_ours = settings.TRUSTED_PROXIES
    if n_ours and len(heard) >= n_ours and _is_address(heard[-n_ours]):
        return heard[-n_ours]
    return request.META.get("REMOTE_ADDR")


def _is_address(text):
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


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
