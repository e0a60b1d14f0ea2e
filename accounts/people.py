"""Who looks after the site invites people, suspends and restores them, and helps those who forgot their password."""

from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import InviteForm
from accounts.models import Change, Invitation, Researcher

ROWS_A_PAGE = 50


def only_for(is_allowed):
    def guard(view):
        @login_required
        @wraps(view)
        def answer(request, *args, **kwargs):
            if not is_allowed(request.user):
                raise PermissionDenied("This page is for those who look after the site.")
            return view(request, *args, **kwargs)

        return answer

    return guard


for_staff = only_for(lambda researcher: researcher.is_staff)
for_inviters = only_for(lambda researcher: researcher.may_invite)


@for_inviters
@require_http_methods(["GET", "HEAD", "POST"])
def people(request):
    """Those who have an account, and the form that invites another. The link is shown once: nothing keeps it."""
    form = InviteForm(request.POST or None)
    if form.is_valid():
        return _people(request, InviteForm(), link=_invite(request, form.cleaned_data["for_whom"]), status=201)
    return _people(request, form, status=422 if form.is_bound else 200)


@transaction.atomic
def _invite(request, for_whom):
    invitation, token = Invitation.objects.invite(request.user, for_whom)
    Change.objects.note(request.user, "invited", invitation)
    return request.build_absolute_uri(reverse("accounts:join", args=[token]))


def _people(request, form, status=200, **context):
    everybody = Researcher.objects.order_by("username") if request.user.is_staff else Researcher.objects.none()
    invitations = Invitation.objects.open().select_related("made_by")
    context |= {
        "form": form,
        "page": Paginator(everybody, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "invitations": invitations if request.user.is_staff else invitations.filter(made_by=request.user),
    }
    return render(request, "accounts/people.html", context, status=status)


@for_inviters
@require_POST
@transaction.atomic
def take_back(request, pk):
    """End an invitation that nobody has used."""
    mine = Invitation.objects.open() if request.user.is_staff else request.user.invitations.open()
    invitation = get_object_or_404(mine, pk=pk)
    Change.objects.note(request.user, "took back the invitation", invitation)
    invitation.delete()
    messages.success(request, f"The invitation for {invitation} is void.")
    return redirect("accounts:people")


@for_staff
@require_http_methods(["GET", "HEAD", "POST"])
def suspend(request, pk):
    researcher = _other(request, pk)
    if request.method != "POST":
        question = f"Suspend {researcher}? They are logged out at once and cannot come back. Nothing of theirs is lost."
        return confirm(request, question, "Suspend")
    with transaction.atomic():
        researcher.suspend()
        Change.objects.note(request.user, "suspended", researcher)
    return redirect("accounts:people")


@for_staff
@require_http_methods(["GET", "HEAD", "POST"])
def restore(request, pk):
    researcher = _other(request, pk)
    if request.method != "POST":
        return confirm(request, f"Let {researcher} log in again, with the password they had?", "Restore")
    with transaction.atomic():
        researcher.restore()
        Change.objects.note(request.user, "restored", researcher)
    return redirect("accounts:people")


@for_staff
@require_POST
def reset_link(request, pk):
    """Make a link by which somebody chooses another password, for a site without mail. It is shown once."""
    researcher = _other(request, pk)
    if not researcher.is_active:
        messages.error(request, f"{researcher} is suspended: restore the account first.")
        return redirect("accounts:people")
    Change.objects.note(request.user, "made a link for a new password", researcher)
    link = request.build_absolute_uri(reset_address(researcher))
    return _people(request, InviteForm(), link=link, link_for=researcher, status=201)


def reset_address(researcher):
    """The address that Django's own mail would hold: good once, and for as long as PASSWORD_RESET_TIMEOUT says."""
    key, token = urlsafe_base64_encode(force_bytes(researcher.pk)), default_token_generator.make_token(researcher)
    return reverse("accounts:password_reset_confirm", args=[key, token])


def _other(request, pk):
    """Somebody else; a superuser's account only for another superuser."""
    researcher = get_object_or_404(Researcher, pk=pk)
    if researcher == request.user:
        raise PermissionDenied("This is your own account: somebody else has to do that.")
    if researcher.is_superuser and not request.user.is_superuser:
        raise PermissionDenied(f"Only a superuser may do that to {researcher}.")
    return researcher


def confirm(request, question, button):
    context = {"question": question, "button": button, "back": reverse("accounts:people")}
    return render(request, "accounts/confirm.html", context)
