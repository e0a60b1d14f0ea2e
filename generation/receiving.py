"""The pages on which a researcher brings files and sees what each was understood to be."""

import uuid

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from generation import quota
from generation.bounded import takes_files
from generation.forms import UploadsForm
from generation.models import Job, Upload

MOST_LISTED = 200
MOST_BATCHES = 5  # that are named as waiting


def waiting_for(researcher):
    """The batches of files that came and were not read to the end, the latest first: how many and where."""
    return Upload.objects.visible_to(researcher).batches_to_read()[:MOST_BATCHES]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@takes_files
def uploads(request):
    """Files of any kind at once, and those of the last week. Without a script the form sends all and has them read."""
    form = UploadsForm(request.POST or None, request.FILES or None, owner=request.user, batch=uuid.uuid4())
    if form.is_valid() and form.receive():
        return _read(request, form.cleaned_data["batch"], form.cleaned_data["seconds"])
    recent = _with_what_came(Upload.objects.visible_to(request.user).recent().order_by("-created_at"))
    room = {"used": quota.shown(quota.used_bytes(request.user)), "allowed": quota.shown(settings.QUOTA_BYTES)}
    context = {"form": form, "uploads": recent[:MOST_LISTED], "waiting": waiting_for(request.user), **room}
    return render(request, "generation/uploads.html", context, status=422 if form.is_bound else 200)


@login_required
@require_POST
@takes_files
def receive(request):
    """One file of several, sent by the page's script, which shows its row."""
    form = UploadsForm(request.POST, request.FILES, owner=request.user)
    received = form.receive() if form.is_valid() else []
    if not received:
        sentences = " ".join(sentence for sentences in form.errors.values() for sentence in sentences)
        return HttpResponse(sentences, content_type="text/plain; charset=utf-8", status=422)
    return render(request, "generation/upload_row.html", {"upload": received[0]})


@login_required
@require_POST
def read(request, batch):
    """Have the files of a batch read, once they have all come."""
    form = UploadsForm(request.POST, owner=request.user)
    form.is_valid()
    return _read(request, batch, form.cleaned_data.get("seconds", UploadsForm.SECONDS))


def _read(request, batch, seconds):
    waiting = Upload.objects.visible_to(request.user).unread().filter(batch=batch, job=None)
    if waiting.exists():
        Job.objects.ask_for_reading(request.user, waiting, seconds)
    return redirect("generation:batch", batch)


@login_required
@require_safe
def batch(request, batch):
    return render(request, "generation/batch.html", _batch(request, batch))


@login_required
@require_safe
def batch_rows(request, batch):
    return render(request, "generation/batch_rows.html", _batch(request, batch))


def _batch(request, batch):
    rows = list(_with_what_came(Upload.objects.visible_to(request.user).filter(batch=batch)))
    if not rows:
        raise Http404("There is no such batch.")
    job = next((upload.job for upload in rows if upload.job), None)
    return {"batch": batch, "uploads": rows, "job": job, "is_read": job is not None and job.is_finished}


def _with_what_came(rows):
    return rows.select_related("job", "checkpoint").prefetch_related("clips")
