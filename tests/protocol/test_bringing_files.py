"""A researcher drags files in, sees each arrive and what it was taken for, with and without the script."""

import io

import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from django.db import connections

from generation import work
from generation.models import Clip, Job, Upload
from music import midi, pianoroll

DROP = """([card, files]) => {
  const transfer = new DataTransfer();
  for (const [name, bytes] of files) transfer.items.add(new File([new Uint8Array(bytes)], name));
  card.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def files():
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050)
    sound = io.BytesIO()
    soundfile.write(sound, tone, 22_050, format="WAV")
    notes = [(beat * 24, beat * 24 + 20, 1, 60, 90) for beat in range(8)]
    return {
        "tone.wav": sound.getvalue(),
        "page.mp3": b"<html></html>",
        "piece.mid": midi.write(pianoroll.roll_of(notes, 192)),
    }


@pytest.fixture
def signed_in(new_page, live_server, transactional_db, ada):
    def open_page(**options):
        page = new_page(**options)
        page.goto(f"{live_server.url}/accounts/login/?next=/uploads/")
        page.fill("[name=username]", "ada")
        page.fill("[name=password]", "analytical engine")
        page.click("button[type=submit]")
        page.wait_for_url("**/uploads/")
        return page

    return open_page


def have_them_read():
    for job in Job.objects.filter(state="waiting"):
        work.run(job.pk)
    connections.close_all()


def shown(page):
    """What each row of the page says of its file."""
    return {row.locator("strong").inner_text(): row.inner_text() for row in page.locator("li.upload").all()}


def check(page):
    rows = shown(page)
    assert "page.mp3: This is not a WAV, FLAC, Ogg or MP3 file." in rows["page.mp3"]
    assert all(words in rows["piece.mid"] for words in ("MIDI", "4.0 s", "Piano", "120 bpm"))
    assert all(words in rows["tone.wav"] for words in ("WAV", "1.0 s", "LUFS"))
    assert page.locator("img.roll").evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    assert Clip.objects.count() == 2


def test_files_that_are_dropped_are_sent_one_by_one_and_then_read(signed_in, files):
    page = signed_in()
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    page.locator("#bring").evaluate(
        f"(card, files) => ({DROP})([card, files])", [[name, list(content)] for name, content in files.items()]
    )
    page.wait_for_url("**/uploads/*-*/")
    have_them_read()
    page.locator("#batch progress").wait_for(state="detached")

    assert [url.rsplit("/uploads/", 1)[1] for url in sent[:3]] == ["files/"] * 3
    check(page)
    assert Axe().run(page).response["violations"] == []


def test_without_a_script_the_form_does_the_same(signed_in, files, tmp_path):
    page = signed_in(java_script_enabled=False)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    page.set_input_files("input[type=file]", [str(tmp_path / name) for name in files])
    page.locator("#bring button[type=submit]").click()
    page.wait_for_url("**/uploads/*-*/")
    have_them_read()
    page.reload()

    rows = shown(page)
    assert "120 bpm" in rows["piece.mid"]
    assert Upload.objects.filter(state="taken").count() == 2


def test_a_file_that_cannot_be_sent_says_so_and_the_others_wait_to_be_read(signed_in, files):
    page = signed_in()
    page.locator("#bring").evaluate("card => { card.dataset.mostBytes = '30000'; }")

    page.locator("#bring").evaluate(
        f"(card, files) => ({DROP})([card, files])", [[name, list(content)] for name, content in files.items()]
    )
    page.locator("text=Have the others read").wait_for()

    assert "the most is 0 MB" in shown(page)["tone.wav"]
    page.locator("text=Have the others read").click()
    page.wait_for_url("**/uploads/*-*/")
    have_them_read()
    assert sorted(Upload.objects.values_list("name", "state")) == [("page.mp3", "refused"), ("piece.mid", "taken")]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 413, "body": "<h1>413</h1>"}, "It is larger than this site takes, so it was not kept."),
        ({"status": 507, "body": "<h1>507</h1>"}, "The site's disk is full, so it was not kept. Try again later."),
        ({"status": 403, "body": "<h1>403</h1>"}, "Your login has ended, so it was not kept."),
        ({"status": 502, "body": ""}, "The site could not take it (error 502), so it was not kept."),
        (None, "The connection was lost, so it was not sent."),
    ],
    ids=["413", "507", "403", "502", "connection"],
)
def test_a_file_that_the_site_does_not_take_says_why_and_the_others_are_kept(
    signed_in, files, tmp_path, answer, sentence
):
    page = signed_in()

    def second_fails(route):
        if b"page.mp3" not in route.request.post_data_buffer:
            return route.continue_()
        return route.fulfill(**answer) if answer else route.abort("connectionreset")

    page.route("**/uploads/files/", second_fails)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    page.set_input_files("input[type=file]", [str(tmp_path / name) for name in files])
    page.click("#bring button[type=submit]")
    page.locator("text=Have the others read").wait_for()

    rows = shown(page)
    assert (sentence in rows["page.mp3"], len(rows), "<h1>" in rows["page.mp3"]) == (True, 3, False)
    assert sorted(Upload.objects.values_list("name", "state")) == [("piece.mid", "received"), ("tone.wav", "received")]
    page.click("text=Have the others read")
    page.wait_for_url("**/uploads/*-*/")
    assert Job.objects.get().n_total == 2


def test_a_login_that_ended_while_files_are_sent_is_said_and_what_came_before_is_found_again(signed_in, files):
    page = signed_in()
    drop = f"(card, files) => ({DROP})([card, files])"
    page.locator("#bring").evaluate("card => { card.dataset.mostBytes = '30000'; }")  # so that the page stays
    page.locator("#bring").evaluate(drop, [[name, list(files[name])] for name in ("piece.mid", "tone.wav")])
    page.locator("text=Have the others read").wait_for()
    page.context.clear_cookies()
    page.locator("#bring").evaluate(drop, [["page.mp3", list(files["page.mp3"])]])
    page.locator("text=Your login has ended, so it was not kept.").wait_for()

    page.goto(page.url)
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "analytical engine")
    page.click("button[type=submit]")
    page.click("text=see it")

    assert shown(page).keys() == {"piece.mid"}
    assert page.locator("text=Have them read").is_visible()


def test_the_page_fits_a_phone(signed_in):
    page = signed_in(width=320, height=700)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page).response["violations"] == []
