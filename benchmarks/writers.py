"""Sixteen processes that each show and rate 200 trials as fast as they can: the database refuses none."""

import argparse
import json
import multiprocessing
import statistics
import time

from benchmarks.people import N_CLIPS, make_study
from benchmarks.site import fresh_site


def write(codes, n_transactions, gate, results):
    """Rate trial after trial; report each transaction's seconds and what went wrong."""
    from study.models import Session

    gate.wait()
    seconds, failures = [], []
    for code in codes:
        session = Session.objects.get(code=code)
        while len(seconds) + len(failures) < n_transactions and (trial := session.next_trial()):
            start = time.perf_counter()
            try:
                trial.rate({session.study.asked()[0].pk: 5})
                seconds.append(time.perf_counter() - start)
            except Exception as failure:
                failures.append(repr(failure))
    results.put((seconds, failures))


def measure(study, n_writers, n_transactions):
    from django.db import connections

    from study.models import Rating

    n_sessions = -(-n_transactions // N_CLIPS)
    codes = [[study.admit().code for _ in range(n_sessions)] for _ in range(n_writers)]
    connections.close_all()  # or the children would share this process' connection
    fork = multiprocessing.get_context("fork")
    gate, results = fork.Barrier(n_writers), fork.Queue()
    writers = [fork.Process(target=write, args=(own, n_transactions, gate, results)) for own in codes]
    start = time.perf_counter()
    for writer in writers:
        writer.start()
    seconds, failures = zip(*(results.get(timeout=300) for _ in writers), strict=True)
    took = time.perf_counter() - start
    for writer in writers:
        writer.join()
    seconds = [one for own in seconds for one in own]
    return {
        "writers": n_writers,
        "transactions": len(seconds),
        "refused": sum(map(len, failures)),
        "stored": Rating.objects.count(),
        "per_second": len(seconds) / took,
        "p99_ms": 1000 * statistics.quantiles(seconds, n=100)[-1],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--transactions", type=int, default=200, help="of each writer")
    options = parser.parse_args()
    with fresh_site():
        print(json.dumps(measure(make_study(), options.writers, options.transactions)))


if __name__ == "__main__":
    main()
