"""Ratings and tables of a study as lines of CSV."""

from decimal import Decimal

from analysis.csv_lines import csv_lines
from study import tables

TABLE_COLUMNS = ("scale", "level", "row", "condition", "n", "average", "mean", "sd", "low", "high")

# All of these raise StillBlindError and StillSealedError of `tables` before the first line, not in the middle of a download.


def ratings_csv(study):
    """Yield the ratings of a study as lines of CSV, one row a rating; hidden repeats have a file of their own.

    A repeat has the session, stimulus and scale of the rating that it repeats: in one file they would count twice.
    """
    return csv_lines(tables.COLUMNS, tables.ratings(study))


def repeats_csv(study):
    """Yield the ratings of hidden repeats, in the same columns."""
    return csv_lines(tables.COLUMNS, tables.repeats(study))


def comments_csv(study):
    """Yield the comments, one row a comment."""
    return csv_lines(tables.COMMENT_COLUMNS, tables.comments(study))


def table_csv(study):
    """Yield the rows and the conditions of the study's tables as lines of CSV; `average` is as printed, the rest whole."""
    return csv_lines(TABLE_COLUMNS, _table_records(tables.tables(study)))


# What participants gave, whole.
GIVEN = {"ratings": ratings_csv, "repeats": repeats_csv, "comments": comments_csv}


def _table_records(found):
    for table in found:
        for level, descriptions in (("row", table.rows), ("condition", table.conditions)):
            for line in descriptions:
                average = Decimal(line.average) if line.average else None
                numbers = (line.n, average, line.mean, line.sd, line.low, line.high)
                yield (table.scale.name, level, line.label, line.condition, *numbers)
