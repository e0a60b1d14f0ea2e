"""A table in CSV from outside, read in a child: bounded, of one width, in characters that a page can show."""

import csv
import io

from music.refusal import Refusal

MOST_COLUMNS = 60
LONGEST_CELL = 2_000
DELIMITERS = ",;\t"
BOMS = (b"\xff\xfe", b"\xfe\xff")


class TableError(Refusal):
    """The file is no table that can be read; one sentence."""


def read(content, most_rows):
    """Return (header, rows): texts, stripped of the space around them, each row as long as the header.

    content: bytes of a CSV file in UTF-8; its cells are parted by comma, semicolon or tab, as its first line says

    Raises TableError for other encodings, control characters, too much of anything, and ragged rows.
    """
    text = _text(content)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        header = _header(next(lines, []))
        return header, [_row(line, header, lines.line_num) for line in _bounded(lines, most_rows) if any(line)]
    except csv.Error as error:
        raise TableError(f"The table cannot be read: {str(error)[:80]}.", "csv.syntax") from error


def _text(content):
    if content.startswith(BOMS) or content[:2] == b"PK":
        raise TableError("The table is not text in UTF-8; save it as CSV in UTF-8.", "csv.encoding")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError("The table is not text in UTF-8; save it as CSV in UTF-8.", "csv.encoding") from error
    if not text.strip():
        raise TableError("The file is empty.", "file.empty")
    if any(ord(letter) < 32 and letter not in "\t\r\n" for letter in set(text)):
        raise TableError("The table holds control characters.", "csv.control_chars")
    return text


def _delimiter(text):
    first = text.split("\n", 1)[0]
    return max(DELIMITERS, key=first.count)


def _header(line):
    header = [name.strip() for name in line]
    if len(header) > MOST_COLUMNS:
        raise TableError(f"The table has {len(header):,} columns; {MOST_COLUMNS} are the most.", "csv.columns")
    if "" in header or len(set(header)) < len(header):
        raise TableError("The table's first line must give each column a name of its own.", "csv.header")
    return header


def _bounded(lines, most_rows):
    for n_rows, line in enumerate(lines, start=1):
        if n_rows > most_rows:
            raise TableError(f"The table has more than {most_rows:,} rows.", "csv.rows")
        yield line


def _row(line, header, number):
    if len(line) != len(header):
        raise TableError(f"Line {number} has {len(line)} cells for {len(header)} columns.", "csv.row_length")
    if max(map(len, line)) > LONGEST_CELL:
        raise TableError(f"Line {number} has a cell of more than {LONGEST_CELL:,} characters.", "csv.cell")
    return [cell.strip() for cell in line]
