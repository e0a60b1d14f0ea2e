"""One machine, no TLS: `make demo` and work on Earmark itself."""

import secrets

from settings.base import *  # noqa: F403
from settings.base import DATA_DIR, STATIC_ROOT, env

DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])


def _kept_secret(path):
    """Return the secret in this file; the first call writes it, so that logins survive a restart."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_urlsafe(50))
        path.chmod(0o600)
    return path.read_text()


SECRET_KEY = env("SECRET_KEY", default="") or _kept_secret(DATA_DIR / "secret_key")
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
WHITENOISE_USE_FINDERS = True  # no collectstatic on the way to a first look
STATIC_ROOT.mkdir(exist_ok=True)  # whitenoise warns about a folder that is not there
