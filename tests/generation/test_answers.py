"""Whatever a child says, of which nobody knows whose it is: it is believed where it is true, else refused."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generation import answers, child
from music.refusal import Refusal

FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
NUMBERS = st.one_of(st.integers(-2, 100), st.sampled_from([2**63, 10**300]), st.floats())
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8))
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
)
ARRAYS = st.builds(
    lambda shape, dtype, value: np.full(shape, value).astype(dtype),
    st.lists(st.integers(0, 5), max_size=3),
    st.sampled_from(["<i4", "<f4", "<f8", "|u1", "<i8", "|b1"]),
    st.sampled_from([0, 1, 24, 120, 91, 200]),
)
CARD = {
    "family": "rnn",
    "configuration": {"units": 4},
    "steps_per_beat": 24,
    "statistics": {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5},
}
TRUE = {"n_steps": 24, "steps_per_beat": 24, "whole_seconds": 0.5, "kind": "wav", "names": ["a.wav"], "card": CARD}


@pytest.fixture
def child_said(monkeypatch, tmp_path):
    """child_said(object, arrays or bytes): so the next child answers."""

    def said(found, content):
        def answer(module, request, **_):
            if isinstance(content, bytes):
                (tmp_path / "answer.npz").write_bytes(content)
            else:
                np.savez(tmp_path / "answer.npz", **content)
            return {"event": "done", **found}

        monkeypatch.setattr(child, "answer", answer)

    return said


ASKED = {
    "checkpoint": lambda folder: answers.checkpoint("x.keras", None, folder),
    "roll": lambda folder: answers.roll("x.mid", 30.0, folder),
    "sound": lambda folder: answers.sound("x.wav", folder),
    "archive": lambda folder: answers.archive("x.zip", [".wav"], folder),
    "table": lambda folder: answers.table("x.csv", 10, folder),
}


def believed(asked, folder):
    try:
        return ASKED[asked](folder)
    except Refusal:
        return None


@FUZZ
@given(st.data(), st.sampled_from(sorted(ASKED)))
def test_any_object_and_any_arrays_are_believed_or_refused(child_said, tmp_path, data, asked):
    found = {name: data.draw(st.one_of(st.just(value), ANYTHING)) for name, value in TRUE.items()}
    names = st.sampled_from(["notes", "tempo_bpm", "samples", "table", "0", "1"])
    child_said(found, data.draw(st.dictionaries(names, ARRAYS, max_size=6)))

    believed(asked, tmp_path)


@FUZZ
@given(st.data())
def test_any_bytes_in_the_place_of_a_table_or_of_all_arrays_are_refused_or_a_table(child_said, tmp_path, data):
    lines = st.one_of(st.binary(max_size=40), ANYTHING.map(lambda value: json.dumps(value).encode()))
    content = np.frombuffer(data.draw(lines), np.uint8)
    child_said({}, data.draw(st.one_of(st.just({"table": content}), st.binary(max_size=60))))

    found = believed("table", tmp_path)

    assert found is None or all(len(row) == len(found[0]) for row in found[1])


@pytest.mark.parametrize(
    "note",
    [float("nan"), "a\0b", "\ud800", json.loads("[" * 90 + "]" * 90)],
    ids=["NaN", "NUL", "half a character", "deep"],
)
def test_a_card_that_no_database_keeps_is_refused_though_a_child_says_it(child_said, tmp_path, note):
    shapes = {"0": (645, 16), "1": (4, 16), "2": (16,), "3": (4, 645), "4": (645,)}
    arrays = {name: np.zeros(shape, "<f4") for name, shape in shapes.items()}
    child_said({"card": CARD}, arrays)
    assert believed("checkpoint", tmp_path) is not None

    child_said({"card": {**CARD, "note": note}}, arrays)

    assert believed("checkpoint", tmp_path) is None
