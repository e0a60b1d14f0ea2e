"""The page on which an owner shares a thing; each room says which thing, and where its page is."""

from django import forms
from django.contrib import messages
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render

from accounts.models import Change, Researcher, Share


class ShareForm(forms.Form):
    username = forms.CharField(label="User name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label="What they may do", choices=Share.Role.choices, widget=forms.RadioSelect)

    def __init__(self, *args, owner, **options):
        super().__init__(*args, **options)
        self.owner = owner
        self.initial["role"] = Share.Role.VIEWER

    def clean_username(self):
        found = Researcher.objects.filter(username=self.cleaned_data["username"], is_active=True).first()
        if found == self.owner:
            raise forms.ValidationError("It is yours already.")
        if found is None:
            raise forms.ValidationError("Nobody here has this user name. Capital and small letters differ.")
        return found


def share(request, thing, back):
    """back: the address of the thing's page"""
    form = ShareForm(request.POST or None, owner=request.user)
    if form.is_valid():
        _give(request.user, thing, form.cleaned_data["username"], form.cleaned_data["role"])
        return redirect(request.path)
    shares = Share.objects.about(thing).select_related("researcher")
    context = {"thing": thing, "form": form, "back": back, "shares": shares}
    return render(request, "accounts/share.html", context, status=422 if form.is_bound else 200)


@transaction.atomic
def _give(owner, thing, researcher, role):
    Share.objects.give(thing, researcher, role)
    Change.objects.note(owner, f"shared it with {researcher.username} as {role}", thing, to=researcher.pk)


@transaction.atomic
def end_share(request, thing, pk):
    given = get_object_or_404(Share.objects.about(thing), pk=pk)
    given.delete()
    Change.objects.note(
        request.user, f"stopped sharing it with {given.researcher.username}", thing, to=given.researcher_id
    )
    messages.success(request, f"{given.researcher} no longer has it.")
