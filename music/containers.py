"""Sound files by their bytes: which of four kinds one is, and whether its headers can be true.

No decoder sees a file whose kind is not known from its content: decoders open whatever they recognise, play lists that
name other files included. Nothing is decoded here.
"""

import re
import struct
import zlib

from music.refusal import Refusal

MOST_CHANNELS = 2
RATES_HZ = (8_000, 192_000)
MOST_CHUNKS = 1_000
UNKNOWN_SIZE = 2**32 - 1  # what a program writes that could not go back to the header of a WAV
MOST_SAMPLES_A_BYTE = 5_000  # FLAC packs silence into 14 bytes a block of 4,608 samples
MP3_FRAMES = 4  # so many in a row are no chance
MARKUP = re.compile(rb"<\s*[!/]?\s*(script|html|svg|img|iframe|body|object|embed)\b|javascript:", re.IGNORECASE)

_MP3_KBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1, layer III
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
_MP3_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
# RFC 9639, 9.1.2; the codes that are missing leave it to the header of the file, or spell it out
_FLAC_RATES_HZ = dict(
    enumerate((88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000), start=1)
)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class AudioError(Refusal):
    """The file cannot be read as sound; the message is one sentence that says why."""


def kind_of(content):
    """Return "wav", "flac", "ogg" or "mp3" for the bytes of such a file.

    Raises AudioError for anything else, for headers that say what cannot be, and for markup in the texts beside the
    sound.
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        _check_wav(content)
        return "wav"
    if content[:4] == b"fLaC":
        _check_flac(content)
        return "flac"
    if content[:4] == b"OggS":
        _check_ogg(content)
        return "ogg"
    _check_mp3(content)
    return "mp3"


def _check_wav(content):
    at, has_sound = 12, False
    for _ in range(MOST_CHUNKS):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if at + 8 > len(content):
            break
        has_sound = has_sound or name == b"data"
        _check_chunk(name, size, content[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    _check_text(content[at:])
    if not has_sound:
        raise AudioError("The WAV file holds no sound.", "audio.header")


def _check_chunk(name, size, body):
    if name == b"data" and len(body) < size != UNKNOWN_SIZE:
        raise AudioError("The sound is cut short: the file holds less than its header says.", "audio.truncated")
    if name == b"fmt ":
        if len(body) < 16:
            raise AudioError("The WAV file's header is too short.", "audio.header")
        _, channels, rate, _, block, bits = struct.unpack("<HHIIHH", body[:16])
        _check_form(channels, rate)
        if not 1 <= bits <= 64 or not block:
            raise AudioError(f"The WAV file says that a sample has {bits} bits.", "audio.header")
    elif name != b"data":
        _check_text(body)


def _check_flac(content):
    # STREAMINFO: 20 bits rate, 3 bits channels - 1, 5 bits of a sample - 1, 36 bits number of samples
    if content[4] & 0x7F or content[5:8] != b"\0\0\x22" or len(content) < 42:
        raise AudioError("The FLAC file does not begin as it must.", "audio.header")
    packed = int.from_bytes(content[18:26], "big")
    _check_form((packed >> 41 & 7) + 1, packed >> 44)
    n_samples = packed & 2**36 - 1
    if n_samples > MOST_SAMPLES_A_BYTE * len(content):
        raise AudioError(
            f"The FLAC file says that it has {n_samples:,} samples, more than it can hold.", "audio.header"
        )
    at, is_last = 4, False
    for _ in range(MOST_CHUNKS):
        if is_last or at + 4 > len(content):
            _check_flac_frame(content[at : at + 4], packed >> 44)
            return
        is_last = bool(content[at] & 0x80)
        size = int.from_bytes(content[at + 1 : at + 4], "big")
        _check_text(content[at + 4 : at + 4 + size])
        at += 4 + size


def _check_flac_frame(header, rate):
    """Raise AudioError if the first frame gives another sample rate than the file: no checksum stands over the file's."""
    if len(header) == 4 and header[:2] not in (b"\xff\xf8", b"\xff\xf9"):
        raise AudioError("The FLAC file does not begin as it must.", "audio.header")
    if len(header) == 4 and _FLAC_RATES_HZ.get(header[2] & 0x0F, rate) != rate:
        raise AudioError("The FLAC file gives two sample rates.", "audio.header")


def _check_ogg(content):
    """Every page carries a checksum; decoders skip pages that fail it, and play what is left."""
    at = 0
    while at < len(content):
        header = content[at : at + 27]
        if len(header) < 27 or header[:4] != b"OggS":
            raise AudioError("The Ogg file is damaged or cut short.", "audio.corrupt")
        sizes = content[at + 27 : at + 27 + header[26]]
        end = at + 27 + header[26] + sum(sizes)
        page = content[at : at + 22] + bytes(4) + content[at + 26 : end]
        if end > len(content) or _ogg_checksum(page) != int.from_bytes(header[22:26], "little"):
            raise AudioError("The Ogg file is damaged: a page does not have its checksum.", "audio.corrupt")
        at = end


def _ogg_checksum(page):
    """The CRC of zip archives, but with the bits the other way round and neither end inverted."""
    checksum = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{checksum:032b}"[::-1], 2)


def _check_mp3(content):
    at = 0
    if content[:3] == b"ID3" and len(content) >= 10:
        at = 10 + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(content[6:10])))
        if at > len(content):
            raise AudioError("The MP3 file's tag claims more bytes than the file has.", "audio.header")
        _check_text(content[:at])
    at += len(content[at : at + 4_096]) - len(content[at : at + 4_096].lstrip(b"\0"))
    for _ in range(MP3_FRAMES):
        at += _mp3_frame_bytes(content[at : at + 4])
        if at > len(content):
            raise AudioError("The sound is cut short within its first frames.", "audio.truncated")


def _mp3_frame_bytes(header):
    word = int.from_bytes(header, "big")
    version, layer, rate = word >> 19 & 3, word >> 17 & 3, word >> 10 & 3
    kbits = _MP3_KBITS[3 if version == 3 else 2][word >> 12 & 15] if word >> 12 & 15 < 15 else 0
    if len(header) < 4 or word >> 21 != 0x7FF or version == 1 or layer != 1 or rate == 3 or not kbits:
        raise AudioError("This is not a WAV, FLAC, Ogg or MP3 file.", "audio.signature")
    samples_by_8 = 144_000 if version == 3 else 72_000
    return samples_by_8 * kbits // _MP3_RATES_HZ[version][rate] + (word >> 9 & 1)


def _check_form(channels, rate):
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"The sound has {channels:,} channels; one or two are needed.", "audio.channels")
    low, high = RATES_HZ
    if not low <= rate <= high:
        raise AudioError(f"The sound has a sample rate of {rate:,} Hz, not one from {low:,} to {high:,}.", "audio.rate")


def _check_text(content):
    if MARKUP.search(content):
        raise AudioError("The sound file holds markup or a script beside its sound.", "text.markup")
