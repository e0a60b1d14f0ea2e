"""A checkpoint's card: what is known of the network, and what sampling needs of its corpus.

Conventions: `statistics.tempo_bpm` is one number; `density` and `velocity` have one a track; `calibration.bias` is
(track, pitch), `calibration.arrangements` (row, 6), whole numbers as families.Arrangement counts them.
"""

import math

from music.pianoroll import N_PITCHES, N_TRACKS
from music.refusal import Refusal
from training.families import STEPS_PER_BEAT, Arrangement, ConfigurationError, family_named

MAX_BYTES = 256 * 1024
MAX_ARRANGEMENTS = 1000


class CardError(Refusal):
    """The card is not of a network of ours; one sentence."""


def checked(card):
    """Return the card with its configuration completed by the family's defaults.

    Raises CardError unless it names a family, a configuration that the family takes, a grid, and statistics
    that sampling can work with.
    """
    configuration = _configuration(card)
    steps_per_beat = card.get("steps_per_beat")
    if type(steps_per_beat) is not int or steps_per_beat not in STEPS_PER_BEAT:
        raise CardError("card.json: steps_per_beat is not 24, 12 or 4.", "card.content")
    _check_statistics(card.get("statistics"))
    calibration = card.get("calibration", {})
    _check_calibration(calibration)
    return card | {"configuration": configuration, "calibration": calibration}


def _configuration(card):
    given = card.get("configuration")
    try:
        family = family_named(card.get("family"))
        if not isinstance(given, dict):
            raise CardError("card.json has no configuration.", "card.content")
        return family.configuration(given)
    except ConfigurationError as problem:
        raise CardError(f"card.json: {problem}", "card.content") from problem


def _check_statistics(statistics):
    if not isinstance(statistics, dict):
        raise CardError("card.json has no statistics of the corpus.", "card.content")
    _check_numbers("statistics.tempo_bpm", [statistics.get("tempo_bpm")], 1, (20, 400))
    _check_numbers("statistics.density", statistics.get("density"), N_TRACKS, (0, 128))
    _check_numbers("statistics.velocity", statistics.get("velocity"), N_TRACKS, (1, 127))


def _check_calibration(calibration):
    if not isinstance(calibration, dict) or set(calibration) - {"bias", "arrangements"}:
        raise CardError("card.json: calibration may hold bias and arrangements, and nothing else.", "card.content")
    _check_arrangements(calibration.get("arrangements", []))
    bias = calibration.get("bias", [[0.0] * N_PITCHES] * N_TRACKS)
    if not isinstance(bias, list) or len(bias) != N_TRACKS:
        raise CardError(f"card.json: calibration.bias must hold {N_TRACKS} lists, one a track.", "card.content")
    for track in bias:
        _check_numbers("calibration.bias", track, N_PITCHES, (-12, 12))


def _check_arrangements(rows):
    if not isinstance(rows, list) or len(rows) > MAX_ARRANGEMENTS:
        raise CardError(f"card.json: calibration.arrangements must be at most {MAX_ARRANGEMENTS} rows.", "card.content")
    for row in rows:
        _check_numbers("calibration.arrangements", row, Arrangement.N, (0, max(Arrangement.SIZES) - 1))
        if not all(type(value) is int and value < n for value, n in zip(row, Arrangement.SIZES, strict=True)):
            raise CardError("card.json: calibration.arrangements names a class that there is not.", "card.content")


def _check_numbers(name, values, count, bounds):
    low, high = bounds
    is_list = isinstance(values, list) and len(values) == count
    if not is_list or not all(_is_number(value) and low <= value <= high for value in values):
        raise CardError(f"card.json: {name} must be {count} numbers from {low} to {high}.", "card.content")


def _is_number(value):
    # A whole number is finite, however long; math.isfinite would overflow on one.
    return type(value) is int or (isinstance(value, float) and math.isfinite(value))
