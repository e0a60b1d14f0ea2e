"""What a CSV says of the clips it comes with: condition, title, label, seed and source of each file.

Columns: `file` (or `clip`) and `condition`; where there are any, `title`, `label`, `seed`, `source`.
"""

import re
from dataclasses import dataclass, fields

from generation import answers
from music.refusal import Refusal, is_plain

MOST_ROWS = 1_000
NAMES = ("file", "clip")
LARGEST_SEED_DIGITS = 20


@dataclass(frozen=True)
class Said:
    """What a table says of one file; texts, empty where it says nothing."""

    condition: str = ""
    title: str = ""
    label: str = ""
    seed: str = ""
    source: str = ""

    def provenance(self):
        said = {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name)}
        return said | ({"seed": int(self.seed)} if self.seed else {})


NOTHING = Said()
COLUMNS = tuple(field.name for field in fields(Said))


def read(path, folder):
    """Return {file name: Said} of a CSV. Raises Refusal."""
    header, rows = answers.table(path, MOST_ROWS, folder)
    name = next((column for column in NAMES if column in header), None)
    if name is None or "condition" not in header:
        raise Refusal('The table needs a column "file" and a column "condition".', "csv.header")
    said = {}
    for number, row in enumerate(rows, start=2):
        cells = dict(zip(header, row, strict=True))
        _check_cells(cells, number)
        _check_name(cells[name], number, said)
        said[cells[name]] = Said(**{column: cells.get(column, "") for column in COLUMNS})
    return said


def check_names(said, present):
    """Raise Refusal for a name in the table that no file has."""
    for name in said:
        if name not in present:
            raise Refusal(f"The table names {name}, which is not among the files.", "csv.path")


def of(name, said):
    """Return what is said of a file, under its own name or its name without folders."""
    return said.get(name) or said.get(name.rsplit("/", 1)[-1]) or NOTHING


def columns(said):
    return [column for column in COLUMNS if any(getattr(one, column) for one in said.values())]


def _check_cells(cells, number):
    for column, cell in cells.items():
        if not is_plain(cell):
            sentence = f"Line {number}: {column} is too long, or holds markup or characters that cannot be shown."
            raise Refusal(sentence, "text.markup")
    if not cells["condition"]:
        raise Refusal(f"Line {number}: condition is empty.", "csv.header")
    if not re.fullmatch(rf"[0-9]{{0,{LARGEST_SEED_DIGITS}}}", cells.get("seed", ""), re.ASCII):
        raise Refusal(f"Line {number}: seed is not a whole number.", "csv.number")


def _check_name(name, number, said):
    if not name or name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise Refusal(f"Line {number}: {name or 'nothing'} is not the name of a file that came with it.", "csv.path")
    if name in said:
        raise Refusal(f"Line {number}: {name} stands twice.", "csv.path")
