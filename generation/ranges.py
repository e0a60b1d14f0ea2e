"""Answers to requests for a part of a sound (RFC 9110, section 14). Safari does not play what answers otherwise."""

import os
import re

from django.http import HttpResponse, StreamingHttpResponse

CHUNK_BYTES = 64 * 1024
MOST_DIGITS = 18  # more than any file's size has, and few enough for int() to cost nothing
ONE_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


def respond(request, file, content_type):
    """Answer a GET or HEAD with this open, seekable file: all of it, or the one range that was asked for.

    Several ranges at once get the whole file, which the standard allows. There is no ETag and no Last-Modified (the
    same bytes under two addresses must not be told apart), so that an If-Range never matches. The response closes
    the file.
    """
    size = file.seek(0, os.SEEK_END)
    if request.method == "HEAD":
        file.close()
        return _with_headers(HttpResponse(content_type=content_type), size)
    wanted = "" if "If-Range" in request.headers else request.headers.get("Range", "").strip().lower()
    if not wanted.startswith("bytes=") or "," in wanted:
        return _part(file, 0, size, content_type)
    limits = _limits(wanted, size)
    if limits is None:
        file.close()
        response = _with_headers(HttpResponse(status=416, content_type=content_type), 0)
        response["Content-Range"] = f"bytes */{size}"
        return response
    start, stop = limits
    response = _part(file, start, stop, content_type)
    response.status_code = 206
    response["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return response


def _limits(wanted, size):
    """Return where the range starts and the place after its last byte; None where no byte of the file is in it."""
    match = ONE_RANGE.fullmatch(wanted)
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, stop = max(size - _number(match[2]), 0), size
    else:
        start, stop = _number(match[1]), min(_number(match[2]) + 1, size) if match[2] else size
    return (start, stop) if start < stop else None


def _number(digits):
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= MOST_DIGITS else 10**MOST_DIGITS


def _part(file, start, stop, content_type):
    response = StreamingHttpResponse(_chunks(file, start, stop), content_type=content_type)
    # Also when the listener goes away before the first chunk.
    response._resource_closers.append(file.close)
    return _with_headers(response, stop - start)


def _chunks(file, start, stop):
    file.seek(start)
    while start < stop:
        chunk = file.read(min(CHUNK_BYTES, stop - start))
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def _with_headers(response, length):
    response["Content-Length"] = str(length)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-store"
    return response
