"""The one place where ratings meet the names of conditions. Participants' pages never import it.

Tables come from counts that are stored beside the ratings (study/counting.py): how many of each value a clip has, and how
many sessions gave a condition each total. No rating is loaded for them, however many there are.
"""

import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

from django.db.models import Sum
from django.db.models.functions import Coalesce

from analysis.describe import Description, Tally, describe
from study.models import Rating, Scale, TotalCount, Trial, ValueCount

COLUMNS = (
    *("study", "session", "position", "condition", "stimulus", "row"),
    *("scale", "rating", "plays", "listened_seconds", "shown_at", "rated_at"),
)
COMMENT_COLUMNS = (
    *("study", "session", "position", "condition", "stimulus", "row"),
    *("scale", "is_repeat", "comment", "rated_at"),
)


class StillBlindError(Exception):
    """The study wants its researchers not to know yet which clip is which."""

    def __init__(self, study):
        super().__init__(f"“{study}” is blind to its researchers: tables and ratings wait until it is closed.")


class StillSealedError(Exception):
    """Means are not to be seen before the study has the sessions that it wants, or somebody says so."""

    def __init__(self, study):
        wanted = f"until {study.target_sessions} have finished" if study.target_sessions else "until it is closed"
        super().__init__(f"The results of “{study}” are sealed {wanted}, or until somebody unseals them.")


@dataclass(frozen=True)
class Table:
    """The report's table on one scale: its rows (a clip each, references pooled into one) and its conditions."""

    scale: Scale
    rows: list[Description]
    conditions: list[Description]


@dataclass(frozen=True)
class Arrival:
    """How many ratings a clip has; under a neutral name, and without its condition, while its study hides labels."""

    label: str
    condition: str
    n_rated: int


def arrivals(study):
    """Return an Arrival for each clip, in the study's order; in one that says nothing while it hides labels."""
    stimuli = study.stimuli().annotate(n_rated=Coalesce(Sum("value_counts__n"), 0))
    if not study.hides_labels:
        return [Arrival(stimulus.label, stimulus.condition.name, stimulus.n_rated) for stimulus in stimuli]
    counts = {stimulus.pk: stimulus.n_rated for stimulus in stimuli}
    hidden = sorted(counts)
    random.Random(f"{study.seed} neutral names").shuffle(hidden)  # the seed is on no page
    return [Arrival(f"Clip {letters(place)}", "", counts[pk]) for place, pk in enumerate(hidden)]


def letters(place):
    """Return A, B, ..., Z, AA, AB, ... for the places 0, 1, ..., as spreadsheets name columns."""
    before, last = divmod(place, 26)
    return (letters(before - 1) if before else "") + chr(ord("A") + last)


def tables(study):
    """Return a Table for each scale of the study, everything in the study's own order.

    Raises StillBlindError and StillSealedError.
    """
    refuse_while_hidden(study)
    order = dict.fromkeys(study.stimuli().values_list("condition__name", "row"))
    values, sums = _values(study), _sums(study)
    return [_table(scale, order, values[scale.pk], sums[scale.pk]) for scale in study.scales.all()]


def side_by_side(found):
    """Return (label, condition, [its Description on each scale]) for each row of these Tables."""
    return [(lines[0].label, lines[0].condition, lines) for lines in zip(*(table.rows for table in found), strict=True)]


def refuse_while_hidden(study):
    """Raise what keeps its researchers from the study's ratings, if anything does."""
    if study.hides_labels:
        raise StillBlindError(study)
    if study.is_sealed:
        raise StillSealedError(study)


def _ratings(study, is_repeat=False):
    # A hidden repeat is a control of the listener, not another opinion on the clip.
    return Rating.objects.filter(trial__session__study=study, trial__is_repeat=is_repeat)


def _table(scale, order, values, sums):
    rows, conditions = [], []
    for name in dict.fromkeys(condition for condition, _ in order):
        of_rows = [Tally(key[1], name, values[key], sums[key]) for key in order if key[0] == name]
        whole = Tally(name, name, sum((tally.values for tally in of_rows), Counter()), sums[name, ""])
        rows += [_with_sums(tally, whole, is_alone=len(of_rows) == 1) for tally in of_rows]
        conditions.append(whole)
    return Table(scale, [describe(tally) for tally in rows], [describe(tally) for tally in conditions])


def _with_sums(tally, condition, is_alone):
    """What sessions gave a row is counted where several clips share it; else it follows from the values."""
    if tally.sums:
        return tally
    of_one_clip = Counter({(value, 1): n for value, n in tally.values.items()})
    return replace(tally, sums=condition.sums if is_alone else of_one_clip)


def _values(study):
    """Return {scale: {(condition, row): Counter of values}}."""
    found = defaultdict(lambda: defaultdict(Counter))
    stored = ValueCount.objects.filter(stimulus__condition__study=study).order_by()
    key = ("scale", "stimulus__condition__name", "stimulus__row", "value")
    for scale, condition, row, value, n in stored.values_list(*key).annotate(all=Sum("n")):
        found[scale][condition, row][value] = n
    return found


def _sums(study):
    """Return {scale: {(condition, row): Counter of sessions by (total, n)}}; an empty row is the whole condition.

    The row of a single clip is not among them: what a session gave it are its values.
    """
    found = defaultdict(lambda: defaultdict(Counter))
    stored = TotalCount.objects.filter(condition__study=study, n_sessions__gt=0).order_by()
    for scale, condition, row, total, n, n_sessions in stored.values_list(
        *("scale", "condition__name", "row", "total", "n", "n_sessions")
    ):
        found[scale][condition, row][total, n] = n_sessions
    return found


def ratings(study):
    """Return an iterator over the study's ratings, a tuple of COLUMNS each, session by session in the order of listening.

    Hidden repeats are not among them, see `repeats`. Raises StillBlindError and StillSealedError at once.
    """
    refuse_while_hidden(study)
    return all_ratings(study)


def all_ratings(study):
    """Return what `ratings` does of any study: for what a worker makes, and a page then shows or hides."""
    return _lines(study, _ratings(study))


def repeats(study):
    """Return an iterator over the ratings of hidden repeats, like `ratings`. Together they are all that was given."""
    refuse_while_hidden(study)
    return all_repeats(study)


def all_repeats(study):
    return _lines(study, _ratings(study, is_repeat=True))


def _lines(study, found):
    found = found.order_by("trial__session_id", "trial__position", "scale__position", "scale_id")
    trial, stimulus = "trial__", "trial__stimulus__"
    lines = found.values_list(
        *("trial__session__code", trial + "position", stimulus + "condition__name", stimulus + "label"),
        *(stimulus + "row", "scale__name", "value", trial + "plays", trial + "heard_seconds"),
        *(trial + "shown_at", trial + "rated_at"),
    )
    for code, *others in lines.iterator(chunk_size=2000):
        yield (study.slug, pseudonym(code), *others)


def comments(study):
    """Return an iterator over the comments, a tuple of COMMENT_COLUMNS each, in the order of `ratings`.

    `scale` is empty where all scales stood on one screen. Raises StillBlindError and StillSealedError at once.
    """
    refuse_while_hidden(study)
    return all_comments(study)


def all_comments(study):
    said = Trial.objects.filter(session__study=study).exclude(comment="").order_by("session_id", "position")
    lines = said.values_list(
        *("session__code", "position", "stimulus__condition__name", "stimulus__label", "stimulus__row"),
        *("scale__name", "is_repeat", "comment", "rated_at"),
    )
    for code, *others in lines.iterator(chunk_size=2000):
        yield (study.slug, pseudonym(code), *others)


def pseudonym(code):
    """What a session is called outside: always the same, and no way back to the participant's link."""
    return hashlib.sha256(code.encode()).hexdigest()[:12]
