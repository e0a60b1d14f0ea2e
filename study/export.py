"""Ratings and tables as CSV: a line at a time, whatever the size, and harmless in a spreadsheet."""

import csv
import datetime
import re
from decimal import Decimal

from study import tables

TABLE_COLUMNS = ("scale", "level", "row", "condition", "n", "average", "mean", "sd", "low", "high")
# Text that a spreadsheet would run as a formula. With apostrophes before it already, it gets one more, so that reading
# (analysis.ratings) can always take one away.
RUNS = re.compile(r"'*[=+\-@\t\r]")


class Line:
    """A file that hands back what csv.writer writes to it, with one character at the end of the line."""

    def write(self, text):
        return text.removesuffix("\r\n") + "\n"


def csv_lines(header, records):
    """Yield a CSV table line by line. Numbers stay numbers, text is guarded, times are ISO 8601 in UTC."""
    # Text is quoted if it holds a part of the line's end: a comment may hold either.
    writer = csv.writer(Line(), lineterminator="\r\n")
    yield writer.writerow(header)
    for record in records:
        yield writer.writerow([_cell(value) for value in record])


def _cell(value):
    if isinstance(value, str):
        return f"'{value}" if RUNS.match(value) else value
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return value


# All of these raise tables.StillBlindError before the first line, not in the middle of a download.


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
