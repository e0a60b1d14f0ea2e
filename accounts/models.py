import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

LONGEST_DEED = 240
INVITATION_VALID = timedelta(days=7)


class Researcher(AbstractUser):
    """Somebody who runs studies. Participants have no account."""

    def __str__(self):
        return self.get_full_name() or self.username

    @property
    def may_invite(self):
        """Staff invite; everybody does where the site's settings say so."""
        return self.is_staff or settings.RESEARCHERS_INVITE

    def suspend(self):
        """Let them in no more, and end their sessions at once. What is theirs stays."""
        self.is_active = False
        self.save(update_fields=["is_active"])
        for session in Session.objects.iterator():
            if session.get_decoded().get(SESSION_KEY) == str(self.pk):
                session.delete()

    def restore(self):
        self.is_active = True
        self.save(update_fields=["is_active"])


class InvitationQuerySet(models.QuerySet):
    def invite(self, made_by, for_whom):
        """Return (invitation, token). The token is in the link and nowhere else: only its hash is kept."""
        token = secrets.token_urlsafe(32)
        about = {"made_by": made_by, "for_whom": for_whom, "expires_at": timezone.now() + INVITATION_VALID}
        return self.create(token_hash=hashed(token), **about), token

    def open(self):
        return self.filter(used_at=None, expires_at__gt=timezone.now())

    def of_token(self, token):
        return self.open().filter(token_hash=hashed(token)).first()


class Invitation(models.Model):
    """A link by which one person becomes a researcher: once, within a week."""

    token_hash = models.CharField(max_length=64, unique=True)
    for_whom = models.CharField(max_length=200)  # what the inviter calls them
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="invitations")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return self.for_whom

    @transaction.atomic
    def accept(self, form):
        """Return the new researcher, or None if the link was used or taken back meanwhile."""
        if not Invitation.objects.open().filter(pk=self.pk).update(used_at=timezone.now()):
            return None
        researcher = form.save()
        Change.objects.note(researcher, f"joined, invited by {self.made_by.username}", researcher)
        return researcher


class ChangeQuerySet(models.QuerySet):
    def about(self, subject):
        """The changes of one thing, whatever became of it."""
        return self.filter(kind=kind_of(subject), subject=str(subject.pk))

    def note(self, researcher, deed, subject, **details):
        """Write down that somebody did something to a thing. researcher: None for a command or a worker"""
        return self.create(
            researcher=researcher,
            deed=deed[:LONGEST_DEED],
            kind=kind_of(subject),
            subject=str(subject.pk),
            title=str(subject)[:200],
            owner=getattr(subject, "owner", None),
            details=details,
        )

    def visible_to(self, researcher):
        """What somebody did, what was done to their things, and to what is shared with them; staff see all."""
        if researcher.is_staff:
            return self.all()
        shared = Share.objects.filter(researcher=researcher, kind=OuterRef("kind"), subject=OuterRef("subject"))
        return self.filter(Q(researcher=researcher) | Q(owner=researcher) | Exists(shared))


class Change(models.Model):
    """Who changed what, and when. Rows are only ever added, and outlive what they are about."""

    at = models.DateTimeField(auto_now_add=True)
    researcher = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="changes"
    )  # null: a command
    deed = models.CharField(max_length=LONGEST_DEED)  # as a person reads it: "opened", "unsealed the results"
    kind = models.CharField(max_length=40)  # what was changed: "study", "clip"
    subject = models.CharField(max_length=40)  # its key
    title = models.CharField(max_length=200)  # what it was called then
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")  # whose
    details = models.JSONField(default=dict)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["kind", "subject"], name="changes_of_a_thing")]

    def __str__(self):
        return f"{self.title}: {self.deed}"


class ShareQuerySet(models.QuerySet):
    def about(self, thing):
        return self.filter(kind=kind_of(thing), subject=str(thing.pk))

    def give(self, thing, researcher, role):
        """Let somebody see a thing, or change it too. Who has it already gets the new role."""
        typed = {key_column(type(thing)): thing.pk}
        about = {"kind": kind_of(thing), "subject": str(thing.pk), "researcher": researcher}
        return self.update_or_create(**about, defaults={"role": role}, create_defaults={"role": role, **typed})

    def keys(self, model, researcher, *roles):
        """The keys of the things of one kind that are shared with somebody, as a subquery."""
        rows = self.filter(kind=kind_of(model), researcher=researcher)
        return (rows.filter(role__in=roles) if roles else rows).values(key_column(model))


class Share(models.Model):
    """Something of one researcher's that another may see, or change too. Only its owner shares and deletes."""

    class Role(models.TextChoices):
        VIEWER = "viewer", "May look: pages, results and downloads"
        EDITOR = "editor", "May change it too"

    researcher = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shares")
    role = models.CharField(max_length=10, choices=Role.choices)
    kind = models.CharField(max_length=40)  # what is shared: "study", "clip"
    subject = models.CharField(max_length=40)  # its key, as in Change
    # The same key in its own type, of which every database makes a subquery: one of the two.
    number = models.BigIntegerField(null=True)
    uuid = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ShareQuerySet.as_manager()

    class Meta:
        ordering = ["researcher__username"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject", "researcher"], name="one_share_of_a_thing_with_somebody"
            ),
            models.CheckConstraint(name="share_role", condition=Q(role__in=["viewer", "editor"])),
            models.CheckConstraint(
                name="share_has_one_typed_key",
                condition=Q(number=None, uuid__isnull=False) | Q(number__isnull=False, uuid=None),
            ),
        ]

    def __str__(self):
        return f"{self.kind} {self.subject}: {self.researcher}, {self.role}"


def kind_of(subject):
    return subject._meta.model_name


def key_column(model):
    return "uuid" if isinstance(model._meta.pk, models.UUIDField) else "number"


def hashed(token):
    """A random token of 256 bits needs no salt and no slow hash: nobody guesses it from what is stored."""
    return hashlib.sha256(token.encode()).hexdigest()
