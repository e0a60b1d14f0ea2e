"""Measure everything and write docs/benchmarks.md. `--short` takes two minutes and writes nothing.

What was measured is kept part by part in var/benchmarks: after a break `--go-on` measures only what is missing.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

from benchmarks import coverage
from benchmarks.site import ROOT, THREADS, WORKERS

PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / "var" / "benchmarks"
OTHERS = {"oTree 6": (15, "21"), "Label Studio 1.23": (4, "57"), "pyMUSHRA": ("14 to 57", "6 to 42")}


def run(module, *arguments):
    """Run one measurement in a process of its own and return what it prints, a JSON object."""
    print(f"{module} {' '.join(arguments)} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def parts(short):
    """Return {part: what measures it}, none of them measured yet."""
    seconds, ratings = ("5", "20000") if short else ("30", "1000000")
    kills = ["--runs", "2", "--submissions", "260"] if short else ["--runs", "20", "--submissions", "2000"]
    rounds = ["--rounds", "5" if short else "50"]
    return {
        "empty": lambda: run("cycles", "--seconds", seconds),
        "full": lambda: run("cycles", "--seconds", seconds, "--ratings", ratings),
        "sqlite": lambda: run("kills", *kills),
        "postgres": lambda: run("kills", "--postgres", *kills),
        "writers": lambda: run("writers"),
        "deliveries": lambda: [run("deliveries", *rounds), run("deliveries", "--postgres", *rounds)],
        "worker_kills": lambda: run("worker_kills", "--kills", "2" if short else "20"),
        "fits": lambda: run("fits", *(["--most", "100000"] if short else [])),
        "results": lambda: run("results", *(["--ratings", "20000"] if short else [])),
        "windows": lambda: run("windows", *(["--sizes", "30", "100", "--seconds", "1"] if short else [])),
        "sampling": lambda: run("sampling", *(["--answers", "20"] if short else [])),
        "music": lambda: run("music", *(["--clips", "100", "--pieces", "100"] if short else [])),
        "coverage": lambda: coverage.text(20 if short else 2000),
    }


def measure(short, goes_on):
    found = {}
    for part, work in parts(short).items():
        kept = KEPT / f"{part}.json"
        if goes_on and kept.exists():
            found[part] = json.loads(kept.read_text())
            continue
        found[part] = work()
        if not short:
            KEPT.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found[part]))
    return found


def page(found):
    when = datetime.now(UTC).date().isoformat()
    return f"""# Benchmarks

`make bench` measured this on {when}: {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},
gunicorn with {WORKERS} workers of {THREADS} threads, SQLite (WAL, synchronous FULL), clients on the same machine.

{_cycles(found["empty"], found["full"])}
{_kills(found["sqlite"], found["postgres"], found["writers"])}
{_jobs(found["deliveries"], found["worker_kills"])}
{_fits(found["fits"])}
{_results(found["results"])}
{_corpora(found["windows"])}
{_sampling(found["sampling"])}
{_music(found["music"])}
## Intervals and tests

{found["coverage"]}"""


def _cycles(empty, full):
    others = ", ".join(f"{name} {rate} a second, {cpu} ms" for name, (rate, cpu) in OTHERS.items())
    return f"""## Rating cycles

Twenty clients, each cycle a GET of the trial and a POST of its rating, while another listener fetches ten clips a second.

| | {_stored(empty)} | {_stored(full)} | wanted |
|---|---|---|---|
{_row("cycles a second", "cycles_per_second", empty, full, "at least 100")}
{_row("server CPU a cycle, ms (clips included)", "cpu_ms_per_cycle", empty, full, "under 6")}
{_row("cycle p50, ms", "p50_ms", empty, full, "")}
{_row("cycle p95, ms", "p95_ms", empty, full, "under 250")}
{_row("first byte of a clip p50, ms", "first_audio_byte_p50_ms", empty, full, "under 30")}

For comparison, others measured alike: {others}.
"""


def _kills(sqlite, postgres, writers):
    return f"""## Kill -9

The whole server is killed at a random moment while 20 people rate, and started again; nobody's acknowledged rating may
be missing, changed or there twice.

| database | runs | acknowledged | lost | changed | doubled | counts that are wrong |
|---|---|---|---|---|---|---|
{_kill_row("SQLite", sqlite)}
{_kill_row("PostgreSQL", postgres)}

## Sixteen writers

{writers["writers"]} processes, {writers["transactions"]:,} transactions: {writers["refused"]} refused, {writers["stored"]:,} stored,
{writers["per_second"]:.0f} a second, p99 {writers["p99_ms"]:.0f} ms.
"""


def _jobs(deliveries, kills):
    sets = ", ".join(
        f"{name} {one.get('skipped') or '{sets_of_clips} of {rounds}'.format(**one)}"
        for name, one in zip(("SQLite", "PostgreSQL"), deliveries, strict=True)
    )
    return f"""## Jobs

Ten workers are handed the same job at the same moment, round after round; one set of clips came of it in: {sets}.

A worker is killed (-9) at a random point of a job that samples and plays clips, and another starts that moment, with a
lease of {kills["lease_seconds"]:.0f} s (the site's own is a minute):

| kills | done | taken up again after, at most | finished after, at most | undisturbed | wrong sets | half clips | left after a sweep |
|---|---|---|---|---|---|---|---|
| {kills["kills"]} | {kills["done"]} | {kills["taken_up_seconds"]:.1f} s | {kills["finished_seconds"]:.1f} s | {kills["undisturbed_seconds"]:.1f} s | {kills["wrong_sets"]} | {kills["half_clips"]} | {kills["left_after_sweep"]} |
"""


def _fits(fits):
    rows = "\n".join(
        f"| {int(n):,} | {one['cpu_seconds']:.2f} | {one['peak_mb']:.0f} | {_r_seconds(one)} | {_apart(one)} |"
        for n, one in fits.items()
    )
    return f"""## Mixed model

Ten conditions, sessions and clips crossed, degrees of freedom included, one core. Wanted: 100,000 ratings in under 1 s,
1,000,000 in under 12 s and 600 MB.

| ratings | CPU s | most memory, MB (all of the process) | R's lme4 on the same ratings, CPU s | variances apart, at most |
|---|---|---|---|---|
{rows}
"""


def _r_seconds(one):
    return f"{one['r']['cpu_seconds']:.1f}" if one["r"] else "no R here"


def _apart(one):
    if not one["r"]:
        return ""
    # R names its variances clip, session, rest, in the order of their sizes in levels: compared as sets.
    pairs = zip(sorted(one["variances"]), sorted(one["r"]["variances"]), strict=True)
    return f"{max(abs(ours / theirs - 1) for ours, theirs in pairs):.0e}"


def _results(one):
    return f"""## Results of {one["ratings"]:,} stored ratings

| | | wanted |
|---|---|---|
| the table of averages, ms | {one["table_ms"]:.1f} | under 50 |
| the results page before anything was fitted, ms | {one["page_before_ms"]:.0f} | under 300 |
| the results page, ms | {one["page_ms"]:.0f} | under 300 |
| everything exported, fitted, drawn and packed by a worker, s | {one["analysis_s"]:.0f} | |
| most memory of that worker, MB (the fits run in a child) | {one["worker_peak_mb"]:.0f} | under 200 |
| the packed file, MB | {one["package_mb"]:.1f} | |
| all counts made anew, s | {one["recount_s"]:.1f} | |
"""


def _corpora(windows):
    least, most = min(windows["memory_kb"].values()), max(windows["memory_kb"].values())
    memory = ", ".join(f"{size} pieces {kb:,} kB" for size, kb in windows["memory_kb"].items())
    rows = "\n".join(f"| {name} | {drawn:,.0f} | {used:,.0f} |" for name, (drawn, used) in windows["consumed"].items())
    return f"""## Corpora

{windows["pieces"]:,} {"real LPD-5" if windows["real"] else "made-up"} pieces.

| | here | `pypianoroll.load`, `stack`, slice | wanted |
|---|---|---|---|
| random windows of 40 steps a second | {windows["windows_per_second"]:,.0f} | {windows["pypianoroll_per_second"]:,.0f} | at least 20 times, here {windows["times_faster"]:,.0f} |
| building at 4 steps a beat, CPU ms a piece | {windows["build_cpu_ms"]:.1f} | | at most 15 |
| anonymous memory while drawing | {memory} | | within 10 %, here {100 * (most / least - 1):.1f} % |

| family, as it is by default | windows a second drawn for it | windows a second it trains on |
|---|---|---|
{rows}
"""


def _sampling(sampling):
    rows = "\n".join(
        f"| {name} | {one['one_s']:.2f} | {one['ten_s']:.2f} | {one['naive_s']:.0f} | {one['one_times_faster']:,.0f} | "
        f"{one['ten_times_faster']:,.0f} |"
        for name, one in sampling.items()
    )
    return f"""## Sampling

Thirty seconds at 120 beats a minute, compiling included, beside `model.predict` in a loop for one clip. Wanted: `rnn` 20
times faster alone and 100 times for each of ten, the others 20 times for each of ten.

| family | one clip, s | ten clips, s | the loop, one clip, s | times faster alone | times faster, each of ten |
|---|---|---|---|---|---|
{rows}
"""


def _music(music):
    return f"""## Measuring clips

{music["clips"]:,} clips of thirty seconds and {music["pieces"]:,} training pieces of {music["bars"]:,} bars, {"real LPD-5" if music["real"] else "made up"}.

| | s | wanted |
|---|---|---|
| figures and flags of all clips, files read | {music["figures_s"]:.1f} | with the next two lines under 60 |
| likeness of each two clips | {music["pairs_s"]:.1f} | |
| distance of the set to real music | {music["set_s"]:.1f} | |
| the nearest training pieces of one clip and what it takes over from any, median | {music["neighbours_median_s"]:.2f} | |
| the same, of the clip that takes longest | {music["neighbours_most_s"]:.2f} | under 5 |
| figures, flags and neighbours of all clips | {music["beside_s"]:.0f} | |
| once for a corpus: its band of real music | {music["band_s"]:.1f} | |
| once for a corpus: its index of neighbours | {music["index_s"]:.1f} | |
"""


def _stored(cycles):
    return f"from {cycles['stored_ratings']:,} stored ratings"


def _row(title, name, empty, full, wanted):
    return f"| {title} | {empty[name]:.1f} | {full[name]:.1f} | {wanted} |"


def _kill_row(database, report):
    if "skipped" in report:
        return f"| {database} | {report['skipped']} | | | | | |"
    return (
        f"| {database} | {report['runs']} | "
        + " | ".join(f"{report[name]:,}" for name in ("acknowledged", "lost", "changed", "doubled", "miscounted"))
        + " |"
    )


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--go-on", action="store_true", help="measure only what is missing in var/benchmarks")
    options = parser.parse_args()
    text = page(measure(options.short, options.go_on))
    print(text)
    if not options.short:
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
