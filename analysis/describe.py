"""The report's table: one row a clip or pooled group, and one a condition, with exact averages and an interval.

Everything here follows from two small counts: how many ratings had each value, and how many sessions gave each
(total, number of ratings). A study of a million ratings has a few dozen of them, a database counts them without
loading a rating, and as they are whole numbers no order of adding changes the last digit.

The interval answers "these clips, other listeners": Student's t over the session means, since the ratings of one
session are not independent. Whether other clips of the same model would do as well is another question.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Tally:
    """The counts of one group of ratings: a row of the table, or a condition.

    values: {rating: how many ratings}
    sums: {(total, n): how many sessions gave n ratings that add up to total}; whole numbers or Fractions
    """

    label: str
    condition: str
    values: Counter = field(default_factory=Counter)
    sums: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Description:
    """What a table says of one group. None where there is nothing to say: no average of no ratings, no interval of
    one session. `se` and `df` belong to the mean of session means."""

    label: str
    condition: str
    values: Counter
    n: int
    n_sessions: int
    total: Fraction
    sd: float | None
    se: float | None
    df: int
    low: float | None
    high: float | None

    @property
    def mean(self) -> float | None:
        return float(self.total / self.n) if self.n else None

    @property
    def average(self) -> str:
        """The mean as it is printed: one decimal, halves up, from the exact total."""
        return half_up(self.total / self.n) if self.n else ""


def describe(tally):
    """Return the Description of a Tally.

    sd: of the ratings, with n - 1
    low, high: mean of session means -+ t(0.975, sessions - 1) * sd of session means / sqrt(sessions). Where sessions
        rated unequally often their middle is not exactly the average of all ratings.
    """
    n, total, sd = _moments(tally.values)
    means = Counter()
    for (subtotal, n_ratings), n_sessions in tally.sums.items():
        means[Fraction(subtotal) / int(n_ratings)] += n_sessions
    n_sessions, sum_of_means, sd_of_means = _moments(means)
    se = low = high = None
    if sd_of_means is not None:
        se = sd_of_means / math.sqrt(n_sessions)
        reach = float(stdtrit(n_sessions - 1, (1 + CONFIDENCE) / 2)) * se
        middle = float(sum_of_means / n_sessions)
        low, high = middle - reach, middle + reach
    df = max(n_sessions - 1, 0)
    return Description(tally.label, tally.condition, tally.values, n, n_sessions, total, sd, se, df, low, high)


def rows(frame):
    """Return the Descriptions of the table's rows: groups of equal condition and row, in `reading_order`.

    frame: as `ratings.read` returns it, of one scale
    """
    tallies = [_tally(part, *key[::-1]) for key, part in frame.groupby(["condition", "row"], sort=False)]
    pooled = {key for key, part in frame.groupby(["condition", "row"]) if part["stimulus"].nunique() > 1}
    return [describe(tally) for tally in reading_order(tallies, pooled)]


def conditions(frame):
    """Return the Descriptions of the conditions, in the order in which `rows` has them. frame: as for `rows`."""
    order = {row.condition: None for row in rows(frame)}
    return [describe(_tally(frame[frame["condition"] == name], name, name)) for name in order]


def reading_order(tallies, pooled=()):
    """Return the tallies in the order in which such tables are read: references, baseline, ..., best.

    Conditions with a pooled row come first, then the others by rising average; within one, labels in natural order
    ("RNN 2" before "RNN 10"). A table of ratings does not say what its author's order was.

    pooled: set of (condition, label) of the rows that several stimuli share
    """
    whole = {}
    for tally in tallies:
        whole.setdefault(tally.condition, Counter()).update(tally.values)
    references = {condition for condition, _ in pooled}

    def place(tally):
        n, total, _ = _moments(whole[tally.condition])
        return tally.condition not in references, total / n, tally.condition, _natural(tally.label)

    return sorted(tallies, key=place)


def half_up(number, places=1):
    """Return a number as decimals, exact halves away from zero as one learns at school ("8.25" becomes "8.3").

    number: int, Fraction or float; a float counts as the shortest decimal that stands for it
    """
    exact = number if isinstance(number, Fraction) else _exact(number)
    units = math.floor(abs(exact) * 10**places + Fraction(1, 2))
    return format(Decimal(units if exact >= 0 else -units).scaleb(-places), "f")


def in_short(number):
    """Return a count as it is, and an average of counts with one decimal."""
    return half_up(number, 0 if number % 1 == 0 else 1)


def written(number):
    """Return a number in the fewest digits that stand for it and no other: "7", "7.25"."""
    return repr(float(number)).removesuffix(".0")


def _moments(counted):
    """Return (n, total, sd) of {number: how many}; exact until the root, sd None below two."""
    n = sum(counted.values())
    total = sum((Fraction(number) * times for number, times in counted.items()), Fraction(0))
    if n < 2:
        return n, total, None
    mean = total / n
    squares = sum(((Fraction(number) - mean) ** 2 * times for number, times in counted.items()), Fraction(0))
    return n, total, math.sqrt(squares / (n - 1))


def _tally(part, label, condition):
    numbers = part["rating"]
    if (numbers % 1).any():
        numbers = numbers.map(_exact)  # whole numbers add up exactly as they are
    sums = numbers.groupby(part["session"], sort=False).agg(["sum", "size"])
    return Tally(label, condition, Counter(numbers), Counter(zip(sums["sum"], sums["size"], strict=True)))


def _exact(value):
    """The number as it was written: 0.1 is a tenth, not its nearest binary fraction."""
    return Fraction(repr(float(value)))


def _natural(label):
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", label) if part]
