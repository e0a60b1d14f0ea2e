"""Tables as CSV, a line at a time whatever the size, and harmless in a spreadsheet."""

import csv
import datetime
import re

# Text that a spreadsheet would run as a formula. With apostrophes before it already, it gets one more, so that reading
# (`bare`) can always take one away.
RUNS = re.compile(r"'*[=+\-@\t\r\0]")
GUARDED = re.compile(r"'+[=+\-@\t\r\0]")


class _Line:
    """A file that hands back what csv.writer writes to it, with one character at the end of the line."""

    def write(self, text):
        return text.removesuffix("\r\n") + "\n"


def csv_lines(header, records):
    """Yield a table as lines of CSV. Numbers stay numbers, text is guarded, times are ISO 8601 in UTC, None is empty."""
    # Text is quoted if it holds a part of the line's end: a comment may hold either.
    writer = csv.writer(_Line(), lineterminator="\r\n")
    yield writer.writerow(header)
    for record in records:
        yield writer.writerow([_cell(value) for value in record])


def guarded(text):
    """Return text as a cell that no spreadsheet runs."""
    return f"'{text}" if RUNS.match(text) else text


def bare(text):
    """Return the text of a cell that `guarded` made."""
    return text[1:] if GUARDED.match(text) else text


def _cell(value):
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return value
