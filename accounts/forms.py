from django import forms
from django.contrib.auth.forms import UserCreationForm

from accounts.models import Researcher


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
