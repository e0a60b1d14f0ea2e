"""The crossed mixed model on 100,000 and 1,000,000 ratings, each in a process of its own, beside R's lme4 where it is."""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.site import ROOT

# Sessions, clips that each hears, clips: as others were measured.
SIZES = {100_000: (1_000, 100, 200), 1_000_000: (5_000, 200, 400)}
N_CONDITIONS = 10
SCRIPT = """
suppressPackageStartupMessages(library(lme4))
d <- read.csv(commandArgs(TRUE)[1], colClasses = c("factor", "factor", "factor", "numeric"))
took <- system.time(m <- lmer(rating ~ 0 + condition + (1 | session) + (1 | clip), d))
cat(took[["user.self"]] + took[["sys.self"]], as.data.frame(VarCorr(m))$vcov, "\\n")
"""


def made(n_ratings, seed=1):
    """Return (y, sessions, stimuli, conditions): ratings 1 to 10 of a design of that size."""
    n_sessions, heard, n_clips = SIZES[n_ratings]
    chance = np.random.default_rng(seed)
    clips = np.argsort(chance.random((n_sessions, n_clips)), axis=1)[:, :heard].ravel()
    sessions = np.repeat(np.arange(n_sessions), heard)
    effects = chance.normal(0, 0.85, n_sessions)[sessions] + chance.normal(0, 0.82, n_clips)[clips]
    y = np.clip(np.rint(5.5 + effects + chance.normal(0, 1.17, len(clips))), 1, 10)
    return y, sessions, clips, clips % N_CONDITIONS


def fitted(n_ratings):
    """Fit once, degrees of freedom of a difference included; return what it took and found."""
    from analysis import mixed

    y, sessions, clips, conditions = made(n_ratings)
    design = np.eye(N_CONDITIONS)[conditions]
    started, cpu = time.perf_counter(), time.process_time()
    fit = mixed.fit(y, design, sessions, clips)
    fit.estimate(np.eye(N_CONDITIONS)[0] - np.eye(N_CONDITIONS)[1])
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "variances": [fit.session, fit.stimulus, fit.residual],
    }


def in_r(n_ratings):
    """Return what R's lme4 takes and finds on the same ratings, or None where there is none."""
    if shutil.which("Rscript") is None:
        return None
    y, sessions, clips, conditions = made(n_ratings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        columns = np.column_stack([sessions, clips, conditions, y.astype(int)])
        np.savetxt(path, columns, fmt="%d", delimiter=",", header="session,clip,condition,rating", comments="")
        done = subprocess.run(["Rscript", "-e", SCRIPT, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    seconds, *variances = map(float, done.stdout.split())
    return {"cpu_seconds": seconds, "variances": variances}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", type=int, choices=SIZES, help="in this process, and nothing beside")
    parser.add_argument("--most", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(fitted(options.one)))
        return
    found = {}
    for n in [size for size in SIZES if size <= options.most]:
        command = [sys.executable, "-m", "benchmarks.fits", "--one", str(n)]
        env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True)
        found[n] = json.loads(done.stdout) | {"r": in_r(n)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
