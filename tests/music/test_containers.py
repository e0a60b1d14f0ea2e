"""Sound files by their bytes: the kind is known, or the file is refused, before a decoder sees it."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music import audio, containers
from music.containers import AudioError
from tests.music.sounds import noise

SOUND = noise(0.3)[::2, 0]


def packed(kind, **form):
    content = io.BytesIO()
    soundfile.write(content, SOUND, 24_000, format=kind, **form)
    return content.getvalue()


FILES = {"wav": packed("WAV"), "flac": packed("FLAC"), "ogg": packed("OGG"), "mp3": packed("MP3")}


@pytest.mark.parametrize("kind", sorted(FILES))
def test_each_kind_is_known_by_its_bytes(kind):
    assert containers.kind_of(FILES[kind]) == kind


def test_a_tag_before_an_mp3_is_passed_over():
    tag = b"ID3\x04\0\0" + bytes([0, 0, 2, 0]) + b"TIT2" + bytes(252)

    assert containers.kind_of(tag + FILES["mp3"]) == "mp3"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile canary.wav\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\0 ftypisom" + bytes(500),
        b"FORM\0\0\0\0AIFF" + bytes(100),
        b"\xff\xfb\x90\x64" + bytes(10_000),
        b"\xff" * 10_000,
    ],
)
def test_play_lists_and_other_kinds_never_reach_a_decoder(content):
    with pytest.raises(AudioError) as refusal:
        containers.kind_of(content)

    assert refusal.value.problem in ("audio.signature", "audio.truncated")


@pytest.mark.parametrize("place", ["LIST", "end"])
def test_markup_beside_the_sound_is_refused(place):
    script = b"<script>alert(1)</script>"
    chunk = b"LIST" + len(script).to_bytes(4, "little") + script + b"\0"
    content = FILES["wav"]
    content = content[:12] + chunk + content[12:] if place == "LIST" else content + script

    with pytest.raises(AudioError) as refusal:
        containers.kind_of(content)

    assert refusal.value.problem == "text.markup"


def test_a_flipped_bit_of_an_ogg_file_is_refused():
    """Every bit of it stands under a checksum."""
    content = FILES["ogg"]

    for bit in range(0, 8 * len(content), 7):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AudioError):
            containers.kind_of(bytes(flipped))


@pytest.mark.parametrize("form", [("PCM_16", 1), ("PCM_24", 2), ("PCM_S8", 1)], ids=str)
def test_a_flipped_bit_of_a_flac_file_is_refused_or_changes_no_sample(form):
    subtype, n_channels = form
    sound = np.random.default_rng(1).uniform(-1, 1, (4_000, n_channels))
    file = io.BytesIO()
    soundfile.write(file, sound, 48_000, format="FLAC", subtype=subtype)
    content = file.getvalue()
    whole = audio.read(io.BytesIO(content))
    n_refused = 0

    for bit in [*range(0, 400, 3), *range(400, 8 * len(content), 2 * len(content) // 25)]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = audio.read(io.BytesIO(flipped), longest_seconds=2)
        except AudioError:
            n_refused += 1
            continue
        assert np.array_equal(read, whole), bit

    assert n_refused > 100


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_a_flipped_bit_of_another_kind_is_refused_or_read_as_sound(kind):
    content = FILES[kind]
    whole = len(audio.read(io.BytesIO(content)))
    outcomes = {"refused": 0, "read": 0}

    for bit in [*range(0, 400, 3), *range(400, 8 * len(content), 2 * len(content) // 25)]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            sound = audio.read(io.BytesIO(flipped), longest_seconds=2)
        except AudioError:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        assert np.isfinite(sound).all()
        assert len(sound) <= 6 * whole

    assert min(outcomes.values()) > 10


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(sorted(FILES)))
def test_a_sound_file_with_anything_written_over_it_is_refused_or_known(data, kind):
    content = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, min(len(content) - 1, 600)))
        piece = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + len(piece)] = piece

    try:
        found = containers.kind_of(bytes(content))
    except AudioError as refusal:
        found = refusal.problem

    assert found in FILES or found.split(".")[0] in ("audio", "text")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(sorted(FILES)))
def test_a_sound_file_with_anything_written_over_it_is_refused_or_becomes_sound(data, kind):
    content = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + len(piece)] = piece

    try:
        sound = audio.read(io.BytesIO(content), longest_seconds=2)
    except AudioError:
        return

    assert (sound.dtype, sound.shape[1], np.isfinite(sound).all()) == (np.float32, 2, True)
    assert len(sound) <= 12 * audio.SAMPLE_RATE
