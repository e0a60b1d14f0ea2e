"""Sets of clips, sampled from trained networks or made as floors, measured beside the real music of one corpus."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.stats import wasserstein_distance

from music import metrics, verdicts
from training import checkpoint, clips, measuring, measuring_folder, sampling
from training.corpus import open_corpus
from training.families import FAMILIES

SECONDS, SEED = 30.0, 1
HEADLINE = dict(zip(metrics.HEADLINE, measuring_folder.SHORT, strict=True))  # {figure: its short name}


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips of one origin: what was measured of each, and the folder that they lie in."""

    title: str
    folder: Path
    measured: list
    against: measuring.Against
    made_from: dict = field(default_factory=dict)

    def values(self, figure):
        """Return a figure's values, (n,), of the clips that it has an answer for."""
        found = (one.found["figures"][figure] for one in self.measured if one.found)
        return np.array([value for value in found if value is not None])

    def is_inside(self, figure):
        """Whether the mean of the clips lies where 90 % of real music does."""
        values = self.values(figure)
        return bool(len(values)) and self.against.real.band[figure].holds(values.mean())

    def distance(self, figure):
        """Return how far the clips' values must be moved to be real music's, in widths of its band; None without values."""
        values, span = self.values(figure), self.against.real.band[figure]
        if not len(values):
            return None
        return float(wasserstein_distance(values, self.against.real.of(figure)) / (span.high - span.low))

    @cached_property
    def n_inside(self):
        return sum(self.is_inside(figure) for figure in HEADLINE)

    @cached_property
    def mean_distance(self):
        known = [distance for figure in HEADLINE if (distance := self.distance(figure)) is not None]
        return float(np.mean(known))

    def n_nearer(self, other):
        """Return on how many of the headline figures these clips are nearer to real music than the others."""
        pairs = [(self.distance(figure), other.distance(figure)) for figure in HEADLINE]
        return sum(mine is not None and (theirs is None or mine < theirs) for mine, theirs in pairs)

    @cached_property
    def as_set(self):
        return measuring_folder.as_set(self.measured, measuring_folder.likenesses(self.measured), self.against)

    def flagged(self, kind):
        """Return how many clips have this flag. A file without any note, which cannot be read as a piece, is silent."""
        flags = [
            [flag["kind"] for flag in one.found["flags"]] if one.found else [verdicts.SILENT] for one in self.measured
        ]
        return sum(kind in of_clip for of_clip in flags)


class Bench:
    """Makes and measures sets of clips against one corpus."""

    def __init__(self, corpus, runs, n_clips):
        self.corpus, self.runs, self.n_clips = open_corpus(corpus), runs, n_clips
        self.against = measuring.Against.of(self.corpus)
        self._read = {}

    def checkpoint(self, run):
        if run not in self._read:
            self._read[run] = checkpoint.read(self.runs / f"{run}.keras")
        return self._read[run]

    def of_run(self, run, temperature=1.0, top_p=1.0, settings=None, title=None):
        """Return Clips of a trained network."""
        literal = "-literal" if settings else ""
        name = f"{run}-T{temperature:g}-p{top_p:g}{literal}"

        def make():
            drawing = temperature, top_p, None, settings
            return sampling.sample(self.checkpoint(run), self.n_clips, SECONDS, SEED, *drawing)

        return self._clips(name, title or run, make, self.checkpoint(run).card)

    def of_floor(self, name, make):
        """Return Clips of a floor: training.floors.shuffled_tracks or marginals."""
        return self._clips(name, name, lambda: make(self.corpus, self.n_clips, SECONDS, SEED))

    def _clips(self, name, title, make, card=None):
        folder = self.runs / "clips" / name
        made_from = {"created_at": card["created_at"] if card else None, "n_clips": self.n_clips}
        if not _is_there(folder, made_from):
            print(f"{name} ...", flush=True)
            clips.write(folder, make(), made_from)
        files = sorted(file.name for file in folder.glob("*.npz"))
        return Clips(title, folder, measuring_folder.of_folder(folder, files, self.against), self.against, card or {})


def _is_there(folder, made_from):
    try:
        there = json.loads((folder / "clips.json").read_text())
    except OSError:
        return False
    return all(there[name] == json.loads(json.dumps(value)) for name, value in made_from.items())


def usual(family):
    """Return (temperature, top-p) that clips of a family are sampled with unless something else is asked for."""
    return FAMILIES[family].temperature, FAMILIES[family].top_p
