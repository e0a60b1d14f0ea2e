"""Studies, who hears what in which order, and what they answered.

A rating is safe once its row is committed: everything here that a participant does is one short transaction, and what
must never happen twice is a unique constraint.
"""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import F, Q


def new_code():
    """128 random bits: nobody guesses a session's link or a clip's address."""
    return secrets.token_urlsafe(16)


def new_slug():
    return secrets.token_hex(4)


def new_seed():
    return secrets.randbits(53)


class Study(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        CLOSED = "closed"

    class Order(models.TextChoices):
        SHUFFLE = "shuffle", "Every participant another random order"
        LATIN_SQUARE = "latin-square", "Latin square: every clip follows every other equally often"
        BLOCKS = "blocks", "Random blocks: one clip of each condition a block"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="studies")
    slug = models.SlugField(max_length=60, unique=True, default=new_slug)  # in the participants' link: says nothing
    title = models.CharField(max_length=200)  # for researchers
    public_title = models.CharField(max_length=200, default="Listening study")  # what participants read
    welcome = models.TextField(blank=True)
    consent = models.TextField(blank=True)
    thanks = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    order = models.CharField(max_length=20, choices=Order.choices, default=Order.SHUFFLE)
    separate_conditions = models.BooleanField(default=False)  # never one condition twice in a row
    clips_per_session = models.PositiveIntegerField(null=True, blank=True)  # a balanced subset; empty: all
    n_repeats = models.PositiveIntegerField(default=0)  # hidden repeats at the end of a session
    separate_passes = models.BooleanField(default=False)  # one scale a pass over a fresh order, not all on one screen
    comments = models.BooleanField(default=False)
    is_blind_to_researchers = models.BooleanField(default=False)  # labels hidden in the console until it closes
    min_heard_seconds = models.FloatField(default=10)
    length_seconds = models.FloatField(default=30)
    loudness_lufs = models.FloatField(default=-23)
    target_sessions = models.PositiveIntegerField(null=True, blank=True)
    seed = models.BigIntegerField(default=new_seed)
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "studies"

    def __str__(self):
        return self.title


class Scale(models.Model):
    """One question with its range. Every study has at least one."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="scales")
    name = models.SlugField(max_length=40, default="overall")
    question = models.CharField(max_length=200, default="How much do you like this clip?")
    low = models.SmallIntegerField(default=1)
    high = models.SmallIntegerField(default=10)
    low_label = models.CharField(max_length=60, default="not at all", blank=True)
    high_label = models.CharField(max_length=60, default="very much", blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["study", "name"], name="one_scale_of_a_name_in_a_study"),
            models.CheckConstraint(name="scale_has_a_range", condition=Q(high__gt=F("low"))),
        ]

    def __str__(self):
        return self.name


class Condition(models.Model):
    """One system under comparison within a study."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="conditions")
    name = models.CharField(max_length=80)
    is_reference = models.BooleanField(default=False)  # real music: its clips share one row of the table
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["study", "name"], name="one_condition_of_a_name_in_a_study")]

    def __str__(self):
        return self.name


class Stimulus(models.Model):
    """A clip in its place in a condition, and the mp3 that this study plays of it (made when the study opens)."""

    condition = models.ForeignKey(Condition, on_delete=models.CASCADE, related_name="stimuli")
    clip = models.ForeignKey("generation.Clip", on_delete=models.PROTECT, related_name="stimuli")
    label = models.CharField(max_length=100)  # "2D CNN 3"
    row = models.CharField(max_length=100)  # the row of the table it counts in: its label, or the references' one
    position = models.PositiveSmallIntegerField(default=0)
    sound = models.FileField(upload_to="sounds", max_length=200, blank=True)

    class Meta:
        ordering = ["condition__position", "position", "id"]
        verbose_name_plural = "stimuli"
        constraints = [models.UniqueConstraint(fields=["condition", "clip"], name="a_clip_once_in_a_condition")]

    def __str__(self):
        return self.label


class Session(models.Model):
    """One participant's way through a study."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sessions")
    code = models.CharField(max_length=32, unique=True, default=new_code)
    seed = models.BigIntegerField()
    number = models.PositiveIntegerField()  # the place in the design that this session fills
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["started_at", "id"]

    def __str__(self):
        return f"Session {self.number} of {self.study}"


class Trial(models.Model):
    """One stimulus put to one session at one position; it exists before it is answered."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="trials")
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="trials")
    position = models.PositiveSmallIntegerField()  # 1, 2, ...
    scale = models.ForeignKey(Scale, null=True, on_delete=models.PROTECT, related_name="+")  # null: all of the study's
    is_repeat = models.BooleanField(default=False)
    address = models.CharField(max_length=32, unique=True, default=new_code)  # of its sound; ends with the session
    shown_at = models.DateTimeField(null=True)  # the server's time of the page's first 'shown' POST
    rated_at = models.DateTimeField(null=True)
    heard_seconds = models.FloatField(default=0)  # what the page said, capped by the server's clock
    plays = models.PositiveSmallIntegerField(default=0)
    comment = models.TextField(blank=True)

    class Meta:
        ordering = ["session", "position"]
        constraints = [models.UniqueConstraint(fields=["session", "position"], name="one_trial_for_each_position")]

    def __str__(self):
        return f"Trial {self.position} of {self.session}"


class Rating(models.Model):
    """The answer to a trial on one scale; absent until given, then never changed."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="ratings")
    scale = models.ForeignKey(Scale, on_delete=models.PROTECT, related_name="ratings")
    value = models.SmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "scale"], name="one_rating_for_each_trial_and_scale")]

    def __str__(self):
        return str(self.value)


class PlayEvent(models.Model):
    """What the player reported; rows are only ever added."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=20)  # shown, play, pause, ended, error
    at_seconds = models.FloatField(null=True)  # place in the clip
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.kind
