"""The band of real music: where the figures of held-out pieces lie, on one grid and over one length.

It is computed once for each grid and length and kept in the corpus' folder, `real-<steps per beat>-<seconds>.npz`, as the
figures of every stretch: of up to 500 stretches of the pieces that nothing was trained on, each piece's from the bar
where its band comes in, and then on.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from music import distributions, features, metrics, pianoroll, similarity
from music.pianoroll import BEATS_PER_BAR

VERSION = 1
USUAL_SECONDS = 30.0
MOST_STRETCHES = 500
MOST_OF_A_PIECE = 4  # stretches: a long piece must not speak for all
MOST_SONGS = 300  # whose openings are compared with one another: 44,850 pairs
LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95
# What music.features calls them, and how many numbers each has.
FEATURES = {
    "pitch_count": 1,
    "pitch_range": 1,
    "note_count": 1,
    "pitch_classes": 12,
    "transitions": 144,
    "inter_onset_beats": 1,
    "lengths": 12,
    "interval_semitones": 1,
}


class NoBand(ValueError):
    """The corpus has no held-out music of this length, or not on this grid; one sentence."""


@dataclass(frozen=True)
class Span:
    """Where 90 % of real music lies, and its middle: the 5th, 50th and 95th percentile over n stretches."""

    low: float
    median: float
    high: float
    n: int

    def holds(self, value):
        return self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class RealMusic:
    """The figures of stretches of held-out pieces.

    names: of the figures, as music.metrics has them
    figures: float64 (stretch, figure), NaN where a figure has no answer
    features: float64 (stretch, 173), music.features side by side in the order of FEATURES, NaN likewise
    vectors: float64 (stretch, 48)
    piece: int (stretch,), index into the corpus' pieces
    limit: the similarity that 99 of 100 pairs of openings of different pieces stay below, or None
    diversity: of those openings, or None
    """

    steps_per_beat: int
    seconds: float
    names: list
    figures: np.ndarray
    features: np.ndarray
    vectors: np.ndarray
    piece: np.ndarray
    limit: float | None
    diversity: float | None

    @property
    def n_pieces(self):
        return len(np.unique(self.piece))

    @cached_property
    def band(self):
        """{name: Span, or None where no stretch has an answer}."""
        return {name: _span(self.of(name)) for name in self.names}

    def of(self, name):
        """Return the values of a figure, (n,), without those that have no answer."""
        values = self.figures[:, self.names.index(name)]
        return values[~np.isnan(values)]

    def feature(self, name):
        """Return the values of one of FEATURES, (n, width)."""
        return feature_of(self.features, name)

    @cached_property
    def halves(self):
        """The Frechet distance of two halves of the stretches from one another, or None."""
        return distributions.frechet_of_halves(features.standardised(self.vectors, self.vectors))


def _span(values):
    if not len(values):
        return None
    return Span(*(float(value) for value in np.quantile(values, [LOW, MIDDLE, HIGH])), len(values))


def feature_of(rows, name):
    """Return the columns of one of FEATURES of those rows that have an answer, (n, width)."""
    start = sum(FEATURES[other] for other in list(FEATURES)[: list(FEATURES).index(name)])
    values = rows[:, start : start + FEATURES[name]]
    return values[~np.isnan(values).any(axis=1)]


def feature_row(roll):
    """Return music.features of a roll side by side, float64 (173,), NaN where there is no answer."""
    found = features.features(roll)
    if found is None:
        return np.full(sum(FEATURES.values()), np.nan)
    return np.concatenate([np.atleast_1d(np.nan if found[name] is None else found[name]) for name in FEATURES])


def real_music(corpus, steps_per_beat, seconds=USUAL_SECONDS, report=None):
    """Return the RealMusic of a corpus, computed now unless it is there.

    steps_per_beat: 24, 12 or 4, not finer than the corpus'
    report: called with (pieces done, pieces in all, seconds left)

    Raises NoBand if no held-out piece has a stretch of this length, or the corpus is on a coarser grid.
    """
    if corpus.steps_per_beat % steps_per_beat:
        raise NoBand(
            f"{corpus.folder} has {corpus.steps_per_beat} steps a beat, so it has no band at {steps_per_beat}."
        )
    path = corpus.folder / f"real-{steps_per_beat}-{seconds:g}.npz"
    found = _kept(path, corpus)
    if found is None:
        found = _computed(corpus, steps_per_beat, seconds, report)
        _keep(path, found, corpus)
    return found


def _kept(path, corpus):
    try:
        with np.load(path, allow_pickle=False) as kept:
            if int(kept["version"]) != VERSION or str(kept["checksum"]) != corpus.card["checksum"]:
                return None
            numbers = {name: None if np.isnan(kept[name]) else float(kept[name]) for name in ("limit", "diversity")}
            arrays = {name: kept[name] for name in ("figures", "features", "vectors", "piece")}
            grid = {"steps_per_beat": int(kept["steps_per_beat"]), "seconds": float(kept["seconds"])}
            return RealMusic(names=kept["names"].tolist(), **grid, **arrays, **numbers)
    except (OSError, ValueError, KeyError):
        return None


def _keep(path, found, corpus):
    arrays = {name: np.array(getattr(found, name)) for name in ("figures", "features", "vectors", "piece", "names")}
    arrays |= {name: np.array(getattr(found, name)) for name in ("steps_per_beat", "seconds")}
    arrays |= {name: np.array(getattr(found, name), float) for name in ("limit", "diversity")}
    about = {"version": np.array(VERSION), "checksum": np.array(corpus.card["checksum"])}
    # Whole or not at all: two may compute it at once.
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        np.savez_compressed(file, **arrays, **about)
    os.replace(file.name, path)


def _computed(corpus, steps_per_beat, seconds, report):
    stretches, pieces = [], []
    started = time.monotonic()
    held_out = evenly(corpus.held_out(), MOST_STRETCHES)
    for done, piece in enumerate(held_out, 1):
        for roll in stretches_of(corpus.roll(piece), seconds):
            stretches.append(_measured(pianoroll.coarsen(roll, steps_per_beat)))
            pieces.append(piece)
        if report is not None:
            report(done, len(held_out), (time.monotonic() - started) / done * (len(held_out) - done))
    if not stretches:
        raise NoBand(f"No held-out piece of {corpus.folder} has {seconds:g} s of drums, bass and another track.")
    kept = evenly(range(len(stretches)), MOST_STRETCHES)
    figures, rows, vectors = zip(*(stretches[i] for i in kept), strict=True)
    limit, diversity = _songs(corpus, seconds)
    names = list(figures[0])
    values = [[np.nan if one[name] is None else one[name] for name in names] for one in figures]
    return RealMusic(
        steps_per_beat=steps_per_beat,
        seconds=seconds,
        names=names,
        figures=np.array(values, float),
        features=np.array(rows),
        vectors=np.array(vectors),
        piece=np.array(pieces)[list(kept)],
        limit=limit,
        diversity=diversity,
    )


def _measured(roll):
    return metrics.measure(roll), feature_row(roll), features.vector(roll)


def stretches_of(roll, seconds):
    """Yield up to MOST_OF_A_PIECE stretches of this length, from the bar where the band comes in; none if there is none."""
    try:
        start = pianoroll.entrance(roll)
    except ValueError:
        return
    bar = BEATS_PER_BAR * roll.steps_per_beat
    for _ in range(MOST_OF_A_PIECE):
        rest = pianoroll.excerpt(roll, min(start, roll.n_steps // bar * bar), roll.n_steps)
        if rest.seconds < seconds - 1e-9:
            return
        stretch = pianoroll.excerpt(rest, 0, pianoroll.steps_within(rest, seconds))
        if (stretch.notes["track"] != pianoroll.DRUMS).any():
            yield stretch
        start += -(-stretch.n_steps // bar) * bar


def _songs(corpus, seconds):
    """Return (limit, diversity) of the openings of up to MOST_SONGS pieces, each another song."""
    openings = []
    for piece in evenly(range(len(corpus.pieces)), MOST_SONGS):
        roll = next(stretches_of(corpus.roll(piece), seconds), None)
        if roll is not None:
            openings.append(similarity.fingerprints(roll)[0])
    found = similarity.similarities(openings)
    return similarity.usual_limit(found), similarity.diversity(found)


def evenly(items, most):
    """Return at most so many of the items, evenly from the first to the last."""
    items = list(items)
    if len(items) <= most:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]
