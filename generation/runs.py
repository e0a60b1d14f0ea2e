"""The pages of training runs: start one, watch it, hear it, cancel it, go on with it."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Change
from generation import facts
from generation.models import Corpus, Job, TrainingRun
from generation.network_picture import network_picture
from generation.run_forms import ResumeForm, TrainingForm
from generation.verdict import loss_of
from generation.views import editable, loss_figure, page_of, picture_of, visible
from training.families import FAMILIES

SAMPLE_SECONDS = 10
SAMPLES_SHOWN = 5
# A cancelled run's worker needs seconds to keep its best epoch; one that took longer is dead.
KEEPING = timedelta(seconds=60)


@login_required
@require_safe
def runs(request):
    rows = TrainingRun.objects.visible_to(request.user).select_related("corpus").prefetch_related("jobs", "checkpoints")
    return render(request, "generation/runs.html", {"page": page_of(request, rows)})


def chosen_family(asked):
    name = asked.get("family")
    return name if name in FAMILIES else next(iter(FAMILIES))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request):
    family = chosen_family(request.POST or request.GET)
    form = TrainingForm(request.POST or None, researcher=request.user, family=family)
    if form.is_valid():
        job = Job.objects.ask_for_training(request.user, **form.cleaned_data)
        return redirect("generation:run", job.run_id)
    context = {
        "form": form,
        "family": FAMILIES[family],
        "families": FAMILIES.values(),
        "network": network_picture(family, {}),
        "has_corpora": Corpus.objects.visible_to(request.user).exists(),
    }
    return render(request, "generation/new_run.html", context, status=422 if form.is_bound else 200)


@login_required
@require_safe
def expected(request):
    """How long a run with these wishes will take, while they are being written."""
    form = TrainingForm(request.GET, researcher=request.user, family=chosen_family(request.GET))
    return HttpResponse(form.expected() or "The expected time is said here once the form makes sense.")


@login_required
@require_safe
def run(request, id):
    run = visible(request, TrainingRun, id)
    return run_page(request, run, ResumeForm(run=run))


def run_page(request, run, form, status=200):
    context = state_of(run) | {
        **loss_of(run.history, run.baselines),
        "facts": facts.of_run(run),
        "network": network_picture(run.family, run.configuration),
        "corpus_facts": facts.of_corpus(run.corpus) if run.corpus else [],
        "corpus": run.corpus,
        "form": form,
        "samples": [(job, clip_of(job)) for job in samples_of(run)[:SAMPLES_SHOWN]],
    }
    return render(request, "generation/run.html", context, status=status)


def state_of(run):
    job = run.job
    return {"run": run, "job": job, "is_being_kept": job is not None and is_being_kept(run, job)}


def is_being_kept(run, job):
    """Is a worker, as far as is known, just storing the best epoch of a run that was cancelled?"""
    if job.state != Job.State.CANCELLED or job.started_at is None or not run.history:
        return False
    kept = run.checkpoints.filter(created_at__gte=job.started_at).exists()
    return not kept and timezone.now() - job.finished_at < KEEPING


@login_required
@require_safe
def run_progress(request, id):
    """The state alone. Once there is nothing more to wait for, the whole page is drawn anew."""
    run = visible(request, TrainingRun, id)
    context = state_of(run)
    response = render(request, "generation/run_progress.html", context)
    if not run.is_underway and not context["is_being_kept"]:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_safe
def run_epochs(request, id):
    """The loss, if there are other epochs than those that the page shows."""
    run = visible(request, TrainingRun, id)
    if request.GET.get("shown") == str(len(run.history)):
        return HttpResponse(status=204)
    return render(request, "generation/run_epochs.html", {"run": run, **loss_of(run.history, run.baselines)})


@login_required
@require_safe
def run_loss(request, id):
    run = visible(request, TrainingRun, id)
    return loss_figure(request, run.history, run.baselines)


@login_required
@require_POST
def resume_run(request, id):
    run = editable(request, TrainingRun, id)
    if run.is_underway:
        if run.job.is_lost and run.job.put_back():
            Change.objects.note(request.user, "put it back into the queue", run)
        else:
            messages.warning(request, "It is underway already.")
        return redirect("generation:run", run.pk)
    form = ResumeForm(request.POST, run=run)
    if not form.is_valid():
        return run_page(request, run, form, status=422)
    try:
        Job.objects.ask_to_resume(request.user, run, **form.wishes())
    except IntegrityError:
        messages.warning(request, "It is underway already.")  # a double click, or a second tab
    return redirect("generation:run", run.pk)


@login_required
@require_POST
def sample_run(request, id):
    """Ask for one short clip of the last whole epoch; always of the run's seed, so that only the epoch differs."""
    run = editable(request, TrainingRun, id)
    obstacle = why_no_sample(run)
    if obstacle:
        messages.warning(request, obstacle)
    else:
        Job.objects.ask_for_sample(request.user, run, SAMPLE_SECONDS, run.seed)
    return redirect("generation:run", run.pk)


def why_no_sample(run):
    """Return the sentence that says why there is nothing new to hear, or the empty string."""
    if not run.history:
        return "There is nothing to hear before the first epoch ends."
    if not run.is_underway:
        return "The run has ended: ask for clips from its checkpoint."
    latest = samples_of(run).first()
    if latest is not None and not latest.is_finished:
        return "A sample is on its way already."
    clip = latest and clip_of(latest)
    last = run.history[-1]["epoch"]
    if clip and clip.provenance.get("epoch") == last:
        return f"Epoch {last} is the last that ended, and its sample is here already."
    return ""


def samples_of(run):
    return run.jobs.filter(kind=Job.Kind.SAMPLE).order_by("-created_at")


def clip_of(job):
    """Return the clip of a sample's job, with its roll drawn, or None."""
    clip = job.clips.first()
    if clip is not None:
        clip.picture = picture_of(clip)
    return clip


@login_required
@require_safe
def sample(request, id):
    """One sample of a run, on its way or to be heard."""
    job = visible(request, Job, id)
    if job.kind != Job.Kind.SAMPLE:
        raise Http404("This job is no sample.")
    return render(request, "generation/sample.html", {"job": job, "clip": clip_of(job)})
