"""The short forms of what `make bench` measures: a server that is killed, writers that crowd, cycles that cost little."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def measured(module, *arguments):
    # Its own data folder and settings, whatever the tests use.
    env = {name: value for name, value in os.environ.items() if name not in ("EARMARK_DATA", "DJANGO_SETTINGS_MODULE")}
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_killed_server_lost_nothing_that_it_acknowledged(database):
    arguments = ["--postgres"] if database == "postgres" else []

    found = measured("kills", "--runs", "1", "--submissions", "130", *arguments)

    if "skipped" in found:
        pytest.skip(found["skipped"])
    nothing = {"failures": 0, "lost": 0, "changed": 0, "doubled": 0, "miscounted": 0}
    assert found == {"runs": 1, "kills": 1, "acknowledged": 130, "intact": 1, **nothing}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_job_that_is_delivered_to_ten_workers_at_once_makes_one_set_of_clips(database):
    found = measured("deliveries", "--rounds", "3", *(["--postgres"] if database == "postgres" else []))

    if "skipped" in found:
        pytest.skip(found["skipped"])
    nothing = {"files_without_row": 0, "abandoned_work": 0, "broken_workers": 0}
    assert found == {"rounds": 3, "done": 3, "sets_of_clips": 3, "clips": 6, **nothing}


def test_what_a_killed_worker_had_begun_another_finishes_once_and_whole():
    found = measured("worker_kills", "--kills", "2", "--lease", "4")

    faults = {name: found[name] for name in ("wrong_sets", "half_clips", "left_after_sweep")}
    assert (found["done"], found["in_time"], faults) == (2, 2, dict.fromkeys(faults, 0)), found


def test_an_update_under_load_fails_nobody():
    found = measured("kills", "--runs", "1", "--submissions", "130", "--gently")

    assert (found["acknowledged"], found["failures"], found["lost"], found["doubled"]) == (130, 0, 0, 0)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_backup_under_load_disturbs_nobody_and_makes_the_same_site_elsewhere(database):
    arguments = ["--postgres"] if database == "postgres" else []

    found = measured("backups", "--people", "5", *arguments)

    if "skipped" in found:
        pytest.skip(found["skipped"])
    nothing = {"failures": 0, "missing_in_copy": 0, "files_missing": 0, "lost": 0, "changed": 0, "doubled": 0}
    alike = {"counts_alike": True, "export_alike": True, "copied_while_rating": True, "intact": True}
    assert found == {"acknowledged": 65, **nothing, **alike}


def test_sixteen_writers_are_never_refused():
    found = measured("writers", "--transactions", "20")

    assert (found["transactions"], found["stored"], found["refused"]) == (320, 320, 0)


def test_many_stored_ratings_cost_a_cycle_nothing():
    empty = measured("cycles", "--seconds", "1")
    full = measured("cycles", "--seconds", "1", "--ratings", "100000")

    # Processor time, which other programs on the machine disturb less than the clock. A scan of 100,000 rows costs 10 ms.
    assert full["cpu_ms_per_cycle"] < empty["cpu_ms_per_cycle"] + 4
    assert min(empty["cycles"], full["cycles"]) > 10


def test_slow_readers_and_many_downloads_keep_nobody_from_rating():
    found = measured("downloads", "--downloads", "40", "--slow", "20", "--raters", "7")

    if "skipped" in found:
        pytest.skip(found["skipped"])
    assert (found["downloads"], found["slow_readers"], found["ratings"]) == (40, 20, 24)
    assert found["more_memory_mb"] < 100
    # 300 ms where nothing else runs. Where slow readers hold the site's threads, no rating comes through at all.
    assert found["rating_p95_ms"] < 2_000
