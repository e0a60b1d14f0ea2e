"""A corpus is taken again as long as the files that it was made of are the same."""

import os
import shutil

import pytest

from generation import corpora
from music import lpd, pianoroll
from tests.generation.conftest import piece

pytestmark = pytest.mark.django_db


@pytest.fixture
def known(ada, source, tmp_path):
    """A corpus of a copy of ten pieces."""
    shutil.copytree(source, tmp_path / "lpd", copy_function=shutil.copy2)
    return corpora.build(ada, "Copied", tmp_path / "lpd")


def test_untouched_files_need_no_other_corpus(known):
    assert corpora.is_up_to_date(known)


@pytest.mark.parametrize("change", ["written anew", "added", "taken away", "all gone"])
def test_a_change_of_the_files_does(known, tmp_path, change):
    file = next(iter((tmp_path / "lpd").glob("0*.npz")))
    if change == "written anew":
        lpd.write(file, piece(77))
        os.utime(file, ns=(1, file.stat().st_mtime_ns + 1_000_000))
    elif change == "added":
        shutil.copy(file, file.with_name("more.npz"))
    elif change == "taken away":
        file.unlink()
    else:
        shutil.rmtree(tmp_path / "lpd")

    assert not corpora.is_up_to_date(known)


def test_a_last_bar_that_is_short_stays_as_short(ada, tmp_path):
    """More than half of the real files end within a bar."""
    for number in range(4):
        whole = piece(number)
        lpd.write(tmp_path / f"{number:032x}.npz", pianoroll.excerpt(whole, 0, whole.n_steps - 50))

    made = corpora.build(ada, "Short bars", tmp_path)

    packed = corpora.packed.open_corpus(made.path)
    assert {roll.n_steps for roll in (packed.roll(index) for index in range(4))} == {77 * 24 + 22}
    assert {packed.roll(index).n_beats for index in range(4)} == {78}
    opening = pianoroll.opening(packed.roll(0), 38.9)
    assert (opening.n_steps, opening.notes["end"].max() <= opening.n_steps) == (1868, True)
