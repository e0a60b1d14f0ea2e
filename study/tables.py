"""The one place where ratings meet the names of conditions. Participants' pages never import it.

Tables come from counts that the database makes: how many ratings a row had of each value, and how many sessions gave
it each total. No rating is loaded for them.
"""

import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from analysis.describe import Description, Tally, describe
from study.models import Rating, Scale, Trial

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


@dataclass(frozen=True)
class Table:
    """The report's table on one scale: its rows (a clip each, references pooled into one) and its conditions."""

    scale: Scale
    rows: list[Description]
    conditions: list[Description]


@dataclass(frozen=True)
class Arrival:
    """How often a clip was rated; under a neutral name, and without its condition, while its study hides labels."""

    label: str
    condition: str
    n_rated: int


def arrivals(study):
    """Return an Arrival for each clip, in the study's order; in one that says nothing while it hides labels."""
    stimuli = study.stimuli().annotate(n_rated=Count("trials", filter=Q(trials__rated_at__isnull=False)))
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
    """Return a Table for each scale of the study, everything in the study's own order. Raises StillBlindError."""
    _refuse_while_blind(study)
    order = dict.fromkeys(study.stimuli().values_list("condition__name", "row"))
    values, sums = _counts(_ratings(study))
    return [_table(scale, order, values[scale.pk], sums[scale.pk]) for scale in study.scales.all()]


def side_by_side(found):
    """Return (label, condition, [its Description on each scale]) for each row of these Tables."""
    return [(lines[0].label, lines[0].condition, lines) for lines in zip(*(table.rows for table in found), strict=True)]


def _refuse_while_blind(study):
    if study.hides_labels:
        raise StillBlindError(study)


def _ratings(study, is_repeat=False):
    # A hidden repeat is a control of the listener, not another opinion on the clip.
    return Rating.objects.filter(trial__session__study=study, trial__is_repeat=is_repeat)


def _table(scale, order, values, sums):
    rows = [Tally(row, condition, values[condition, row], _how_many(sums[condition, row])) for condition, row in order]
    names = dict.fromkeys(condition for condition, _ in order)
    conditions = [_pooled(name, [key for key in order if key[0] == name], values, sums) for name in names]
    return Table(scale, [describe(tally) for tally in rows], [describe(tally) for tally in conditions])


def _counts(ratings):
    """Return {scale: {(condition, row): Counter of values}} and {scale: {(condition, row): {session: (total, n)}}}."""
    key = ("scale", "trial__stimulus__condition__name", "trial__stimulus__row")
    values = defaultdict(lambda: defaultdict(Counter))
    sums = defaultdict(lambda: defaultdict(dict))
    for scale, condition, row, value, n in ratings.values_list(*key, "value").annotate(n=Count("id")).order_by():
        values[scale][condition, row][value] = n
    by_session = ratings.values_list(*key, "trial__session").annotate(total=Sum("value"), n=Count("id")).order_by()
    for scale, condition, row, session, total, n in by_session:
        sums[scale][condition, row][session] = (total, n)
    return values, sums


def _pooled(name, keys, values, sums):
    total, n = Counter(), Counter()
    for key in keys:
        for session, (subtotal, n_ratings) in sums[key].items():
            total[session] += subtotal
            n[session] += n_ratings
    whole = {session: (total[session], n[session]) for session in n}
    return Tally(name, name, sum((values[key] for key in keys), Counter()), _how_many(whole))


def _how_many(by_session):
    return Counter(by_session.values())


def ratings(study):
    """Return an iterator over the study's ratings, a tuple of COLUMNS each, session by session in the order of listening.

    Hidden repeats are not among them, see `repeats`. Raises StillBlindError at once.
    """
    _refuse_while_blind(study)
    return _lines(study, _ratings(study))


def repeats(study):
    """Return an iterator over the ratings of hidden repeats, like `ratings`. Together they are all that was given."""
    _refuse_while_blind(study)
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

    `scale` is empty where all scales stood on one screen. Raises StillBlindError at once.
    """
    _refuse_while_blind(study)
    return _comments(study)


def _comments(study):
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
