"""What is measured of a clip when it is made: its figures beside real music's, what is wrong with it, and what it is like."""

import logging

import numpy as np

from generation.models import Clip, Corpus, Measures
from music import lpd, similarity
from music.pianoroll import LPD_STEPS_PER_BEAT
from training import measuring
from training.corpus import CorpusError, open_corpus

logger = logging.getLogger(__name__)

MOST_COMPARED = 2_000  # clips of a researcher's that a clip is compared with: a tenth of a second
N_SHOWN = 3


def measure_clips(job):
    """Measure the clips of a job that has made them. Yields the job after each; a clip that cannot be measured stays a clip."""
    known = {}
    left = job.clips.exclude(roll="").filter(measures=None).select_related("checkpoint", "corpus")
    for clip in left.order_by("index"):
        try:
            measure(clip, known, _reporting(job))
        except (ValueError, OSError):
            logger.exception("Clip %s could not be measured", clip.pk)
        yield job


def _reporting(job):
    def report(done, total, seconds_left):
        if done % 20 == 0 or done == total:
            job.keep(stage="reading real music", seconds_left=seconds_left)

    return report


def measure(clip, known=None, report=None):
    """Measure a clip that has a roll, or measure it anew.

    known: {what it is held against: training.measuring.Against}, filled here, so that many clips read it once
    """
    with clip.roll.open("rb") as file:
        roll = lpd.read(file)
    against, grid = _against(clip, {} if known is None else known, report)
    found = measuring.measured(roll, against, grid)
    bars, _ = similarity.fingerprints(roll)
    about = {"found": found, "fingerprints": bars.tobytes()}
    return Measures.objects.update_or_create(clip=clip, defaults=about)[0]


def _against(clip, known, report):
    """Return (Against or None, the grid to measure on)."""
    corpus = corpus_of(clip)
    grid = (clip.checkpoint.card.get("steps_per_beat") if clip.checkpoint else None) or LPD_STEPS_PER_BEAT
    if corpus is None:
        return None, grid
    key = corpus.pk, grid, measuring.length_of_band(clip.seconds)
    if key not in known:
        try:
            packed = open_corpus(corpus.path)
        except CorpusError:
            return None, grid
        grid = min(grid, packed.steps_per_beat)
        known[key] = measuring.Against.of(packed, grid, key[2], report)
    return known[key], grid


def corpus_of(clip):
    """Return the Corpus that a clip is held against: the one it was taken from, or its network was trained on, or else the owner's latest."""
    if clip.corpus:
        return clip.corpus
    mine = Corpus.objects.filter(owner=clip.owner).order_by("-created_at")
    card = clip.checkpoint.card.get("corpus") if clip.checkpoint else None
    if isinstance(card, dict) and (same := mine.filter(checksum=card.get("checksum", "")).first()):
        return same
    return mine.first()


def fingerprints_of(measures):
    return np.frombuffer(bytes(measures.fingerprints), np.uint16).reshape(-1, similarity.WORDS)


def nearest_clips(clip, visible):
    """Return [(Clip, similarity)] of those of the visible clips that this one is most like, the most alike first."""
    others = Measures.objects.filter(clip__in=visible).exclude(clip=clip).select_related("clip")
    others = list(others.order_by("-clip__created_at")[:MOST_COMPARED])
    bars, first = similarity.together([fingerprints_of(one) for one in others])
    found = similarity.similarity_to_each(fingerprints_of(clip.measures), bars, first)
    best = np.argsort(-found, kind="stable")[:N_SHOWN]
    return [(others[i].clip, float(found[i])) for i in best if found[i] > 0]


def near_duplicates(clips):
    """Return [(Clip, Clip, similarity)] of the pairs of measured clips that are as good as the same, the most alike first."""
    known = Measures.objects.filter(clip__in=clips).select_related("clip")
    known = list(known.order_by("clip__created_at", "clip__index"))
    alike = similarity.similarities([fingerprints_of(one) for one in known])
    pairs = similarity.near_duplicates(alike, similarity.NEAR_DUPLICATE)
    return [(known[a].clip, known[b].clip, found) for a, b, found in pairs]


def flags_of(clips):
    """Return [(Clip, [sentence])] of the clips with which something is wrong."""
    known = Measures.objects.filter(clip__in=clips).select_related("clip").order_by("clip__title", "clip__pk")
    return [(one.clip, [flag["sentence"] for flag in one.flags]) for one in known if one.flags]


def unmeasured():
    """The clips with a roll that nothing was measured of yet, or by an earlier version."""
    clips = Clip.objects.exclude(roll="")
    return clips.exclude(measures__found__version=measuring.VERSION).select_related("checkpoint", "corpus", "owner")
