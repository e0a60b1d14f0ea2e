import numpy as np
import pytest

from music import lpd, pianoroll, similarity, verdicts
from music.pianoroll import BASS, DRUMS, PIANO, STRINGS, roll_of
from music.verbatim import Run
from music.verdicts import Flag
from tests.music.bands import bars, chord, notes_of


def clip(*notes, n_bars=15, steps_per_beat=24):
    return roll_of(notes_of(*notes), n_bars * 4 * steps_per_beat, steps_per_beat)


def scale(n_notes, length, every, track=PIANO):
    return [(every * i, every * i + length, track, 60 + i % 12, 80) for i in range(n_notes)]


def test_a_plain_band_has_no_flags():
    assert verdicts.broken(bars(15)) == []
    assert verdicts.broken(pianoroll.coarsen(bars(15), 4)) == []


def test_a_clip_without_notes_is_silent():
    assert verdicts.broken(clip()) == [Flag("silent", "Nothing sounds in it.")]
    assert verdicts.broken(roll_of(notes_of(), 0)) == [Flag("silent", "Nothing sounds in it.")]


@pytest.mark.parametrize("gap", ["before", "between", "after"])
def test_a_clip_is_silent_if_nothing_sounds_for_more_than_a_third_on_end(gap):
    def band(silent_bars):
        parts = {"before": (0, silent_bars), "between": (5, 5 + silent_bars), "after": (15 - silent_bars, 15)}
        start, stop = (96 * bar for bar in parts[gap])
        notes = bars(15).notes
        return roll_of(notes[(notes["end"] <= start) | (notes["onset"] >= stop)], 15 * 96)

    assert verdicts.broken(band(4)) == []
    [flag] = verdicts.broken(band(6))
    assert (flag.kind, flag.sentence) == ("silent", "Nothing sounds for 24 of its 60 beats on end.")


def test_drums_alone_are_no_silence():
    strokes = [(6 * i, 6 * i + 1, DRUMS, 42, 80) for i in range(240)]

    assert verdicts.longest_silence(clip(*strokes)) == 0
    assert verdicts.broken(clip(*strokes)) == []


def test_one_held_chord_is_hardly_anything():
    [flag] = verdicts.broken(clip(*chord(0, 15 * 96, 60, 64, 67)))

    assert flag == Flag("silent", "Hardly anything plays: 3 notes begin in its 60 beats.")


def test_more_notes_than_real_music_has_are_a_wall():
    many = [
        (at, at + 1, track, pitch, 80) for at in range(0, 1440, 2) for track in (PIANO, BASS) for pitch in (50, 60, 70)
    ]
    held = chord(0, 1440, *range(40, 61), track=STRINGS) + scale(200, 7, 7)

    assert [flag.kind for flag in verdicts.broken(clip(*many))] == ["wall", "fragments"]
    assert verdicts.broken(clip(*many))[0].sentence.startswith("It is a wall of notes: 72 begin in a beat;")
    [flag] = verdicts.broken(clip(*held))
    assert flag.sentence == "It is a wall of notes: 22 sound at once; in the fullest real music, 17 do."


@pytest.mark.parametrize(("short", "flags"), [(84, 1), (83, 0)])
def test_a_clip_is_in_fragments_if_more_than_seven_tenths_of_its_notes_last_under_an_eighth_of_a_beat(short, flags):
    notes = scale(120, 3, 12)
    fragments = [(on, on + 2, *rest) for on, _, *rest in notes[: short + 1]]

    found = verdicts.broken(clip(*fragments, *notes[short + 1 :]))

    assert [flag.kind for flag in found] == ["fragments"] * flags
    if flags:
        assert found[0].sentence == "It is in fragments: 71% of its notes last less than an eighth of a beat."


def test_a_sixteenth_is_no_fragment_where_no_note_can_be_shorter():
    notes = scale(120, 1, 2)

    assert verdicts.broken(clip(*notes, steps_per_beat=4)) == []
    assert [flag.kind for flag in verdicts.broken(clip(*notes, steps_per_beat=12, n_bars=5))] == ["fragments"]


def test_a_near_duplicate_is_told_with_the_limit_of_real_songs():
    assert verdicts.near_duplicate(0.53, 0.53, "Clip 2") is None
    assert verdicts.near_duplicate(0.91, 0.53, "Clip 2") == Flag(
        "near-duplicate",
        "It is 91% the same as Clip 2; of two different real songs, 99 in 100 pairs share less than 53%.",
    )


@pytest.mark.parametrize(("beats", "n_grams", "is_copy"), [(8, 12, True), (7.75, 12, False), (60, 11, False)])
def test_a_copy_is_two_bars_that_tell_something(beats, n_grams, is_copy):
    run = Run(track=BASS, start=4.5, beats=beats, n_notes=20, n_grams=n_grams, place=0)

    found = verdicts.copied(run, "Some Song", 31.0)

    assert (found is not None) == is_copy
    if is_copy:
        assert found.kind == "copied"
        assert found.sentence == (
            "It copies training music: 20 notes of Bass from beat 5.5 on (8 beats) stand note by note in Some Song "
            "from beat 32 on."
        )


def test_a_clip_that_stands_in_a_piece_is_a_copy_unless_it_is_too_empty_to_say():
    pitches = np.random.default_rng(0).integers(60, 72, 120).tolist()
    rich = similarity.fingerprints(clip(*((12 * i, 12 * i + 6, PIANO, pitches[i], 80) for i in range(120))))[0]
    sparse = similarity.fingerprints(clip(*scale(15, 6, 96)))[0]
    one_bar = np.repeat(rich[:1], 15, axis=0)

    assert verdicts.resembling(0.85, rich, "Some Song") == Flag(
        "copied", "It copies training music: 85% of it stands, bar by bar, in Some Song."
    )
    assert verdicts.resembling(0.84, rich, "Some Song") is None
    assert verdicts.resembling(1.0, sparse, "Some Song") is None
    assert verdicts.resembling(1.0, one_bar, "Some Song") is None


def test_openings_of_real_songs_are_not_broken(shared):
    songs = map(lpd.read, sorted((shared / "data/lpd5_train").rglob("*.npz"))[::10])
    flagged = n = 0
    for song in songs:
        try:
            flagged += bool(verdicts.broken(pianoroll.opening(song, 30)))
            n += 1
        except ValueError:
            continue

    assert n > 90
    assert flagged == 0
