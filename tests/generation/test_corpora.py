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


def alike_on_the_page(client, corpus):
    page = client.get(f"/corpora/{corpus.pk}/").content.decode()
    [part] = page.split("<h2>Alike across the splits</h2>")[1:] or [""]
    return part.split("</section>")[0]


def test_pieces_that_are_alike_across_the_splits_stand_on_the_page_of_the_corpus(client_of, ada, corpus):
    client, titles = (
        client_of(ada),
        {piece.md5: piece.title for piece in corpora.packed.open_corpus(corpus.path).pieces},
    )
    first, second = list(titles)[:2]
    pairs = [{"test": first, "train": second, "shared": 0.456}] + [
        {"test": "gone", "train": second, "shared": 0.2}
    ] * 11

    corpus.card["near_duplicates"] = pairs
    corpus.save()
    shown = alike_on_the_page(client, corpus)
    corpus.card["near_duplicates"] = []
    corpus.save()
    nothing = alike_on_the_page(client, corpus)
    del corpus.card["near_duplicates"]
    corpus.save()

    assert f'<td>{titles[first]}</td><td>{titles[second]}</td><td class="num">46 %</td>' in shown
    assert (shown.count("<td>gone</td>"), "The 10 that are most alike, of 12." in shown) == (9, True)
    assert "No held-out piece shares a fifth of its bars" in nothing
    assert alike_on_the_page(client, corpus) == ""  # made before anybody looked
