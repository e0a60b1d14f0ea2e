"""What everybody does with their own account: join, look at it, change its password, read the log."""

from django.contrib import messages
from django.contrib.auth import login, views
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import JoinForm, LogForm
from accounts.models import Change, Invitation

CHANGES_A_PAGE = 50
LOGIN_BACKEND = "django.contrib.auth.backends.ModelBackend"


@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def join(request, token):
    """A link that was used, ran out, was taken back or never was: all are answered alike."""
    invitation = Invitation.objects.of_token(token)
    if invitation is None:
        return _over(request)
    form = JoinForm(request.POST or None)
    if form.is_valid():
        researcher = invitation.accept(form)
        if researcher is None:
            return _over(request)
        login(request, researcher, backend=LOGIN_BACKEND)
        messages.success(request, f"Welcome, {researcher}. This is where your studies will be.")
        return redirect("study:studies")
    return render(request, "accounts/join.html", {"form": form}, status=422 if form.is_bound else 200)


def _over(request):
    return render(request, "accounts/invitation_over.html", status=404)


@login_required
@require_safe
def account(request):
    return render(request, "accounts/account.html")


@login_required
@require_safe
def log(request):
    """All that its reader may know of, or what was done to one thing, by somebody, since a day."""
    form = LogForm(request.GET)
    changes = form.found(Change.objects.visible_to(request.user).select_related("researcher"))
    page = Paginator(changes, CHANGES_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "accounts/log.html", {"page": page, "form": form, "query": form.query()})


class PasswordChangeView(views.PasswordChangeView):
    template_name = "accounts/password.html"
    success_url = reverse_lazy("accounts:account")

    def form_valid(self, form):
        Change.objects.note(self.request.user, "changed the password", self.request.user)
        messages.success(self.request, "Your password is changed. Other browsers that were logged in are logged out.")
        return super().form_valid(form)


class PasswordResetConfirmView(views.PasswordResetConfirmView):
    template_name = "accounts/new_password.html"
    success_url = reverse_lazy("accounts:login")

    def form_valid(self, form):
        Change.objects.note(form.user, "chose a new password by a link", form.user)
        messages.success(self.request, "Your password is changed. Log in with it.")
        return super().form_valid(form)
