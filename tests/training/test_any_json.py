"""Any JSON at all in the place of a card or of Keras' description: one of ours, or a refusal in a sentence; never a crash."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music.refusal import Refusal
from training import architecture, card, json_file
from training.families import FAMILIES

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
MOST_BYTES = 20_000
NUMBERS = st.one_of(st.integers(), st.sampled_from([10**398, -(10**398), 2**63, 0]), st.floats())
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(["keras", "Dense", "LSTM", "relu", "rnn", "drums"]))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4))
)
OBJECTS = st.dictionaries(TEXTS, ANYTHING, max_size=4)


def accepted(check, *arguments):
    """What a reader says, or None where it refuses in one sentence that a page can show."""
    try:
        return check(*arguments)
    except Refusal as problem:
        refusal = problem
    assert refusal.problem.split(".")[0] in ("json", "card", "keras")
    assert str(refusal).endswith(".")
    assert len(str(refusal)) < 500
    return None


@FUZZ
@given(st.one_of(st.binary(max_size=200), ANYTHING.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_are_an_object_or_refused(content):
    found = accepted(json_file.read, content, "card.json", MOST_BYTES)

    assert found is None or found == json.loads(content)


@FUZZ
@given(st.data())
def test_an_object_with_anything_written_over_it_is_read_or_refused(data):
    content = bytearray(b'{"a": [1, -2.5e3, {"b": "\\u00e9"}], "c": null, "d": true}')
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + 1] = data.draw(st.binary(max_size=4))

    found = accepted(json_file.read, bytes(content), "card.json", MOST_BYTES)

    assert found is None or json.loads(json.dumps(found, allow_nan=False)) == found


def a_card(family):
    return {
        "family": family,
        "configuration": FAMILIES[family].configuration(),
        "steps_per_beat": 24,
        "statistics": {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5},
        "calibration": {"bias": [[0.0] * 128] * 5, "arrangements": [[0] * 6]},
    }


def with_anything_in_it(data, value):
    """The value with one thing in it, at any depth, made anything."""
    if data.draw(st.integers(0, 3)) == 0 or not isinstance(value, dict | list) or not value:
        return data.draw(ANYTHING)
    if isinstance(value, list):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], with_anything_in_it(data, value[at]), *value[at + 1 :]]
    key = data.draw(st.sampled_from(sorted(value)))
    return {**value, key: with_anything_in_it(data, value[key])}


@FUZZ
@given(st.data(), st.sampled_from(sorted(FAMILIES)))
def test_a_card_with_anything_in_it_is_one_that_a_network_can_be_built_from_or_refused(data, family):
    changed = with_anything_in_it(data, a_card(family))
    found = accepted(card.checked, changed if isinstance(changed, dict) else {})

    if found is not None:
        configuration = found["configuration"]
        assert FAMILIES[found["family"]].configuration(configuration) == configuration
        assert len(found["statistics"]["density"]) == 5


@FUZZ
@given(OBJECTS)
def test_any_object_is_a_card_or_refused(value):
    assert accepted(card.checked, value) is None


LAYER = st.fixed_dictionaries(
    {"class_name": st.one_of(st.sampled_from(["Dense", "LSTM", "GRU", "Conv2D", "Embedding", "Lambda"]), ANYTHING)},
    optional={
        "module": ANYTHING,
        "config": st.one_of(
            ANYTHING,
            st.dictionaries(
                st.sampled_from(["units", "filters", "activation", "strides", "use_bias", "kernel_size", "padding"]),
                ANYTHING,
                max_size=5,
            ),
        ),
    },
)


@FUZZ
@given(st.one_of(OBJECTS, st.fixed_dictionaries({"config": st.fixed_dictionaries({"layers": st.lists(LAYER)})})))
def test_any_description_is_a_familys_or_refused(config):
    shapes = FAMILIES["rnn"].weight_shapes({"units": 4})

    accepted(architecture.check, config)
    accepted(architecture.check, config, shapes)
