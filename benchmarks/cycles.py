"""Full rating cycles (GET trial, POST rating) by 20 clients on the same machine, from 0 and from 1,000,000 ratings."""

import argparse
import json
import statistics
import time

from benchmarks.people import N_CLIPS, Person, make_study, together
from benchmarks.site import fresh_site

N_CLIENTS = 20


def fill(study, n_ratings):
    """Store finished sessions by plain SQL, as many as give this many ratings."""
    from django.db import connection

    n_sessions = -(-n_ratings // N_CLIPS)
    stimuli = sorted(study.plan().conditions)
    scale = study.scales.get().pk
    numbers = "WITH RECURSIVE numbers(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM numbers WHERE i < {last})"
    now = "CURRENT_TIMESTAMP"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO study_session (study_id, code, admission, recruiter, participant, seed, number, is_replaced,"
            " n_trials, started_at, finished_at) "
            + numbers.format(first=1, last=n_sessions)
            + f" SELECT {study.pk}, 'bench-' || i, 'bench-' || i, '', '', i, i, false, {N_CLIPS}, {now}, {now} FROM numbers"
        )
        for position, stimulus in enumerate(stimuli, start=1):
            cursor.execute(
                "INSERT INTO study_trial (session_id, stimulus_id, position, is_repeat, address, shown_at, rated_at,"
                " heard_seconds, plays, comment) "
                f"SELECT id, {stimulus}, {position}, false, 'bench-{position}-' || number, {now}, {now}, 30, 1, ''"
                " FROM study_session WHERE code LIKE 'bench-%'"
            )
        cursor.execute(
            "INSERT INTO study_rating (trial_id, scale_id, value) "
            f"SELECT id, {scale}, 1 + id % 10 FROM study_trial WHERE address LIKE 'bench-%'"
        )
        cursor.execute("ANALYZE")


def measure(site, study, seconds):
    """Return what 20 clients see and what it costs the server, for about so many seconds."""
    people = [Person(site.address, study.admit().code) for _ in range(int(seconds * 25) + N_CLIENTS)]
    listener = study.admit()
    sounds = [f"/sound/{address}/" for address in listener.trials.values_list("address", flat=True)]
    warm = [Person(site.address, study.admit().code) for _ in range(N_CLIENTS)]
    together([lambda person=person: person.rate_all(3) for person in warm])
    first_bytes, queue = [], iter(people)
    deadline = time.perf_counter() + seconds

    def is_over():
        return time.perf_counter() > deadline

    def client():
        while not is_over() and (person := next(queue, None)):
            person.rate_all(is_over=is_over)
            person.hang_up()

    def listen():
        person = Person(site.address, listener.code)
        while not is_over():
            first_bytes.append(person.first_byte_seconds(sounds[len(first_bytes) % len(sounds)]))
            time.sleep(0.1)

    start, cpu = time.perf_counter(), site.cpu_seconds()
    together([*[client] * N_CLIENTS, listen])
    took, cpu = time.perf_counter() - start, site.cpu_seconds() - cpu
    cycles = [one for person in people for one in person.seconds]
    return {
        "cycles": len(cycles),
        "cycles_per_second": len(cycles) / took,
        "cpu_ms_per_cycle": 1000 * cpu / len(cycles),
        "p50_ms": 1000 * statistics.median(cycles),
        "p95_ms": 1000 * statistics.quantiles(cycles, n=20)[-1],
        "first_audio_byte_p50_ms": 1000 * statistics.median(first_bytes),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, default=0, help="stored before the measurement")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with fresh_site() as site:
        study = make_study()
        if options.ratings:
            fill(study, options.ratings)
        site.start()
        print(json.dumps({"stored_ratings": options.ratings, **measure(site, study, options.seconds)}))


if __name__ == "__main__":
    main()
