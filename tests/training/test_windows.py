from dataclasses import replace

import numpy as np
import pytest

from music import pianoroll
from music.pianoroll import DRUMS
from training import windows


def dense_window(roll, start, n_steps):
    """A window cut out of the whole unpacked piece, silence where the piece is not: (sounds, onsets), (step, track, pitch)."""
    velocity, onsets = (array.transpose(1, 0, 2) for array in pianoroll.dense(roll))
    steps = np.arange(start, start + n_steps)
    inside = (steps >= 0) & (steps < len(velocity))
    sounds, begins = (np.zeros((n_steps, 5, 128), bool) for _ in range(2))
    sounds[inside] = velocity[steps[inside]] > 0
    begins[inside] = onsets[steps[inside]]
    return sounds, begins


def test_a_window_is_what_the_unpacked_piece_holds_there(corpus):
    rng = np.random.default_rng(1)
    piece = rng.integers(len(corpus.pieces), size=60)
    start = np.array([rng.integers(-15, corpus.n_steps[i] + 10) for i in piece])

    batch = windows.cut(corpus, piece, start, 40)

    sounds, begins = windows.sounding(batch), windows.starting(batch)
    for row in range(60):
        expected = dense_window(corpus.roll(piece[row]), start[row], 40)
        assert (sounds[row] == expected[0]).all()
        assert (begins[row] == expected[1]).all()
    assert 0 < begins.sum() < sounds.sum()


@pytest.mark.parametrize("steps_per_beat", [12, 4])
def test_a_window_on_a_coarser_grid_is_what_the_whole_piece_holds_on_it(corpus, steps_per_beat):
    ratio = corpus.steps_per_beat // steps_per_beat
    rng = np.random.default_rng(2)
    piece = rng.integers(len(corpus.pieces), size=80)
    start = np.array([rng.integers(-15, corpus.n_steps[i] // ratio + 5) for i in piece])

    batch = windows.cut_on_grid(corpus, ratio, piece, start, 40)

    sounds, begins = windows.sounding(batch), windows.starting(batch)
    whole = {i: pianoroll.coarsen(corpus.roll(i), steps_per_beat) for i in set(piece.tolist())}
    for row in range(80):
        expected = dense_window(whole[piece[row]], start[row], 40)
        assert (sounds[row] == expected[0]).all()
        assert (begins[row] == expected[1]).all()
    cells = [(batch.row[i], batch.track[i], batch.pitch[i], batch.onset[i]) for i in range(len(batch.row))]
    assert len(set(cells)) == len(cells) > 500  # no note twice, for each takes a voice


def test_the_same_seed_draws_the_same_windows(corpus):
    first, again, other = (
        windows.sounding(windows.draw(corpus, [0, 1], 16, 30, np.random.default_rng(seed))) for seed in (1, 1, 2)
    )

    assert (first == again).all()
    assert (first != other).any()


def test_a_piece_is_drawn_by_its_length_and_every_place_alike(corpus):
    pieces = np.array([0, 1, 2])

    drawn = windows.draw(corpus, pieces, 60_000, 20, np.random.default_rng(0))

    shares = np.array([(drawn.position >= at).mean() for at in (0, 1000, 3000)])
    places = corpus.n_steps[pieces] - 19
    expected = np.array([np.maximum(places - at, 0).sum() / places.sum() for at in (0, 1000, 3000)])
    assert shares == pytest.approx(expected, abs=0.03)


def test_some_windows_show_how_a_piece_begins_from_silence(corpus):
    drawn = windows.draw(corpus, [0], 4000, 20, np.random.default_rng(0), context_steps=10)

    share = (drawn.position < 0).mean()
    assert share == pytest.approx(windows.BEGINNING_SHARE, abs=0.01)
    beginning = windows.sounding(drawn)[drawn.position < 0]
    assert not beginning[:, :10].any()


def test_no_window_is_drawn_from_other_pieces_than_those_asked_for(corpus):
    held_out = corpus.held_out()
    train = corpus.of_split("train")

    assert set(held_out) | set(train) == set(range(len(corpus.pieces)))
    assert not set(held_out) & set(train)


@pytest.mark.parametrize(("pieces", "n_steps"), [([], 20), ([0], 1_000_000)])
def test_nothing_to_draw_from_is_refused(corpus, pieces, n_steps):
    with pytest.raises(ValueError, match="pieces: there are none, or all are shorter than a window"):
        windows.draw(corpus, pieces, 4, n_steps, np.random.default_rng(0))


def test_windows_are_transposed_each_by_its_own_interval_but_for_drums_and_within_the_range(corpus):
    drawn = windows.draw(corpus, [0, 1, 2], 6, 96, np.random.default_rng(0))
    drawn = replace(drawn, pitch=np.where(np.arange(len(drawn.pitch)) % 50 == 0, 127, drawn.pitch).astype(np.uint8))
    semitones = np.array([-5, -1, 0, 1, 3, 6])

    moved = windows.transposed(drawn, semitones)

    interval = moved.pitch.astype(int) - drawn.pitch
    expected = semitones[drawn.row]
    expected = np.where(drawn.pitch + expected > 127, expected - 12, expected)
    assert (interval == np.where(drawn.track == DRUMS, 0, expected)).all()
    assert (interval < -5).any()
