"""What is measured of clips in the site: when they are made, on their pages, and before a study is opened."""

import io

import numpy as np
import pytest
import soundfile
from django.core.files.base import ContentFile
from django.core.management import call_command

from generation import corpora, measuring, work
from generation.models import Job, Measures
from music import lpd, metrics, pianoroll
from music.pianoroll import BASS, DRUMS, PIANO
from tests.console import text

pytestmark = pytest.mark.django_db


def music(seed, n_bars=10):
    """A band that plays a tune of its own: drums on the beat, a bass, and chance in the piano."""
    chance, notes = np.random.default_rng(seed), []
    for bar in range(n_bars):
        at, root = 96 * bar, int(chance.integers(0, 12))
        notes += [(at + 24 * beat, at + 24 * beat + 1, DRUMS, 36 + 2 * (beat % 2), 100) for beat in range(4)]
        notes += [(at, at + 90, BASS, 36 + root, 100)]
        notes += [(at + 12 * i, at + 12 * i + 10, PIANO, 60 + root + int(chance.integers(8)), 80) for i in range(8)]
    return pianoroll.roll_of(np.array(notes, pianoroll.NOTE), 96 * n_bars, tempo_bpm=120.0)


@pytest.fixture
def clip_of(make_clip):
    """clip_of(ada, roll): a clip with this roll (and a tone for its sound)."""

    def make(owner, roll, title="Clip", **fields):
        packed = io.BytesIO()
        lpd.write(packed, roll)
        clip = make_clip(owner, title, roll.seconds, **fields)
        clip.roll.save("roll.npz", ContentFile(packed.getvalue()))
        return clip

    return make


def test_clips_of_real_music_are_measured_beside_its_band_as_they_are_made(ada, corpus):
    playable = corpora.held_out_with_opening(corpus, 10)
    job = Job.objects.plan_references(ada, corpus, playable[:1], seconds=10)

    work.run(job.pk)

    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.message
    found = job.clips.get().measures.found
    assert found["against"]["corpus"] == corpus.card["name"]
    assert found["band"]["polyphony"][0] <= found["band"]["polyphony"][2]
    assert found["flags"] == []
    assert set(metrics.HEADLINE) <= set(found["figures"])


def test_a_clip_that_cannot_be_measured_stays_a_clip(ada, corpus, monkeypatch, caplog):
    job = Job.objects.plan_references(ada, corpus, [0], seconds=10)
    monkeypatch.setattr(measuring.measuring, "measured", lambda *_: (_ for _ in ()).throw(ValueError("no")))

    work.run(job.pk)

    job.refresh_from_db()
    assert (job.state, job.clips.count(), Measures.objects.count()) == (Job.State.DONE, 1, 0)
    assert "could not be measured" in caplog.text
    monkeypatch.undo()
    call_command("measure_clips")
    assert Measures.objects.get().clip == job.clips.get()


def test_a_clips_page_shows_its_figures_its_flags_and_what_it_is_like(client_of, ada, corpus, clip_of):
    piece = 0
    roll = pianoroll.excerpt(open_piece(corpus, piece), 0, 10 * 96)
    clip, twin = clip_of(ada, roll, "Copy"), clip_of(ada, roll, "Twin")
    for one in (clip, twin, clip_of(ada, music(4), "Own")):
        measuring.measure(one)

    page = client_of(ada).get(f"/clips/{clip.pk}/")

    shown = text(page)
    value = clip.measures.found["figures"]["polyphony"]
    assert f"Polyphony {value:.2f}" in shown
    assert "It is 100% the same as “Twin”" in shown
    assert "100 % the same as the clip Twin" in shown
    assert "“Own”" not in shown
    picture = client_of(ada).get(f"/clips/{clip.pk}/neighbours/0/roll.svg")
    assert picture.content != client_of(ada).get(f"/clips/{clip.pk}/neighbours/0/roll.svg?theme=dark").content
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/svg+xml")
    sound = b"".join(client_of(ada).get(f"/clips/{clip.pk}/neighbours/0/sound.mp3").streaming_content)
    assert soundfile.info(io.BytesIO(sound)).duration == pytest.approx(roll.seconds, abs=1)
    assert client_of(ada).get(f"/clips/{clip.pk}/neighbours/99/sound.mp3").status_code == 404


def open_piece(corpus, piece):
    from training.corpus import open_corpus

    return open_corpus(corpus.path).roll(piece)


def test_a_stranger_hears_nothing_of_a_clips_neighbours(client_of, ada, ben, corpus, clip_of):
    clip = clip_of(ada, music(1))
    measuring.measure(clip)

    for name in ("roll.svg", "sound.mp3"):
        assert client_of(ben).get(f"/clips/{clip.pk}/neighbours/0/{name}").status_code == 404


def test_without_a_corpus_a_clip_has_its_figures_all_the_same(client_of, ada, clip_of):
    clip = clip_of(ada, music(1))

    measuring.measure(clip)

    shown = text(client_of(ada).get(f"/clips/{clip.pk}/"))
    assert "There is no corpus yet to hold it against" in shown
    assert "On the beat" in shown


def test_a_checkpoints_page_shows_the_median_of_its_clips_and_which_are_broken(client_of, ada, clip_of):
    from generation.models import Checkpoint

    card = {"steps_per_beat": 24}
    checkpoint = Checkpoint.objects.create(owner=ada, name="Net", family="rnn", sha256="1" * 64, card=card)
    sparse = pianoroll.roll_of(np.array([(0, 10, PIANO, 60, 80)], pianoroll.NOTE), 960, tempo_bpm=120.0)
    clips = [clip_of(ada, music(seed), f"Net {seed}", checkpoint=checkpoint) for seed in (1, 2, 3)]
    for clip in (*clips, clip_of(ada, sparse, "Net 4", checkpoint=checkpoint)):
        measuring.measure(clip)

    shown = text(client_of(ada).get(f"/checkpoints/{checkpoint.pk}/"))

    values = [one.found["figures"]["on_beat"] for one in Measures.objects.all()]
    assert "The median of 4 clips." in shown
    assert f"On the beat {np.median(values):.2f}" in shown
    assert "Net 4 : Nothing sounds for" in shown or "Net 4: Nothing sounds for" in shown
