import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import symusic
from hypothesis import given
from hypothesis import strategies as st

from music import lpd, midi
from music.pianoroll import BASS, DRUMS, PIANO, STRINGS, dense, refine, roll_of
from tests.music.bands import bars, notes_of, rolls

C4_FOR_A_BEAT = b"\x00\x90\x3c\x50" + b"\x83\x60\x80\x3c\x00"  # 480 ticks
END = b"\x00\xff\x2f\x00"


def midi_file(*tracks, division=480, form=1):
    """Return the bytes of a MIDI file of these track bodies."""
    head = b"MThd" + struct.pack(">IHHH", 6, form, len(tracks), division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in tracks)


# Real files


@pytest.mark.parametrize("md5", ["2ad1e1c72dabb5fcb021c77312dcfcb4", "312a01612552b130aa72701683ba15a9"])
def test_a_lakh_midi_file_becomes_its_official_roll_without_one_differing_cell(shared, md5):
    official = lpd.read(next((shared / "data/lpd5_sample").rglob(f"{md5}.npz")))

    roll = midi.read(shared / f"data/midi/lmd/{md5}.mid")

    assert np.array_equal(dense(roll)[0], dense(official)[0])
    assert np.array_equal(roll.tempo_bpm, official.tempo_bpm)


def test_a_bad_key_signature_is_refused_with_a_sentence(shared):
    with pytest.raises(midi.MidiError, match="key signature that does not exist"):
        midi.read(shared / "data/midi/simutrans/30-on-the-waterfront.mid")


def test_hostile_files_are_refused_with_one_sentence_and_the_valid_ones_read(shared):
    files = sorted((shared / "data/uploads").glob("*.mid"))
    named = {
        "m01": "longer than", "m02": "longer than", "m04": "ticks a beat", "m05": "ticks a beat", "m06": "cut short",
        "m07": "cut short", "m08": "cut short", "m11": "system-exclusive", "m12": "no note", "m13": "no note",
        "m14": "above 127", "m15": "more than 60000 notes", "m16": "tempo", "m19": "markup", "m20": "format 2",
        "m23": "not a MIDI file", "m24": "changes of tempo", "m26": "without its end",
    }  # fmt: skip
    notes = {"ok12": 16, "ok14": 120, "ok15": 13}
    assert {file.name.split("_")[0] for file in files} == set(named) | set(notes)

    for file in files:
        code = file.name.split("_")[0]
        if code in notes:
            assert len(midi.read(file).notes) == notes[code]
        else:
            with pytest.raises(midi.MidiError, match=named[code]):
                midi.read(file)


def test_freedom_files_in_another_metre_are_told_from_those_in_four_four(shared):
    assert midi.is_in_four_four(shared / "data/midi/lmd/312a01612552b130aa72701683ba15a9.mid")
    in_four = [midi.is_in_four_four(file) for file in sorted((shared / "data/midi/freedoom").glob("*.mid"))]

    assert (sum(in_four), len(in_four)) == (56, 67)


# Writing and reading back


@given(rolls(min_notes=1))
def test_a_written_roll_reads_back_within_the_step_that_float_truncation_takes(roll):
    # By the official rule the last beat lasts as long as the one before it.
    roll = replace(roll, tempo_bpm=np.append(roll.tempo_bpm[:-1], roll.tempo_bpm[-2:][0]))

    again = midi.read(midi.write(roll))

    fine = refine(roll, 24)
    assert again.n_beats == roll.n_beats
    assert again.tempo_bpm == pytest.approx(roll.tempo_bpm, rel=1e-5)
    assert_onsets_within_a_step(again, fine)


def assert_onsets_within_a_step(ours, theirs):
    for voice in np.unique(theirs.notes[["track", "pitch"]]):
        a, b = (np.sort(roll.notes["onset"][roll.notes[["track", "pitch"]] == voice]) for roll in (ours, theirs))
        # Two one-step notes in a row may come to lie on one step.
        assert all(np.abs(b - onset).min() <= 1 for onset in a)
        assert all(np.abs(a - onset).min() <= 1 for onset in b)


@given(rolls())
def test_ticks_are_exact_for_other_programs(roll):
    score = symusic.Score.from_midi(midi.write(roll))

    ticks = 480 // roll.steps_per_beat
    written = [
        (
            note.time,
            note.time + note.duration + 1,
            (DRUMS if track.is_drum else midi.PROGRAMS[1:].index(track.program) + 1),
            note.pitch,
            note.velocity,
        )
        for track in score.tracks
        for note in track.notes
    ]
    assert sorted(written) == sorted((on * ticks, end * ticks, *rest) for on, end, *rest in roll.notes.tolist())


def test_a_tempo_that_changes_is_written_once_at_each_change_and_read_back():
    roll = bars(2, tempo_bpm=[100, 100, 120, 120, 120, 90, 90, 90])

    written = midi.write(roll)

    assert [(tempo.time, round(tempo.qpm, 3)) for tempo in symusic.Score.from_midi(written).tempos] == [
        (0, 100),
        (2 * 480, 120),
        (5 * 480, 90),
    ]
    assert midi.read(written).tempo_bpm == pytest.approx(roll.tempo_bpm, rel=1e-5)


def test_silence_at_the_end_is_kept():
    roll = roll_of(notes_of((0, 12, PIANO, 60, 80)), 10 * 24)

    assert midi.read(midi.write(roll)).n_steps == 10 * 24


def test_the_same_roll_gives_the_same_bytes():
    assert midi.write(bars(2)) == midi.write(bars(2))


def test_a_grid_that_ticks_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="not a multiple"):
        midi.write(roll_of(notes_of(), 7, steps_per_beat=7))


# The rule of conversion


def test_a_note_is_held_to_the_step_in_which_it_ends_inclusive():
    roll = midi.read(midi_file(C4_FOR_A_BEAT + C4_FOR_A_BEAT.replace(b"\x3c", b"\x40") + END))

    assert roll.notes.tolist() == [(0, 25, PIANO, 60, 80), (24, 48, PIANO, 64, 80)]


def test_a_note_struck_again_gets_a_cleared_step_before_it():
    roll = midi.read(midi_file(C4_FOR_A_BEAT * 2 + END))

    assert roll.notes.tolist() == [(0, 23, PIANO, 60, 80), (24, 48, PIANO, 60, 80)]


def test_instruments_of_one_track_merge_by_the_loudest_and_effects_are_dropped():
    def at(channel, program, velocity):
        on, off = bytes([0x90 | channel, 60, velocity]), bytes([0x80 | channel, 60, 0])
        return b"\x00" + bytes([0xC0 | channel, program]) + b"\x00" + on + b"\x83\x60" + off + END

    roll = midi.read(midi_file(at(0, 40, 50), at(1, 60, 90), at(2, 120, 127), at(3, 33, 70)))

    assert roll.notes.tolist() == [(0, 24, BASS, 60, 70), (0, 24, STRINGS, 60, 90)]


def test_drums_are_one_step_and_the_last_stroke_of_an_instrument_counts():
    strokes = b"\x00\x99\x24\x7f\x01\x89\x24\x00\x01\x99\x24\x40\x83\x60\x89\x24\x00" + END

    assert midi.read(midi_file(strokes)).notes.tolist() == [(0, 1, DRUMS, 36, 64)]


def test_a_pick_up_before_the_first_time_signature_is_cut_at_it():
    four_four_after_a_beat = b"\x83\x60\xff\x58\x04\x04\x02\x18\x08" + END
    roll = midi.read(midi_file(four_four_after_a_beat, C4_FOR_A_BEAT * 3 + END))

    assert roll.n_beats == 2
    assert roll.notes["onset"].tolist() == [0, 24]


@pytest.mark.parametrize(
    ("metres", "answer"),
    [
        (b"", True),
        (b"\x00\xff\x58\x04\x04\x02\x18\x08", True),
        (b"\x00\xff\x58\x04\x03\x02\x18\x08", False),
        (b"\x83\x60\xff\x58\x04\x04\x02\x18\x08", False),
        (b"\x00\xff\x58\x04\x04\x02\x18\x08\x83\x60\xff\x58\x04\x04\x02\x18\x08", False),
    ],
)
def test_four_four_means_one_time_signature_at_time_zero_or_none(metres, answer):
    assert midi.is_in_four_four(midi_file(metres + C4_FOR_A_BEAT + END)) is answer


# What may be wrong with a file


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a MIDI file"),
        (midi_file(C4_FOR_A_BEAT), "without its end"),
        (midi_file(b"\x00\x3c\x50" + END), "no known kind"),
        (midi_file(b"\x00\xf4\x01" + END), "no known kind"),
        (midi_file(b"\xff\xff\xff\xff\x7f" + END), "more than four bytes"),
        (midi_file(b"\x00\x90"), "within an event"),
        (midi_file(b"\x00\xff\x51\x7f\x00"), "runs over the end"),
        (midi_file(b"\x00\xff\x58\x04\x00\x02\x18\x08" + END), "time signature that does not exist"),
        (midi_file(b"\x00\xff\x58\x04\x04\xff\x18\x08" + END), "time signature that does not exist"),
        (midi_file(b"\x00\xff\x51\x03\xff\xff\xff" + C4_FOR_A_BEAT + END), "tempo that is not from 10 to 500"),
        (midi_file(b"\x00\xc0\x78" + C4_FOR_A_BEAT + END), "no note that one of the five tracks would play"),
        (b"\0" * (midi.MAX_BYTES + 1), "larger than 4 MB"),
    ],
)
def test_a_refusal_is_one_sentence_that_says_what_is_wrong(content, sentence):
    with pytest.raises(midi.MidiError, match=sentence):
        midi.read(content)


def test_a_short_beat_does_not_smuggle_a_long_piece_past_the_cap():
    long = b"\x84\xe2\x00\x90\x3c\x50\xaf\x80\x00\x80\x3c\x00"  # 770,000 ticks: 1,604 quarters, 25,667 sixty-fourths
    assert midi.read(midi_file(long + END)).n_beats > 1600

    with pytest.raises(midi.MidiError, match="longer than 10000 beats"):
        midi.read(midi_file(b"\x00\xff\x58\x04\x04\x06\x18\x08" + long + END))


@given(st.data())
def test_a_damaged_file_is_refused_or_read_but_never_a_crash(data):
    content = bytearray(midi.write(bars(1)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    try:
        roll = midi.read(io.BytesIO(content))
    except midi.MidiError:
        return

    assert 0 < roll.notes["end"].max() <= roll.n_steps


def test_notes_that_fill_more_steps_than_any_piece_are_refused_before_they_are_unpacked():
    score = symusic.Score(480)
    for program in range(0, 60, 4):  # fifteen instruments, a wall of all pitches each, held to the end
        track = symusic.Track("", program, False)
        for pitch in range(128):
            track.notes.append(symusic.Note(0, 480 * 9_000, pitch, 80))
        score.tracks.append(track)

    with pytest.raises(midi.MidiError, match="fill more than 4,000,000 steps") as refusal:
        midi.read(score.dumps_midi())

    assert refusal.value.problem == "midi.duration"
