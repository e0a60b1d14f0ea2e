"""What the tests of generation share: a checkpoint that needs no training, and jobs about it."""

import numpy as np
import pytest
from django.core.files.base import ContentFile

from generation import uploads
from generation.models import Job
from training import checkpoint as checkpoint_file
from training.families import FAMILIES

TINY = {"units": 4}


@pytest.fixture(scope="session")
def checkpoint_bytes(tmp_path_factory):
    """A whole, valid checkpoint of the smallest RNN, its weights drawn by chance."""
    path = tmp_path_factory.mktemp("weights") / "tiny.keras"
    rng = np.random.default_rng(0)
    shapes = FAMILIES["rnn"].weight_shapes(TINY)
    card = {
        "family": "rnn",
        "configuration": TINY,
        "steps_per_beat": 24,
        "seed": 5,
        "minutes": 0.5,
        "corpus": {"name": "Twelve pieces", "checksum": "c0ffee", "n_pieces": 12},
        "history": [
            {"epoch": 1, "train_loss": 5.1, "test_loss": 5.2, "seconds": 2.0},
            {"epoch": 2, "train_loss": 4.1, "test_loss": 4.4, "seconds": 4.0},
        ],
        "baselines": {"marginal": 4.9, "hold": 3.0},
        "statistics": {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5},
    }
    weights = {name: rng.normal(0, 0.1, shape).astype("f4") for name, shape in shapes.items()}
    checkpoint_file.write(path, card, weights)
    return path.read_bytes()


@pytest.fixture
def checkpoint(ada, checkpoint_bytes):
    return uploads.accept_checkpoint(ada, ContentFile(checkpoint_bytes, name="tiny.keras"), "Tiny RNN")


@pytest.fixture
def job(ada, checkpoint):
    """Two clips of five seconds that Ada asked for."""
    return Job.objects.ask_for_clips(ada, checkpoint, n_clips=2, seconds=5, seed=7, temperature=1.0)
