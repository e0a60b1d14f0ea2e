"""Read a table of ratings, one row a rating, and refuse what cannot be analysed.

Conventions: every column but `rating` and `position` is text, exactly as written ("007" stays "007", "NA" is a name);
`rating` is float64 and finite. A stimulus belongs to its condition: "song 1" of A and "song 1" of B are two.
"""

import numpy as np
import pandas as pd

from analysis.csv_lines import bare

NEEDED = ("session", "condition", "stimulus", "rating")
KNOWN = (*NEEDED, "row", "scale", "position")


class RatingsError(ValueError):
    """What is wrong with a table of ratings, in one sentence."""


def read(source, columns=None):
    """Return the ratings of a CSV file or a frame, checked: a frame of KNOWN's columns where present, and the others.

    source: path, file or DataFrame
    columns: {ours: theirs} for columns of another name, as {"session": "rater"}
    returns: DataFrame (rating, column); `row` is there always (a stimulus' own name where the source has none)

    Raises RatingsError, one sentence that names the column or line, for a file that is no table, a missing column,
    an empty cell, a rating that is no number, or two ratings of one session for one stimulus on one scale.
    """
    frame = source.copy() if isinstance(source, pd.DataFrame) else _read_csv(source)
    frame = _renamed(frame, columns or {}).reset_index(drop=True)
    for name in set(KNOWN) & set(frame.columns) - {"rating", "position"}:
        frame[name] = _texts(frame[name], name)
    frame["rating"] = _numbers(frame["rating"], "rating")
    if "position" in frame:
        frame["position"] = _numbers(frame["position"], "position")
    if "row" not in frame:
        frame["row"] = frame["stimulus"]
    _refuse_duplicates(frame)
    return frame


def by_scale(frame):
    """Return {scale: its ratings}; one entry named "" where the table has no scales."""
    if "scale" not in frame:
        return {"": frame}
    return dict(list(frame.groupby("scale", sort=False)))


def _read_csv(source):
    try:
        return pd.read_csv(source, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise RatingsError(f"{source}: there is no such file.") from None
    except UnicodeDecodeError:
        raise RatingsError("The file is not text in UTF-8.") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, OSError) as error:
        raise RatingsError(f"The file is not a table in CSV: {str(error).strip()}.") from None


def _renamed(frame, columns):
    for ours, theirs in columns.items():
        if ours not in KNOWN:
            raise RatingsError(f'"{ours}" is not a column that can be named; these are: {", ".join(KNOWN)}.')
        if theirs not in frame:
            raise RatingsError(f'There is no column "{theirs}" to read as {ours}: {_those_of(frame)}.')
    frame = frame.drop(columns=[ours for ours, theirs in columns.items() if ours in frame and ours != theirs])
    frame = frame.rename(columns={theirs: ours for ours, theirs in columns.items()})
    missing = [name for name in NEEDED if name not in frame]
    if missing:
        raise RatingsError(f'There is no column "{missing[0]}": {_those_of(frame)}.')
    return frame


def _those_of(frame):
    return "the table has " + ", ".join(str(name) for name in frame.columns)


def _line(index):
    return f"Line {index + 2}"  # the header is line 1


def _texts(column, name):
    texts = column.astype(str).where(column.notna(), "")
    empty = texts.str.strip() == ""
    if empty.any():
        raise RatingsError(f"{_line(empty.idxmax())}: {name} is empty.")
    return texts.map(bare)


def _numbers(column, name):
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        index = wrong.idxmax()
        raise RatingsError(f'{_line(index)}: {name} "{column[index]}" is not a number.')
    return numbers


def _refuse_duplicates(frame):
    key = [name for name in ("session", "condition", "stimulus", "scale") if name in frame]
    again = frame.duplicated(key)
    if not again.any():
        return
    index = again.idxmax()
    second = frame.loc[index]
    first = (frame[key] == second[key]).all(axis=1).idxmax()
    raise RatingsError(
        f'{_line(index)}: session "{second.session}" has rated stimulus "{second.stimulus}" before, on line {first + 2}.'
    )
