"""What a participant's browser talks to. Nothing here knows the name of a condition or of a clip.

GET only reads. What must last is a POST of its own, and each may come twice: the first one counts.
"""

import logging
import math
from functools import wraps

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from generation import ranges
from study import duration, recruiting
from study.answers import AnswerForm, ConsentForm, report
from study.models import NotHeardEnoughError, NotOpenError, Session, Study, Trial, new_code

logger = logging.getLogger(__name__)

TO_BE_FOUND = (Study.State.OPEN, Study.State.CLOSED)
RETURN_COOKIE = "earmark-session"
CHOICES_SIDE_BY_SIDE = 5  # at most, where 44 px each have to fit on 320
RETURN_COOKIE_SECONDS = 30 * 24 * 3600


def for_one_pair_of_eyes(view):
    """Nothing that a participant gets may be kept by a cache on the way or shown again by the back button."""

    @wraps(view)
    def answer(request, *args, **kwargs):
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response

    return answer


@for_one_pair_of_eyes
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request, slug):
    study = get_object_or_404(Study.objects.filter(state__in=TO_BE_FOUND), slug=slug)
    if request.method != "POST" and (onwards := recruiting.sent_on(request, study)):
        return onwards
    begun = _session_of_this_browser(request, study)
    if request.method == "POST":
        return _consent(request, study)
    if not study.is_open and begun is None:
        return _closed(request, study)
    return _welcome(request, study, begun=begun)


def _session_of_this_browser(request, study):
    code, (_, participant) = request.COOKIES.get(RETURN_COOKIE), recruiting.mark_in(request)
    if participant and (known := study.sessions.filter(participant=participant, finished_at=None).first()):
        return known
    return code and study.sessions.filter(code=code, finished_at=None).first()


def _welcome(request, study, begun=None, problem="", status=200):
    session = duration.of(study)
    context = {
        "study": study,
        "begun": begun,
        "problem": problem,
        "admission": new_code(),
        "n_trials": session.n_trials,
        "minutes": session.longest_minutes,
    }
    return render(request, "participant/welcome.html", context, status=status)


def _closed(request, study):
    return render(request, "participant/closed.html", {"study": study}, status=410)


def _consent(request, study):
    form = ConsentForm(request.POST)
    if not form.is_valid():
        return _welcome(request, study, problem=_("Please tick the box to say that you agree."), status=422)
    try:
        session = study.admit(form.cleaned_data["admission"], *recruiting.mark_in(request))
    except NotOpenError:
        return _closed(request, study)
    response = redirect("study:step", code=session.code)
    response.status_code = 303
    response.set_cookie(
        RETURN_COOKIE,
        session.code,
        max_age=RETURN_COOKIE_SECONDS,
        path=request.path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@for_one_pair_of_eyes
@require_safe
def step(request, code):
    return _step(request, _session(code))


def _session(code):
    return get_object_or_404(Session.objects.on_the_way(), code=code)


def _step(request, session, notice="", status=200):
    """Show what comes next: the first trial without a rating, or the thanks."""
    trials = session.next_trials()
    if not trials:
        context = {"session": session, "study": session.study, "way_back": recruiting.way_back(session)}
        return render(request, "participant/thanks.html", context, status=status)
    return _trial(request, trials, notice=notice, status=status)


def _trial(request, trials, answer=None, notice="", problem="", status=200):
    trial, session = trials[0], trials[0].session
    context = {
        "trial": trial,
        "following": trials[1] if len(trials) > 1 else None,
        "session": session,
        "study": session.study,
        "n_rated": trial.position - 1,
        "scales": [_question(scale, answer) for scale in _scales(trial)],
        "comment": answer.data.get("comment", "") if answer else "",
        "notice": notice,
        "problem": problem,
    }
    return render(request, "participant/trial.html", context, status=status)


def _scales(trial):
    scales = trial.session.study.asked()
    return scales if trial.scale_id is None else [scale for scale in scales if scale.pk == trial.scale_id]


def _question(scale, answer):
    name = f"rating-{scale.name}"
    choices = [str(value) for value in range(scale.low, scale.high + 1)]
    return {
        "name": name,
        "question": scale.question,
        "choices": choices,
        "columns": _columns(len(choices)),
        "low_label": scale.low_label,
        "high_label": scale.high_label,
        "chosen": answer.data.get(name) if answer else None,
    }


def _columns(n_choices):
    """Return how many stand side by side on a phone, so that rows are about as long: seven are 4 and 3."""
    n_rows = math.ceil(n_choices / CHOICES_SIDE_BY_SIDE)
    return math.ceil(n_choices / n_rows)


@for_one_pair_of_eyes
@require_POST
def rate(request, code, position):
    session = _session(code)
    trials = session.next_trials()
    if not trials or trials[0].position != position:
        return _rate_again(request, _trial_at(session, position))
    form = AnswerForm(request.POST, _scales(trials[0]))
    if not form.is_valid():
        return _trial(request, trials, answer=form, problem=_first_problem(form), status=422)
    try:
        is_stored = trials[0].rate(form.values(), form.cleaned_data["comment"], **report(request.POST))
    except NotHeardEnoughError as refusal:
        return _trial(request, trials, answer=form, problem=_listen_on(refusal.seconds_left), status=422)
    return _see_next(session) if is_stored else _first_one_counts(request, session)


def _rate_again(request, trial):
    """A second tab, the back button or a click too many: the clip has its rating. (Or it is not its turn yet.)"""
    form = AnswerForm(request.POST, _scales(trial))
    if trial.rated_at is None or not form.is_valid() or trial.has_rating(form.values()):
        return _see_next(trial.session)
    return _first_one_counts(request, trial.session)


def _first_one_counts(request, session):
    return _step(request, session, notice=_("That clip had its rating already; the first one counts."), status=409)


def _see_next(session):
    response = redirect("study:step", code=session.code)
    response.status_code = 303
    return response


def _first_problem(form):
    return next(iter(form.errors.values()))[0]


def _listen_on(seconds_left):
    seconds = math.ceil(seconds_left)
    text = ngettext(
        "Please listen for %(seconds)s more second before you rate.",
        "Please listen for %(seconds)s more seconds before you rate.",
        seconds,
    )
    return text % {"seconds": seconds}


def _trial_at(session, position):
    try:
        trial = session.trials.get(position=position)
    except ObjectDoesNotExist:
        raise Http404 from None
    trial.session = session
    return trial


@for_one_pair_of_eyes
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request, code):
    """Ask whether all that this participant gave is to be deleted, and delete it."""
    session = _session(code)
    if request.method == "POST":
        try:
            session.withdraw()
        except NotOpenError:
            return _withdrawal(request, session, status=409)
        return render(request, "participant/withdrawn.html", {"study": session.study})
    return _withdrawal(request, session)


def _withdrawal(request, session, status=200):
    context = {"session": session, "study": session.study}
    return render(request, "participant/withdraw.html", context, status=status)


@for_one_pair_of_eyes
@require_POST
def shown(request, code, position):
    trial = _trial_at(_session(code), position)
    if trial.is_reached():
        trial.show()
    return HttpResponse(status=204)


@for_one_pair_of_eyes
@require_POST
def heard(request, code, position):
    trial = _trial_at(_session(code), position)
    if trial.is_reached():
        trial.hear(**report(request.POST))
    return HttpResponse(status=204)


@for_one_pair_of_eyes
@require_safe
def sound(request, address):
    trial = get_object_or_404(Trial.objects.select_related("stimulus"), address=address, session__finished_at=None)
    try:
        file = trial.stimulus.sound.open("rb")
    except OSError:
        # The page tries again and says so; who looks after the site finds the reason here.
        logger.exception("The sound of stimulus %s is not in the storage", trial.stimulus_id)
        return HttpResponse("This sound cannot be read at the moment.", status=503, content_type="text/plain")
    return ranges.respond(request, file, "audio/mpeg")
