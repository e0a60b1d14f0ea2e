"""A researcher's studies: find them, watch them fill, close them, take the tables away."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST

from accounts import sharing, sharing_pages
from accounts.models import Change
from generation.archiving import wants_archive
from study import duration, inventory, opening, tables, tasks
from study.drafting import confirm, reads, reads_and_writes
from study.forms import ConditionForm, brought_conditions
from study.models import Study, with_counts

ROWS_A_PAGE = 50
MOST_PROPOSED = 20  # conditions that tables gave to brought clips


def study_of(request, slug):
    """Return what this researcher may see; anything else is not there."""
    return sharing.visible(request, Study.objects.all(), slug=slug)


def study_to_change(request, slug):
    return sharing.editable(request, Study.objects.all(), slug=slug)


def attached(name, lines):
    """Return lines of CSV as a download, sent as they are made."""
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, name)
    return response


@login_required
@reads
def studies(request):
    is_archive = wants_archive(request)
    rows = with_counts(Study.objects.visible_to(request.user).listed(is_archive).select_related("owner"))
    page = Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "study/studies.html", {"page": page, "is_archive": is_archive})


@login_required
@require_POST
def archive(request, slug, is_archived=True):
    """Put a study out of the list, or back. An open one goes on: its link works, and sessions finish."""
    study = sharing.owned(request, Study.objects.all(), slug=slug)
    study.archive(request.user, is_archived)
    return redirect("study:study", study.slug)


@login_required
@reads
def study(request, slug):
    """A draft with its conditions and clips and what is missing; an open or closed study with its numbers."""
    study = study_of(request, slug)
    context = {"study": study, "link": request.build_absolute_uri(reverse("study:welcome", args=[study.slug]))}
    context |= sharing.about(request, study)
    if study.state == Study.State.DRAFT:
        return render(request, "study/draft.html", {**context, **_draft(study, request.user), **_opening_counts(study)})
    n_lost = inventory.lost_sounds(study) if study.is_open else 0
    return render(request, "study/study.html", {**context, **_counts(study), "n_lost": n_lost})


def _draft(study, researcher):
    return {
        "conditions": study.conditions.prefetch_related("stimuli__clip"),
        "scales": study.scales.all(),
        "duration": duration.of(study),
        "problems": opening.check(study),
        "warnings": opening.warnings(study),
        "form": ConditionForm(),
        "brought": brought_conditions(study, researcher)[:MOST_PROPOSED],
    }


def _counts(study):
    return {"counted": with_counts(Study.objects).get(pk=study.pk), "arrivals": tables.arrivals(study)}


def _opening_counts(study):
    counts = {"n_ready": study.stimuli().exclude(sound="").count(), "n_clips": study.stimuli().count()}
    return {**counts, "is_stalled": opening.is_stalled(study)}


@login_required
@reads
def progress(request, slug):
    """The numbers of an open study, asked for again and again; a study that has closed is another page."""
    study = study_of(request, slug)
    if not study.is_open:
        return _look_again()
    return render(request, "study/progress.html", {"study": study, **_counts(study)})


@login_required
@reads
def opening_progress(request, slug):
    study = study_of(request, slug)
    if not study.is_opening:
        return _look_again()
    return render(
        request, "study/opening.html", {"study": study, **_opening_counts(study), **sharing.rights(request, study)}
    )


def _look_again():
    """Have the browser load the whole page anew: it shows a state that is over."""
    return HttpResponse(headers={"HX-Refresh": "true"})


@login_required
@require_POST
def open_again(request, slug):
    """Ask once more for an opening that shows no sign of life; one that goes on is left alone."""
    study = study_to_change(request, slug)
    if opening.is_stalled(study) and tasks.ask_again(study):
        Change.objects.note(request.user, "asked again to open it", study)
    return redirect("study:study", study.slug)


@login_required
@require_POST
def take_back(request, slug):
    study = study_to_change(request, slug)
    if tasks.take_back(study):
        Change.objects.note(request.user, "took the opening back", study)
    return redirect("study:study", study.slug)


@login_required
@reads_and_writes
def close(request, slug):
    study = study_to_change(request, slug)
    if not study.is_open:
        return redirect("study:study", study.slug)
    if request.method != "POST":
        question = "Nobody new can take part then; those inside may finish. A closed study stays closed."
        return confirm(request, study, f"Close “{study}”? {question}", "Close the study")
    study.close(request.user)
    return redirect("study:study", study.slug)


@login_required
@reads_and_writes
def share(request, slug):
    study = sharing.owned(request, Study.objects.all(), slug=slug)
    return sharing_pages.share(request, study, reverse("study:study", args=[study.slug]))


@login_required
@require_POST
def end_share(request, slug, pk):
    study = sharing.owned(request, Study.objects.all(), slug=slug)
    sharing_pages.end_share(request, study, pk)
    return redirect("study:share", study.slug)
