from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


class Researcher(AbstractUser):
    """Somebody who runs studies. Participants have no account."""

    def __str__(self):
        return self.get_full_name() or self.username


class ChangeQuerySet(models.QuerySet):
    def about(self, subject):
        """The changes of one thing, whatever became of it."""
        return self.filter(kind=kind_of(subject), subject=str(subject.pk))

    def note(self, researcher, deed, subject, **details):
        """Write down that somebody did something to a thing. researcher: None for a command or a worker"""
        return self.create(
            researcher=researcher,
            deed=deed,
            kind=kind_of(subject),
            subject=str(subject.pk),
            title=str(subject)[:200],
            details=details,
        )


class Change(models.Model):
    """Who changed what, and when. Rows are only ever added, and outlive what they are about."""

    at = models.DateTimeField(auto_now_add=True)
    researcher = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="changes"
    )  # null: a command
    deed = models.CharField(max_length=60)  # as a person reads it: "opened", "unsealed the results"
    kind = models.CharField(max_length=40)  # what was changed: "study", "clip"
    subject = models.CharField(max_length=40)  # its key
    title = models.CharField(max_length=200)  # what it was called then
    details = models.JSONField(default=dict)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["kind", "subject"], name="changes_of_a_thing")]

    def __str__(self):
        return f"{self.title}: {self.deed}"


def kind_of(subject):
    return subject._meta.model_name
