from functools import reduce
from operator import or_

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.db.models import Q
from django.utils.http import urlencode

from accounts.models import Researcher

EARMARK = "earmark"  # as the log calls a command or a worker


class JoinForm(UserCreationForm):
    """Name and password of somebody who was invited. Nothing else of an account comes from a form."""

    class Meta:
        model = Researcher
        fields = ("username", "first_name", "last_name", "email")
        labels = {"username": "User name"}
        help_texts = {
            "username": "To log in with, and for others to share things with you. Letters, digits and @ . + - _ only.",
            "email": "For a new password if you forget yours. You may leave it empty.",
        }


class InviteForm(forms.Form):
    for_whom = forms.CharField(
        label="For whom",
        max_length=200,
        help_text="A name or an address, for you to know the link by. Nothing is sent.",
    )


class LogForm(forms.Form):
    """What of the log somebody wants to read. A field that makes no sense is told and narrows nothing."""

    who = forms.CharField(label="Who", required=False, max_length=150)
    words = forms.CharField(label="Did what, to what", required=False, max_length=200)
    since = forms.DateField(label="Since", required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    kind = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    subject = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def found(self, changes):
        self.is_valid()
        wanted = {name: value for name, value in self.cleaned_data.items() if value}
        exact = {"kind": "kind", "subject": "subject", "since": "at__date__gte"}
        changes = changes.filter(**{exact[name]: value for name, value in wanted.items() if name in exact})
        for word in wanted.get("who", "").split():
            people = [Q(**{f"researcher__{name}__icontains": word}) for name in ("username", "first_name", "last_name")]
            commands = [Q(researcher=None)] if word.lower() == EARMARK else []
            changes = changes.filter(reduce(or_, people + commands))
        for word in wanted.get("words", "").split():
            changes = changes.filter(Q(deed__icontains=word) | Q(title__icontains=word) | Q(kind__icontains=word))
        return changes

    def query(self):
        """What was asked, for the address of a further page."""
        return urlencode({name: self[name].value() for name in self.fields if self[name].value()})
