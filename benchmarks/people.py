"""A study to rate, and the people who rate it: bare sockets, so that the server gets the processor, not the clients."""

import re
import socket
import threading
import time
from urllib.parse import urlencode

N_CLIPS = 13
CLIP_BYTES = 600_480  # 30 s at 160 kbit/s, as measured
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
COOKIE = re.compile(rb"csrftoken=([^;]+)")
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def make_study(clip_bytes=CLIP_BYTES, **fields):
    """Return an open study of 13 clips in three conditions."""
    from django.contrib.auth import get_user_model
    from django.core.files.base import ContentFile

    from generation.models import Clip
    from study.models import Condition, Scale, Stimulus, Study

    owner, _ = get_user_model().objects.get_or_create(username="bench")
    study = Study.objects.create(owner=owner, title="Bench", state="open", **{"min_heard_seconds": 0, **fields})
    Scale.objects.create(study=study)
    for name, n_clips in {"real": 3, "rnn": 4, "cnn": 6}.items():
        condition = Condition.objects.create(study=study, name=name)
        for i in range(n_clips):
            clip = Clip.objects.create(owner=owner, title=name, source="generated", seconds=30, loudness_lufs=-23)
            stimulus = Stimulus(condition=condition, clip=clip, label=f"{name} {i}", row=name)
            stimulus.sound.save("clip.mp3", ContentFile(bytes(clip_bytes)))
    return study


class Person:
    """One session, rated over one connection that is kept."""

    def __init__(self, address, code):
        self.address, self.path = address, f"/t/{code}/"
        self.connection, self.cookie, self.token = None, b"", ""
        self.seconds = []  # of each whole cycle
        self.acknowledged = {}  # position -> value
        self.n_failures = 0  # answers that began with 5

    def rate_all(self, n_trials=N_CLIPS, is_over=lambda: False):
        for position in range(1, n_trials + 1):
            if is_over():
                return
            start = time.perf_counter()
            self.rate(position)
            self.seconds.append(time.perf_counter() - start)

    def rate(self, position):
        """GET the trial, POST its rating."""
        head, page = self.ask(b"GET", self.path)
        cookie, token = COOKIE.search(head), TOKEN.search(page)
        self.cookie = cookie[1] if cookie else self.cookie
        # The thanks have no form: then the last answer was stored, and only its acknowledgement was lost.
        self.token = token[1].decode() if token else self.token
        value = 1 + (position * 7 + len(self.path)) % 10
        fields = {"rating-overall": value, "csrfmiddlewaretoken": self.token, "heard_seconds": 11}
        head, _ = self.ask(b"POST", f"{self.path}{position}/", urlencode(fields).encode())
        self.n_failures += head.startswith(b"HTTP/1.1 5")
        if not head.startswith(b"HTTP/1.1 303"):
            raise ConnectionError(head[:80])
        self.acknowledged[position] = value

    def ask(self, method, path, body=b""):
        """Return (head, body) of the answer."""
        head = b"%s %s HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken=%s\r\n" % (method, path.encode(), self.cookie)
        if method == b"POST":
            head += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n" % len(body)
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=30)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.connection.sendall(head + b"\r\n" + body)
            return self._answer()
        except OSError:
            self.hang_up()
            raise

    def _answer(self):
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        while length and len(body) < int(length[1]):
            body += self._receive()
        if b"connection: close" in head.lower():
            self.hang_up()
        return head, body

    def _receive(self):
        part = self.connection.recv(1 << 20)
        if not part:
            raise ConnectionError("the server hung up")
        return part

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def first_byte_seconds(self, path):
        """Return how long the first byte of a sound takes, over a new connection."""
        start = time.perf_counter()
        with socket.create_connection(self.address, timeout=30) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while b"\r\n\r\n" not in answer or answer.endswith(b"\r\n\r\n"):
                answer += connection.recv(1 << 16)
            seconds = time.perf_counter() - start
            while connection.recv(1 << 20):
                pass
        return seconds


def together(deeds):
    """Run each deed in a thread of its own until all are over; raise what any of them raised."""
    failures = []

    def run(deed):
        try:
            deed()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
