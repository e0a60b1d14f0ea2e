"""What is known of the clips beside their ratings: measures of their music, and how alike each two are.

clips.csv has a row a clip, with `condition`, `stimulus` and columns `measure_NAME`; similarity.csv a row a pair, with
`condition_a`, `stimulus_a`, `condition_b`, `stimulus_b` and `similarity` from 0 to 1. An empty cell is no answer.
"""

import csv
import math

from analysis.csv_lines import bare
from analysis.ratings import RatingsError

MEASURE = "measure_"
OF_CLIP = ("condition", "stimulus")
OF_PAIR = ("condition_a", "stimulus_a", "condition_b", "stimulus_b", "similarity")
CLIPS, SIMILARITY = "clips.csv", "similarity.csv"


def measures(path):
    """Return {measure: {(condition, stimulus): number or None}} of a clips.csv, in the order of its columns; empty ones are left out.

    Raises RatingsError, one sentence that names the file and the line or column.
    """
    header, lines = _table(path, OF_CLIP)
    names = [name for name in header if name.startswith(MEASURE)]
    found = {name.removeprefix(MEASURE): {} for name in names}
    for number, line in enumerate(lines, start=2):
        clip = (bare(line["condition"]), bare(line["stimulus"]))
        for name in names:
            found[name.removeprefix(MEASURE)][clip] = _number(path, number, name, line[name])
    return {name: of_clips for name, of_clips in found.items() if any(value is not None for value in of_clips.values())}


def similarities(path):
    """Return {(clip, other clip): similarity} of a similarity.csv, a clip being (condition, stimulus).

    Raises RatingsError as `measures` does.
    """
    _, lines = _table(path, OF_PAIR)
    found = {}
    for number, line in enumerate(lines, start=2):
        one, other = ((bare(line[f"condition_{side}"]), bare(line[f"stimulus_{side}"])) for side in "ab")
        value = _number(path, number, "similarity", line["similarity"])
        if value is None or not 0 <= value <= 1 or one == other:
            raise RatingsError(f"{path}, line {number}: similarity is to be from 0 to 1, of two different clips.")
        found[min(one, other), max(one, other)] = value
    return found


def _table(path, needed):
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RatingsError(f"{path} cannot be read as a table: {error}.") from None
    header = list(lines[0]) if lines else list(needed)
    missing = [name for name in needed if name not in header]
    if missing:
        raise RatingsError(f'{path} has no column "{missing[0]}".')
    if any(None in line or None in line.values() for line in lines):
        raise RatingsError(f"{path}: not all lines have as many cells as the first.")
    return header, lines


def _number(path, number, name, cell):
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RatingsError(f'{path}, line {number}: {name} "{cell[:40]}" is no number.')
    return value
