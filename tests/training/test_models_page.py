"""The page of docs/models.md: what it says of sets of clips, on sets whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import models
from benchmarks.clip_sets import Clips
from music import metrics
from training.measuring_folder import OfFile
from training.real_music import Span

REAL = np.linspace(0, 1, 101)


class Real:
    band = dict.fromkeys(metrics.HEADLINE, Span(0.05, 0.5, 0.95, len(REAL)))

    @staticmethod
    def of(figure):
        return REAL


def clips_of(values, flags=()):
    """Clips all of whose figures are these values, one a clip."""
    found = [{"figures": dict.fromkeys(metrics.HEADLINE, value), "flags": list(flags)} for value in values]
    measured = [OfFile(f"{number}.npz", one) for number, one in enumerate(found)]
    return Clips("clips", None, measured, SimpleNamespace(real=Real))


def test_clips_that_are_real_music_moved_are_as_far_from_it_as_they_were_moved():
    assert clips_of(REAL).distance("dissonance") == 0
    assert clips_of(REAL + 0.9).distance("dissonance") == pytest.approx(1.0)  # by one width of the band


def test_a_mean_inside_the_band_is_not_yet_near_to_real_music():
    all_alike, spread = clips_of([0.5] * 20), clips_of(REAL)
    assert all_alike.n_inside == spread.n_inside == len(metrics.HEADLINE)
    assert spread.n_nearer(all_alike) == len(metrics.HEADLINE)
    assert all_alike.n_nearer(spread) == 0
    assert spread.n_nearer(spread) == 0  # a tie is no win


def test_a_set_beyond_the_band_is_not_in_bold():
    assert models.cell(clips_of([0.4, 0.6]), "dissonance") == "**0.50 (0.40 to 0.60)**"
    assert models.cell(clips_of([0.98, 0.99]), "dissonance") == "0.98 (0.98 to 0.99)"
    assert models.cell(clips_of([None]), "dissonance") == "-"


def test_a_set_without_an_answer_is_never_nearer():
    assert clips_of([None]).n_nearer(clips_of([5.0])) == 0
    assert clips_of([5.0]).n_nearer(clips_of([None])) == len(metrics.HEADLINE)


def test_clips_without_a_note_count_as_silent():
    one = clips_of([0.5], [{"kind": "wall", "sentence": ""}])
    one.measured.append(OfFile("empty.npz", problem="The piece has no time steps."))
    assert (one.flagged("silent"), one.flagged("wall"), one.flagged("fragments")) == (1, 1, 0)


def test_chained_against_independent_gives_the_difference_and_its_p():
    figure, ours, theirs, difference, p = models.compared(
        clips_of([0.1] * 10 + [0.2] * 10), clips_of([0.5] * 10 + [0.6] * 10), "dissonance"
    )
    assert (figure, difference) == ("disson", "-0.400")
    assert float(p) < 1e-6
    assert ours.startswith("0.15")
    assert theirs.startswith("0.55")
