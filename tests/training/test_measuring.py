"""What is measured of a clip and of a folder of clips, beside the real music that nothing was trained on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from music import lpd, metrics, pianoroll
from music.pianoroll import DRUMS, PIANO
from training import corpus as corpora
from training import floors, measuring, measuring_folder, neighbours, real_music
from training.importing import read_roll

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def band_corpus(tmp_path_factory):
    """Made-up songs of a minute, a quarter of them held out, each with a tune that is its own."""
    source = tmp_path_factory.mktemp("songs")
    for number in range(0, 96, 6):
        lpd.write(source / f"{number:02x}{0:030x}.npz", song(number))
    return corpora.build(source, tmp_path_factory.mktemp("measured") / "corpus", 24, None, None, "Songs")


def song(number, n_bars=34):
    chance = np.random.default_rng(number)
    notes = []
    for bar in range(n_bars):
        at = 96 * bar
        root = int(chance.integers(0, 12))
        notes += [(at + 24 * beat, at + 24 * beat + 1, DRUMS, 36 + 2 * (beat % 2), 100) for beat in range(4)]
        notes += [(at, at + 90, pianoroll.BASS, 36 + root, 100)]
        tune = chance.integers(0, 8, 8)
        notes += [(at + 12 * i, at + 12 * i + 10, PIANO, 60 + root + int(tune[i]), 80) for i in range(8)]
    return pianoroll.roll_of(np.array(notes, pianoroll.NOTE), 96 * n_bars, tempo_bpm=120.0)


@pytest.fixture
def against(band_corpus):
    return measuring.Against.of(band_corpus, 24, 20.0)


def opening_of(corpus, piece, n_bars=10):
    return pianoroll.excerpt(corpus.roll(piece), 0, 96 * n_bars)


def test_the_band_is_where_held_out_stretches_lie(band_corpus):
    band = real_music.real_music(band_corpus, 24, 20.0)

    values = []
    for piece in band_corpus.held_out():
        for stretch in real_music.stretches_of(band_corpus.roll(piece), 20.0):
            assert stretch.seconds == pytest.approx(20, abs=0.1)
            values.append(metrics.measure(stretch)["pitch_class_entropy"])
    assert len(values) == 3 * len(band_corpus.held_out())
    span = band.band["pitch_class_entropy"]
    assert (span.low, span.median, span.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.5, 0.95])))
    assert band.n_pieces == len(band_corpus.held_out())


def test_the_band_is_read_again_and_made_anew_for_another_corpus(band_corpus, monkeypatch):
    first = real_music.real_music(band_corpus, 24, 15.0)
    monkeypatch.setattr(real_music, "_computed", lambda *_: pytest.fail("it was there"))

    again = real_music.real_music(band_corpus, 24, 15.0)

    assert again.band == first.band
    changed = {**band_corpus.card, "checksum": "0" * 64}
    monkeypatch.setattr(band_corpus, "card", changed)
    with pytest.raises(pytest.fail.Exception, match="it was there"):
        real_music.real_music(band_corpus, 24, 15.0)


def test_a_coarser_grid_has_a_band_of_its_own_and_a_finer_one_has_none(band_corpus, tmp_path):
    assert real_music.real_music(band_corpus, 4, 15.0).steps_per_beat == 4
    coarse = corpora.build(band_corpus.card["source"], tmp_path / "coarse", 4, None, None, "Coarse")

    with pytest.raises(real_music.NoBand, match="has 4 steps a beat, so it has no band at 24"):
        real_music.real_music(coarse, 24, 15.0)


def test_a_corpus_without_stretches_that_long_says_so_and_its_training_pieces_are_compared_all_the_same(band_corpus):
    against = measuring.Against.of(band_corpus, 24, 300.0)

    found = measuring.measured(opening_of(band_corpus, 0), against)

    assert "has 300 s of drums, bass and another track" in found["against"]["why"]
    assert (found["band"], found["against"]["n_pieces"]) == ({}, 0)
    assert found["nearest"]


def test_a_clip_is_told_its_figures_its_band_and_what_it_is_like(band_corpus, against):
    piece = band_corpus.of_split("train")[2]

    found = measuring.measured(opening_of(band_corpus, piece), against)

    assert json.loads(json.dumps(found)) == found
    assert set(metrics.HEADLINE) <= set(found["figures"])
    low, median, high = found["band"]["polyphony"]
    assert low <= median <= high
    best = found["nearest"][0]
    assert (best["piece"], best["bar"], best["likeness"]) == (piece, 0, 1.0)
    assert found["sources"][0]["piece"] == piece
    assert [flag["kind"] for flag in found["flags"]] == ["copied", "copied"]


def test_a_clip_of_its_own_is_not_called_a_copy_and_a_silent_one_is_called_silent(band_corpus, against):
    own = measuring.measured(pianoroll.excerpt(song(99), 0, 960), against)
    silent = measuring.measured(pianoroll.roll_of(np.zeros(0, pianoroll.NOTE), 960, tempo_bpm=120.0), against)

    assert own["flags"] == []
    assert own["nearest"][0]["likeness"] < 0.85
    assert [flag["kind"] for flag in silent["flags"]] == ["silent"]
    assert (silent["nearest"], silent["sources"]) == ([], [])


def test_held_out_pieces_are_no_neighbours(band_corpus):
    held_out = band_corpus.held_out()[0]

    nearest = neighbours.index_of(band_corpus).nearest(opening_of(band_corpus, held_out))

    assert nearest[0].likeness < 1
    assert held_out not in [one.piece for one in nearest]


def test_without_a_corpus_the_figures_and_what_is_broken_are_said(band_corpus):
    found = measuring.measured(opening_of(band_corpus, 0), steps_per_beat=4)

    assert (found["steps_per_beat"], found["against"], found["band"]) == (4, None, {})
    assert found["figures"]["short_notes"] is None  # nothing can be that short on this grid


@pytest.mark.parametrize(("seconds", "length"), [(3, 10), (29.99996, 30), (30.02, 30), (34, 30), (200, 60)])
def test_a_clip_is_held_against_stretches_of_its_length(seconds, length):
    assert measuring.length_of_band(seconds) == length


def test_shuffled_tracks_are_of_five_pieces_and_marginals_of_none(band_corpus):
    mixed = floors.shuffled_tracks(band_corpus, 3, 20.0, seed=4)
    chance = floors.marginals(band_corpus, 2, 20.0, seed=4)

    assert [round(roll.seconds, 1) for roll in (*mixed, *chance)] == [20.0] * 5
    again = floors.shuffled_tracks(band_corpus, 3, 20.0, seed=4)
    assert all((a.notes == b.notes).all() for a, b in zip(mixed, again, strict=True))
    index = neighbours.index_of(band_corpus)
    assert all(index.nearest(roll)[0].likeness < 0.9 for roll in mixed)
    mixed, chance = ([metrics.measure(roll) for roll in rolls] for rolls in (mixed, chance))
    real = [metrics.measure(opening_of(band_corpus, piece)) for piece in band_corpus.held_out()]
    # Each of the mixed tracks keeps its rhythm; what sounds by chance alone has none.
    assert min(figures["on_beat"] for figures in mixed) == pytest.approx(min(figures["on_beat"] for figures in real))
    assert max(figures["on_beat"] for figures in chance) < 0.2
    assert np.mean([one["groove_similarity"] for one in chance]) < min(one["groove_similarity"] for one in real)


def test_a_folder_is_measured_file_by_file_and_one_that_cannot_be_read_costs_only_itself(
    band_corpus, run_training, tmp_path
):
    folder = tmp_path / "clips"
    folder.mkdir()
    train = band_corpus.of_split("train")
    for name, roll in (
        ("copy", opening_of(band_corpus, train[0])),
        ("again", opening_of(band_corpus, train[0])),
        ("own", pianoroll.excerpt(song(77), 0, 960)),
    ):
        lpd.write(folder / f"{name}.npz", roll)
    (folder / "broken.mid").write_bytes(b"MThd")

    code, events = run_training("metrics", folder, "--against", band_corpus.folder, "--seconds", 20, "--json")

    answer = events[-1]
    clips = {clip["file"]: clip for clip in answer["clips"]}
    assert code == 0
    assert clips["broken.mid"]["problem"]
    assert clips["own.npz"]["flags"] == []
    assert {flag["kind"] for flag in clips["copy.npz"]["flags"]} == {"copied", "near-duplicate"}
    assert [pair[:2] for pair in answer["near_duplicates"]] == [["again.npz", "copy.npz"]]
    expected = measuring.measured(read_roll(folder / "own.npz"), measuring.Against.of(band_corpus, 24, 20.0))
    assert clips["own.npz"]["figures"] == expected["figures"]
    assert answer["set"]["n_clips"] == 3
    assert 0 < answer["set"]["diversity"] < 1
    assert [event["event"] for event in events[:-1]][-1] == "done"


def test_a_folder_of_which_nothing_can_be_read_is_refused_in_one_sentence(run_training, tmp_path):
    (tmp_path / "broken.mid").write_bytes(b"x")

    code, events = run_training("metrics", tmp_path, "--json")

    sentence = f"{tmp_path} holds nothing that can be read; of broken.mid: This is not a MIDI file."
    assert (code, events[-1]) == (2, {"event": "error", "message": sentence})


def test_many_files_are_measured_on_all_cores_as_one_is_alone(band_corpus, against, tmp_path):
    rolls = [pianoroll.excerpt(song(number), 0, 960) for number in range(100, 113)]
    rolls[5] = opening_of(band_corpus, band_corpus.of_split("train")[0])
    for number, roll in enumerate(rolls):
        lpd.write(tmp_path / f"{number:02d}.npz", roll)
    (tmp_path / "06.npz").write_bytes(b"PK")
    names, told = [f"{number:02d}.npz" for number in range(len(rolls))], []

    found = measuring_folder.of_folder(tmp_path, names, against, report=told.append)

    assert [one.file for one in found] == names
    assert told == list(range(1, 14))
    assert [one.file for one in found if one.problem] == ["06.npz"]
    for number in (0, 5, 12):
        assert found[number].found == measuring.measured(rolls[number], against)
    assert [flag["kind"] for flag in found[5].found["flags"]] == ["copied", "copied"]


def test_measuring_is_timed_on_clips_that_can_all_be_read():
    command = [sys.executable, "-m", "benchmarks.music", "--clips", "40", "--pieces", "40"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)

    found = json.loads(done.stdout)
    assert (found["clips"], found["unread"]) == (40, 0)
    assert found["pieces"] >= 35
    assert 0 < found["neighbours_median_s"] <= found["neighbours_most_s"] < 5  # it takes 0.03


def test_a_person_reads_a_table_with_the_band_beneath(band_corpus, tmp_path, capsys):
    from training.__main__ import main

    lpd.write(tmp_path / "one.npz", pianoroll.excerpt(song(78), 0, 960))

    assert main(["metrics", str(tmp_path), "--against", str(band_corpus.folder), "--seconds", "20"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["disson", "on-beat", "short"]
    figures = measuring.measured(read_roll(tmp_path / "one.npz"))["figures"]
    assert lines[1].split() == ["one.npz", *(f"{figures[name]:.2f}" for name in metrics.HEADLINE)]
    assert [line[:10] for line in lines[2:5]] == ["real, 5 % ", "real, half", "real, 95 %"]
    assert main(["metrics", str(tmp_path / "nowhere")]) == 2
