"""Files of other models, brought together: each becomes what it is, or says in one sentence why not."""

import io
import json
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from generation import bounded, taking, work
from generation.forms import UploadsForm
from generation.models import Checkpoint, Clip, Job, Upload
from music import lpd, midi, pianoroll

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    """A storage of each test's own, so that what is left in it can be counted."""
    settings.MEDIA_ROOT = tmp_path / "media"


def wav(hertz=440.0, seconds=1.0):
    time = np.arange(round(seconds * 22_050)) / 22_050
    content = io.BytesIO()
    soundfile.write(content, 0.2 * np.sin(2 * np.pi * hertz * time), 22_050, format="WAV")
    return content.getvalue()


def roll_of_bars(n_bars=2, pitch=60):
    notes = [(beat * 24, beat * 24 + 20, track, pitch + track, 90) for beat in range(4 * n_bars) for track in (1, 3)]
    return pianoroll.roll_of(notes, n_bars * 96)


def npz(roll):
    content = io.BytesIO()
    lpd.write(content, roll)
    return content.getvalue()


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return content.getvalue()


@pytest.fixture
def bring(client_of, ada, django_capture_on_commit_callbacks):
    """bring(a__wav=content, ...): what Ada's uploads became, by name, once they were read."""

    def send(*, seconds=30, **files):
        batch = uuid.uuid4()
        sent = [SimpleUploadedFile(name.replace("__", "."), content) for name, content in files.items()]
        response = client_of(ada).post("/uploads/", {"sent": sent, "batch": batch, "seconds": seconds})
        assert response["Location"] == f"/uploads/{batch}/"
        with django_capture_on_commit_callbacks(execute=True):
            work.run(Job.objects.get(uploads__batch=batch, uploads__name=sent[0].name).pk)
        return {upload.name: upload for upload in Upload.objects.filter(batch=batch)}

    return send


def incoming():
    return list((Path(settings.MEDIA_ROOT) / "incoming").glob("*"))


def test_what_is_good_is_kept_and_what_is_bad_says_why(bring):
    uploads = bring(good__wav=wav(), page__wav=b"<html></html>", piece__mid=midi.write(roll_of_bars()), notes__doc=b"x")

    assert {name: upload.state for name, upload in uploads.items()} == {
        "good.wav": "taken",
        "piece.mid": "taken",
        "page.wav": "refused",
        "notes.doc": "refused",
    }
    assert uploads["page.wav"].reason == "page.wav: This is not a WAV, FLAC, Ogg or MP3 file."
    assert uploads["notes.doc"].reason.startswith(
        "notes.doc: Files ending in .doc are not known here; these are: .npz,"
    )
    assert sorted(clip.title for clip in Clip.objects.all()) == ["good", "piece"]
    assert {clip.source for clip in Clip.objects.all()} == {"uploaded"}
    assert Job.objects.get().state == "done"
    assert incoming() == []


def test_each_says_what_it_was_understood_to_be(bring):
    uploads = bring(tone__wav=wav(seconds=2), piece__mid=midi.write(roll_of_bars(4)), roll__npz=npz(roll_of_bars(1)))

    tone, piece, roll = (dict(uploads[name].understood) for name in ("tone.wav", "piece.mid", "roll.npz"))
    assert (tone["Kind"], tone["Length"], tone["Level"][-4:]) == ("WAV", "2.0 s", "LUFS")
    assert (piece["Tracks"], piece["Tempo"], piece["Length"]) == ("Piano, Bass", "120 bpm", "8.0 s")
    assert (roll["Kind"], roll["Length"], roll["Notes"]) == ("LPD-5 roll", "2.0 s", "8")


def test_rolls_go_through_our_renderer_and_sound_does_not(bring):
    bring(piece__mid=midi.write(roll_of_bars()), tone__wav=wav())

    piece, tone = Clip.objects.get(title="piece"), Clip.objects.get(title="tone")
    assert piece.provenance["renderer"]["name"]
    assert lpd.read(piece.roll.path).notes["pitch"].max() == 63
    assert ("renderer" in tone.provenance, bool(tone.roll)) == (False, False)
    assert [round(clip.loudness_lufs) for clip in (piece, tone)] == [-23, -23]
    info = soundfile.info(tone.master.path)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (48_000, 2, "PCM_24", 48_000)


def test_a_long_piece_is_cut_to_what_was_asked_for(bring):
    uploads = bring(seconds=10, long__mid=midi.write(roll_of_bars(40)))

    assert Clip.objects.get().seconds == pytest.approx(10, abs=0.1)
    assert dict(uploads["long.mid"].understood)["Length"] == "10.0 s, cut from 80.0 s"


def test_a_long_sound_is_refused_with_its_limit(bring):
    uploads = bring(long__wav=wav(seconds=121))

    assert uploads["long.wav"].reason == "long.wav: The sound is empty or, by its header, longer than 120 s."


TABLE = b"file,condition,title,label,seed,source\na.wav,GAN,First,G1,17,ours/v2\nb.wav,GAN,,G2,18,ours/v2\n"


def test_a_table_gives_each_clip_its_condition_label_seed_and_source(bring):
    uploads = bring(a__wav=wav(440), b__wav=wav(550), about__csv=TABLE)

    first, second = Clip.objects.get(title="First"), Clip.objects.get(title="G2")
    said = {"condition": "GAN", "title": "First", "label": "G1", "seed": 17, "source": "ours/v2"}
    assert {key: first.provenance[key] for key in said} == said
    assert second.provenance["seed"] == 18
    assert dict(uploads["about.csv"].understood) == {
        "Table": "2 clips",
        "Columns": "condition, title, label, seed, source",
    }
    assert dict(uploads["a.wav"].understood)["Condition"] == "GAN"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (b"file,condition\nc.wav,A\n", "about.csv: The table names c.wav, which is not among the files."),
        (b"file,title\na.wav,A\n", 'about.csv: The table needs a column "file" and a column "condition".'),
        (b"file,condition,seed\na.wav,A,1e3\n", "about.csv: Line 2: seed is not a whole number."),
        (b"file,condition\na.wav,\n", "about.csv: Line 2: condition is empty."),
        (b"file,condition\na.wav,A\na.wav,B\n", "about.csv: Line 3: a.wav stands twice."),
        (b"file,condition\na.wav,<b>\n", "about.csv: Line 2: condition is too long, or holds markup or characters"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_and_its_clips_are_kept(bring, table, reason):
    uploads = bring(a__wav=wav(), about__csv=table)

    assert uploads["about.csv"].reason.startswith(reason)
    assert uploads["a.wav"].state == "taken"
    assert "condition" not in Clip.objects.get().provenance


def test_a_zip_comes_whole_with_its_table(bring):
    packed = zipped(a__wav=wav(440), b__mid=midi.write(roll_of_bars()), t__csv=b"clip;condition\na.wav;A\nb.mid;B\n")

    uploads = bring(all__zip=packed)

    assert dict(uploads["all.zip"].understood) == {"Clips": "2: 1 WAV, 1 MIDI", "Conditions": "A (1), B (1)"}
    assert sorted(clip.provenance["condition"] for clip in Clip.objects.all()) == ["A", "B"]
    assert {clip.upload for clip in Clip.objects.all()} == {uploads["all.zip"]}


def test_a_zip_with_one_bad_clip_is_refused_whole_and_the_file_beside_it_kept(bring):
    uploads = bring(all__zip=zipped(a__wav=wav(440), b__wav=b"no sound"), c__wav=wav(550))

    assert uploads["all.zip"].reason == "all.zip: b.wav: This is not a WAV, FLAC, Ogg or MP3 file."
    assert [clip.title for clip in Clip.objects.all()] == ["c"]
    assert len(list((Path(settings.MEDIA_ROOT) / "masters").glob(f"{Clip.objects.get().pk}*"))) == 1


def test_two_clips_of_one_sound_are_refused_for_they_would_tell(bring):
    uploads = bring(a__wav=wav(440), b__wav=wav(440))

    assert uploads["b.wav"].reason == "b.wav: b.wav sounds exactly as a.wav does; bring it once."
    assert Clip.objects.count() == 1


def test_weights_find_their_card_by_its_name(bring, checkpoint_bytes):
    with zipfile.ZipFile(io.BytesIO(checkpoint_bytes)) as archive:
        weights, card = archive.read("model.weights.h5"), archive.read("card.json")
    files = {"tiny.weights.h5": weights, "tiny.json": card, "other.json": card, "whole.keras": checkpoint_bytes}

    uploads = bring(**{name.replace(".", "__"): content for name, content in files.items()})

    assert {name: upload.state for name, upload in uploads.items()} == {
        "tiny.weights.h5": "taken",
        "tiny.json": "taken",
        "other.json": "refused",
        "whole.keras": "taken",
    }
    assert uploads["other.json"].reason.endswith("goes with this card; bring both, with one name.")
    assert dict(uploads["tiny.weights.h5"].understood)["Family"] == "Baseline RNN"
    assert sorted(checkpoint.name for checkpoint in Checkpoint.objects.all()) == ["tiny", "whole"]
    assert uploads["whole.keras"].checkpoint.name == "whole"


def test_a_worker_that_died_has_its_uploads_read_on_and_none_twice(bring, ada, monkeypatch):
    reads = taking.Batch.read

    def die_at_b(self, upload, kind):
        if upload.name == "b.wav":
            raise KeyboardInterrupt
        reads(self, upload, kind)

    with monkeypatch.context() as patched:
        patched.setattr(taking.Batch, "read", die_at_b)
        with pytest.raises(KeyboardInterrupt):
            bring(a__wav=wav(440), b__wav=wav(550))
    job = Job.objects.get()
    Job.objects.sweep()
    work.run(job.pk)

    assert sorted(clip.title for clip in Clip.objects.all()) == ["a", "b"]
    assert sorted(clip.index for clip in Clip.objects.all()) == [0, 1]
    job.refresh_from_db()
    assert (job.state, job.n_done) == ("done", 2)


def test_a_mistake_of_ours_costs_one_file_and_not_the_others(bring, monkeypatch):
    def stumble(self, upload):
        raise ZeroDivisionError

    monkeypatch.setattr(taking.Batch, "_read_sound", stumble)

    uploads = bring(a__wav=wav(), b__mid=midi.write(roll_of_bars()))

    assert uploads["a.wav"].reason == f"a.wav: {taking.INTERNAL}"
    assert uploads["b.mid"].state == "taken"


def test_bytes_that_vanished_cost_one_file_and_not_the_others(client_of, ada):
    client, batch = client_of(ada), uuid.uuid4()
    for name, content in {"gone.mid": midi.write(roll_of_bars()), "here.wav": wav()}.items():
        send_one(client, batch, name, content)
    Path(Upload.objects.get(name="gone.mid").file.path).unlink()

    work.run(Job.objects.ask_for_reading(ada, Upload.objects.all(), 30).pk)

    gone, here = Upload.objects.order_by("name")
    assert (gone.state, gone.problem, here.state) == ("refused", "file.gone", "taken")
    assert gone.reason == "gone.mid: It is gone from the storage; bring it again."


def test_a_refused_file_is_listed_for_a_week_without_its_bytes(bring, client_of, ada):
    bring(page__wav=b"<html></html>", good__wav=wav())
    page = client_of(ada).get("/uploads/").content.decode()
    assert ("page.wav: This is not a WAV" in page, incoming()) == (True, [])

    Upload.objects.update(created_at=timezone.now() - timedelta(days=7, minutes=1))

    assert "page.wav" not in client_of(ada).get("/uploads/").content.decode()
    assert (Upload.objects.sweep(), Upload.objects.count(), Clip.objects.count()) == (2, 0, 1)
    assert Clip.objects.get().upload is None


def test_bytes_that_nobody_had_read_go_after_a_day(client_of, ada):
    send_one(client_of(ada), uuid.uuid4(), "a.wav", wav())
    assert (Upload.objects.sweep(), len(incoming())) == (0, 1)

    Upload.objects.update(created_at=timezone.now() - timedelta(days=1, minutes=1))

    call_command("sweep")
    assert (Upload.objects.count(), incoming()) == (0, [])


# Sent one by one


def send_one(client, batch, name, content, fields=None):
    sent = {"sent": SimpleUploadedFile(name, content), "batch": batch, "seconds": 30} | (fields or {})
    return client.post("/uploads/files/", sent)


def test_files_that_were_sent_one_by_one_are_read_together(client_of, ada):
    client, batch = client_of(ada), uuid.uuid4()
    rows = [send_one(client, batch, name, wav(hertz)) for name, hertz in (("a.wav", 440), ("b.wav", 550))]
    response = client.post(f"/uploads/{batch}/read/", {"seconds": 12})

    job = Job.objects.get()
    assert response["Location"] == f"/uploads/{batch}/"
    assert ["waits to be read" in row.content.decode() for row in rows] == [True, True]
    assert (job.n_total, job.settings, job.uploads.count()) == (2, {"seconds": 12.0}, 2)
    client.post(f"/uploads/{batch}/read/", {"seconds": 12})
    assert Job.objects.count() == 1


def test_a_batch_is_shown_while_it_is_read(bring, client_of, ada):
    client, batch = client_of(ada), uuid.uuid4()
    send_one(client, batch, "a.wav", wav())
    assert "Have them read" in client.get(f"/uploads/{batch}/").content.decode()
    client.post(f"/uploads/{batch}/read/", {"seconds": 30})
    assert 'hx-trigger="every 1s"' in client.get(f"/uploads/{batch}/rows/").content.decode()

    work.run(Job.objects.get().pk)

    rows = client.get(f"/uploads/{batch}/rows/").content.decode()
    assert ("hx-trigger" in rows, f'href="/clips/{Clip.objects.get().pk}/"' in rows) == (False, True)


@pytest.mark.parametrize("page", ["/uploads/", "/checkpoints/", "/clips/"])
def test_files_that_wait_to_be_read_are_found_again_where_one_would_look(client_of, ada, ben, page):
    client, batch = client_of(ada), uuid.uuid4()
    link = f'<a href="/uploads/{batch}/">'
    for name in ("b.wav", "a.wav"):
        send_one(client, batch, name, wav())
    sentence = "a.wav and 1 more came and wait to be read:"

    assert [words in client.get(page).content.decode() for words in (sentence, link)] == [True, True]
    client.post(f"/uploads/{batch}/read/", {"seconds": 30})
    assert "a.wav and 1 more are being read:" in client.get(page).content.decode()
    assert link not in client_of(ben).get(page).content.decode()
    work.run(Job.objects.get().pk)
    assert link not in client.get(page).content.decode()


def test_somebody_elses_batch_is_not_there(client_of, ada, ben):
    batch = uuid.uuid4()
    send_one(client_of(ada), batch, "a.wav", wav())

    for page in (f"/uploads/{batch}/", f"/uploads/{batch}/rows/"):
        assert client_of(ben).get(page).status_code == 404
    client_of(ben).post(f"/uploads/{batch}/read/")
    assert Job.objects.count() == 0
    assert "a.wav" not in client_of(ben).get("/uploads/").content.decode()


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("uploads", {"GET", "POST"}),
        ("receive", {"POST"}),
        ("batch", {"GET"}),
        ("batch_rows", {"GET"}),
        ("read", {"POST"}),
    ],
)
def test_a_page_of_uploads_needs_a_login_and_answers_no_other_method(client, client_of, ada, name, methods):
    batch = uuid.uuid4()
    send_one(client_of(ada), batch, "a.wav", wav())
    page = reverse(f"generation:{name}", args=[] if name in ("uploads", "receive") else [batch])

    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        stranger, known = client.generic(method, page), client_of(ada).generic(method, page)
        assert (stranger.status_code, stranger["Location"]) == (302, f"/accounts/login/?next={page}")
        assert (known.status_code == 405) == (method not in methods)


@pytest.mark.parametrize("fields", [{"seconds": 0}, {"seconds": "x"}, {"batch": "x"}])
def test_a_form_that_makes_no_sense_is_refused_and_nothing_is_kept(client_of, ada, fields):
    response = send_one(client_of(ada), uuid.uuid4(), "a.wav", wav(), fields)

    assert (response.status_code, Upload.objects.count(), incoming()) == (422, 0, [])


def test_whoever_leaves_too_much_unread_has_to_wait(client_of, ada, monkeypatch):
    monkeypatch.setattr(UploadsForm, "MOST_UNREAD", 1)
    client, batch = client_of(ada), uuid.uuid4()
    send_one(client, batch, "a.wav", wav())

    response = send_one(client, batch, "b.wav", wav())

    assert "Too many files wait to be read." in response.content.decode()
    assert (response.status_code, Upload.objects.count()) == (422, 1)


def test_a_hidden_field_changes_no_owner_and_no_state(client_of, ada, ben):
    send_one(client_of(ada), uuid.uuid4(), "a.wav", wav(), {"owner": ben.pk, "state": "taken", "understood": "[]"})

    upload = Upload.objects.get()
    assert (upload.owner, upload.state, upload.understood) == (ada, "received", [])


def test_an_empty_file_is_listed_as_refused_like_any_other(bring):
    uploads = bring(a__wav=wav(), empty__wav=b"")

    assert uploads["empty.wav"].reason == "empty.wav: The file is empty."


# Too large


class Endless(io.RawIOBase):
    """A body that tells how much of it was read."""

    def __init__(self, head):
        self.head, self.n_read = head, 0

    def read(self, size=-1):
        content, self.head = (self.head, b"") if self.head else (b"x" * (size if size > 0 else 65_536), b"")
        self.n_read += len(content)
        return content


HEAD = b'--p\r\nContent-Disposition: form-data; name="sent"; filename="big.wav"\r\n\r\n'


@pytest.mark.parametrize("page", ["/uploads/", "/uploads/files/", "/checkpoints/new/"])
def test_a_file_that_is_too_large_is_not_read_to_its_end(client_of, ada, monkeypatch, page):
    monkeypatch.setattr(bounded, "MOST_BYTES", 500_000)
    body = Endless(HEAD)

    response = client_of(ada).generic(
        "POST",
        page,
        b"x",
        content_type="multipart/form-data; boundary=p",
        CONTENT_LENGTH=900_000_000,
        **{"wsgi.input": body},
    )

    assert response.status_code == 413
    assert "big.wav is too large; a file may have" in response.content.decode()
    assert (body.n_read < 2_000_000, Upload.objects.count(), incoming()) == (True, 0, [])


def test_a_body_that_says_it_is_too_large_is_not_begun(client_of, ada):
    body = Endless(HEAD)

    response = client_of(ada).generic(
        "POST",
        "/uploads/",
        b"x",
        content_type="multipart/form-data; boundary=p",
        CONTENT_LENGTH=2**40,
        **{"wsgi.input": body},
    )

    assert (response.status_code, body.n_read < 200_000) == (413, True)


def test_who_is_not_logged_in_has_no_file_to_send(client):
    body = Endless(HEAD)

    response = client.generic(
        "POST",
        "/uploads/",
        b"x",
        content_type="multipart/form-data; boundary=p",
        CONTENT_LENGTH=10**8,
        **{"wsgi.input": body},
    )

    assert (response.status_code, body.n_read < 200_000) == (302, True)


def test_a_clips_page_says_what_came_with_it(bring, client_of, ada):
    bring(a__wav=wav(440), about__csv=b"file,condition,seed,source\na.wav,GAN,17,ours/v2\n")

    page = client_of(ada).get(f"/clips/{Clip.objects.get().pk}/").content.decode()

    for words in ("<dd>GAN</dd>", "<dd>17</dd>", "<dd>ours/v2</dd>", "<dd>a.wav</dd>"):
        assert words in page


def test_a_checkpoints_card_may_say_anything_and_is_shown_as_text(bring, client_of, ada, checkpoint_bytes):
    with zipfile.ZipFile(io.BytesIO(checkpoint_bytes)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    card = json.loads(parts["card.json"]) | {"version": "<script>alert(1)</script>", "history": "none", "seed": [1]}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in (parts | {"card.json": json.dumps(card).encode()}).items():
            archive.writestr(name, data)

    bring(mine__keras=content.getvalue())

    for page in ("/uploads/", f"/checkpoints/{Checkpoint.objects.get().pk}/"):
        html = client_of(ada).get(page).content.decode()
        assert ("<script>alert" in html, "&lt;script&gt;alert(1)" in html) == (False, True)


def test_the_bytes_that_came_are_never_served_not_even_to_their_owner(bring, client_of, ada):
    marker = b"a word that stands in the bytes that came"
    sound = wav() + b"LIST" + (len(marker) + 4).to_bytes(4, "little") + b"INFO" + marker
    taken = bring(a__wav=sound, page__html=marker)
    client, clip = client_of(ada), Clip.objects.get()
    names = [upload.file.name or f"incoming/{upload.pk}" for upload in taken.values()]
    pages = [f"/{prefix}{name}" for prefix in ("media/", "", "uploads/") for name in names]
    pages += [f"/clips/{clip.pk}/{page}" for page in ("", "sound.flac", "roll.npz", "roll.svg")] + [
        "/uploads/",
        "/clips/",
    ]

    answers = [client.get(page) for page in pages]
    bodies = [answer.getvalue() for answer in answers]

    assert marker in sound
    assert [page for page, body in zip(pages, bodies, strict=True) if marker in body] == []
    assert [answer.status_code for answer in answers[: 3 * len(names)]] == [404] * 3 * len(names)
    assert answers[-5].headers["X-Content-Type-Options"] == "nosniff"
    assert bodies[-5][:4] == b"fLaC"


def test_what_waits_to_be_read_is_not_served_either(client_of, ada):
    send_one(client_of(ada), uuid.uuid4(), "a.wav", wav())
    upload = Upload.objects.get()

    assert Path(upload.file.path).exists()
    for page in (
        f"/media/{upload.file.name}",
        f"/{upload.file.name}",
        f"/uploads/{upload.pk}/",
        f"/static/{upload.file.name}",
    ):
        assert client_of(ada).get(page).status_code == 404


def test_a_table_beside_an_archive_says_what_its_clips_are(bring):
    table = b"file,condition,label,seed\nfirst.mid,Theirs,Theirs 1,7\nsecond.mid,Theirs,Theirs 2,8\n"
    archive = zipped(first__mid=midi.write(roll_of_bars()), second__mid=midi.write(roll_of_bars(pitch=50)))

    uploads = bring(clips__zip=archive, table__csv=table)

    assert {name: upload.state for name, upload in uploads.items()} == {"clips.zip": "taken", "table.csv": "taken"}
    said = {clip.title: (clip.provenance["condition"], clip.provenance["seed"]) for clip in Clip.objects.all()}
    assert said == {"Theirs 1": ("Theirs", 7), "Theirs 2": ("Theirs", 8)}


def test_a_table_beside_an_archive_that_lacks_a_file_is_refused_and_the_clips_are_kept(bring):
    archive = zipped(first__mid=midi.write(roll_of_bars()))

    uploads = bring(clips__zip=archive, table__csv=b"file,condition\nother.mid,Theirs\n")

    assert uploads["table.csv"].reason == "table.csv: The table names other.mid, which is not among the files."
    assert uploads["clips.zip"].state == "taken"


def test_a_sound_that_is_too_quiet_to_have_a_loudness_is_refused_in_a_sentence(bring):
    noise = np.random.default_rng(0).uniform(-2e-4, 2e-4, (2 * 48_000, 2)).astype(np.float32)
    content = io.BytesIO()
    soundfile.write(content, noise, 48_000, format="WAV", subtype="FLOAT")

    uploads = bring(quiet__wav=content.getvalue())

    assert uploads["quiet.wav"].reason == "quiet.wav: The sound is too quiet to have a loudness."
    assert not Clip.objects.exists()
