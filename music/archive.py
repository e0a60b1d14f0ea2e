"""Zip archives, read without trust.

An archive can name paths that climb out of it, unpack to a million times its size, say one size and hold another, let
members share their bytes, or hold two of one name of which each reader sees another. So its whole directory is checked
before a byte is unpacked, and a member is unpacked here, with a cap, and not by zipfile. Nothing is ever written to disk
under a name that stands in an archive.
"""

import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass

from music.refusal import Refusal, is_plain

START = b"PK\x03\x04"
HEADER_BYTES = 30  # of a member's own header, before its name
IS_UTF8, IS_ENCRYPTED = 0x800, 0x1  # flag bits
RATIO_FLOOR = 2**20  # small members may be packed as tightly as they like
# What zipfile raises for archives that were cut, flipped or written to deceive.
DAMAGED = (zipfile.BadZipFile, struct.error, EOFError, RuntimeError, ValueError, OverflowError, OSError)


class ArchiveError(Refusal):
    """The archive is broken, hostile or beyond its limits; one sentence."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold. `ratio`: how many times its packed size a member above RATIO_FLOOR may have."""

    n_members: int = 64
    member_bytes: int = 512 * 2**20
    total_bytes: int = 512 * 2**20
    ratio: float = 100


class Archive:
    """The members of a zip archive by their names."""

    def __init__(self, file, limits=None):
        """file: an open binary file. Raises ArchiveError for a directory that cannot be trusted."""
        self._file = file
        self.members = {info.orig_filename: info for info in _directory(file, limits or Limits())}

    def __contains__(self, name):
        return name in self.members

    def read(self, name):
        """Return the bytes of a member. Raises ArchiveError if they are not what the directory says."""
        info = self.members[name]
        content = _unpacked(self._packed(info), info)
        if len(content) != info.file_size:
            raise ArchiveError(f"{_shown(name)} is not as long as the archive says.", "zip.size_mismatch")
        if zlib.crc32(content) != info.CRC:
            raise ArchiveError(f"{_shown(name)} is damaged: its checksum differs.", "zip.crc")
        return content

    def _packed(self, info):
        self._file.seek(info.header_offset)
        header = self._file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.startswith(START):
            raise ArchiveError(
                f"The zip archive is damaged or cut short at {_shown(info.orig_filename)}.", "zip.unreadable"
            )
        n_name, n_extra = struct.unpack("<HH", header[26:])
        if self._file.read(n_name) != _name_bytes(info):
            raise ArchiveError(f"{_shown(info.orig_filename)} has two names in the archive.", "zip.member_name")
        self._file.seek(n_extra, 1)
        return self._file.read(info.compress_size)


def _directory(file, limits):
    file.seek(0)
    if file.read(4) != START:
        raise ArchiveError("The file is not a zip archive.", "zip.signature")
    try:
        with zipfile.ZipFile(file) as archive:
            infos, end = archive.infolist(), archive.start_dir
    except DAMAGED as error:
        raise ArchiveError("The zip archive is damaged or cut short.", "zip.unreadable") from error
    if len(infos) > limits.n_members:
        raise ArchiveError(
            f"The archive has {len(infos):,} members; {limits.n_members:,} are the most.", "zip.too_many_members"
        )
    for info in infos:
        _check_member(info, limits)
    if sum(info.file_size for info in infos) > limits.total_bytes:
        raise ArchiveError(f"The archive unpacks to more than {_megabytes(limits.total_bytes)}.", "zip.ratio")
    _check_names(infos)
    _check_overlaps(infos, end)
    return infos


def _check_member(info, limits):
    name = info.orig_filename
    _check_name(name)
    if info.flag_bits & IS_ENCRYPTED:
        raise ArchiveError(f"{_shown(name)} is encrypted.", "zip.encrypted")
    _check_kind(name, info.external_attr >> 16)
    if info.file_size > RATIO_FLOOR and info.file_size > limits.ratio * info.compress_size:
        raise ArchiveError(f"{_shown(name)} unpacks to more than {limits.ratio:g} times its size.", "zip.ratio")
    if info.file_size > limits.member_bytes:
        raise ArchiveError(f"{_shown(name)} is larger than {_megabytes(limits.member_bytes)}.", "zip.ratio")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"{_shown(name)} is packed by another method than deflate.", "zip.method")


def _check_name(name):
    parts = name.rstrip("/").split("/")
    if not is_plain(name) or not all(parts) or {".", ".."} & set(parts) or {"\\", ":"} & set(name):
        raise ArchiveError(f"The archive has a member whose name is no plain path: {_shown(name)}.", "zip.member_name")


def _check_kind(name, mode):
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        raise ArchiveError(f"{_shown(name)} is not a regular file but a link.", "zip.symlink")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{_shown(name)} is not a regular file but a device or the like.", "zip.special_file")


def _check_names(infos):
    seen = set()
    for info in infos:
        alike = unicodedata.normalize("NFC", info.orig_filename).casefold()
        if alike in seen:
            raise ArchiveError(f"The archive has {_shown(info.orig_filename)} twice.", "zip.duplicate")
        seen.add(alike)


def _check_overlaps(infos, end):
    for info in sorted(infos, key=lambda info: info.header_offset, reverse=True):
        if info.header_offset + HEADER_BYTES + len(_name_bytes(info)) + info.compress_size > end:
            raise ArchiveError(f"The archive's members overlap at {_shown(info.orig_filename)}.", "zip.overlap")
        end = info.header_offset
    if end < 0:
        raise ArchiveError("The zip archive is damaged: a member lies before its start.", "zip.unreadable")


def _name_bytes(info):
    return info.orig_filename.encode("utf-8" if info.flag_bits & IS_UTF8 else "cp437", "replace")


def _unpacked(packed, info):
    if info.compress_type == zipfile.ZIP_STORED:
        return packed
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(packed, info.file_size + 1)
    except zlib.error as error:
        raise ArchiveError(f"{_shown(info.orig_filename)} is damaged: it cannot be unpacked.", "zip.crc") from error
    if not inflater.eof or inflater.unused_data:
        raise ArchiveError(f"{_shown(info.orig_filename)} is not as long as the archive says.", "zip.size_mismatch")
    return content


def _megabytes(n_bytes):
    return f"{n_bytes / 2**20:,.4g} MB"


def _shown(name):
    """A name for a sentence, whatever stands in it."""
    return name if is_plain(name, 60) else ascii(name[:60])
