"""JSON out of files that nobody vouches for: bounded, each key once, numbers that are numbers."""

import json

from music.refusal import Refusal

MOST_DIGITS = 400  # int() takes time with the square of them; a float has 17


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
    return value


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
