"""Tables from outside: what a spreadsheet writes is read, what is no table is refused in one sentence."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation import csv_table
from generation.csv_table import TableError

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12).map(str.strip)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_a_spreadsheet_writes_is_read(delimiter, bom, line_end):
    lines = [["file", "condition"], ["a.wav", ' "Frühling", 1; Satz '], ["b.wav", "夏"]]
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator=line_end).writerows(lines)

    header, rows = csv_table.read((bom + written.getvalue()).encode(), 10)

    assert (header, rows) == (["file", "condition"], [["a.wav", '"Frühling", 1; Satz'], ["b.wav", "夏"]])


@pytest.mark.parametrize(
    ("content", "problem", "sentence"),
    [
        (b"", "file.empty", "The file is empty."),
        (b"\xef\xbb\xbf \n", "file.empty", "The file is empty."),
        ("a,b".encode("utf-16"), "csv.encoding", "The table is not text in UTF-8; save it as CSV in UTF-8."),
        (b"PK\x03\x04", "csv.encoding", "The table is not text in UTF-8; save it as CSV in UTF-8."),
        (b"a\xff,b", "csv.encoding", "The table is not text in UTF-8; save it as CSV in UTF-8."),
        (b"a,b\nx\0,y", "csv.control_chars", "The table holds control characters."),
        (b"a,a\n", "csv.header", "The table's first line must give each column a name of its own."),
        (b"a,,b\n", "csv.header", "The table's first line must give each column a name of its own."),
        (b"a,b\n1\n", "csv.row_length", "Line 2 has 1 cells for 2 columns."),
        (b"a,b\n1,2\n1,2,3\n", "csv.row_length", "Line 3 has 3 cells for 2 columns."),
        (b"a\n" * 12, "csv.rows", "The table has more than 10 rows."),
        (b",".join(b"c%d" % i for i in range(61)), "csv.columns", "The table has 61 columns; 60 are the most."),
        (b"a\n" + b"x" * 2_001, "csv.cell", "Line 2 has a cell of more than 2,000 characters."),
        (b"a\n" + b"x" * 200_000, "csv.syntax", "The table cannot be read: field larger than field limit (131072)."),
        (b'a\n"x', "csv.syntax", "The table cannot be read: unexpected end of data."),
    ],
)
def test_what_is_no_table_is_refused_by_name(content, problem, sentence):
    with pytest.raises(TableError) as refusal:
        csv_table.read(content, 10)

    assert (refusal.value.problem, str(refusal.value)) == (problem, sentence)


@given(st.lists(st.tuples(CELLS, CELLS.filter(bool)), max_size=10))
def test_a_written_table_is_read_as_it_was_but_for_empty_lines(rows):
    written = io.StringIO()
    csv.writer(written).writerows([("file", "condition"), *rows])

    assert csv_table.read(written.getvalue().encode(), 10) == (["file", "condition"], [list(row) for row in rows])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_refused(content):
    try:
        header, rows = csv_table.read(content, 10)
    except TableError:
        return

    assert all(len(row) == len(header) for row in rows)
