"""Plan a study: its power, and by simulation whether its intervals cover what they say."""

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from generation.models import Job
from study import planning
from study.drafting import reads
from study.models import Study


@login_required
@reads
def plan(request):
    """The form is sent by GET: an address is a design, to be kept and sent to others."""
    asked = "n_sessions" in request.GET
    form = planning.PlanForm(request.GET if asked else None, researcher=request.user, initial=_suggested(request))
    context = {"form": form, "own": planning.VARIANCES}
    if asked and form.is_valid():
        wish = form.wish()
        context |= {"wish": wish, "n_ratings": planning.n_ratings(wish), **planning.power_of(wish)}
        context["spec"] = context["figure"].spec
        context["may_simulate"] = context["n_ratings"] <= planning.MOST_RATINGS
    return render(request, "study/plan.html", context, status=422 if asked and not form.is_valid() else 200)


def _suggested(request):
    """Return what the form begins with: the design of a draft that is named, as far as it goes."""
    slug = request.GET.get("study", "").replace("\0", "")  # PostgreSQL knows no text that holds one
    study = Study.objects.visible_to(request.user).filter(slug=slug).first()
    initial = {"source": planning.CAUTIOUS}
    if study is None:
        return initial
    clips = [n for condition in study.conditions.all() if (n := condition.stimuli.count())]
    if len(clips) > 1:
        initial["n_clips"] = ", ".join(map(str, clips))
    if study.target_sessions:
        initial["n_sessions"] = study.target_sessions
    return initial


@login_required
@require_POST
def simulate(request):
    form = planning.PlanForm(request.POST, researcher=request.user)
    if not form.is_valid() or planning.n_ratings(form.wish()) > planning.MOST_RATINGS:
        raise Http404("This is no design to simulate.")
    job = planning.ask_for_coverage(form.wish(), request.user)
    return redirect("study:coverage", job.pk)


@login_required
@reads
def coverage(request, pk):
    """How far the simulation is, and then what it found."""
    job = get_object_or_404(Job.objects.visible_to(request.user), pk=pk, kind=Job.Kind.COVERAGE)
    name = "study/coverage_part.html" if "HX-Request" in request.headers else "study/coverage.html"
    return render(request, name, {"job": job, "shares": job.settings.get("shares")})
