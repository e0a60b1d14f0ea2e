import hashlib
import json
import shutil
from collections import Counter

import numpy as np
import pytest

from music import lpd, midi, pianoroll
from music.pianoroll import BASS, DRUMS, PIANO, STRINGS
from tests import crashing_importer
from training import __main__ as training_command
from training import corpus as corpora
from training import duplicates, importing
from training.corpus import CorpusError


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "source"
    path.mkdir()
    return path


def md5_of(text):
    return hashlib.md5(str(text).encode()).hexdigest()


def write_lpd(folder, roll, name):
    path = folder / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    lpd.write(path, roll, name.rsplit("/")[-1])
    return path


def reasons(corpus):
    return {entry["file"]: entry["reason"] for entry in corpus.card["left_out"]}


def test_real_music_is_kept_and_what_is_of_no_use_is_named_with_its_reason(corpus):
    assert sorted(piece.title for piece in corpus.pieces) == [
        "freedoom1-d_e4m8",
        "freedoom1-d_inter",
        "freedoom1-d_intro",
        "freedoom2-d_read_m",
    ]
    assert reasons(corpus) == {
        "freedoom1-d_e1m8.mid": "not in 4/4 throughout",
        "freedoom2-d_dead2.mid": "no bass",
    }
    assert corpus.card["counts"] == {"files": 6, "kept": 4, "left_out": 2}
    assert corpus.card["split"] == {"train": 3, "test": 1}


def test_a_piece_comes_out_as_it_went_in(corpus, request):
    path = request.path.parents[1] / "fixtures" / "freedoom"
    for i, piece in enumerate(corpus.pieces):
        imported = midi.read(path / piece.file)

        packed = corpus.roll(i)

        assert (packed.notes == imported.notes).all()
        assert (packed.n_steps, packed.steps_per_beat) == (imported.n_steps, 24)
        assert (packed.tempo_bpm == imported.tempo_bpm).all()
        assert piece.md5 == hashlib.md5((path / piece.file).read_bytes()).hexdigest()


def test_files_are_found_below_any_folders(folder, tmp_path, make_roll):
    write_lpd(folder, make_roll(seed=1), f"lpd_5/lpd_5_cleansed/A/B/C/TRABC/{md5_of(1)}")
    write_lpd(folder, make_roll(seed=2), f"D/{md5_of(2)}")
    (folder / "deep").mkdir()
    (folder / "deep" / "song.MIDI").write_bytes(midi.write(make_roll(seed=3)))
    (folder / "notes.txt").write_text("not music")

    corpus = corpora.build(folder, tmp_path / "out")

    assert len(corpus.pieces) == 3
    assert {md5_of(1), md5_of(2)} < {piece.md5 for piece in corpus.pieces}


def test_one_midi_file_under_two_names_is_one_piece(folder, tmp_path, make_roll):
    for place in ("A/TRA", "B/TRB", "C/TRC"):
        write_lpd(folder, make_roll(seed=1), f"{place}/{md5_of(1)}")
    write_lpd(folder, make_roll(seed=2), f"D/{md5_of(2)}")

    corpus = corpora.build(folder, tmp_path / "out")

    assert sorted(piece.md5 for piece in corpus.pieces) == sorted([md5_of(1), md5_of(2)])
    assert reasons(corpus) == {
        f"B/TRB/{md5_of(1)}.npz": f"same MIDI file as A/TRA/{md5_of(1)}.npz",
        f"C/TRC/{md5_of(1)}.npz": f"same MIDI file as A/TRA/{md5_of(1)}.npz",
    }


def test_a_renamed_lpd_file_keeps_the_md5_that_it_knows(folder, tmp_path, make_roll):
    lpd.write(folder / "my favourite.npz", make_roll(seed=1), md5_of("favourite"))
    lpd.write(folder / "other.npz", make_roll(seed=2))

    corpus = corpora.build(folder, tmp_path / "out")

    assert [piece.md5 for piece in corpus.pieces] == [
        md5_of("favourite"),
        hashlib.md5((folder / "other.npz").read_bytes()).hexdigest(),
    ]


def test_a_broken_file_is_reported_and_passed_over(folder, tmp_path, make_roll):
    write_lpd(folder, make_roll(seed=1), md5_of(1))
    write_lpd(folder, make_roll(seed=2), md5_of(2))
    whole = write_lpd(folder, make_roll(seed=3), md5_of(3)).read_bytes()
    (folder / f"{md5_of(3)}.npz").write_bytes(whole[:200])
    (folder / "page.mid").write_text("<html>")

    corpus = corpora.build(folder, tmp_path / "out")

    assert len(corpus.pieces) == 2
    assert set(reasons(corpus)) == {f"{md5_of(3)}.npz", "page.mid"}
    assert all(len(reason) > 10 for reason in reasons(corpus).values())


@pytest.mark.parametrize(
    ("roll_of", "reason"),
    [
        (lambda make: make(tracks=(BASS, STRINGS)), "no drums"),
        (lambda make: make(tracks=(DRUMS, PIANO)), "no bass"),
        (lambda make: make(tracks=(DRUMS, BASS)), "nothing but drums and bass"),
        (lambda make: pianoroll.excerpt(make(), 0, 15 * 24), "too short: 15 beats, not 16"),
    ],
)
def test_a_piece_of_no_use_is_left_out(folder, tmp_path, make_roll, roll_of, reason):
    write_lpd(folder, make_roll(seed=1), md5_of(1))
    write_lpd(folder, make_roll(seed=2), md5_of(2))
    write_lpd(folder, roll_of(make_roll), md5_of(3))

    corpus = corpora.build(folder, tmp_path / "out")

    assert reasons(corpus) == {f"{md5_of(3)}.npz": reason}


def test_a_very_long_piece_is_cut(folder, tmp_path, make_roll):
    write_lpd(folder, make_roll(beats=1200), md5_of(1))
    write_lpd(folder, make_roll(beats=20), md5_of(2))

    corpus = corpora.build(folder, tmp_path / "out")

    assert sorted(piece.n_steps for piece in corpus.pieces) == [20 * 24, importing.MAX_BEATS * 24]


def test_a_coarser_grid_has_fewer_steps_and_as_many_beats(corpus, request, tmp_path):
    coarse = corpora.build(request.path.parents[1] / "fixtures" / "freedoom", tmp_path / "out", steps_per_beat=4)

    assert (coarse.n_steps * 6 >= corpus.n_steps).all()
    assert coarse.card["n_beats"] == corpus.card["n_beats"]
    assert coarse.roll(0).steps_per_beat == 4


def test_the_split_is_by_md5_alone():
    md5s = [md5_of(i) for i in range(4000)]
    held_out = dict(zip(md5s, corpora.held_out_pieces(md5s), strict=True))

    shuffled = md5s[::-1]
    again = dict(zip(shuffled, corpora.held_out_pieces(shuffled), strict=True))
    more = [*md5s, *(md5_of(i) for i in range(4000, 4100))]
    grown = dict(zip(more, corpora.held_out_pieces(more), strict=True))

    assert again == held_out
    assert {md5: grown[md5] for md5 in md5s} == held_out  # a corpus that grows moves no piece
    assert 0.10 < np.mean(list(held_out.values())) < 0.15


@pytest.mark.parametrize(("n_pieces", "fewest"), [(2, 1), (5, 1), (10, 3), (20, 3), (54, 6)])
def test_a_small_corpus_has_pieces_to_test_on_as_well(n_pieces, fewest):
    counts = Counter(sum(corpora.held_out_pieces([md5_of((run, i)) for i in range(n_pieces)])) for run in range(50))

    assert min(counts) >= fewest
    assert max(counts) <= n_pieces // 2


def test_the_same_files_give_the_same_corpus_and_others_another(folder, tmp_path, make_roll):
    for i in range(14):  # so many that they are imported by several processes
        write_lpd(folder, make_roll(seed=i), md5_of(i))

    first, second = (corpora.build(folder, tmp_path / name) for name in ("first", "second"))
    (folder / f"{md5_of(0)}.npz").unlink()
    third = corpora.build(folder, tmp_path / "third")

    assert first.card["checksum"] == second.card["checksum"] != third.card["checksum"]
    assert sum(piece.split == "test" for piece in first.pieces) >= 3


def test_a_limit_keeps_so_many_pieces_and_always_the_same(folder, tmp_path, make_roll):
    for i in range(8):
        write_lpd(folder, make_roll(seed=i), md5_of(i))

    kept = [{p.md5 for p in corpora.build(folder, tmp_path / name, limit=5).pieces} for name in ("a", "b")]

    assert kept[0] == kept[1]
    assert len(kept[0]) == 5


def test_progress_counts_every_file(folder, tmp_path, make_roll):
    for i in range(3):
        write_lpd(folder, make_roll(seed=i), md5_of(i))
    seen = []

    corpora.build(folder, tmp_path / "out", report=lambda done, total, left: seen.append((done, total, left >= 0)))

    assert seen == [(1, 3, True), (2, 3, True), (3, 3, True)]


def refusal(*arguments, **options):
    with pytest.raises(CorpusError) as caught:
        corpora.build(*arguments, **options)
    return str(caught.value)


def test_a_folder_without_music_is_refused_and_leaves_nothing(folder, tmp_path):
    (folder / "readme.txt").write_text("nothing here")

    assert refusal(folder, tmp_path / "out") == f"{folder} holds no .npz, .mid or .midi file."
    assert refusal(tmp_path / "nowhere", tmp_path / "out") == f"{tmp_path / 'nowhere'} is not a folder."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_folder_of_unusable_music_is_refused_with_the_reasons(folder, tmp_path, make_roll):
    write_lpd(folder, make_roll(tracks=(BASS, STRINGS)), md5_of(1))
    write_lpd(folder, make_roll(tracks=(BASS, PIANO)), md5_of(2))

    sentence = f"{folder} holds nothing that can be used; left out were 2 of its files: no drums (2)."
    assert refusal(folder, tmp_path / "out") == sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_one_piece_alone_is_refused_since_nothing_is_left_to_test_on(folder, tmp_path, make_roll):
    write_lpd(folder, make_roll(), md5_of(1))

    assert "only one piece that can be used" in refusal(folder, tmp_path / "out")


def test_a_folder_that_holds_something_else_is_not_overwritten(folder, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")

    assert "holds something that is not a corpus" in refusal(folder, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_a_corpus_is_replaced_only_by_a_whole_one(folder, tmp_path, make_roll):
    for i in range(2):
        write_lpd(folder, make_roll(seed=i), md5_of(i))
    before = corpora.build(folder, tmp_path / "out").card["checksum"]
    (tmp_path / "empty").mkdir()

    refusal(tmp_path / "empty", tmp_path / "out")

    assert corpora.open_corpus(tmp_path / "out").card["checksum"] == before


@pytest.mark.parametrize("missing", ["card.json", "pieces.json", "notes.npy", "beats.npy", "tempo.npy"])
def test_a_corpus_that_is_not_whole_is_refused(corpus, tmp_path, missing):
    shutil.copytree(corpus.folder, tmp_path / "copy")
    (tmp_path / "copy" / missing).unlink()

    with pytest.raises(CorpusError, match="is not a corpus, or one that is not whole"):
        corpora.open_corpus(tmp_path / "copy")


def test_the_card_is_plain_json_and_knows_the_music(corpus):
    card = json.loads((corpus.folder / "card.json").read_text())
    cells = Counter()
    for i in range(len(corpus.pieces)):
        notes = corpus.roll(i).notes
        for track in range(5):
            cells[track] += int((notes["end"] - notes["onset"])[notes["track"] == track].sum())

    assert card == corpus.card
    assert card["statistics"]["density"] == pytest.approx([cells[track] / (card["n_beats"] * 24) for track in range(5)])
    assert 60 < card["statistics"]["tempo_bpm"] < 200


def test_real_lpd_files_become_a_corpus(shared, tmp_path):
    source = shared / "data" / "lpd5_sample" / "lpd_5_cleansed" / "A"

    corpus = corpora.build(source, tmp_path / "out")

    stems = {path.stem for path in source.rglob("*.npz")}
    assert {piece.md5 for piece in corpus.pieces} <= stems
    assert len({piece.md5 for piece in corpus.pieces}) == len(corpus.pieces) >= 2
    assert all({"Drums", "Bass"} < set(piece.tracks) for piece in corpus.pieces)


def test_a_list_of_ids_chooses_pieces_by_md5_or_by_the_folder_they_lie_in(folder, tmp_path, make_roll):
    for i, place in enumerate(["A/TRAAAAA128F1453670", "B/TRBBBBB128F1453671", "C/TRCCCCC128F1453672"]):
        write_lpd(folder, make_roll(seed=i), f"{place}/{md5_of(i)}")
    ids = tmp_path / "id_list_Jazz.txt"
    ids.write_text(f"TRAAAAA128F1453670\n{md5_of(2)}    TRZZZZZ128F1453679\n")

    corpus = corpora.build(folder, tmp_path / "out", genre_list=ids)

    assert sorted(piece.md5 for piece in corpus.pieces) == sorted([md5_of(0), md5_of(2)])
    assert corpus.card["list"] == {
        "file": "id_list_Jazz.txt",
        "sha256": hashlib.sha256(ids.read_bytes()).hexdigest(),
        "ids": 3,
        "not_on_it": 1,
    }


def test_a_list_without_ids_or_of_other_pieces_is_refused(folder, tmp_path, make_roll):
    write_lpd(folder, make_roll(), md5_of(1))
    ids = tmp_path / "list.txt"

    ids.write_text("jazz and blues")
    assert refusal(folder, tmp_path / "out", genre_list=ids) == f"{ids} holds no MIDI md5 and no Million Song id."
    ids.write_text(md5_of(7))
    expected = "None of the 1 files is named after an id in list.txt, or its folder is."
    assert refusal(folder, tmp_path / "out", genre_list=ids) == expected


class Interrupted(Exception):
    """Stands for Ctrl-C or a kill."""


def interrupted_after(n_files):
    def report(done, total, seconds_left):
        if done == n_files:
            raise Interrupted

    return report


def test_an_interrupted_build_goes_on_where_it_was_and_ends_alike(folder, tmp_path, make_roll, monkeypatch):
    for i in range(8):
        write_lpd(folder, make_roll(seed=i), md5_of(i))
    (folder / "page.mid").write_text("<html>")
    whole = corpora.build(folder, tmp_path / "whole")
    with pytest.raises(Interrupted):
        corpora.build(folder, tmp_path / "out", report=interrupted_after(5))
    journal = tmp_path / ".out.building" / "imported"
    journal.write_bytes(journal.read_bytes()[:-10])  # a kill may cut the last record off
    read_again = []
    read = importing.import_file
    monkeypatch.setattr(importing, "import_file", lambda *a, **k: read_again.append(a[1]) or read(*a, **k))

    resumed = corpora.build(folder, tmp_path / "out")

    assert len(read_again) == 9 - 4
    assert {**resumed.card, "name": ""} == {**whole.card, "name": ""}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source", "whole"]


def test_what_was_noted_of_another_grid_or_of_a_file_that_changed_since_is_not_used(folder, tmp_path, make_roll):
    for i in range(4):
        write_lpd(folder, make_roll(seed=i), md5_of(i))
    with pytest.raises(Interrupted):
        corpora.build(folder, tmp_path / "out", report=interrupted_after(3))
    write_lpd(folder, make_roll(seed=9, beats=24), sorted(md5_of(i) for i in range(4))[0])

    resumed = corpora.build(folder, tmp_path / "out", steps_per_beat=4)

    fresh = corpora.build(folder, tmp_path / "fresh", steps_per_beat=4)
    assert resumed.card["checksum"] == fresh.card["checksum"]
    assert max(resumed.n_steps) == 24 * 4


def test_a_file_that_ends_the_importing_process_costs_no_other_file():
    files = [f"song {i}" for i in range(30)]
    files[11] = crashing_importer.FATAL

    pieces = list(importing.imports(crashing_importer.work, files))

    assert [piece.file for piece in pieces] == files
    assert {piece.file: piece.reason for piece in pieces if piece.reason != "read"} == {
        crashing_importer.FATAL: "ended the process that read it"
    }


def test_versions_of_one_song_in_both_splits_are_reported_though_transposed(folder, tmp_path, make_roll, capsys):
    md5s = [md5_of(i) for i in range(6)]
    held_out = corpora.held_out_pieces(md5s)
    test, train = md5s[held_out.index(True)], md5s[held_out.index(False)]
    for i, md5 in enumerate(md5s):
        roll = make_roll(seed=0 if md5 in (test, train) else i + 1, beats=64, n_notes=94)
        if md5 == test:
            roll.notes["pitch"] += np.where(roll.notes["track"] == DRUMS, 0, 2).astype("u1")
        write_lpd(folder, pianoroll.roll_of(roll.notes, roll.n_steps), md5)

    corpus = corpora.build(folder, tmp_path / "out")

    assert corpus.card["near_duplicates"] == [{"test": test, "train": train, "shared": 1.0}]
    command = ["corpus", str(folder), "--out", str(tmp_path / "out"), "--events"]
    training_command.main(command)
    assert f"1 pair of pieces, {test} and {train}, 100% of" in capsys.readouterr().out


def test_pieces_that_are_alike_across_the_splits_are_told_in_a_sentence():
    pair = {"test": "a" * 4, "train": "b" * 4, "shared": 0.456}

    assert duplicates.in_words([]) == ""
    assert duplicates.in_words([pair]) == (
        "Alike though one is held out and one trained on: 1 pair of pieces, aaaa and bbbb, 46% of whose bars are the same."
    )
    assert "2 pairs of pieces, first of all aaaa and bbbb" in duplicates.in_words([pair, pair])


def test_a_bar_is_known_by_what_begins_in_it_above_its_bass():
    table = np.zeros(5, pianoroll.NOTE)
    table["onset"] = [0, 24, 48, 72, 72]
    table["end"] = table["onset"] + 12
    table["track"] = [STRINGS, BASS, PIANO, PIANO, DRUMS]
    table["pitch"] = [60, 36, 64, 67, 38]

    known = duplicates.bars_of(table, 24)

    higher, later, other = table.copy(), table.copy(), table.copy()
    higher["pitch"][:4] += 5
    higher["pitch"][0] += 12  # an octave does not count, nor do drums
    higher = higher[:4]
    later["onset"] += 96
    other["pitch"][2] += 1
    assert len(known) == 1
    assert duplicates.bars_of(higher, 24).tolist() == known.tolist()
    assert duplicates.bars_of(later, 24).tolist() == known.tolist()
    assert duplicates.bars_of(other, 24).tolist() != known.tolist()
    assert len(duplicates.bars_of(table[:3], 24)) == 0  # too little to tell
