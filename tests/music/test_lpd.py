import io
import json
import zipfile

import numpy as np
import pypianoroll
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music import lpd
from music.pianoroll import BASS, DRUMS, GUITAR, NOTE, PIANO, STRINGS, coarsen, dense, refine, roll_of
from tests.music.bands import bars, notes_of, rolls


def written(roll, **named):
    file = io.BytesIO()
    lpd.write(file, roll, **named)
    file.seek(0)
    return file


def rewritten(file, changes):
    """Return the LPD file with members replaced ({name: array or bytes}) or left out ({name: None})."""
    changed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        members = {name: old.read(name) for name in old.namelist()} | changes
        for name, content in members.items():
            if isinstance(content, np.ndarray):
                npy = io.BytesIO()
                np.save(npy, content, allow_pickle=True)
                content = npy.getvalue()
            if content is not None:
                new.writestr(name, content)
    changed.seek(0)
    return changed


def info(**changes):
    with zipfile.ZipFile(written(bars(1))) as archive:
        return {"info.json": json.dumps(json.loads(archive.read("info.json")) | changes).encode()}


# Real files


def sample_files(shared):
    files = sorted((shared / "data/lpd5_sample").rglob("*.npz"))
    assert len(files) > 300
    return files


def test_a_real_file_reads_as_pypianoroll_stacks_it(shared):
    for file in sample_files(shared)[::11]:
        velocity, _ = dense(lpd.read(file))

        assert np.array_equal(velocity, pypianoroll.load(file).stack()), file.name


def test_unmerged_files_merge_into_their_official_five_tracks(shared):
    merged = {file.name: file for file in sample_files(shared)}
    unmerged = sorted((shared / "data/lpd5_original").rglob("*.npz"))
    assert len(unmerged) == 41

    for file in unmerged:
        ours, official = lpd.read(file), lpd.read(merged[file.name])

        assert np.array_equal(ours.notes, official.notes), file.name
        assert np.array_equal(ours.tempo_bpm, official.tempo_bpm), file.name


def test_a_real_file_calls_itself_by_the_md5_of_its_midi(shared):
    file = next(file for file in sample_files(shared) if "lpd_5_cleansed" in file.parts)

    assert lpd.read_name(file) == file.stem


def test_hostile_files_are_refused_with_one_sentence_and_the_valid_ones_read(shared):
    files = sorted((shared / "data/uploads").glob("*.npz"))
    named = {
        "n02": "tempo", "n03": "tempo", "n04": "unpacks", "n06": "unpacks", "n09": "indptr", "n10": "info.json is missing",
        "n11": "not JSON", "n12": "beat_resolution", "n13": "beat_resolution", "n14": "tempo", "n16": "velocity above 127",
        "n17": "128", "n18": "no note", "n19": "no time steps", "n21": "damaged", "n23": "markup", "n24": "program",
    }  # fmt: skip
    assert {file.name[:3] for file in files} >= set(named)

    for file in files:
        if file.name.startswith("ok"):
            assert len(lpd.read(file).notes) == 197
        else:
            with pytest.raises(lpd.LpdError) as refusal:
                lpd.read(file)
            assert named[file.name[:3]] in str(refusal.value), file.name


# The layout


def test_a_written_file_loads_in_pypianoroll_as_the_five_tracks_of_lpd(tmp_path):
    roll = bars(2, tempo_bpm=np.linspace(90, 110, 8))

    lpd.write(tmp_path / "clip.npz", roll, name="clip")

    loaded = pypianoroll.load(tmp_path / "clip.npz")
    assert [(track.name, track.program, track.is_drum) for track in loaded.tracks] == [
        ("Drums", 0, True), ("Piano", 0, False), ("Guitar", 24, False), ("Bass", 32, False), ("Strings", 48, False),
    ]  # fmt: skip
    assert (loaded.name, loaded.resolution) == ("clip", 24)
    assert np.array_equal(loaded.stack(), dense(roll)[0])
    assert np.flatnonzero(loaded.downbeat).tolist() == [0]


def test_the_tempo_is_tiled_as_in_every_real_file(tmp_path):
    roll = bars(1, tempo_bpm=[90, 100, 110, 120])

    lpd.write(tmp_path / "clip.npz", roll)

    assert np.load(tmp_path / "clip.npz")["tempo"][:6].tolist() == [90, 100, 110, 120, 90, 100]
    assert lpd.read(tmp_path / "clip.npz").tempo_bpm.tolist() == [90, 100, 110, 120]


def test_an_absent_track_is_written_as_lpd_marks_it():
    roll = roll_of(notes_of((0, 1, DRUMS, 36, 90)), 24)

    members = np.load(written(roll))

    assert members["pianoroll_1_csc_shape"].tolist() == [0, 128]
    assert members["pianoroll_1_csc_data"].dtype == bool
    assert lpd.read(written(roll)).notes.tolist() == [(0, 1, DRUMS, 36, 90)]


def test_the_same_roll_gives_the_same_bytes():
    assert written(bars(2)).getvalue() == written(bars(2)).getvalue()
    assert b"\x00\x00\x21\x00" in written(bars(2)).getvalue()[:20]  # 1 January 1980, not the time of writing


@given(rolls(min_notes=1))
def test_what_is_written_reads_back_but_for_what_cells_cannot_hold(roll):
    again = lpd.read(written(roll))

    fine = refine(roll, 24)
    assert again.n_steps == fine.n_steps
    assert again.tempo_bpm.tolist() == fine.tempo_bpm.tolist()
    assert onsets_of(again) == onsets_of(fine) - struck_again_after_one_step(fine)
    assert (dense(again)[0] <= dense(fine)[0]).all()


def onsets_of(roll):
    return set(map(tuple, roll.notes[["track", "pitch", "onset", "velocity"]].tolist()))


def struck_again_after_one_step(roll):
    """Return the onsets that follow a one-step note of the same voice at once, and equally loud."""
    brief = roll.notes[(roll.notes["end"] - roll.notes["onset"] == 1) & (roll.notes["track"] != DRUMS)]
    return {
        (track, pitch, end, velocity) for _, end, track, pitch, velocity in brief.tolist()
    } & onsets_of(roll)  # fmt: skip


def test_a_clip_on_a_coarse_grid_comes_back_with_every_repeated_note():
    notes = notes_of((0, 1, BASS, 40, 80), (1, 2, BASS, 40, 80), (2, 4, BASS, 40, 80))
    roll = roll_of(notes, 4, steps_per_beat=4)

    again = lpd.read(written(roll))

    assert again.notes["onset"].tolist() == [0, 6, 12]
    assert again.notes["end"].tolist() == [5, 11, 24]
    assert coarsen(again, 4).notes.tolist() == notes.tolist()


def test_a_grid_that_does_not_divide_a_beat_of_lpd_cannot_be_written():
    with pytest.raises(ValueError, match="not a multiple"):
        lpd.write(io.BytesIO(), roll_of(np.zeros(0, NOTE), 5, steps_per_beat=5))


@pytest.mark.parametrize(
    ("program", "track"),
    [(0, PIANO), (7, PIANO), (8, STRINGS), (23, STRINGS), (24, GUITAR), (31, GUITAR), (32, BASS), (39, BASS),
     (40, STRINGS), (95, STRINGS), (96, None), (103, None), (104, STRINGS), (111, STRINGS), (112, None), (127, None)],
)  # fmt: skip
def test_programs_merge_by_the_official_rule(program, track):
    assert lpd.track_of(program, is_drum=False) == track
    assert lpd.track_of(program, is_drum=True) == DRUMS


# What may be wrong with a file


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"pianoroll_1_csc_indices.npy": np.array([10**6] * 270, "i4")}, "pianoroll_1_csc_indices"),
        ({"pianoroll_1_csc_indices.npy": np.array([-1] * 270, "i4")}, "pianoroll_1_csc_indices"),
        ({"pianoroll_1_csc_indices.npy": np.array([0] * 3, "i4")}, "pianoroll_1_csc_indices"),
        ({"pianoroll_1_csc_indices.npy": np.array([0.5] * 270)}, "right kind of numbers"),
        ({"pianoroll_1_csc_indptr.npy": np.arange(129, dtype="i4")}, "pianoroll_1_csc_indptr"),
        ({"pianoroll_1_csc_indptr.npy": np.zeros(4, "i4")}, "pianoroll_1_csc_indptr"),
        ({"pianoroll_1_csc_indptr.npy": np.r_[0, 9, 5, [270] * 126].astype("i4")}, "pianoroll_1_csc_indptr"),
        ({"pianoroll_1_csc_shape.npy": np.array([96 * 10**6, 128])}, "at most 40000 beats"),
        ({"pianoroll_1_csc_shape.npy": np.array([120, 128])}, "different lengths"),
        ({"pianoroll_1_csc_data.npy": np.array([print] * 270)}, "not an array of plain numbers"),
        ({"pianoroll_1_csc_data.npy": None}, "pianoroll_1_csc_data is missing"),
        ({"tempo.npy": np.full(95, 120.0)}, "95 values for 96 steps"),
        ({"tempo.npy": np.full((48, 2), 120.0)}, "one row"),
        ({"tempo.npy": b"\x93NUMPY\x01"}, "not an array"),
        ({"info.json": b"[1]"}, "does not describe tracks"),
        ({"info.json": b"[" * 100_000}, "not JSON"),
        (info(name=["x"]), "name"),
        (info(name="\u202egnp.exe"), "control"),
        (info(beat_resolution=True), "beat_resolution"),
        (info(**{"0": None}), "1 to 128 tracks"),
        (info(**{"2": "Guitar"}), "track 2"),
    ],
)  # fmt: skip
def test_a_refusal_names_what_is_wrong(changes, named):
    with pytest.raises(lpd.LpdError, match=named) as refusal:
        lpd.read(rewritten(written(bars(1)), changes))

    assert str(refusal.value).count(".") - str(refusal.value).count(".json") == 1  # one sentence


def test_a_piece_of_effects_alone_holds_no_note():
    tracks = {str(i): {"program": 120, "is_drum": False, "name": "Helicopter"} for i in range(5)}

    with pytest.raises(lpd.LpdError, match="no note"):
        lpd.read(rewritten(written(bars(1)), info(**tracks)))


def test_a_file_without_tempo_is_taken_at_120():
    assert lpd.read(rewritten(written(bars(1, tempo_bpm=90)), {"tempo.npy": None})).tempo_bpm.tolist() == [120] * 4


def test_a_binary_roll_sounds_at_a_middle_velocity():
    ones = np.ones(270, bool)

    roll = lpd.read(rewritten(written(bars(1)), {"pianoroll_1_csc_data.npy": ones}))

    assert set(roll.notes["velocity"][roll.notes["track"] == PIANO].tolist()) == {64}


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        lpd.read(tmp_path / "nothing.npz")


@given(st.data())
def test_a_damaged_file_is_refused_or_read_but_never_a_crash(data):
    content = bytearray(written(bars(1)).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(len(content) // 2, len(content)))]

    try:
        roll = lpd.read(io.BytesIO(content))
    except lpd.LpdError:
        return

    assert roll.n_steps == 96
