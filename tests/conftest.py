"""The cast: Ada runs studies, Ben is another researcher, participants have no account."""

import os
import shutil
from pathlib import Path

# Before numpy loads: two BLAS threads under load make a fit fifty times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

# Playwright's loop runs in the test's thread; Django would refuse the database there.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

SHARED = Path(__file__).parents[2] / "shared"
FIXTURES = Path(__file__).parent / "fixtures"
IN_CI = bool(os.environ.get("CI"))
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def shared():
    """The folder of measured facts and real data beside the project."""
    if not SHARED.exists():
        absent = "../shared is not here: the real LPD-5 files and reference answers that this test reads"
        pytest.fail(absent) if IN_CI else pytest.skip(absent)
    return SHARED


@pytest.fixture
def ada(django_user_model):
    return django_user_model.objects.create_user("ada", password="analytical engine")


@pytest.fixture
def ben(django_user_model):
    return django_user_model.objects.create_user("ben", password="another password")


@pytest.fixture
def client_of():
    """client_of(ada): a client that is logged in as Ada."""
    from django.test import Client

    def logged_in(researcher):
        client = Client()
        client.force_login(researcher)
        return client

    return logged_in


@pytest.fixture
def make_clip():
    """make_clip(ada, title="CNN 1", seconds=30, hertz=220): a Clip with a real master, a tone that the ear can tell."""
    import io

    import soundfile
    from django.core.files.base import ContentFile

    from generation.models import Clip

    def make(owner, title="Tone", seconds=30.0, hertz=220.0, source=Clip.Source.GENERATED, **fields):
        time = np.arange(round(seconds * 48_000)) / 48_000
        tone = 0.1 * np.sin(2 * np.pi * hertz * time) * (1 + 0.5 * np.sin(2 * np.pi * 2 * time))
        sound = io.BytesIO()
        soundfile.write(sound, np.stack([tone, tone], axis=1), 48_000, format="FLAC", subtype="PCM_24")
        clip = Clip(owner=owner, title=title, source=source, seconds=seconds, loudness_lufs=-21.0, **fields)
        clip.master.save("tone.flac", ContentFile(sound.getvalue()), save=False)
        clip.save()
        return clip

    return make


@pytest.fixture(scope="session")
def freedoom_midi(tmp_path_factory):
    """The folder of the demo corpus' MIDI files, from the package registry."""
    from generation import freedoom

    try:
        return freedoom.fetch(tmp_path_factory.mktemp("registry"))
    except freedoom.FetchError as error:
        if IN_CI:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, headless."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if IN_CI:
            pytest.fail("no Chromium: CI installs Debian's package `chromium`")
        pytest.skip("no Chromium here: install the package `chromium` to run the browser tests")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser):
    """new_page(width=390, ...): a page in a browser profile of its own; a console error of ours fails the test."""
    contexts, errors = [], []

    def make(width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(new_page):
    return new_page()
