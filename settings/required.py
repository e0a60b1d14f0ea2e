"""What a site cannot do without: it says in one sentence what is missing, and does not start."""

import sys

# gunicorn ends when its worker leaves with this status; after any other it starts the worker again, for ever.
WILL_NEVER_START = 3
SHORTEST_KEY, FEWEST_CHARACTERS = 50, 10
NEW_KEY = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))' prints a good one"


def secret_key(env):
    """Return SECRET_KEY, a long one that nobody can guess."""
    key = env("SECRET_KEY", default="")
    if not key:
        refuse(f"SECRET_KEY is missing from the environment: {NEW_KEY}.")
    if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS or key.startswith("django-insecure-"):
        refuse(f"SECRET_KEY is too weak, it needs {SHORTEST_KEY} characters by chance: {NEW_KEY}.")
    return key


def allowed_hosts(env):
    """Return ALLOWED_HOSTS, the names of this site and no others."""
    hosts = [host.strip() for host in env.list("ALLOWED_HOSTS", default=[]) if host.strip()]
    if not hosts:
        refuse("ALLOWED_HOSTS is missing from the environment: the site's names, as in listen.example.org.")
    if "*" in hosts:
        refuse(
            "ALLOWED_HOSTS may not be *: links in mails would lead wherever a stranger likes; give the site's names."
        )
    return hosts


def refuse(sentence):
    print(sentence, file=sys.stderr)  # noqa: T201
    raise SystemExit(WILL_NEVER_START)
