"""Archives that lie: about their names, their sizes, their packing, and about what lies where."""

import io
import stat
import struct
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music.archive import Archive, ArchiveError, Limits

FILES = {"a.txt": b"alpha" * 40, "deep/b.bin": bytes(range(256)) * 4, "empty": b""}


def zipped(files=None, method=zipfile.ZIP_DEFLATED, modes=None):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in (FILES if files is None else files).items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)
    return content.getvalue()


def all_of(content, limits=None):
    archive = Archive(io.BytesIO(content), limits)
    return {name: archive.read(name) for name in archive.members}


def problem_of(content, limits=None):
    with pytest.raises(ArchiveError) as refusal:
        all_of(content, limits)
    assert str(refusal.value).endswith(".")
    return refusal.value.problem


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_out_as_they_went_in(method):
    assert all_of(zipped(method=method)) == FILES


def test_what_python_streams_is_read_too():
    class OneWay(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError

    content = OneWay()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", FILES["a.txt"])

    assert all_of(content.getvalue()) == {"a.txt": FILES["a.txt"]}


@pytest.mark.parametrize(
    "name",
    ["../up", "/root", "a/../b", "./a", "a//b", "back\\slash", "C:x", "new\nline", "turn\u202eed", "<b>", "x" * 201],
)
def test_a_name_that_is_no_plain_path_is_refused(name):
    assert problem_of(zipped({name: b"x"})) == "zip.member_name"


@pytest.mark.parametrize(("one", "other"), [("a.wav", "A.WAV"), ("caf\u00e9", "cafe\u0301")])
def test_names_that_some_disk_would_take_for_one_are_refused(one, other):
    assert problem_of(zipped({one: b"x", other: b"y"})) == "zip.duplicate"


@pytest.mark.parametrize(
    ("mode", "problem"),
    [(stat.S_IFLNK, "zip.symlink"), (stat.S_IFCHR, "zip.special_file"), (stat.S_IFIFO, "zip.special_file")],
)
def test_what_is_no_regular_file_is_refused(mode, problem):
    assert problem_of(zipped(modes={"a.txt": mode | 0o644})) == problem


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_can_hide_gigabytes_is_refused(method):
    assert problem_of(zipped(method=method)) == "zip.method"


def test_limits_are_on_members_sizes_and_ratio():
    bomb = zipped({"zeros": bytes(2 * 2**20)})

    assert problem_of(zipped(), Limits(n_members=2)) == "zip.too_many_members"
    assert problem_of(zipped(), Limits(member_bytes=1_000)) == "zip.ratio"
    assert problem_of(zipped(), Limits(total_bytes=1_100)) == "zip.ratio"
    assert problem_of(bomb) == "zip.ratio"
    assert len(all_of(bomb, Limits(ratio=2_000))["zeros"]) == 2 * 2**20


def with_size(content, size):
    """Have the directory say another unpacked size of its first member."""
    at = content.index(b"PK\x01\x02")
    return content[: at + 24] + struct.pack("<I", size) + content[at + 28 :]


@pytest.mark.parametrize("size", [0, 1, 199, 201, 10_000])
def test_a_member_of_another_size_than_the_directory_says_is_refused(size):
    assert problem_of(with_size(zipped(), size)) == "zip.size_mismatch"


def test_a_small_size_does_not_unpack_a_bomb():
    content = with_size(zipped({"zeros": bytes(64 * 2**20)}), 100)

    assert problem_of(content) == "zip.size_mismatch"


def test_bytes_behind_the_end_of_a_stream_are_refused():
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = packed.compress(b"alpha") + packed.flush() + b"smuggled"
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, zlib.crc32(b"alpha"), len(stream), 5, 1, 0)
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, zlib.crc32(b"alpha"), len(stream), 5, 1, 0, 0, 0, 0, 0, 0
    )
    body = head + b"a" + stream
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(entry) + 1, len(body), 0)

    assert problem_of(body + entry + b"a" + end) == "zip.size_mismatch"


def test_a_member_with_two_names_is_refused():
    content = zipped()

    assert problem_of(content.replace(b"a.txt", b"b.txt", 1)) == "zip.member_name"


def test_something_before_the_archive_makes_it_none():
    assert problem_of(b"<html>" + zipped()) == "zip.signature"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_an_archive_that_was_cut_short_is_refused(share):
    content = zipped()

    assert problem_of(content[: int(share * len(content))]) == "zip.unreadable"


def test_a_flipped_bit_is_refused_or_changes_nothing():
    content = zipped()
    n_refused = 0

    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = all_of(bytes(flipped))
        except ArchiveError:
            n_refused += 1
            continue
        assert {name: FILES[name] for name in read if name in FILES} == {
            name: data for name, data in read.items() if name in FILES
        }, bit

    assert n_refused > 1_000


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_an_archive_with_anything_written_over_it_is_refused_or_read(data):
    content = bytearray(zipped())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + len(piece)] = piece

    try:
        read = all_of(bytes(content))
    except ArchiveError:
        return

    assert all(name not in FILES or read[name] == FILES[name] for name in read)
