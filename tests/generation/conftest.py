"""What the tests of generation share: a checkpoint that needs no training, a corpus of ten pieces, jobs about them."""

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from generation import corpora, uploads
from generation.models import Job
from music import lpd, pianoroll
from tests.small_disk import small_disk
from training import checkpoint as checkpoint_file
from training import corpus as packed
from training.families import FAMILIES

__all__ = ["small_disk"]

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
        "corpus": {"name": "Ten pieces", "checksum": "c0ffee", "n_pieces": 10},
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


def piece(number, plays_together=True):
    """Twenty bars of drums, bass and piano; or each for itself, so that there is no bar to open with."""
    notes = []
    for beat in range(80):
        track = None if plays_together else beat * 3 // 80  # drums first, then piano, then bass
        onset = beat * 24
        notes += [(onset, onset + 1, 0, 36, 100)] if track in (None, 0) else []
        notes += [(onset, onset + 12, 1, 60 + (beat + number) % 12, 90)] if track in (None, 1) else []
        notes += [(onset, onset + 24, 3, 36 + (beat * number) % 12, 90)] if track in (None, 2) else []
    return pianoroll.roll_of(notes, 80 * 24)


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A folder of ten LPD-5 files; one of those that will be held out has no bar in which all play."""
    folder = tmp_path_factory.mktemp("lpd")
    (folder / "broken.npz").write_bytes(b"not a zip")
    for number in range(10):
        lpd.write(folder / f"{number:032x}.npz", piece(number))
    drawn = packed.build(folder, tmp_path_factory.mktemp("drawn") / "corpus")  # the md5s alone say what is held out
    lpd.write(folder / drawn.pieces[drawn.held_out()[0]].file, piece(0, plays_together=False))
    return folder


@pytest.fixture(scope="session")
def packed_folder(source):
    folder = Path(settings.CORPUS_DIR) / "ten"
    packed.build(source, folder, name="Ten pieces")
    return folder


@pytest.fixture
def corpus(ada, packed_folder):
    return corpora.register(ada, "Ten pieces", packed_folder)


@pytest.fixture
def playable(packed_folder):
    """The held-out pieces of the corpus that can be references, by their place in it."""
    pieces = packed.open_corpus(packed_folder)
    return [index for index in pieces.held_out() if not corpora.why_no_opening(pieces, index, 10)]


@pytest.fixture
def unplayable(packed_folder, playable):
    [index] = set(packed.open_corpus(packed_folder).held_out()) - set(playable)
    return index
