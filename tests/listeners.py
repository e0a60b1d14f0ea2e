"""Studies as a participant meets them, and a listener who answers without a browser."""

import functools
import re
import subprocess

import imageio_ffmpeg
import pytest
from django.core.files.base import ContentFile
from django.test import Client

from generation.models import Clip
from study.models import Condition, Scale, Stimulus, Study

SOUND = bytes(range(256)) * 40  # a sound is just bytes to the site


@functools.cache
def mp3(seconds, hertz=440):
    """A tone as the site serves its clips: constant bit rate, no tags, the same size for the same length."""
    tone = ["-f", "lavfi", "-i", f"sine=frequency={hertz}:sample_rate=48000:duration={seconds}", "-ac", "2"]
    plain = [
        "-map_metadata",
        "-1",
        "-bitexact",
        "-write_xing",
        "0",
        "-id3v2_version",
        "0",
        "-abr",
        "0",
        "-b:a",
        "160k",
        "-f",
        "mp3",
        "-",
    ]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *tone, *plain]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture
def make_study(ada, settings, tmp_path):
    """make_study(conditions={"CNN": 2}, ...): an open study of Ada's whose clips hold the same bytes."""
    settings.MEDIA_ROOT = tmp_path

    def make(conditions=None, scales=({},), sound=SOUND, **fields):
        fields = {"min_heard_seconds": 0, "state": Study.State.OPEN, "title": "Secret title", **fields}
        study = Study.objects.create(owner=ada, **fields)
        for position, scale in enumerate(scales):
            Scale.objects.create(study=study, position=position, **scale)
        for name, n_clips in (conditions or {"Secret CNN": 2, "Secret RNN": 1}).items():
            condition = Condition.objects.create(study=study, name=name, is_reference="real" in name)
            for i in range(n_clips):
                add_stimulus(condition, f"{name} {i + 1}", sound)
        return study

    def add_stimulus(condition, label, sound):
        owner = condition.study.owner
        clip = Clip.objects.create(owner=owner, title=label, source="generated", seconds=30, loudness_lufs=-23)
        stimulus = Stimulus(condition=condition, clip=clip, label=label, row=label)
        stimulus.sound.save("sound.mp3", ContentFile(sound), save=True)

    return make


class Listener:
    """A participant's browser, reduced to its requests."""

    def __init__(self, study):
        self.study = study
        self.client = Client()
        self.page = None

    def open(self, **headers):
        self.page = self.client.get(f"/s/{self.study.slug}/", headers=headers)
        return self.page

    def begin(self):
        self.open()
        answer = self.client.post(
            f"/s/{self.study.slug}/", {"consent": "on", "admission": self.find("admission", "value")}
        )
        self.link = answer.headers["Location"]
        return self.go_on()

    def go_on(self):
        self.page = self.client.get(self.link)
        return self.page

    @property
    def text(self):
        return self.page.content.decode()

    @property
    def position(self):
        found = re.search(r'data-position="(\d+)"', self.text)
        return int(found[1]) if found else None

    @property
    def sound_address(self):
        return re.search(r'data-sound="([^"]+)"', self.text)[1]

    def fetch_sound(self, **headers):
        response = self.client.get(self.sound_address, headers=headers)
        response.bytes = b"".join(response)
        return response

    def find(self, name, attribute):
        return re.search(rf'name="{name}"[^>]*{attribute}="([^"]*)"', self.text)[1]

    def rate(self, position=None, follow=True, **answers):
        answers = {f"rating-{name}": value for name, value in answers.items() if name not in REPORT} | {
            name: value for name, value in answers.items() if name in REPORT
        }
        self.page = self.client.post(f"{self.link}{position or self.position}/", answers, follow=follow)
        return self.page


REPORT = {"comment", "heard_seconds", "plays", "events"}


@pytest.fixture
def listener_of():
    return Listener
