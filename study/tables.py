"""The one place where ratings meet the names of conditions. Participants' pages never import it.

Tables come from counts that the database makes: how many ratings a row had of each value, and how many sessions gave
it each total. No rating is loaded for them.
"""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Count, Sum

from analysis.describe import Description, Tally, describe
from study.models import Rating, Scale

COLUMNS = (
    *("study", "session", "position", "condition", "stimulus", "row"),
    *("scale", "rating", "plays", "listened_seconds", "shown_at", "rated_at"),
)


@dataclass(frozen=True)
class Table:
    """The report's table on one scale: its rows (a clip each, references pooled into one) and its conditions."""

    scale: Scale
    rows: list[Description]
    conditions: list[Description]


def tables(study):
    """Return a Table for each scale of the study, everything in the study's own order."""
    return [_table(study, scale) for scale in study.scales.all()]


def _ratings(study):
    # A hidden repeat is a control of the listener, not another opinion on the clip.
    return Rating.objects.filter(trial__session__study=study, trial__is_repeat=False)


def _table(study, scale):
    order = dict.fromkeys(study.stimuli().values_list("condition__name", "row"))
    values, sums = _counts(_ratings(study).filter(scale=scale))
    rows = [Tally(row, condition, values[condition, row], _how_many(sums[condition, row])) for condition, row in order]
    names = dict.fromkeys(condition for condition, _ in order)
    conditions = [_pooled(name, [key for key in order if key[0] == name], values, sums) for name in names]
    return Table(scale, [describe(tally) for tally in rows], [describe(tally) for tally in conditions])


def _counts(ratings):
    """Return {(condition, row): Counter of values} and {(condition, row): {session: (total, n)}}."""
    key = ("trial__stimulus__condition__name", "trial__stimulus__row")
    values, sums = defaultdict(Counter), defaultdict(dict)
    for condition, row, value, n in ratings.values_list(*key, "value").annotate(n=Count("id")).order_by():
        values[condition, row][value] = n
    by_session = ratings.values_list(*key, "trial__session").annotate(total=Sum("value"), n=Count("id")).order_by()
    for condition, row, session, total, n in by_session:
        sums[condition, row][session] = (total, n)
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
    """Yield the study's ratings, a tuple of COLUMNS each, session by session in the order of listening."""
    found = _ratings(study).order_by("trial__session_id", "trial__position", "scale__position", "scale_id")
    trial, stimulus = "trial__", "trial__stimulus__"
    lines = found.values_list(
        *("trial__session__code", trial + "position", stimulus + "condition__name", stimulus + "label"),
        *(stimulus + "row", "scale__name", "value", trial + "plays", trial + "heard_seconds"),
        *(trial + "shown_at", trial + "rated_at"),
    )
    for code, *others in lines.iterator(chunk_size=2000):
        yield (study.slug, pseudonym(code), *others)


def pseudonym(code):
    """What a session is called outside: always the same, and no way back to the participant's link."""
    return hashlib.sha256(code.encode()).hexdigest()[:12]
