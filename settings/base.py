"""What every machine has in common. What differs comes from the environment (docs/deploy.md lists it)."""

import os
from pathlib import Path

import environ

from settings.required import refuse

# Two BLAS threads under load made the same fit fifty times slower; set before anything loads numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
env = environ.Env()

# Everything that Earmark writes lies below this folder, unless DATABASE_URL or the storage say otherwise.
DATA_DIR = Path(env("EARMARK_DATA", default=str(ROOT / "var")))
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    refuse(f"EARMARK_DATA: the folder {DATA_DIR} cannot be made: {error.strerror}.")
CORPUS_DIR = DATA_DIR / "corpora"
RUN_DIR = DATA_DIR / "runs"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_tasks",
    "django_tasks_db",
    "django_htmx",
    "axes",
    "csp",
    "accounts",
    "generation",
    "study",
]

MIDDLEWARE = [
    "settings.edge.HealthFromThisMachine",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "settings.edge.NoTrace",
    "settings.limits.AnswersOfASession",
]

ROOT_URLCONF = "settings.urls"
WSGI_APPLICATION = "settings.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
# The admin's own templates are found through its app; ours all lie in templates/.
TEMPLATES[0]["APP_DIRS"] = True

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Measured: SQLite's defaults refused 354 of 3,200 concurrent transactions, these settings none.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
DATABASES["default"]["CONN_MAX_AGE"] = 60
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.Researcher"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "accounts:login"
AXES_VERBOSE = False
AXES_FAILURE_LIMIT = 20
AXES_COOLOFF_TIME = 1  # hours
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]  # so many for an account, and so many for an address
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # else a lock lasts for as long as somebody knocks
AXES_CLIENT_IP_CALLABLE = "accounts.locking.client_address"
AXES_HANDLER = "accounts.locking.CountedBefore"
AXES_LOCKOUT_CALLABLE = "accounts.locking.locked"
# How many proxies of our own stand before the site: whom X-Forwarded-For is believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
# May every researcher invite others, or staff alone?
RESEARCHERS_INVITE = env.bool("RESEARCHERS_INVITE", default=False)

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [ROOT / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [ROOT / "static"]
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "generation.storing.WholeFiles"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_URL = "/media/"  # never routed: every file is served by a view that knows who asks

# Sound and pictures come from this site alone; a clip is played from a blob that the page holds.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "media-src": ["'self'", "blob:"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
# How many answers a session may send at once, and how often one more from then on; None: as many as it likes.
ANSWERS_OF_A_SESSION: dict | None = None
# How many letters with a new password's link go to an address, and how many are asked for from one; None: any number.
FORGOTTEN_PASSWORDS: dict | None = None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
# Whatever a form brings but files: a comment of a million words. What is longer is told so (generation/failing.py).
DATA_UPLOAD_MAX_MEMORY_SIZE = 8_000_000
# An upload is a checkpoint at most; what the form then allows is less (generation/forms.py).
FILE_UPLOAD_HANDLERS = [
    "generation.bounded.BoundedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "generation.bounded.RemovedUploadHandler",
]
QUOTA_BYTES = env.float("QUOTA_GB", default=20.0) * 10**9  # of each researcher's files
FILE_UPLOAD_PERMISSIONS = 0o640
# What comes in is written where it will stay, and what a killed process leaves of it is swept.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "work"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)

LOGGING: dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "filters": {"without_codes": {"()": "settings.logs.WithoutCodes"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["without_codes"]}},
    "loggers": {"axes": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}
