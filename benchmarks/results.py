"""A study of a million stored ratings: its table, its results page, and everything taken away by a worker."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.cycles import fill
from benchmarks.people import make_study
from benchmarks.site import ROOT, fresh_site

N_TIMES = 20


def milliseconds(deed, n_times=N_TIMES):
    """Return the median of how long a deed takes, after a first time that does not count."""
    deed()
    took = []
    for _ in range(n_times):
        started = time.perf_counter()
        deed()
        took.append(1000 * (time.perf_counter() - started))
    return statistics.median(took)


def page(client, study):
    response = client.get(f"/studies/{study.slug}/results/", headers={"Host": "localhost"})
    assert response.status_code == 200
    return response


def worked():
    """Have a worker of its own process do what waits; return the seconds, and the most memory that it had (not its child)."""
    command = [sys.executable, "manage.py", "db_worker", "--batch", "--no-startup-delay", "--verbosity", "0"]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=ROOT, env=os.environ) as worker:
        while worker.poll() is None:
            peak = max(peak, _peak_kb(worker.pid))
            time.sleep(0.05)
    return time.perf_counter() - started, peak / 1024


def _peak_kb(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def measure(n_ratings):
    from django.test import Client

    from study import analyses, tables
    from study.models import Rating, Study
    from study.recounting import recount

    study = make_study()
    fill(study, n_ratings)
    started = time.perf_counter()
    recount(study)
    recounted = time.perf_counter() - started
    Study.objects.update(state=Study.State.CLOSED)
    study.refresh_from_db()
    client = Client()
    client.force_login(study.owner)
    before = milliseconds(lambda: page(client, study))
    analyses.ask(study, study.owner)
    seconds, peak_mb = worked()
    analysis = analyses.latest(study)
    assert analysis is not None, study.analyses.get().job.log
    return {
        "ratings": Rating.objects.count(),
        "recount_s": recounted,
        "table_ms": milliseconds(lambda: tables.tables(study)),
        "page_before_ms": before,
        "page_ms": milliseconds(lambda: page(client, study)),
        "page_kb": len(page(client, study).content) / 1024,
        "analysis_s": seconds,
        "worker_peak_mb": peak_mb,
        "package_mb": analysis.file.size / 2**20,
        "analysed": analysis.n_ratings,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, default=1_000_000)
    options = parser.parse_args()
    with fresh_site():
        print(json.dumps(measure(options.ratings)))


if __name__ == "__main__":
    main()
