"""Whole sessions are crawled as a browser would; everything but the samples is kept and searched for what is real."""

import hashlib
import random
import secrets
import time
from base64 import urlsafe_b64encode

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from generation import ranges
from study.models import Trial
from tests import leaks
from tests.listeners import mp3

pytestmark = pytest.mark.django_db
N_SESSIONS = 160  # of 13 clips: 2,080 views
N_SESSIONS_WITH_A_LEAK = 30


@pytest.fixture
def drawn_alike(monkeypatch):
    """Have all that is drawn by chance come out the same each time: codes, addresses, orders, tokens of forms."""
    chance = random.Random(20_260_101)
    monkeypatch.setattr(secrets, "randbits", chance.getrandbits)
    monkeypatch.setattr(secrets, "choice", chance.choice)
    monkeypatch.setattr(secrets, "token_hex", lambda n: chance.randbytes(n).hex())
    monkeypatch.setattr(secrets, "token_urlsafe", lambda n: urlsafe_b64encode(chance.randbytes(n)).decode().rstrip("="))


@pytest.fixture
def make_report_study(make_study):
    """The report's table: three real clips, four RNN, six CNN; each with a tone of its own."""

    def make(sound=lambda hertz, is_real: mp3(1, hertz)):
        conditions = {"real music": 3, "Baseline RNN": 4, "2D CNN": 6}
        study = make_study(conditions)
        for i, stimulus in enumerate(study.stimuli()):
            with stimulus.sound.open("wb") as file:
                file.write(sound(200 + 50 * i, stimulus.condition.is_reference))
        return study

    return make


def timed(deed, *args, **kwargs):
    start = time.perf_counter()
    answer = deed(*args, **kwargs)
    return answer, time.perf_counter() - start


def header_text(answer):
    return "\n".join(f"{name}: {value}" for name, value in sorted(answer.headers.items())) + str(answer.cookies)


def observe(listener):
    """Everything that a browser holds of the clip on the page, but its samples."""
    page, page_seconds = timed(listener.go_on)
    address, position = listener.sound_address, listener.position
    sound, sound_seconds = timed(listener.fetch_sound)
    part = listener.fetch_sound(Range="bytes=0-1")
    shown = listener.client.post(f"{listener.link}{position}/shown/")
    rated, rated_seconds = timed(listener.rate, follow=False, overall=str(1 + position % 10))
    return {
        "page": page.content.decode(),
        "page headers": header_text(page),
        "address": address,
        "sound headers": header_text(sound),
        "part headers": header_text(part),
        "shown": header_text(shown),
        "rated": header_text(rated),
        "size": float(len(sound.bytes)),
        "page seconds": page_seconds,
        "sound seconds": sound_seconds,
        "rated seconds": rated_seconds,
    }


def crawl(study, listener_of, n_sessions, tamper=lambda trial: None):
    """Return (observations, whether each was real, its session, its position)."""
    rows = []
    for n_session in range(n_sessions):
        listener = listener_of(study)
        listener.begin()
        trials = list(
            Trial.objects.filter(session__code=listener.link.split("/")[2]).select_related("stimulus__condition")
        )
        for trial in trials:
            tamper(trial)
        for trial in trials:
            rows.append((observe(listener), trial.stimulus.condition.is_reference, n_session, trial.position))
    return tuple(zip(*rows, strict=True))


def difference_of_medians(observations, is_real, name):
    values, is_real = np.array([observation[name] for observation in observations]), np.array(is_real)
    return np.median(values[is_real]) - np.median(values[~is_real])


@pytest.fixture
def tell():
    """Print a verdict: `pytest -rP` shows the figures."""
    return lambda name, found: print(f"{name}: AUC {found.auc:.3f}, p {found.p:.3f}, {found.n:,} views")  # noqa: T201


def least_p_of_chance(observations, is_real, sessions, name):
    """Return the p of Mann and Whitney for a time by what was heard: the better one of two halves.

    Whatever makes real music slower does so in both; chance alone takes both below 0.01 once in 10,000 times. Times are
    those beyond the session's own median, for the machine is now busy, now idle.
    """
    values, is_real = np.array([observation[name] for observation in observations]), np.array(is_real)
    own = np.array(np.split(values, np.flatnonzero(np.diff(sessions)) + 1))  # (session, view)
    values = (own - np.median(own, axis=1, keepdims=True)).ravel()
    halves = np.array_split(np.arange(len(values)), 2)
    return max(mannwhitneyu(values[half][is_real[half]], values[half][~is_real[half]]).pvalue for half in halves)


def test_nothing_but_the_sound_tells_real_music_from_generated(drawn_alike, make_report_study, listener_of, tell):
    observations, is_real, sessions, positions = crawl(make_report_study(), listener_of, N_SESSIONS)

    found = leaks.verdict(observations, is_real, sessions)
    by_position = leaks.verdict([{"position": float(position)} for position in positions], is_real, sessions)
    tell("everything but the sound", found)
    tell("position alone", by_position)
    assert found.n >= 2_000
    assert 0.4 < found.auc < 0.6
    assert 0.4 < by_position.auc < 0.6
    assert min(found.p, by_position.p) > 0.01  # labels dealt out by chance do as well
    assert len({observation["sound headers"] for observation in observations}) == 1
    assert len({observation["size"] for observation in observations}) == 1
    assert len({observation["address"] for observation in observations}) == len(observations)
    for name in ("page seconds", "sound seconds"):
        assert abs(difference_of_medians(observations, is_real, name)) < 0.002
        assert least_p_of_chance(observations, is_real, sessions, name) > 0.01


def leak_by_size(make, monkeypatch):
    return make(lambda hertz, is_real: mp3(1, hertz) + b"\0" * (24 if is_real else 0)), None


def leak_by_header(make, monkeypatch):
    """The hash that a web server likes to send: the same clip has the same one in every session."""
    honest = ranges.respond

    def with_etag(request, file, content_type):
        etag = hashlib.md5(file.read()).hexdigest()
        response = honest(request, file, content_type)
        response["ETag"] = f'"{etag}"'
        return response

    monkeypatch.setattr(ranges, "respond", with_etag)
    return make(), None


def leak_by_address(make, monkeypatch):
    def tamper(trial):
        if trial.stimulus.condition.is_reference:
            Trial.objects.filter(pk=trial.pk).update(address="r" + trial.address[1:])

    return make(), tamper


@pytest.mark.parametrize("plant", [leak_by_size, leak_by_header, leak_by_address])
def test_a_planted_leak_is_found(make_report_study, listener_of, monkeypatch, tell, plant):
    study, tamper = plant(make_report_study, monkeypatch)
    observed = crawl(study, listener_of, N_SESSIONS_WITH_A_LEAK, tamper or (lambda trial: None))

    found = leaks.verdict(*observed[:3])

    tell(plant.__name__, found)
    assert found.auc > 0.7
    assert found.p < 0.01


def test_one_telling_letter_among_random_ones_is_found_whatever_the_others_are():
    """Chance decides how much of a leak the other letters drown; over many draws the detector must not miss it."""
    sessions, is_real = np.repeat(np.arange(30), 13), np.tile([1, 0, 0, 0], 98)[: 30 * 13]

    aucs = []
    for _ in range(10):
        addresses = ["r" * real + secrets.token_urlsafe(16)[real:] for real in is_real.tolist()]
        aucs.append(leaks.verdict([{"address": a, "page": f"<b {a}>"} for a in addresses], is_real, sessions, 1).auc)

    assert min(aucs) > 0.85
