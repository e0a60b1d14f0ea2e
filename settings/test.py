"""The tests: a data folder of their own (tests/conftest.py makes it), quick passwords, tasks run when asked to."""

from settings.base import *  # noqa: F403
from settings.base import DATABASES, MIDDLEWARE

DEBUG = False
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES["default"]["CONN_MAX_AGE"] = 0
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, not memory: the live server, the worker and the test see one database, as in production.
    DATABASES["default"]["TEST"] = {"NAME": str(DATABASES["default"]["NAME"]) + ".test"}
MIDDLEWARE = [name for name in MIDDLEWARE if "whitenoise" not in name]
AXES_ENABLED = False
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
