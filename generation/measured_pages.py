"""What the pages of a clip and of a checkpoint say of what was measured, and the pieces of real music that a clip is like."""

import statistics
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.views.decorators.http import require_safe

from accounts import sharing
from generation import measuring, ranges, svg
from generation.models import Clip, Corpus, Measures
from music import metrics, pianoroll, pictures, similarity, verdicts
from music.pianoroll import BEATS_PER_BAR, TRACKS
from training.corpus import CorpusError, open_corpus

TITLES = {
    "dissonance": "Dissonance",
    "on_beat": "On the beat",
    "short_notes": "Short notes",
    "density_drift": "Density drift",
    "pitch_class_entropy": "Pitch-class entropy",
    "scale_consistency": "Scale consistency",
    "groove_similarity": "Groove similarity",
    "empty_bars": "Empty bars",
    "pitch_classes": "Pitch classes a bar",
    "tonal_distance": "Tonal distance",
    "polyphony": "Polyphony",
    "self_repeat": "Self-repeat",
}


def of_clip(request, clip):
    """Return what the clip's page shows of its measures; nothing where it has none."""
    measures = Measures.objects.filter(clip=clip).first()
    if measures is None:
        return {"measured": None}
    clip.measures = measures
    found = measures.found
    near = measuring.nearest_clips(clip, Clip.objects.visible_to(request.user))
    return {
        "measured": found,
        "figures": _rows(found["figures"], found["band"]),
        "others": _others(found["figures"]),
        "flags": [flag["sentence"] for flag in found["flags"]] + _same_as(near),
        "pieces": [(place, one, round(100 * one["likeness"])) for place, one in enumerate(found["nearest"][:2])],
        "sources": [{**source, "track": TRACKS[source["track"]]} for source in found["sources"]],
        "near_clips": [(other, round(100 * alike)) for other, alike in near],
    }


def _same_as(near):
    """Return the sentences of those clips that are as good as the same."""
    flags = [verdicts.near_duplicate(alike, similarity.NEAR_DUPLICATE, f"“{other}”") for other, alike in near]
    return [flag.sentence for flag in flags if flag]


def of_clips(clips):
    """Return what a checkpoint's page shows: the median of each figure over its clips, and the flags clip by clip."""
    known = list(Measures.objects.filter(clip__in=clips).select_related("clip").order_by("-clip__created_at"))
    if not known:
        return {"measured": None}
    figures = {name: _median([one.found["figures"].get(name) for one in known]) for name in metrics.HEADLINE}
    latest = known[0].found
    return {
        "measured": latest,
        "n_measured": len(known),
        "figures": _rows(figures, latest["band"]),
        "flagged": measuring.flags_of(clips),
    }


def _median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def _rows(figures, band):
    """Return a row for each of the twelve: (title, help, figure, low, high, is inside, picture)."""
    return [_row(name, figures.get(name), band.get(name)) for name in metrics.HEADLINE]


def _row(name, value, span):
    row = {"title": TITLES[name], "help": metrics.HEADLINE[name], "value": value}
    if span and value is not None:
        low, _, high = span
        row |= {"low": low, "high": high, "side": "below" if value < low else "above" if value > high else "within"}
        row["picture"] = pictures.in_band(value, *span)
    elif span:
        row |= {"low": span[0], "high": span[2]}
    return row


def _others(figures):
    """Return [(name, figure)] of all that are not among the twelve, as they are called in files."""
    return [(name, value) for name, value in sorted(figures.items()) if name not in metrics.HEADLINE]


def _excerpt(request, id, place):
    """Return (the neighbour, the Roll of its bars that lie beside the clip, the corpus' checksum)."""
    clip = sharing.visible(request, Clip.objects.all(), pk=id)
    measures = Measures.objects.filter(clip=clip).first()
    nearest = measures.found["nearest"] if measures else []
    if place >= len(nearest):
        raise Http404("There is no such neighbour.")
    near, checksum = nearest[place], measures.found["against"]["checksum"]
    corpus = Corpus.objects.filter(checksum=checksum, owner=clip.owner).first()
    try:
        packed = open_corpus(corpus.path) if corpus else None
    except CorpusError:
        packed = None
    if packed is None:
        raise Http404("The corpus is not on this disk.")
    whole = packed.roll(near["piece"])
    rest = pianoroll.excerpt(whole, near["bar"] * BEATS_PER_BAR * whole.steps_per_beat, whole.n_steps)
    seconds = min(clip.seconds, rest.seconds)
    return near, pianoroll.excerpt(rest, 0, pianoroll.steps_within(rest, seconds)), checksum


@login_required
@require_safe
def neighbour_picture(request, id, place):
    near, roll, _ = _excerpt(request, id, place)
    return svg.response(pictures.piano_roll(roll, near["title"], svg.is_dark(request)))


@login_required
@require_safe
def neighbour_sound(request, id, place):
    """The piece as our synthesiser plays it: made when somebody first asks, and kept for whoever does next."""
    near, roll, checksum = _excerpt(request, id, place)
    name = f"{checksum[:16]}-{near['piece']}-{near['bar']}-{roll.n_steps}.mp3"
    path = Path(settings.DATA_DIR) / "played" / name
    if not path.exists():
        _play(roll, path)
    return ranges.respond(request, path.open("rb"), "audio/mpeg")


def _play(roll, path):
    from training.clips import as_mp3

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{id(roll)}")
    beside.write_bytes(as_mp3(roll, roll.seconds))
    beside.replace(path)
