"""What the commands have in common: whose things they are about, and watching a job that they do themselves."""

import uuid

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from tqdm import tqdm

from generation import work
from generation.setting_fields import PREFIX


def owner_named(username):
    """Return the researcher of this name; without a name the only one there is."""
    researchers = get_user_model().objects.filter(is_active=True)
    if username:
        researcher = researchers.filter(username=username).first()
        if researcher is None:
            raise CommandError(f"There is no researcher named {username}.")
        return researcher
    if researchers.count() != 1:
        raise CommandError("Say whose it is: --owner USERNAME (manage.py createsuperuser makes the first researcher).")
    return researchers.get()


def one_named(model, owner, name):
    """Return the row of this name, or of this id, that is the owner's to use."""
    rows = model.objects.editable_by(owner)
    try:
        found = list(rows.filter(pk=uuid.UUID(name)))
    except ValueError:
        found = list(rows.filter(name=name)[:2])
    if len(found) > 1:
        raise CommandError(f"Several are named {name}; give the id of the one you mean.")
    if not found:
        raise CommandError(f"There is no {model._meta.verbose_name} named {name}.")
    return found[0]


def checked(form):
    """Return what the form of the page makes of these arguments. Raises CommandError naming the first that is wrong."""
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise CommandError(f"{form.fields[field].label or field}: {errors[0]}")
    return form.cleaned_data


def do(job, unit):
    """Do a job here and now under a progress bar. Raises CommandError with its sentence if it fails."""
    with tqdm(total=job.n_total, unit=unit) as bar:
        for seen in work.steps(job.pk):
            bar.set_postfix_str(_words(seen), refresh=False)
            bar.update(seen.n_done - bar.n)
    job.refresh_from_db()
    if job.state != job.State.DONE:
        raise CommandError(job.message or f"The job is {job.state}.")
    return job


def _words(job):
    history = job.run.history if job.run_id else []
    if not history:
        return job.stage
    return f"epoch {history[-1]['epoch']}, test loss {history[-1]['test_loss']:.4f}"


def given(settings, pairs):
    """Return what such a form is to check: {field: value} of NAME=VALUE pairs, switches as true or false.

    Raises CommandError for a name that is none of these settings.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in settings:
            raise CommandError(f"--set takes NAME=VALUE of {', '.join(settings)}; not {pair}.")
        found[f"{PREFIX}{name}"] = {"true": "on", "false": "off"}.get(value, value)
    return found
