"""The family of the hostile collection's checkpoints, registered as if it were one of ours.

Also processes that know it: `python -m tests.tiny_gru REQUEST` in the place of generation.checking, and
`python -m tests.tiny_gru worker`, which says at its end how much memory its largest child had.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from training.families import FAMILIES

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
    return replace(FAMILIES["rnn"], name="tiny_gru", title="Tiny GRU", fields={}, shapes=lambda configuration: shapes)


def work():
    """Be a worker until SIGINT."""
    import resource

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")
    django.setup()
    from django.core.management import call_command

    from generation import answers

    answers.CHECKING = "tests.tiny_gru"
    try:
        call_command("db_worker", interval=0.1, startup_delay=False)
    finally:
        print(json.dumps({"largest_child_kb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}))  # noqa: T201


if __name__ == "__main__":
    FAMILIES["tiny_gru"] = family()
    if sys.argv[1:] == ["worker"]:
        work()
    else:
        from generation import checking

        sys.exit(checking.main(sys.argv[1:]))
