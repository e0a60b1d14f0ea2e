"""Random windows a second beside pypianoroll, what building a corpus costs, and memory while windows are drawn.

On 1,000 real LPD-5 pieces where ../shared has them, else on pieces made up here. Memory is the anonymous part of a
process' own (RssAnon), for what is mapped from disk the system may drop at any time.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.site import ROOT
from training import corpus as corpora
from training import windows
from training.families import FAMILIES

REAL = ROOT.parent / "shared" / "data" / "lpd5_train"
BATCH, N_STEPS = 128, 40  # the windows of the 2-D CNN


def source(folder, n_pieces):
    """Return a folder of LPD-5 files: real ones, or as many made up."""
    return REAL if REAL.is_dir() else made_up(folder, n_pieces)


def made_up(folder, n_pieces):
    """Write so many LPD-5 files of three hundred beats into the folder and return it."""
    from music import lpd, pianoroll

    for number in range(n_pieces):
        rng = np.random.default_rng(number)
        notes = np.zeros(4000, pianoroll.NOTE)
        notes["onset"] = rng.integers(0, 300 * 24 - 48, len(notes))
        notes["end"] = notes["onset"] + rng.integers(4, 48, len(notes))
        notes["track"], notes["pitch"] = rng.integers(0, 5, len(notes)), rng.integers(30, 90, len(notes))
        notes["velocity"] = 80
        notes = pianoroll.without_overlaps(notes)
        md5 = hashlib.md5(str(number).encode()).hexdigest()
        lpd.write(folder / f"{md5}.npz", pianoroll.roll_of(notes, 300 * 24), md5)
    return folder


def build(files, folder, steps_per_beat, limit):
    """Return (corpus, CPU milliseconds a piece, seconds)."""
    before, started = _cpu(), time.perf_counter()
    made = corpora.build(files, folder, steps_per_beat, limit)
    return made, 1000 * (_cpu() - before) / len(made.pieces), time.perf_counter() - started


def _cpu():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def per_second(corpus, seconds):
    """Random windows a second, dense, drawn as training draws them."""
    pieces, rng = corpus.of_split("train"), np.random.default_rng(0)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        windows.sounding(windows.draw(corpus, pieces, BATCH, N_STEPS, rng))
        done += BATCH
    return done / (time.perf_counter() - started)


def per_second_by_pypianoroll(corpus, files, seconds):
    """Random windows a second by load, stack and slice of the same files."""
    import pypianoroll

    rng = np.random.default_rng(0)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        piece = corpus.pieces[rng.integers(len(corpus.pieces))]
        stacked = pypianoroll.load(files / piece.file).stack()  # (track, step, pitch)
        start = rng.integers(piece.n_steps - N_STEPS)
        (stacked[:, start : start + N_STEPS] > 0).astype(np.uint8)
        done += 1
    return done / (time.perf_counter() - started)


def consumed(corpus, family, seconds):
    """Return (windows a second that this family's training draws, windows a second that it consumes)."""
    from training import loop

    run = loop.Run(loop.Plan(family, {"test_windows": 1}, epochs=1), corpus, Path("unused.keras"), print, bool)
    size, pieces, rng = run.configuration["batch_size"], corpus.of_split("train"), np.random.default_rng(0)
    batch, rates = run._drawn(pieces, size, rng), []
    for work in (lambda: run._drawn(pieces, size, rng), lambda: run._step(*batch)):
        work()
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            work()
            done += size
        rates.append(done / (time.perf_counter() - started))
    return rates


def anonymous_memory(folder):
    """Return the RssAnon in kB of a process of its own that draws 300 batches of this corpus."""
    command = [sys.executable, "-m", "benchmarks.windows", "--draw", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def draw_and_tell(folder):
    corpus = corpora.open_corpus(folder)
    pieces, rng = corpus.of_split("train"), np.random.default_rng(0)
    for _ in range(300):
        windows.sounding(windows.draw(corpus, pieces, BATCH, N_STEPS, rng))
    status = Path("/proc/self/status").read_text().split("RssAnon:")[1]
    print(status.split()[0])


def measure(sizes, seconds, families):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "made-up").mkdir()
        files = source(folder / "made-up", max(sizes))
        built = {size: build(files, folder / str(size), 24, size)[0] for size in sizes}
        corpus = built[max(sizes)]
        coarse, build_cpu_ms, build_s = build(files, folder / "coarse", 4, max(sizes))
        ours, theirs = per_second(corpus, seconds), per_second_by_pypianoroll(corpus, files, seconds)
        return {
            "pieces": len(coarse.pieces),
            "real": files == REAL,
            "build_cpu_ms": build_cpu_ms,
            "build_s": build_s,
            "windows_per_second": ours,
            "pypianoroll_per_second": theirs,
            "times_faster": ours / theirs,
            "memory_kb": {size: anonymous_memory(one.folder) for size, one in built.items()},
            "consumed": {family: consumed(corpus, family, seconds) for family in families},
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--draw", type=Path, help="a corpus: draw of it and print the memory that takes")
    options = parser.parse_args()
    if options.draw:
        draw_and_tell(options.draw)
    else:
        print(json.dumps(measure(options.sizes, options.seconds, options.families)))


if __name__ == "__main__":
    main()
