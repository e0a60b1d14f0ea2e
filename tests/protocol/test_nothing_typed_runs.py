"""What anybody types is shown as text: twelve payloads in every field that a page shows, seen in a real browser."""

import uuid

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse

from accounts.models import Change, Invitation, Share
from generation.models import Checkpoint, Clip, Corpus, Job, TrainingRun, Upload
from music import lpd, pianoroll
from study.models import Condition, Scale, Study
from tests.listeners import mp3

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    "javascript:alert(1)//",
    '<a href="javascript:alert(1)">x</a>',
    "' onfocus=alert(1) autofocus='",
    "<style>*{background:url(//127.0.0.1:9/)}</style>",
    '<!--<img src="--><img src=x onerror=alert(1)//">',
]
AGENT = 'Browser <script>alert(1)</script> "><img src=x onerror=alert(1)>'
# What a person sees on the page: its text, what stands in fields, and what is said of pictures and controls.
SEEN = """() => [
  document.title, document.body.innerText, ...[...document.querySelectorAll('summary, details, option')].map(e => e.textContent),
  ...[...document.querySelectorAll('input, textarea')].map(e => e.value),
  ...[...document.querySelectorAll('[aria-label], svg title')].map(e => e.getAttribute('aria-label') || e.textContent)
].join('\\n')"""


@pytest.fixture
def sue(transactional_db, django_user_model):
    return django_user_model.objects.create_superuser("sue", password="looks after it", first_name=PAYLOADS[0])


@pytest.fixture
def typed(sue, django_user_model, make_clip, settings, tmp_path):
    """Everything that somebody can name, once for each payload: [(payload, things)]."""
    settings.MEDIA_ROOT = tmp_path
    lpd.write(tmp_path / "roll.npz", pianoroll.roll_of([(0, 12, 1, 60, 90)], 480))
    sound = mp3(2)
    return [(payload, _things(payload, sue, django_user_model, tmp_path, sound)) for payload in PAYLOADS]


def _things(payload, sue, people, folder, sound):
    card = {"family": "rnn", "corpus": {"name": payload, "checksum": payload}, "configuration": {payload: payload}}
    guest = people.objects.create_user(uuid.uuid4().hex[:20], first_name=payload, last_name=payload)
    checkpoint = Checkpoint.objects.create(owner=sue, name=payload, family="rnn", card=card, file="none")
    corpus = Corpus.objects.create(owner=sue, name=payload, card={"left_out": [{"file": payload, "reason": payload}]})
    run = TrainingRun.objects.create(owner=sue, family=payload[:40], corpus=corpus)
    job = Job.objects.plan_other(sue, Job.Kind.COVERAGE, 1, payload, "/studies/plan/")
    Job.objects.filter(pk=job.pk).update(state="failed", message=payload, log=payload)
    made = {"source": payload, "label": payload, "condition": payload, "file": {"name": payload}}
    clip = Clip(owner=sue, title=payload, source="uploaded", seconds=2.2, loudness_lufs=-23, provenance=made)
    clip.roll.save("", ContentFile((folder / "roll.npz").read_bytes()), save=False)
    clip.save()
    upload = Upload.objects.receive(sue, ContentFile(b"x", name="x"), uuid.uuid4())
    Upload.objects.filter(pk=upload.pk).update(name=payload, state="refused", reason=payload)
    Invitation.objects.invite(guest, payload)
    Change.objects.note(guest, payload, checkpoint)
    Share.objects.give(checkpoint, guest, "viewer")
    draft, opened = (_study(payload, sue, clip, state, sound) for state in ("draft", "open"))
    Share.objects.give(draft, guest, "editor")
    return {"checkpoint": checkpoint, "corpus": corpus, "run": run, "job": job, "clip": clip, "upload": upload} | {
        "draft": draft,
        "open": opened,
    }


def _study(payload, sue, clip, state, sound):
    texts = dict.fromkeys(("title", "public_title", "welcome", "consent", "thanks", "problem"), payload)
    study = Study.objects.create(
        owner=sue,
        state=state,
        length_seconds=2,
        min_heard_seconds=0,
        comments=True,
        opened_at="2026-03-01T12:00Z",
        **texts,
    )
    Scale.objects.create(study=study, question=payload, low_label=payload, high_label=payload)
    condition = Condition.objects.create(study=study, name=payload, position=1)
    condition.choose([clip])
    condition.stimuli.update(label=payload, row=payload)
    if state == "open":
        condition.stimuli.get().sound.save("x.mp3", ContentFile(sound))
    return study


def of_a_draft(study):
    condition = study.conditions.get()
    yield from (reverse(f"study:{name}", args=[study.slug]) for name in ("study", "settings", "share", "remove"))
    yield reverse("study:scale", args=[study.slug, study.scales.get().pk])
    yield from (reverse(f"study:{name}", args=[study.slug, condition.pk]) for name in ("condition", "clips"))
    yield from (
        reverse(f"study:{name}", args=[study.slug, condition.stimuli.get().pk]) for name in ("label", "remove_stimulus")
    )


def of_one(things):
    yield from of_a_draft(things["draft"])
    yield from (reverse(f"study:{name}", args=[things["open"].slug]) for name in ("study", "results", "close"))
    yield from (
        reverse(f"generation:{name}", args=[things[name].pk]) for name in ("checkpoint", "clip", "job", "corpus")
    )
    yield reverse("generation:run", args=[things["run"].pk])
    yield reverse("generation:batch", args=[things["upload"].batch])


LISTS = ("/studies/", "/checkpoints/", "/clips/", "/jobs/", "/corpora/", "/runs/", "/uploads/")
LISTS += (
    "/accounts/log/",
    "/accounts/people/",
    "/studies/plan/",
    "/admin/axes/accessattempt/",
    "/admin/generation/clip/",
)
# A simulated pilot has no name there; the others list all twelve.
NAMELESS = ("/studies/plan/",)


def plain(text):
    return " ".join(text.split())


def looking(page, site):
    """Return seen(path): what a person sees there. A dialog, or (by `new_page`) an error about scripts, fails the test."""
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

    def seen(path):
        page.goto(site + path, wait_until="load")
        assert dialogs == []
        return plain(page.evaluate(SEEN))

    return seen


def log_in(page, site, wrong):
    page.goto(f"{site}/accounts/login/?next=/studies/")
    for name, password in ((wrong, "wrong"), ("sue", "looks after it")):
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_load_state()


def take_part(page, site, study, payload, seen):
    """Through a whole session as a participant, with the payload as what the recruiter's link says and as a comment."""
    assert payload in seen(f"/s/{study.slug}/?PROLIFIC_PID={payload.replace('#', '%23')}")
    page.locator("[name=consent]").check()
    page.locator("button.confirm").click()
    page.locator('#step[data-position="1"]').wait_for()
    assert plain(payload) in plain(page.evaluate(SEEN))  # the question
    page.locator("[name=comment]").fill(payload)
    page.locator('.player[data-state="ready"]').wait_for()
    page.locator("#play").click()
    page.locator('[name="rating-overall"][value="5"]').check()
    page.locator("#confirm").click()
    page.locator('#step[data-step="thanks"]').wait_for()
    assert plain(payload) in plain(page.evaluate(SEEN))


def test_nothing_that_is_typed_runs(live_server, new_page, typed, settings):
    settings.AXES_ENABLED = True
    page = new_page(user_agent=AGENT)
    seen = looking(page, live_server.url)
    log_in(page, live_server.url, wrong=PAYLOADS[1])
    missing = []

    for path in LISTS:
        text = seen(path)
        expected = [PAYLOADS[1], AGENT] if "axes" in path else PAYLOADS * (path not in NAMELESS)
        missing += [(path, payload) for payload in expected if plain(payload) not in text]
    for payload, things in typed:
        for path in of_one(things):
            if plain(payload) not in seen(path):
                missing.append((path, payload))

    assert missing == []


def test_nothing_that_participants_are_shown_or_write_runs(live_server, page, typed):
    seen = looking(page, live_server.url)
    for payload, things in typed:
        take_part(page, live_server.url, things["open"], payload, seen)

    stored = [session.trials.get().comment for _, things in typed for session in things["open"].sessions.all()]
    assert stored == PAYLOADS
