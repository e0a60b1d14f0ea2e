import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music import lpd, pianoroll, similarity
from music.pianoroll import BASS, DRUMS, GUITAR, PIANO, STRINGS, roll_of
from tests.music.bands import bars, notes_of, read_only, transposed, tunes

BAR = 16
KICK, CRASH = 36, 49


def clip(*notes, n_bars=1):
    """A roll of sixteenths: notes are (onset, track, pitch), each a sixteenth long."""
    return roll_of(notes_of(*((at, at + 1, track, pitch, 80) for at, track, pitch in notes)), n_bars * BAR, 4)


def of(*notes, n_bars=1):
    return similarity.fingerprints(clip(*notes, n_bars=n_bars))[0]


def test_a_bar_is_bits_for_bass_other_tracks_and_three_drums():
    bits = of((0, BASS, 36), (4, PIANO, 64), (4, GUITAR, 76), (8, DRUMS, KICK), (15, DRUMS, 38), (2, DRUMS, CRASH))

    assert bits.shape == (1, 28)
    set_bits = {(word, at) for word, value in enumerate(bits[0].tolist()) for at in range(16) if value >> at & 1}
    assert set_bits == {(0, 0), (12 + 4, 4), (24, 8), (25, 15)}  # two octaves of E are one; a crash has no bit


@pytest.mark.parametrize(("pitches", "word"), [((35, 36), 24), ((37, 38, 39, 40), 25), ((42, 44, 46), 26)])
def test_the_drums_of_general_midi_are_bass_drum_snare_and_hi_hat(pitches, word):
    for pitch in pitches:
        assert np.flatnonzero(of((0, DRUMS, pitch))[0]).tolist() == [word]
    assert len(of((0, DRUMS, CRASH))) == 0


def test_bars_in_which_nothing_begins_are_left_out_and_told_by_their_numbers():
    bits, at = similarity.fingerprints(clip((16, PIANO, 60), (63, PIANO, 60), (64, PIANO, 62), n_bars=4 + 1))

    assert at.tolist() == [1, 3, 4]
    assert len(bits) == 3
    assert similarity.fingerprints(clip(n_bars=2))[0].shape == (0, 28)


def test_onsets_count_on_the_nearest_sixteenth():
    early = roll_of(notes_of((23, 30, PIANO, 60, 80), (95, 96, PIANO, 62, 80), (97, 99, PIANO, 64, 80)), 192)

    bits, at = similarity.fingerprints(early)

    assert at.tolist() == [0, 1]
    assert (bits == np.concatenate([of((4, PIANO, 60)), of((0, PIANO, 62), (0, PIANO, 64))])).all()


@pytest.mark.parametrize(
    ("bar", "other", "alike"),
    [
        ([(0, PIANO, 60), (4, PIANO, 64)], [(0, PIANO, 60), (4, PIANO, 64)], 1),
        (
            [(0, PIANO, 60), (4, PIANO, 64)],
            [(0, STRINGS, 65), (4, STRINGS, 69)],
            1,
        ),  # a fourth higher, other instrument
        ([(0, PIANO, 60), (4, PIANO, 64)], [(0, PIANO, 60), (8, PIANO, 67)], 1 / 3),
        ([(0, PIANO, 60)], [(0, BASS, 60)], 0),
        ([(0, DRUMS, 36), (0, BASS, 40)], [(0, DRUMS, 38), (0, BASS, 47)], 1 / 3),  # drums have no key
        ([(0, PIANO, 60), (0, BASS, 36)], [(0, PIANO, 61), (0, BASS, 38)], 1 / 3),  # all tracks move together
        ([(0, PIANO, 60), (1, PIANO, 61)], [(2, PIANO, 60), (3, PIANO, 61)], 0),
    ],
)
def test_two_bars_are_as_alike_as_the_onsets_that_they_share_in_the_best_key(bar, other, alike):
    assert similarity.likeness(of(*bar), of(*other))[0, 0] == pytest.approx(alike)


def onset_sets(bits):
    return [
        {(word, at) for word, value in enumerate(bar) for at in range(16) if value >> at & 1} for bar in bits.tolist()
    ]


def moved(onsets, key):
    return {(word // 12 * 12 + (word + key) % 12 if word < 24 else word, at) for word, at in onsets}


@given(tunes(n_bars=3), tunes(n_bars=2))
def test_likeness_is_the_jaccard_index_of_sets(roll, other):
    bits, other_bits = (similarity.fingerprints(read_only(one))[0] for one in (roll, other))

    found = similarity.likeness(bits, other_bits)

    for row, mine in zip(found, onset_sets(bits), strict=True):
        for value, theirs in zip(row, onset_sets(other_bits), strict=True):
            expected = max(len(moved(mine, key) & theirs) / len(moved(mine, key) | theirs) for key in range(12))
            assert value == pytest.approx(expected)


def test_many_bars_are_compared_in_blocks_as_few_are(monkeypatch):
    many = similarity.fingerprints(bars(12))[0]
    whole = similarity.likeness(many, many)
    monkeypatch.setattr(similarity, "BLOCK", 5)

    assert (similarity.likeness(many, many) == whole).all()
    assert whole.diagonal().tolist() == [1] * 12


def test_a_clip_stands_in_a_piece_as_far_as_each_of_its_bars_does():
    clip_bars = of((0, PIANO, 60), (4, PIANO, 62), (16, PIANO, 60), (20, PIANO, 70), n_bars=2)
    pieces = [of((0, PIANO, 60), (4, PIANO, 62)), of(), of((8, PIANO, 60)), of()]
    others, first = similarity.together(pieces)

    found = similarity.likeness_to_each(clip_bars, others, first)

    assert found == pytest.approx([(1 + 1 / 3) / 2, 0, 0, 0])
    assert similarity.likeness_to_each(of(), others, first).tolist() == [0, 0, 0, 0]
    assert similarity.likeness_to_each(clip_bars, *similarity.together([])).tolist() == []


def test_similarity_is_the_mean_of_both_ways():
    one = of((0, PIANO, 60), (4, PIANO, 62))
    two = of((0, PIANO, 60), (4, PIANO, 62), (24, PIANO, 60), n_bars=2)

    found = similarity.similarities([one, two, of()])

    assert found == pytest.approx(np.array([[1, (1 + 1 / 2) / 2, 0], [(1 + 1 / 2) / 2, 1, 0], [0, 0, 1]]))


@given(tunes(n_bars=2), tunes(n_bars=3), st.integers(-11, 11))
def test_similarity_does_not_hang_on_the_key(roll, other, semitones):
    sets = [similarity.fingerprints(one)[0] for one in (roll, transposed(roll, semitones), other)]

    found = similarity.similarities(sets)

    assert (found == found.T).all()
    assert ((found >= 0) & (found <= 1)).all()
    if len(sets[0]):
        assert found[0, 1] == 1
        assert found[0, 2] == pytest.approx(found[1, 2])


def test_diversity_and_the_number_of_different_clips():
    same, apart, two_and_two = np.ones((3, 3)), np.eye(3), np.kron(np.eye(2), np.ones((2, 2)))

    assert [similarity.diversity(found) for found in (same, apart, two_and_two)] == pytest.approx([0, 1, 4 / 6])
    assert [similarity.effective_number(found) for found in (same, apart, two_and_two)] == pytest.approx([1, 3, 2])
    assert similarity.diversity(np.ones((1, 1))) is similarity.effective_number(np.ones((0, 0))) is None


def test_near_duplicates_are_pairs_above_the_limit_the_most_alike_first():
    found = np.array([[1, 0.6, 0.2], [0.6, 1, 0.9], [0.2, 0.9, 1]])

    assert similarity.near_duplicates(found, 0.5) == [(1, 2, 0.9), (0, 1, 0.6)]
    assert similarity.near_duplicates(found, 0.9) == []


def test_the_usual_limit_is_what_99_of_100_pairs_stay_below():
    n = 201
    found = np.zeros((n, n))
    found[np.triu_indices(n, 1)] = np.linspace(0, 1, n * (n - 1) // 2)

    assert similarity.usual_limit(found) == pytest.approx(0.99)
    assert similarity.usual_limit(np.ones((1, 1))) is None


def test_real_songs_are_as_alike_as_the_default_limit_says(shared):
    songs = map(lpd.read, sorted((shared / "data/lpd5_train").rglob("*.npz"))[::8])
    openings = []
    for song in songs:
        try:
            openings.append(similarity.fingerprints(pianoroll.opening(song, 30))[0])
        except ValueError:
            continue

    found = similarity.similarities(openings)

    assert len(openings) > 110
    assert similarity.usual_limit(found) == pytest.approx(similarity.NEAR_DUPLICATE, abs=0.03)
    assert similarity.effective_number(found) > 10


def test_one_clip_and_each_of_many_are_as_alike_as_all_pairs_say():
    rng = np.random.default_rng(5)
    clips = [(rng.random((n, similarity.WORDS)) * 2**16).astype(np.uint16) for n in (3, 0, 5, 1)]
    for clip in clips:
        clip[:, 27] = 0

    each = similarity.similarity_to_each(clips[0], *similarity.together(clips[1:]))

    assert each == pytest.approx(similarity.similarities(clips)[0, 1:], abs=1e-6)
    assert each[0] == 0
    assert similarity.similarity_to_each(clips[1], *similarity.together(clips[:1])).tolist() == [0]
