"""What a table of ratings does not say of itself: how the study was made, and what was settled before it was seen.

A study's export has it as study.json beside its ratings.csv, so that whoever reads the one finds the other.
"""

import json
import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from analysis.ratings import RatingsError
from analysis.rules import RULES

BESIDE = "study.json"
REPEATS = "repeats.csv"


@dataclass(frozen=True)
class Plan:
    """How a table is to be read.

    margin: largest difference that does not matter, in points; None for no test of equivalence
    exclusion: rules (keys of `rules.RULES`) whose flags leave a session out of the second of the two results
    references: names of the conditions that are real music; None for those whose stimuli share a row
    anchor: name of the condition that is meant to be bad, as MUSHRA has it; None for no such
    seed: of the bootstrap
    rows: [condition, row] in the order in which tables have them; empty for `describe.reading_order`
    scale_ends: {scale: [lowest, highest answer]}; "" is the only scale of a table that names none
    near_duplicate: similarity from which on two clips count as one
    design: sentences on what participants heard and were asked, for the methods section
    """

    margin: float | None = None
    exclusion: tuple[str, ...] = ()
    references: tuple[str, ...] | None = None
    anchor: str | None = None
    seed: int = 1
    rows: tuple[tuple[str, str], ...] = ()
    scale_ends: dict[str, tuple[float, float]] = field(default_factory=dict)
    near_duplicate: float = 0.529  # 99 of 100 pairs of different real songs are less alike
    design: tuple[str, ...] = ()

    def changed(self, **others):
        """Return the plan with those that are not None instead of its own."""
        return replace(self, **{name: value for name, value in others.items() if value is not None})

    def as_json(self):
        """Return it as the text of a study.json."""
        return (
            json.dumps({one.name: getattr(self, one.name) for one in fields(self)}, ensure_ascii=False, indent=2) + "\n"
        )


def beside(ratings_path):
    """Return the Plan that lies beside a file of ratings, or one of nothing. Raises RatingsError as `read` does."""
    path = Path(ratings_path).with_name(BESIDE)
    return read(path) if path.is_file() else Plan()


def read(path):
    """Return the Plan of a study.json; keys that it does not know are left alone.

    Raises RatingsError, one sentence that names the file and the key.
    """
    try:
        said = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RatingsError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(said, dict):
        raise RatingsError(f"{path} is no JSON object.")
    return Plan(**{name: _checked(path, name, said[name]) for name in CHECKS if name in said})


def _checked(path, name, value):
    try:
        return CHECKS[name](value)
    except (TypeError, ValueError, AttributeError):
        raise RatingsError(f'{path}: "{name}" is not what it should be: {json.dumps(value)[:80]}.') from None


def _margin(value):
    if value is None:
        return None
    if isinstance(value, bool) or not 0 < float(value) < math.inf:
        raise ValueError
    return float(value)


def _rules(value):
    if not set(value) <= set(RULES):
        raise ValueError
    return tuple(value)


def _texts(value):
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError
    return tuple(value)


def _optional(check):
    return lambda value: None if value is None else check(value)


def _text(value):
    if not isinstance(value, str):
        raise ValueError
    return value


def _whole(value):
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError
    return value


def _share(value):
    if isinstance(value, bool) or not 0 < float(value) <= 1:
        raise ValueError
    return float(value)


def _ends(value):
    low, high = map(float, value)
    if not low < high:
        raise ValueError
    return low, high


CHECKS = {
    "margin": _margin,
    "exclusion": _rules,
    "references": _optional(_texts),
    "anchor": _optional(_text),
    "seed": _whole,
    "rows": lambda value: tuple((_text(condition), _text(row)) for condition, row in value),
    "scale_ends": lambda value: {_text(scale): _ends(ends) for scale, ends in value.items()},
    "near_duplicate": _share,
    "design": _texts,
}
