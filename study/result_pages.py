"""Results, in the order in which a reader asks for them; while they are sealed, counts and quality alone."""

from functools import wraps

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST

from accounts import sharing
from analysis import drawing
from generation.views import opened
from study import analyses, export, tables
from study.drafting import confirm, reads, reads_and_writes
from study.models import Session, with_counts
from study.researcher import attached, study_of, study_to_change

KEPT_SECONDS = 24 * 3600
TYPES = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


def tells_labels(view):
    """Hand the view a study; while it hides labels, or its results are sealed, say so instead."""

    @login_required
    @reads
    @wraps(view)
    def tell(request, slug, **kwargs):
        study = study_of(request, slug)
        try:
            return view(request, study, **kwargs)
        except tables.StillBlindError:
            return blind(request, study)
        except tables.StillSealedError:
            return redirect("study:results", study.slug)

    return tell


def blind(request, study):
    context = {"study": study, **sharing.rights(request, study)}
    return render(request, "study/blind.html", context, status=403)


@login_required
@reads
def results(request, slug):
    study = study_of(request, slug)
    if study.hides_labels:
        return blind(request, study)
    analysis = analyses.latest(study)
    figures = headline(study, analysis)
    context = {"study": study, "headline": figures, "n_ratings": figures[-1][1], "analysis": analysis}
    context |= _state(study, analysis) | sharing.rights(request, study)
    if study.is_sealed:
        return render(request, "study/sealed.html", context | {"scales": _scales(study, analysis)})
    found = tables.tables(study)
    context |= {"tables": found, "side_by_side": tables.side_by_side(found), "scales": _scales(study, analysis, found)}
    return render(request, "study/results.html", context)


def _state(study, analysis):
    """Return whether the analysis is of the ratings as they are, and the job of one that is underway or broke off."""
    last = study.analyses.select_related("job").first()
    is_fresh = analysis is not None and analysis.fingerprint == analyses.fingerprint(study)
    return {
        "is_fresh": is_fresh,
        "job": last.job if last and not last.job.is_finished else None,
        # Asked for by hand then, not by the page: it may fail again and again.
        "broken_off": last.job if last and last.job.is_finished and last.done_at is None else None,
    }


def headline(study, analysis):
    """Return [(words, number)] of who came, who stayed and who is kept."""
    counted = with_counts(type(study).objects).get(pk=study.pk)
    withdrew = Session.objects.filter(study=study).exclude(withdrawn_at=None).count()
    found = [("began", counted.n_started), ("finished", counted.n_finished)]
    if study.target_sessions:
        found.insert(0, ("wanted", study.target_sessions))
    if withdrew:
        found.append(("withdrew", withdrew))
    if analysis is not None:
        left_out = {session for part in analysis.parts for session in (part.get("screened") or {}).get("sessions", ())}
        n_rated = max((part.get("n_sessions", 0) for part in analysis.parts), default=0)
        found.append(("kept by the rule" if study.exclusion else "kept", n_rated - len(left_out)))
    return [*found, ("clips", counted.n_clips), ("ratings", counted.n_ratings)]


def _scales(study, analysis, found=()):
    """Return what the page shows of each scale: its live table, and what was computed of it."""
    live = {table.scale.name: table for table in found}
    return [
        {
            "scale": scale,
            "table": live.get(scale.name),
            "found": analysis and analysis.part(scale.name),
            "figures": analysis.drawn(scale.name) if analysis else [],
        }
        for scale in study.scales.all()
    ]


@login_required
@require_POST
def analyse(request, slug):
    """Have the results computed, unless they are of the ratings as they are."""
    study = study_of(request, slug)
    analysis = analyses.latest(study)
    if analysis is None or analysis.fingerprint != analyses.fingerprint(study):
        analyses.ask(study, request.user)
    if "HX-Request" in request.headers:
        return _progress(request, study)
    return redirect("study:results", study.slug)


@login_required
@reads
def analysis_progress(request, slug):
    return _progress(request, study_of(request, slug))


def _progress(request, study):
    """How far the results are; once there is nothing to wait for, the whole page is drawn anew."""
    going_on = analyses.underway(study)
    if going_on is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "study/computing.html", {"study": study, "job": going_on.job})


@login_required
@reads_and_writes
def unseal(request, slug):
    study = study_to_change(request, slug)
    if not study.is_sealed:
        return redirect("study:results", study.slug)
    if request.method != "POST":
        question = (
            f"Unseal the results of “{study}”? Who looks while ratings still come, and stops when a difference shows, finds "
            "differences that are not there. That you looked, and when, is written down."
        )
        return confirm(request, study, question, "Unseal the results")
    study.unseal(request.user)
    return redirect("study:results", study.slug)


def _figure(study, scale, name):
    tables.refuse_while_hidden(study)
    analysis = analyses.latest(study)
    found = [figure for figure in (analysis.drawn(scale) if analysis else ()) if figure["name"] == name]
    if not found:
        raise Http404("There is no such figure.")
    return found[0]


@tells_labels
@cache_control(private=True, max_age=KEPT_SECONDS)
def figure_spec(request, study, scale, name):
    """A figure for the page to draw; its address names the analysis, so that it may be kept."""
    return JsonResponse(_figure(study, scale, name)["spec"])


@tells_labels
@cache_control(private=True, max_age=KEPT_SECONDS)
def figure_file(request, study, scale, name, form):
    content = drawing.rendered(_figure(study, scale, name)["spec"], form)
    response = HttpResponse(content, content_type=TYPES[form])
    disposition = "attachment" if request.GET.get("download") else "inline"
    response["Content-Disposition"] = f'{disposition}; filename="{name}.{form}"'
    return response


@tells_labels
def takeaway(request, study):
    """Everything in one file, as the latest analysis packed it."""
    tables.refuse_while_hidden(study)
    analysis = analyses.latest(study)
    if analysis is None or not analysis.file:
        raise Http404("The results were not computed yet.")
    return FileResponse(opened(analysis.file), as_attachment=True, filename=f"earmark-{study.slug}.zip")


@tells_labels
def table_csv(request, study):
    return attached(f"earmark-{study.slug}-table.csv", export.table_csv(study))


@tells_labels
def ratings_csv(request, study):
    return attached(f"earmark-{study.slug}-ratings.csv", export.ratings_csv(study))


@tells_labels
def repeats_csv(request, study):
    return attached(f"earmark-{study.slug}-repeats.csv", export.repeats_csv(study))


@tells_labels
def comments_csv(request, study):
    return attached(f"earmark-{study.slug}-comments.csv", export.comments_csv(study))
