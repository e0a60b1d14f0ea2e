"""Behind TLS. Secrets and addresses come from the environment; without them the site does not start."""

from settings.base import *  # noqa: F403
from settings.base import LOGGING, env
from settings.required import allowed_hosts, secret_key

DEBUG = False
SECRET_KEY = secret_key(env)
ALLOWED_HOSTS = allowed_hosts(env)
# A leading dot means all names below, which an origin spells with a star.
CSRF_TRUSTED_ORIGINS = [f"https://{'*' if host.startswith('.') else ''}{host}" for host in ALLOWED_HOSTS]
# Without EMAIL_URL what would be mailed is written to the log, for whoever looks after the site to pass on.
globals().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds, for which one letter keeps the next waiting
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("EMAIL_FROM", default=f"earmark@{ALLOWED_HOSTS[0].lstrip('.')}")
# Who answers faster than this for long does not listen; thirty people behind one address are thirty sessions.
ANSWERS_OF_A_SESSION = {"burst": 10, "every_seconds": 2}
# Three letters at once and then three an hour; thirty people who all forget twice within an hour do not meet the other.
FORGOTTEN_PASSWORDS = {
    "to_an_address": {"burst": 3, "every_seconds": 1200},
    "from_an_address": {"burst": 60, "every_seconds": 60},
}
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken"
STORAGES = {
    "default": {"BACKEND": "generation.storing.WholeFiles"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
LOGGING["formatters"]["line"]["()"] = "settings.logs.OneLine"
