"""The tests: a data folder of their own (gone when they end), quick passwords, queued tasks run when a test runs them."""

import atexit
import os
import shutil
import tempfile

if "EARMARK_DATA" not in os.environ:  # a child of the tests shares its parent's folder
    os.environ["EARMARK_DATA"] = tempfile.mkdtemp(prefix="earmark-tests-")
    atexit.register(shutil.rmtree, os.environ["EARMARK_DATA"], ignore_errors=True)

from settings.base import *  # noqa: F403
from settings.base import DATABASES, MIDDLEWARE

DEBUG = False
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES["default"]["CONN_MAX_AGE"] = 0
# A file, not memory, and under its own name: the live server, a worker's process and the test see one database.
DATABASES["default"]["TEST"] = {"NAME": str(DATABASES["default"]["NAME"])}
MIDDLEWARE = [name for name in MIDDLEWARE if "whitenoise" not in name]
AXES_ENABLED = False
