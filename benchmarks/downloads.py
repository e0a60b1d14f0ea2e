"""A hundred downloads of 5 MB at once and twenty slow readers, as deployed behind nginx, while others rate."""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.people import N_CLIPS, TOKEN, make_study, together
from tests.deployed import HOST, behind_nginx, by_tls, deployed

CLIP_BYTES = 5_000_000
LONG_BYTES = 16_000_000  # the buffers of the sockets on the way hold ten million
RATINGS_A_SESSION = 8  # a session's burst is ten
SLOW_BYTES, SLOW_SECONDS = 4_096, 0.25


def prepare(n_sessions):
    """Print the codes of so many sessions of a study, and of each a sound and one that is too long for any socket."""
    import django

    django.setup()
    from django.core.files.base import ContentFile

    study = make_study(CLIP_BYTES)
    long = study.stimuli().first()
    long.sound.save("long.mp3", ContentFile(bytes(LONG_BYTES)))
    told = []
    for session in [study.admit() for _ in range(n_sessions)]:
        trials = session.trials
        told.append((session.code, trials.exclude(stimulus=long).first().address, trials.get(stimulus=long).address))
    print(json.dumps(told))


def measure(site, port, n_downloads, n_slow, n_raters):
    sessions = json.loads(
        site.run(sys.executable, "-m", "benchmarks.downloads", "--prepare", str(n_downloads + n_raters))
    )
    sounds = [f"/sound/{address}/" for _, address, _ in sessions[:n_downloads]]
    long_sounds = [f"/sound/{address}/" for _, _, address in sessions[:n_slow]]
    raters = [Rater(port, code) for code, _, _ in sessions[n_downloads:]]
    raters.pop().rate_all()  # everything is loaded once
    quiet = _one_after_the_other(raters[: len(raters) // 2])
    before, most, over = _memory(site), [0], threading.Event()

    def watch():
        while not over.wait(0.1):
            most[0] = max(most[0], _memory(site))

    def slowly(path):
        connection = _asked(port, path, receive_bytes=SLOW_BYTES)
        answer = connection.getresponse()
        while not over.wait(SLOW_SECONDS) and answer.read(SLOW_BYTES):
            pass
        connection.close()

    slow = [threading.Thread(target=slowly, args=(path,)) for path in long_sounds]
    watcher = threading.Thread(target=watch)
    for thread in (*slow, watcher):
        thread.start()
    received, busy = [], []
    try:
        together(
            [
                *(lambda path=path: received.append(len(_asked(port, path).getresponse().read())) for path in sounds),
                lambda: busy.extend(_one_after_the_other(raters[len(raters) // 2 :])),
            ]
        )
    finally:
        over.set()
        for thread in (*slow, watcher):
            thread.join()
    return {
        "downloads": received.count(CLIP_BYTES),
        "slow_readers": n_slow,
        "more_memory_mb": (most[0] - before) / 1e6,
        "ratings": len(busy),
        "rating_p95_ms": 1000 * statistics.quantiles(busy, n=20)[-1],
        "rating_p95_ms_before": 1000 * statistics.quantiles(quiet, n=20)[-1],
    }


def _one_after_the_other(raters):
    return [seconds for rater in raters for seconds in rater.rate_all()]


class Rater:
    def __init__(self, port, code):
        self.port, self.path = port, f"/t/{code}/"

    def rate_all(self):
        """Rate the first clips; return how long each answer took to be stored."""
        connection, seconds = by_tls(self.port), []
        page, headers = self._ask(connection, "GET", self.path)
        token = TOKEN.search(page)[1].decode()
        cookie = re.search(r"__Host-csrftoken=[^;]+", headers["Set-Cookie"])[0]
        sent = {"Cookie": cookie, "Referer": f"https://{HOST}/", "Content-Type": "application/x-www-form-urlencoded"}
        for position in range(1, min(N_CLIPS, RATINGS_A_SESSION) + 1):
            form = urlencode({"rating-overall": 5, "csrfmiddlewaretoken": token, "heard_seconds": 11})
            start = time.perf_counter()
            self._ask(connection, "POST", f"{self.path}{position}/", form, sent, status=303)
            seconds.append(time.perf_counter() - start)
        connection.close()
        return seconds

    def _ask(self, connection, method, path, body=None, headers=None, status=200):
        connection.request(method, path, body, {"Host": HOST} | (headers or {}))
        answer = connection.getresponse()
        page = answer.read()
        if answer.status != status:
            raise ConnectionError(f"{method} {path}: {answer.status}")
        return page, answer.headers


def _asked(port, path, receive_bytes=None):
    connection = by_tls(port, timeout=120, receive_bytes=receive_bytes)
    connection.request("GET", path, headers={"Host": HOST})
    return connection


def _memory(site):
    """Return what the site's processes hold in memory, in bytes; what they share counts once."""
    master = site.services["earmark-web.service"].pid
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    rolled = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in (master, *children)]
    return sum(int(re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)[1]) * 1024 for text in rolled)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--downloads", type=int, default=100)
    parser.add_argument("--slow", type=int, default=20)
    parser.add_argument("--raters", type=int, default=41)
    parser.add_argument("--prepare", type=int, help="make a study and so many sessions on the site of the environment")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare)
        return
    if shutil.which("nginx") is None:
        print(json.dumps({"skipped": "no nginx here"}))
        return
    with tempfile.TemporaryDirectory() as folder, deployed() as site, behind_nginx(site, Path(folder)) as (_, port):
        os.chmod(folder, 0o755)  # nginx' workers are another user
        site.start_site()
        print(json.dumps(measure(site, port, options.downloads, options.slow, options.raters)))


if __name__ == "__main__":
    main()
