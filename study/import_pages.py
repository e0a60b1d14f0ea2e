"""Bring a table of ratings: first the file, then what its columns mean."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from generation import answers, quota
from generation.bounded import takes_files
from generation.models import Upload
from generation.storing import passing_folder
from generation.uploads import Named, received
from music.refusal import Refusal
from study import importing

PREVIEWED = 5


class TableForm(forms.Form):
    file = forms.FileField(
        label="Ratings",
        help_text="CSV in UTF-8, one row a rating; what its columns mean is asked next.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv"}),
    )


class ColumnsForm(forms.Form):
    """What a table's columns mean, and what its study is called."""

    title = forms.CharField(max_length=200)
    low = forms.IntegerField(label="Lowest rating", min_value=-1000, max_value=1000, initial=1)
    high = forms.IntegerField(label="Highest rating", min_value=-1000, max_value=1000, initial=10)

    def __init__(self, *args, header, **options):
        super().__init__(*args, **options)
        found = importing.guessed(header)
        for ours in importing.KNOWN:
            needed = ours in importing.NEEDED
            nothing = [] if needed else [("", "not there")]
            self.fields[ours] = forms.ChoiceField(
                label=ours.replace("_", " ").capitalize(),
                choices=[*nothing, *((name, name) for name in header)],
                initial=found.get(ours),
                required=needed,
            )

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("low", 0) >= cleaned.get("high", 1):
            self.add_error("high", "The highest rating is not above the lowest.")
        return cleaned

    def plan(self):
        given = self.cleaned_data
        columns = {ours: given[ours] for ours in importing.KNOWN if given.get(ours)}
        return importing.Plan(given["title"], columns, given["low"], given["high"])


def _received(owner, form):
    """Return the upload of a table that can be read, or None; the form then says why."""
    file = form.cleaned_data["file"]
    try:
        [upload] = quota.receive(owner, [file], uuid.uuid4())
    except Refusal as refusal:
        form.add_error("file", forms.ValidationError(str(refusal), code=refusal.problem))
        return None
    try:
        _table(upload)
    except Refusal as refusal:
        upload.refuse(f"{upload}: {refusal}", refusal.problem)
        form.add_error("file", forms.ValidationError(upload.reason, code=refusal.problem))
        return None
    return upload


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@takes_files
def bring(request):
    form = TableForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        upload = _received(request.user, form)
        if upload is not None:
            return redirect("study:import_columns", upload.pk)
    return render(request, "study/import.html", {"form": form}, status=422 if form.is_bound else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def columns(request, pk):
    upload = get_object_or_404(Upload.objects.visible_to(request.user).unread(), pk=pk, job=None)
    try:
        header, rows = _table(upload)
    except Refusal as refusal:
        messages.error(request, f"{upload}: {refusal}")
        return redirect("study:import")
    form = ColumnsForm(request.POST or None, header=header, initial={"title": upload.name.removesuffix(".csv")})
    study = _imported(request.user, upload, header, rows, form) if form.is_valid() else None
    if study is not None:
        messages.success(request, f"{len(rows):,} ratings are here, as a closed study of their own.")
        return redirect("study:study", study.slug)
    context = {"upload": upload, "form": form, "header": header, "rows": rows[:PREVIEWED], "n_rows": len(rows)}
    return render(request, "study/import_columns.html", context, status=422 if form.is_bound else 200)


def _imported(researcher, upload, header, rows, form):
    """Return the new study, or None where the ratings were refused; the form then says why."""
    try:
        study = importing.import_ratings(researcher, header, rows, form.plan())
    except Refusal as refusal:
        form.add_error(None, forms.ValidationError(str(refusal), code=refusal.problem))
        return None
    upload.take([["Ratings", f"{len(rows):,}"], ["Study", study.title]])
    return study


def _table(upload):
    """Return (header, rows), read by a child. Raises Refusal."""
    with passing_folder() as folder:
        path = received(Named(upload), folder / "ratings.csv")
        return answers.table(path, importing.MOST_ROWS, folder)
