"""The family of the hostile collection's checkpoints, registered as if it were one of ours.

Also a child that knows it: python -m tests.tiny_gru ..., in the place of generation.checking.
"""

import json
from pathlib import Path

from training.families import FAMILIES, Family, Whole

UPLOADS = Path(__file__).parents[2] / "shared" / "data" / "uploads"
CARD = {
    "family": "tiny_gru",
    "configuration": {},
    "steps_per_beat": 24,
    "statistics": {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5},
}


def family():
    shapes = json.loads((UPLOADS / "family_spec.json").read_text())["arrays"]
    shapes = {name: tuple(shape) for name, shape in shapes.items()}
    return Family("tiny_gru", "Tiny GRU", "rnn", 16, 1, {"units": Whole(32, 32, 32)}, lambda configuration: shapes, {})


if __name__ == "__main__":
    import sys

    from generation import checking

    FAMILIES["tiny_gru"] = family()
    sys.exit(checking.main(sys.argv[1:]))
