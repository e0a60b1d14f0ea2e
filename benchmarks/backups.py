"""A backup and a migration while people rate: nobody is disturbed, and the backup makes the same site elsewhere."""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import threading
import time

from benchmarks.kills import PATIENCE_SECONDS, StubbornPerson, compare
from benchmarks.people import N_CLIPS, make_study, together
from benchmarks.site import ROOT, fresh_site, postgres


def measure(site, study, n_people, elsewhere):
    from django.core.management import call_command

    resting = _rated_study()
    people = [StubbornPerson(site.address, study.admit().code) for _ in range(n_people)]
    begun, backup = threading.Event(), site.folder / "site.tar"
    acknowledged_before = {}

    def client(person):
        person.rate(1)
        begun.set()
        person.rate_all_by(time.monotonic() + PATIENCE_SECONDS)

    def keeper():
        begun.wait(PATIENCE_SECONDS)
        acknowledged_before.update({person.path: dict(person.acknowledged) for person in people})
        call_command("backup", str(backup), verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
        call_command("migrate", verbosity=0)

    together([keeper, *[lambda person=person: client(person) for person in people]])
    with tarfile.open(backup) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
    restored = Elsewhere(site.folder / "elsewhere", elsewhere)
    restored.run("manage.py", "restore", backup)
    found = json.loads(restored.run("-m", "benchmarks.backups", "--look"))
    return {
        "failures": sum(person.n_failures for person in people),
        "missing_in_copy": _missing(found["ratings"], acknowledged_before),
        "copied_while_rating": 0 < len(found["ratings"]) - N_CLIPS < n_people * N_CLIPS,
        "counts_alike": found["rows"] == manifest["rows"] and sum(found["rows"].values()) > 0,
        "files_missing": found["files_missing"],
        "export_alike": restored.run("manage.py", "export_ratings", resting.slug) == _exported(resting),
        **compare(people),
    }


class Elsewhere:
    """Another folder and database, where commands of a site run in processes of their own."""

    def __init__(self, folder, database_url):
        url = database_url or f"sqlite:///{folder / 'db.sqlite3'}"
        self.environment = os.environ | {"EARMARK_DATA": str(folder), "DATABASE_URL": url}

    def run(self, *command):
        command = [sys.executable, *map(str, command)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()


def _rated_study():
    """Return a closed study that one person rated."""
    study = make_study()
    for trial in study.admit().trials.all():
        trial.rate({study.scales.get().pk: 1 + trial.position % 10}, "")
    study.state = study.State.CLOSED
    study.save(update_fields=["state"])
    return study


def _exported(study):
    from study import export

    return "".join(export.ratings_csv(study))


def _missing(ratings, acknowledged):
    stored = {(path, position): value for path, position, value in ratings}
    return sum(
        stored.get((path, position)) != value for path, own in acknowledged.items() for position, value in own.items()
    )


def look():
    """Return what this site holds: {rows of each table, ratings, files that are not there}."""
    import django

    django.setup()
    from django.core.files.storage import default_storage

    from study import snapshots
    from study.models import Rating, Stimulus

    of_a_rating = ("trial__session__code", "trial__position", "value")
    ratings = [(f"/t/{code}/", *rest) for code, *rest in Rating.objects.values_list(*of_a_rating)]
    sounds = Stimulus.objects.values_list("sound", flat=True)
    return {
        "rows": snapshots.rows_of(snapshots.ask_now),
        "ratings": ratings,
        "files_missing": sum(not default_storage.exists(sound) for sound in sounds),
    }


def run(n_people, database_url=None, elsewhere=None):
    with fresh_site(database_url) as site:
        study = make_study()
        site.start()
        return measure(site, study, n_people, elsewhere)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--look", action="store_true", help="say what the site of the environment holds")
    options = parser.parse_args()
    if options.look:
        print(json.dumps(look()))
        return
    if not options.postgres:
        print(json.dumps(run(options.people)))
        return
    with postgres() as url:
        print(json.dumps(run(options.people, url, _second_database(url)) if url else {"skipped": "no PostgreSQL here"}))


def _second_database(url):
    """A database of somebody who may do nothing else, as docs/deploy.md makes it."""
    import psycopg

    with psycopg.connect(url.replace("postgres://", "postgresql://"), autocommit=True) as server:
        server.execute("CREATE ROLE site LOGIN")
        server.execute("CREATE DATABASE elsewhere OWNER site")
    return url.replace("earmark@/postgres?", "site@/elsewhere?")


if __name__ == "__main__":
    main()
