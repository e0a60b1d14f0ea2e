"""Kill -9 (or an orderly stop) of the whole server while 20 people rate: every acknowledged rating must be there, once."""

import argparse
import json
import random
import time

from benchmarks.people import N_CLIPS, Person, make_study, together
from benchmarks.site import fresh_site, postgres

N_CLIENTS = 20
PATIENCE_SECONDS = 120


class StubbornPerson(Person):
    """Sends an answer that was not acknowledged again, the same, as the page does; stored after all, it changes nothing."""

    def rate_all_by(self, deadline):
        while len(self.acknowledged) < N_CLIPS:
            if time.monotonic() > deadline:
                raise TimeoutError("the site did not come back")
            try:
                self.rate(len(self.acknowledged) + 1)
            except OSError:  # refused, or cut off
                self.hang_up()
                time.sleep(0.05)
        self.hang_up()


def run(site, study, n_submissions, chance, end):
    """One run: returns what was acknowledged, what is stored, and what the database says of itself."""
    people = [StubbornPerson(site.address, study.admit().code) for _ in range(-(-n_submissions // N_CLIPS))]
    queue, deadline = iter(people), time.monotonic() + PATIENCE_SECONDS
    n_kills = 0

    def client():
        while person := next(queue, None):
            person.rate_all_by(deadline)

    def killer():
        nonlocal n_kills
        part = chance.uniform(0.2, 0.8) * len(people) * N_CLIPS
        while sum(len(person.acknowledged) for person in people) < part:
            time.sleep(chance.uniform(0, 0.02))
        end()
        n_kills += 1
        site.start()

    together([*[client] * N_CLIENTS, killer])
    return {"kills": n_kills, "failures": sum(person.n_failures for person in people), **compare(people)}


def compare(people):
    """Set what was acknowledged against what is stored."""
    from django.db import connection

    from study.models import Rating

    stored = {}
    n_doubled = 0
    paths = {person.path.split("/")[2]: person for person in people}
    rows = Rating.objects.filter(trial__session__code__in=paths)
    for code, position, value in rows.values_list("trial__session__code", "trial__position", "value"):
        n_doubled += (code, position) in stored
        stored[code, position] = value
    acknowledged = {
        (code, position): value for code, person in paths.items() for position, value in person.acknowledged.items()
    }
    return {
        "acknowledged": len(acknowledged),
        "lost": sum(key not in stored for key in acknowledged),
        "changed": sum(stored.get(key, value) != value for key, value in acknowledged.items()),
        "doubled": n_doubled,
        "intact": _is_intact(connection),
    }


def _is_intact(connection):
    if connection.vendor != "sqlite":
        return True
    with connection.cursor() as cursor:
        return cursor.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--submissions", type=int, default=2000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--gently", action="store_true", help="stop it as an update does")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    if options.postgres:
        with postgres() as url:
            report = measure(options, chance, url) if url else {"skipped": "no PostgreSQL on this machine"}
    else:
        report = measure(options, chance)
    print(json.dumps(report))


def measure(options, chance, url=None):
    with fresh_site(url) as site:
        study = make_study()
        site.start()
        end = site.stop if options.gently else site.kill
        runs = [run(site, study, options.submissions, chance, end) for _ in range(options.runs)]
        site.kill()
        n_miscounted = miscounted(study)
        _hang_up_database()
    return {"runs": len(runs), **{name: sum(one[name] for one in runs) for name in runs[0]}, "miscounted": n_miscounted}


def miscounted(study):
    """How many of the counts that were kept with the ratings are not those of all ratings."""
    from study.models import TotalCount, ValueCount
    from study.recounting import recount

    def counts():
        values = ValueCount.objects.values_list("stimulus", "scale", "value", "n")
        totals = TotalCount.objects.filter(n_sessions__gt=0).values_list("condition", "total", "n", "n_sessions")
        return {*values, *(("total", *count) for count in totals)}

    kept = counts()
    recount(study)
    return len(kept ^ counts())


def _hang_up_database():
    from django.db import connections

    connections.close_all()


if __name__ == "__main__":
    main()
