"""JSON out of files that nobody vouches for: bounded, each key once, numbers that are numbers."""

import json
import re

from music.refusal import Refusal

MOST_DIGITS = 400  # int() takes time with the square of them; a float has 17
MOST_DEPTH = 64  # Keras' own descriptions stay under 20; whoever shows or compares a value would recurse into it


class JsonError(Refusal):
    """The bytes are no object in JSON; one sentence."""


def read(content, name, most_bytes):
    """Return the object that these bytes hold.

    Raises JsonError, which calls them by `name`, for more than `most_bytes`, deep nesting, bytes that are not UTF-8, a
    key that stands twice, NaN and infinities, and what is no object.
    """
    if len(content) > most_bytes:
        raise JsonError(f"{name} is larger than {most_bytes:,} bytes.", "json.size")
    try:
        text = content.decode()
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_int, parse_float=_float
        )
    except JsonError as refusal:
        raise JsonError(f"{name}: {refusal}", refusal.problem) from refusal
    except RecursionError as error:
        raise JsonError(f"{name} is nested too deeply.", "json.too_deep") from error
    except UnicodeDecodeError as error:
        raise JsonError(f"{name} is not UTF-8 text.", "json.encoding") from error
    except ValueError as error:
        raise JsonError(f"{name} is not valid JSON: {str(error)[:120]}.", "json.syntax") from error
    if not isinstance(value, dict):
        raise JsonError(f"{name} is not a JSON object.", "json.syntax")
    _check_nesting(value, name)
    return value


def _check_nesting(value, name):
    """Raise JsonError for deep nesting, and for texts that no database keeps."""
    level = [value]
    for _ in range(MOST_DEPTH):
        if not all(map(_can_be_kept, level)):
            raise JsonError(f"{name} holds characters that are none.", "json.encoding")
        level = [inner for outer in level for inner in _within(outer)]
    if level:
        raise JsonError(f"{name} is nested too deeply.", "json.too_deep")


def _can_be_kept(value):
    """Is it no text, or one without NUL and without half a character?"""
    return not isinstance(value, str) or not re.search("[\0\ud800-\udfff]", value)


def _within(value):
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else ()


def _once(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise JsonError("a key stands twice.", "json.duplicate")
    return dict(pairs)


def _no_constant(text):
    raise JsonError(f"{text} is not a number.", "json.number")


def _int(text):
    if len(text) > MOST_DIGITS:
        raise JsonError(f"a number has {len(text):,} digits.", "json.number")
    return int(text)


def _float(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise JsonError(f"{text[:40]} is larger than any number.", "json.number")
    return number
