"""An online backup and a migration while 20 people rate: nobody is disturbed, and the copy is whole."""

import json
import sqlite3
import threading
import time

from benchmarks.kills import N_CLIENTS, PATIENCE_SECONDS, StubbornPerson, compare
from benchmarks.people import make_study, together
from benchmarks.site import fresh_site


def measure(site, study):
    from django.core.management import call_command

    people = [StubbornPerson(site.address, study.admit().code) for _ in range(N_CLIENTS)]
    begun, copy = threading.Event(), site.folder / "copy.sqlite3"
    acknowledged_before = {}

    def client(person):
        person.rate(1)
        begun.set()
        person.rate_all_by(time.monotonic() + PATIENCE_SECONDS)

    def keeper():
        begun.wait(PATIENCE_SECONDS)
        acknowledged_before.update({person.path: dict(person.acknowledged) for person in people})
        with sqlite3.connect(site.folder / "db.sqlite3") as source, sqlite3.connect(copy) as target:
            source.backup(target)
        call_command("migrate", verbosity=0)

    together([keeper, *[lambda person=person: client(person) for person in people]])
    return {
        "failures": sum(person.n_failures for person in people),
        "missing_in_copy": _missing(copy, acknowledged_before),
        "copied_while_rating": sum(map(len, acknowledged_before.values()))
        < sum(len(one.acknowledged) for one in people),
        **compare(people),
    }


def _missing(copy, acknowledged):
    with sqlite3.connect(copy) as restored:
        if restored.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            return "the copy is damaged"
        rows = restored.execute(
            "SELECT '/t/' || session.code || '/', trial.position, rating.value FROM study_rating rating"
            " JOIN study_trial trial ON trial.id = rating.trial_id JOIN study_session session ON session.id = trial.session_id"
        )
        stored = {(path, position): value for path, position, value in rows}
    return sum(
        stored.get((path, position)) != value for path, own in acknowledged.items() for position, value in own.items()
    )


def main():
    with fresh_site() as site:
        study = make_study()
        site.start()
        print(json.dumps(measure(site, study)))


if __name__ == "__main__":
    main()
