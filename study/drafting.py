"""A draft, as its researcher changes it: settings, conditions, clips, and at last the wish to open it."""

from contextlib import nullcontext
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import sharing
from accounts.models import Change, Share
from study import duration, opening, tasks
from study.forms import ClipsForm, ConditionForm, LabelForm, ScaleForm, StudyForm, next_scale
from study.models import Condition, Stimulus, Study

reads = require_safe
reads_and_writes = require_http_methods(["GET", "HEAD", "POST"])


def edits_draft(view):
    """Hand the view a draft that its researcher may change; refuse any other study. A POST has it locked, so that it cannot open meanwhile."""

    @login_required
    @wraps(view)
    def edit(request, slug, **kwargs):
        with transaction.atomic() if request.method == "POST" else nullcontext():
            rows = Study.objects.select_for_update() if request.method == "POST" else Study.objects.all()
            study = sharing.editable(request, rows, slug=slug)
            if not study.may_be_edited:
                return render(request, "study/frozen.html", {"study": study}, status=409)
            return view(request, study, **kwargs)

    return edit


def note(request, study, deed, **details):
    Change.objects.note(request.user, deed, study, **details)


def confirm(request, study, question, button):
    return render(request, "study/confirm.html", {"study": study, "question": question, "button": button})


@login_required
@reads_and_writes
def new_study(request):
    form = StudyForm(request.POST or None, instance=Study(owner=request.user))
    if form.is_valid():
        with transaction.atomic():
            study = form.save()
            note(request, study, "made it")
        return redirect("study:study", study.slug)
    return _settings(request, form)


@reads_and_writes
@edits_draft
def settings(request, study):
    form = StudyForm(request.POST or None, instance=study)
    if form.is_valid():
        form.save()
        if form.changed_data:
            note(request, study, "changed the settings", fields=form.changed_data)
        return redirect("study:study", study.slug)
    return _settings(request, form, study)


def _settings(request, form, study=None):
    context = {"form": form, "study": study, "duration": duration.of(form.instance)}
    return render(request, "study/settings.html", context, status=422 if form.is_bound else 200)


@reads_and_writes
@edits_draft
def remove(request, study):
    sharing.require_owner(request, study)
    if request.method != "POST":
        return confirm(request, study, f"Remove the draft “{study}”? Its clips stay.", "Remove the draft")
    note(request, study, "removed it")
    Share.objects.about(study).delete()
    study.delete()
    messages.success(request, f"The draft “{study}” is gone.")
    return redirect("study:studies")


@reads
@edits_draft
def estimate(request, study):
    """How long a session would take with the settings that stand in the form."""
    return _estimate(request, study)


@login_required
@reads
def estimate_of_new(request):
    return _estimate(request, Study())


def _estimate(request, study):
    StudyForm(request.GET, instance=study).full_clean()  # what cannot be read stays as it was
    return render(request, "study/estimate.html", {"study": study, "duration": duration.of(study)})


@reads_and_writes
@edits_draft
def new_scale(request, study):
    form = ScaleForm(request.POST or None, instance=next_scale(study))
    if form.is_valid():
        note(request, study, f"added the question “{form.save()}”")
        return redirect("study:study", study.slug)
    return render(request, "study/scale.html", {"study": study, "form": form}, status=422 if form.is_bound else 200)


@reads_and_writes
@edits_draft
def scale(request, study, pk):
    form = ScaleForm(request.POST or None, instance=get_object_or_404(study.scales, pk=pk))
    if form.is_valid():
        note(request, study, f"changed the question “{form.save()}”", fields=form.changed_data)
        return redirect("study:study", study.slug)
    return render(request, "study/scale.html", {"study": study, "form": form}, status=422 if form.is_bound else 200)


@require_POST
@edits_draft
def move_scale(request, study, pk):
    scale = get_object_or_404(study.scales, pk=pk)
    study.put_in_order(moved(study.scales.all(), scale, request.POST.get("direction")))
    note(request, study, f"moved the question “{scale}”")
    return redirect("study:study", study.slug)


@reads_and_writes
@edits_draft
def remove_scale(request, study, pk):
    scale = get_object_or_404(study.scales, pk=pk)
    if request.method != "POST":
        return confirm(request, study, f"Remove the question “{scale.question}” ({scale})?", "Remove")
    scale.delete()
    note(request, study, f"removed the question “{scale}”")
    return redirect("study:study", study.slug)


@require_POST
@edits_draft
def open_study(request, study):
    try:
        tasks.ask_to_open(study)
        note(request, study, "asked to open it")
    except opening.NotReadyError:
        messages.error(request, "The study was not opened: something is missing.")
    return redirect("study:study", study.slug)


@require_POST
@edits_draft
def new_condition(request, study):
    position = study.conditions.count() + 1
    form = ConditionForm(request.POST, instance=Condition(study=study, position=position))
    if form.is_valid():
        condition = form.save()
        note(request, study, f"added the condition “{condition}”")
        return redirect("study:clips", study.slug, condition.pk)
    return render(request, "study/condition.html", {"study": study, "form": form}, status=422)


@reads_and_writes
@edits_draft
def condition(request, study, pk):
    condition = get_object_or_404(study.conditions, pk=pk)
    old_name = condition.name
    form = ConditionForm(request.POST or None, instance=condition)
    if form.is_valid():
        form.save().put_in_order(condition.stimuli.all(), old_name)
        note(request, study, f"changed the condition “{old_name}”", name=condition.name)
        return redirect("study:study", study.slug)
    return render(request, "study/condition.html", {"study": study, "form": form}, status=422 if form.is_bound else 200)


@reads_and_writes
@edits_draft
def remove_condition(request, study, pk):
    condition = get_object_or_404(study.conditions, pk=pk)
    if request.method != "POST":
        return confirm(request, study, f"Remove the condition “{condition}”? Its clips stay yours.", "Remove")
    condition.delete()
    note(request, study, f"removed the condition “{condition}”")
    return redirect("study:study", study.slug)


@require_POST
@edits_draft
def move_condition(request, study, pk):
    condition = get_object_or_404(study.conditions, pk=pk)
    study.put_in_order(moved(study.conditions.all(), condition, request.POST.get("direction")))
    note(request, study, f"moved the condition “{condition}”")
    return redirect("study:study", study.slug)


@reads_and_writes
@edits_draft
def clips(request, study, pk):
    """Choose a condition's clips from all that are ready."""
    condition = get_object_or_404(study.conditions, pk=pk)
    # Without a tick the form is empty, and the condition has no clips.
    chosen = request.POST if request.method == "POST" else None
    form = ClipsForm(chosen, condition=condition, researcher=request.user)
    if form.is_valid():
        condition.choose(form.cleaned_data["clips"])
        note(request, study, f"chose {len(form.cleaned_data['clips'])} clips for “{condition}”")
        return redirect("study:study", study.slug)
    context = {"study": study, "condition": condition, "form": form, "groups": list(form.groups())}
    return render(request, "study/clips.html", context, status=422 if form.is_bound else 200)


@reads_and_writes
@edits_draft
def label(request, study, pk):
    stimulus = get_object_or_404(Stimulus.objects.filter(condition__study=study), pk=pk)
    old_label = stimulus.label
    form = LabelForm(request.POST or None, instance=stimulus)
    if form.is_valid():
        note(request, study, f"called the clip “{old_label}” “{form.save()}”")
        stimulus.condition.put_in_order(stimulus.condition.stimuli.all())
        return redirect("study:study", study.slug)
    context = {"study": study, "stimulus": stimulus, "form": form}
    return render(request, "study/label.html", context, status=422 if form.is_bound else 200)


@require_POST
@edits_draft
def move_stimulus(request, study, pk):
    stimulus = get_object_or_404(Stimulus.objects.filter(condition__study=study), pk=pk)
    siblings = stimulus.condition.stimuli.all()
    stimulus.condition.put_in_order(moved(siblings, stimulus, request.POST.get("direction")))
    note(request, study, f"moved the clip “{stimulus}”")
    return redirect("study:study", study.slug)


@reads_and_writes
@edits_draft
def remove_stimulus(request, study, pk):
    stimulus = get_object_or_404(Stimulus.objects.filter(condition__study=study), pk=pk)
    if request.method != "POST":
        return confirm(request, study, f"Remove “{stimulus}” from the study? The clip stays yours.", "Remove")
    stimulus.delete()
    note(request, study, f"removed the clip “{stimulus}” from it")
    stimulus.condition.put_in_order(stimulus.condition.stimuli.all())
    return redirect("study:study", study.slug)


def moved(siblings, one, direction):
    """Return the siblings in their order, with one of them a place further up or down."""
    order = list(siblings)
    place = order.index(one)
    order.insert(max(place + (1 if direction == "down" else -1), 0), order.pop(place))
    return order
