"""python -m tests.populated: one of everything on the site of the environment, and how to reach it, as JSON."""

import io
import json
import os
import secrets
import sys

import django


def main():
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    ada = get_user_model().objects.create_superuser(
        f"ada-{secrets.token_hex(4)}", "ada@example.org", "analytical engine"
    )
    login = SessionStore()
    login[SESSION_KEY], login[BACKEND_SESSION_KEY] = str(ada.pk), settings.AUTHENTICATION_BACKENDS[-1]
    login[HASH_SESSION_KEY] = ada.get_session_auth_hash()
    login.create()
    made = {
        "name": ada.username,
        "cookie": f"{settings.SESSION_COOKIE_NAME}={login.session_key}",
        **_work(ada),
        **_studies(ada),
    }
    json.dump(made, sys.stdout)


def _work(ada):
    from django.core.files.base import ContentFile

    from generation import uploads
    from generation.models import Corpus, Job, TrainingRun

    checkpoint = uploads.accept_checkpoint(ada, ContentFile(_checkpoint(), name="tiny.keras"), "Tiny RNN")
    corpus = Corpus.objects.create(owner=ada, name="Ten", folder="ten", checksum="c0ffee")
    run = TrainingRun.objects.create(owner=ada, family="rnn", corpus=corpus)
    job = Job.objects.ask_for_clips(ada, checkpoint, n_clips=1, seconds=5, seed=7)
    return {name: str(thing.pk) for name, thing in locals().items() if name in ("checkpoint", "corpus", "run", "job")}


def _checkpoint():
    import tempfile

    import numpy as np

    from training import checkpoint
    from training.families import FAMILIES

    rng = np.random.default_rng(0)
    shapes = FAMILIES["rnn"].weight_shapes({"units": 4})
    weights = {name: rng.normal(0, 0.1, shape).astype("f4") for name, shape in shapes.items()}
    card = {
        "family": "rnn",
        "configuration": {"units": 4},
        "steps_per_beat": 24,
        "statistics": {"tempo_bpm": 120.0, "density": [1.0] * 5, "velocity": [80.0] * 5},
    }
    with tempfile.NamedTemporaryFile(suffix=".keras") as file:
        checkpoint.write(file.name, card, weights)
        return open(file.name, "rb").read()


def _studies(ada):
    from generation.models import Clip

    study, draft = _study(ada, "open", "Secret title"), _study(ada, "draft", "A draft")
    session = study.admit()
    return {
        "study": study.slug,
        "draft": draft.slug,
        "code": session.code,
        "address": session.next_trial().address,
        "clip": str(Clip.objects.first().pk),
        "condition": draft.conditions.first().pk,
        "scale": draft.scales.first().pk,
        "stimulus": draft.stimuli().first().pk,
    }


def _study(ada, state, title):
    from django.core.files.base import ContentFile

    from generation.models import Clip
    from study.models import Condition, Scale, Stimulus, Study

    study = Study.objects.create(owner=ada, state=state, title=title, min_heard_seconds=0)
    Scale.objects.create(study=study)
    condition = Condition.objects.create(study=study, name="Secret CNN")
    for index in range(int(os.environ.get("N_CLIPS", 3))):
        clip = Clip(owner=ada, title=f"CNN {index}", source="generated", seconds=30, loudness_lufs=-23)
        clip.master.save("tone.flac", ContentFile(io.BytesIO(bytes(1000)).getvalue()))
        stimulus = Stimulus(condition=condition, clip=clip, label=clip.title, row=clip.title)
        stimulus.sound.save("sound.mp3", ContentFile(bytes(20_000)))
    return study


if __name__ == "__main__":
    main()
