"""All that is measured of a clip as plain data: its figures, what is wrong with it in words, and what it is like.

Conventions: what this module returns can be written as JSON. A figure without an answer is None.
"""

import math
from dataclasses import dataclass

from music import metrics, pianoroll, similarity, verdicts
from music.pianoroll import LPD_STEPS_PER_BEAT
from training import neighbours
from training.real_music import USUAL_SECONDS, NoBand, RealMusic, real_music

VERSION = 1
N_SOURCES = 3


@dataclass(frozen=True, eq=False)
class Against:
    """What clips are held against: the held-out music of a corpus on one grid and over one length, and its training pieces.

    real: None where the corpus has no such band; `why` says why
    """

    corpus: object
    steps_per_beat: int
    seconds: float
    real: RealMusic | None
    index: neighbours.Index
    why: str = ""

    @classmethod
    def of(cls, corpus, steps_per_beat=LPD_STEPS_PER_BEAT, seconds=USUAL_SECONDS, report=None):
        """Return what this corpus has, computed now unless it is there (1,000 pieces take half a minute).

        report: called with (pieces done, pieces in all, seconds left), first for the band, then for the index
        """
        index = neighbours.index_of(corpus, report)
        try:
            real, why = real_music(corpus, steps_per_beat, seconds, report), ""
        except NoBand as problem:
            real, why = None, str(problem)
        return cls(corpus, steps_per_beat, seconds, real, index, why)

    @property
    def limit(self):
        """The similarity beyond which two clips are near-duplicates."""
        return self.real.limit if self.real and self.real.limit else similarity.NEAR_DUPLICATE

    def title(self, piece):
        return self.corpus.pieces[piece].title


def measured(roll, against=None, steps_per_beat=LPD_STEPS_PER_BEAT):
    """Return all that is measured of a clip, a dict.

    roll: Roll on a grid no coarser than the one it is measured on
    against: Against; its grid goes before steps_per_beat, the grid that the clip is measured on without one

    version, steps_per_beat
    figures     {name: float or None}, music.metrics.measure
    flags       [{kind, sentence}], music.verdicts; copies only where there is something to be held against
    against     None, or {corpus, checksum, n_pieces, n_stretches, why}
    band        {name: [low, median, high]} of real music, for the figures that it has an answer to
    nearest     [{piece, title, likeness, bar}] of training pieces, the most alike first
    sources     [{track, n_notes, beats, start, piece, title, at}]: runs that stand in one of them note by note
    """
    grid = against.steps_per_beat if against else steps_per_beat
    found = {
        "version": VERSION,
        "steps_per_beat": grid,
        "figures": metrics.measure(pianoroll.coarsen(roll, grid)),
        "flags": [_flag(flag) for flag in verdicts.broken(roll)],
        "against": None,
        "band": {},
        "nearest": [],
        "sources": [],
    }
    return found | beside(roll, against, found["flags"]) if against else found


def beside(roll, against, flags):
    """Return what `measured` says of a roll that is held against something. flags: of what is broken in it, kept in front"""
    bars, _ = similarity.fingerprints(roll)
    nearest, sources = against.index.nearest(roll), against.index.sources(roll)
    for source in sources[:1]:
        flags = [*flags, verdicts.copied(source.run, against.title(source.piece), source.start)]
    for near in nearest[:1]:
        flags = [*flags, verdicts.resembling(near.likeness, bars, against.title(near.piece))]
    card, real = against.corpus.card, against.real
    return {
        "flags": [flag if isinstance(flag, dict) else _flag(flag) for flag in flags if flag],
        "against": {
            "corpus": card["name"],
            "checksum": card["checksum"],
            "n_pieces": real.n_pieces if real else 0,
            "n_stretches": len(real.figures) if real else 0,
            "why": against.why,
        },
        "band": {name: [span.low, span.median, span.high] for name, span in _spans(real) if span},
        "nearest": [
            {"piece": one.piece, "title": against.title(one.piece), "likeness": one.likeness, "bar": one.bar}
            for one in nearest
        ],
        "sources": [_source(one, against) for one in sources[:N_SOURCES]],
    }


def _spans(real):
    return real.band.items() if real else ()


def _flag(flag):
    return {"kind": flag.kind, "sentence": flag.sentence}


def _source(source, against):
    run = source.run
    return {
        "track": run.track,
        "n_notes": run.n_notes,
        "beats": run.beats,
        "start": run.start,
        "piece": source.piece,
        "title": against.title(source.piece),
        "at": source.start,
    }


def length_of_band(seconds):
    """Return the length of the stretches that a clip of so many seconds is held against: steps of five, from 10 to 60."""
    return float(min(max(5 * math.floor(seconds / 5 + 1e-3), 10), 60))
