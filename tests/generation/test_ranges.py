"""A sound is served whole or by one range (RFC 9110, section 14)."""

import io

import pytest
from django.test import RequestFactory

from generation import ranges

SOUND = bytes(range(256)) * 1000


def answer(method="GET", **headers):
    request = RequestFactory().generic(method, "/", headers=headers)
    response = ranges.respond(request, io.BytesIO(SOUND), "audio/mpeg")
    return response, response.getvalue()


def test_without_a_range_the_whole_sound_comes_and_ranges_are_offered():
    response, body = answer()

    assert (response.status_code, body) == (200, SOUND)
    assert dict(response.items()) == {
        "Content-Type": "audio/mpeg",
        "Content-Length": "256000",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
    }


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 256_000),
        ("bytes=-500", 255_500, 256_000),
        ("bytes=-999999999", 0, 256_000),
        ("bytes=100-199", 100, 200),
        ("bytes=255999-", 255_999, 256_000),
        ("bytes=200000-999999999", 200_000, 256_000),
        ("bytes=0-" + "9" * 5000, 0, 256_000),
        ("Bytes=0-5", 0, 6),
    ],
)
def test_one_range_brings_exactly_those_bytes(wanted, start, stop):
    response, body = answer(Range=wanted)

    assert (response.status_code, body) == (206, SOUND[start:stop])
    assert response["Content-Range"] == f"bytes {start}-{stop - 1}/256000"
    assert response["Content-Length"] == str(stop - start)


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes=500-100",
        "bytes=256000-",
        "bytes=a-b",
        "bytes=-",
        "bytes=-0",
        "bytes=",
        "bytes=" + "9" * 5000 + "-",
        "bytes=٣-٤",
    ],
)
def test_a_range_without_a_byte_of_the_sound_is_refused_with_its_size(wanted):
    response, body = answer(Range=wanted)

    assert (response.status_code, body) == (416, b"")
    assert response["Content-Range"] == "bytes */256000"


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1,5-6"},
        {"Range": "bytes=" + ",".join(["0-"] * 1000)},
        {"Range": "items=0-5"},
        {"Range": "bytes=0-5", "If-Range": '"an-older-version"'},
    ],
)
def test_what_asks_for_more_than_one_range_gets_the_whole_sound(headers):
    response, body = answer(**headers)

    assert (response.status_code, body) == (200, SOUND)
    assert "Content-Range" not in response


def test_head_tells_the_length_without_a_body():
    response, body = answer("HEAD", Range="bytes=0-5")

    assert (response.status_code, body, response["Content-Length"]) == (200, b"", "256000")


def test_the_file_is_closed_when_the_listener_goes_away():
    file = io.BytesIO(SOUND)
    response = ranges.respond(RequestFactory().get("/"), file, "audio/mpeg")

    response.close()

    assert file.closed
