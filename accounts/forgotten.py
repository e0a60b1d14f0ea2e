"""A new password by mail: so many letters to an address, so many requests from one, and no word or time tells who is here."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.conf import settings
from django.contrib.auth import forms, views
from django.urls import reverse_lazy

from accounts.locking import TOO_MANY, client_address
from accounts.models import Researcher
from accounts.turns import shared_turns

# Letters leave one after the other, and nobody's page waits for a mail server.
POSTMAN = ThreadPoolExecutor(1, "postman")


class PasswordResetForm(forms.PasswordResetForm):
    def save(self, **letter):
        # Known or not, an address has its turns; who has none left reads the same as everybody.
        if not _wait("to_an_address", _folded(self.cleaned_data["email"])):
            super().save(**letter)

    def get_users(self, email):
        """Whose address this is; else nobody in particular, who is no less work and gets no letter."""
        return list(super().get_users(email)) or [Researcher(pk=0)]

    def send_mail(self, subject, body, context, sender, to, **options):
        if to:
            POSTMAN.submit(super().send_mail, subject, body, context, sender, to, **options)


class PasswordResetView(views.PasswordResetView):
    form_class = PasswordResetForm
    template_name = "accounts/forgotten.html"
    email_template_name = "accounts/reset_mail.txt"
    subject_template_name = "accounts/reset_subject.txt"
    success_url = reverse_lazy("accounts:password_reset_done")

    def form_valid(self, form):
        seconds = _wait("from_an_address", client_address(self.request))
        return self._refuse(form, int(seconds) + 1) if seconds else super().form_valid(form)

    def _refuse(self, form, seconds):
        form.add_error(None, f"Too many links were asked for from where you are. Try again in {seconds} s.")
        answer = self.render_to_response(self.get_context_data(form=form), status=TOO_MANY)
        answer["Retry-After"] = str(seconds)
        return answer


def _wait(name, key):
    """Take a turn and return 0; or return in how many seconds there is one."""
    if settings.FORGOTTEN_PASSWORDS is None:
        return 0
    turns = shared_turns(Path(settings.DATA_DIR) / f"forgotten-{name}", **settings.FORGOTTEN_PASSWORDS[name])
    return turns.wait(str(key))


def _folded(email):
    """An address as Django compares it with an account's."""
    return unicodedata.normalize("NFKC", email).casefold()
