import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music import verbatim
from music.pianoroll import BASS, DRUMS, GUITAR, PIANO, STRINGS, roll_of
from tests.music.bands import notes_of, read_only

TUNE = (60, 62, 64, 60, 67, 65, 64, 62, 71, 69, 67, 72, 60, 61, 66, 63, 68, 59)


def melody(pitches, track=PIANO, at=0, every=2):
    """Notes of these pitches, one every two sixteenths from sixteenth `at` on, on a grid of sixteenths."""
    return [(at + every * i, at + every * i + 1, track, pitch, 80) for i, pitch in enumerate(pitches)]


def clip(*notes, n_bars=20):
    return roll_of(notes_of(*notes), n_bars * 16, 4)


def library(*rolls):
    """Text, suffixes, first letters and (roll, track) of each text."""
    named = [
        ((number, track), verbatim.melody(roll, track))
        for number, roll in enumerate(rolls)
        for track in verbatim.PITCHED
    ]
    named = [(name, one) for name, one in named if len(one[0])]
    text, first = verbatim.library([one for _, one in named])
    return text, verbatim.suffixes(text), first, [name for name, _ in named]


def test_a_run_is_found_in_another_key_and_track_and_says_where_it_is():
    piece = clip(*melody([50, 55, 50]), *melody([pitch + 5 for pitch in TUNE], STRINGS, at=10))
    text, order, first, names = library(piece)

    found = verbatim.runs(clip(*melody([80]), *melody(TUNE, at=6), *melody([30], at=60)), text, order)[0]

    assert (found.track, found.start, found.beats, found.n_notes) == (PIANO, 1.5, 17 * 2 / 4, 18)
    assert found.n_grams == 14
    assert found.is_telling
    text_number = np.searchsorted(first, found.place, side="right") - 1
    assert names[text_number] == (0, STRINGS)
    assert found.place == first[text_number]


def test_a_run_is_one_stretch_of_one_track_of_one_piece():
    halves = [clip(*melody(TUNE[:9])), clip(*melody(TUNE[8:], GUITAR))]
    text, order, *_ = library(*halves)

    found = verbatim.runs(clip(*melody(TUNE)), text, order)

    assert [(run.start, run.n_notes) for run in found] == [(4.0, 10), (0.0, 9)]


def test_the_texts_of_a_library_are_ended_by_a_letter_of_their_own():
    text, first = verbatim.library([verbatim.melody(clip(*melody(tune)), PIANO) for tune in ([60, 62], [60], [64] * 3)])

    assert first.tolist() == [0, 2, 3]
    assert (text == verbatim.END).tolist() == [False, True, True, False, False, True]


def test_another_rhythm_is_another_tune():
    text, order, *_ = library(clip(*melody(TUNE)))

    assert verbatim.runs(clip(*melody(TUNE, every=3)), text, order) == []


def test_five_notes_are_the_shortest_run():
    text, order, *_ = library(clip(*melody(TUNE)))

    assert [run.n_notes for run in verbatim.runs(clip(*melody(TUNE[:5])), text, order)] == [5]
    assert verbatim.runs(clip(*melody(TUNE[:4])), text, order) == []
    assert verbatim.runs(clip(), text, order) == []
    assert verbatim.runs(clip(*melody(TUNE)), np.zeros(0, np.int32), np.zeros(0, np.int32)) == []


def test_drums_and_one_repeated_note_tell_nothing():
    piece = clip(*melody([36, 38] * 20, DRUMS), *melody([40] * 60, BASS))
    text, order, *_ = library(piece)

    found = verbatim.runs(piece, text, order)

    assert {run.track for run in found} == {BASS}
    assert (found[0].beats, found[0].n_grams, found[0].is_telling) == (59 * 2 / 4, 1, False)


@pytest.mark.parametrize(("n_notes", "is_telling"), [(15, False), (16, True)])
def test_a_telling_run_holds_twelve_different_sequences(n_notes, is_telling):
    text, order, *_ = library(clip(*melody(TUNE)))

    assert verbatim.runs(clip(*melody(TUNE[:n_notes])), text, order)[0].is_telling == is_telling


def test_a_chord_is_read_upwards_and_a_note_that_is_doubled_once():
    at, pitch = verbatim.melody(clip((0, 4, PIANO, 67, 80), (0, 4, PIANO, 60, 80), (0, 4, BASS, 40, 80)), PIANO)
    doubled = roll_of(notes_of((0, 1, PIANO, 60, 80), (1, 5, PIANO, 60, 80), (11, 20, PIANO, 62, 80)), 96)

    assert (at.tolist(), pitch.tolist()) == ([0, 0], [60, 67])
    assert [part.tolist() for part in verbatim.melody(doubled, PIANO)] == [[0, 2], [60, 62]]


def test_a_letter_is_an_interval_and_a_rest_and_rests_of_16_beats_are_alike():
    def letter(rest, interval):
        return verbatim.letters(np.array([0, rest]), np.array([60, 60 + interval])).tolist()

    different = {letter(rest, interval)[0] for rest in range(64) for interval in range(-60, 68)}

    assert len(different) == 64 * 128
    assert max(different) < verbatim.END
    assert letter(63, 1) == letter(500, 1) != letter(62, 1)


def test_a_run_longer_than_the_suffixes_are_sorted_is_followed_to_its_end():
    rng = np.random.default_rng(3)
    pitches = rng.integers(40, 90, 300).tolist()
    piece = clip(*melody(pitches, every=1), n_bars=30)
    text, order, *_ = library(clip(*melody(rng.integers(40, 90, 200).tolist(), every=1)), piece)

    found = verbatim.runs(clip(*melody(pitches[20:280], every=1)), text, order)

    assert found[0].n_notes == 260 > verbatim.DEPTH + 1
    assert len(found) == 1


@given(st.lists(st.sampled_from([0, 1, 2, verbatim.END]), max_size=60), st.integers(1, 70))
def test_suffixes_are_in_order(letters, depth):
    text = np.array([*letters, verbatim.END], np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verbatim, "DEPTH", depth)
        order = verbatim.suffixes(text)

    following = [text[place : place + depth].tolist() for place in order]
    assert sorted(order.tolist()) == list(range(len(text)))
    assert following == sorted(following)


@given(
    st.lists(st.lists(st.sampled_from([60, 61, 62]), min_size=1, max_size=25), min_size=1, max_size=4),
    st.lists(st.sampled_from([60, 61, 62]), max_size=25),
)
def test_the_longest_run_is_the_one_that_trying_everything_finds(pieces, mine):
    text, order, *_ = library(*(clip(*melody(piece)) for piece in pieces))

    found = verbatim.runs(read_only(clip(*melody(mine))), text, order)

    steps = np.diff(mine).tolist()
    others = [np.diff(piece).tolist() for piece in pieces]
    longest = 0
    for start in range(len(steps)):
        for stop in range(start + verbatim.SHORTEST, len(steps) + 1):
            wanted = steps[start:stop]
            if any(other[i : i + len(wanted)] == wanted for other in others for i in range(len(other))):
                longest = max(longest, stop - start)
    assert max((run.n_notes - 1 for run in found), default=0) == longest
