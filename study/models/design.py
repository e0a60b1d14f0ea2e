"""What is asked of whom: studies with their questions, conditions and clips."""

import re

from django.conf import settings
from django.core.cache import cache
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.models import Change
from accounts.sharing import SharedQuerySet
from generation.archiving import Archivable, ArchivedRows
from study import ordering
from study.models.marks import new_code, new_seed, new_slug

SCALES_KEPT_SECONDS = 3600


class NotOpenError(Exception):
    """The study takes in nobody: it was closed, or never opened."""


class StudyQuerySet(ArchivedRows, SharedQuerySet):
    pass


class Study(Archivable):
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
    public_title = models.CharField(max_length=200, default=gettext_noop("Listening study"))  # what participants read
    welcome = models.TextField(blank=True)
    consent = models.TextField(blank=True)
    thanks = models.TextField(blank=True)
    completion_code = models.CharField(max_length=12, blank=True)  # shown with the thanks, for a recruiter
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
    margin = models.FloatField(null=True, blank=True)  # points: the largest difference that does not matter
    exclusion = models.JSONField(default=list, blank=True)  # rules (analysis.rules) that leave a session out
    unsealed_at = models.DateTimeField(null=True, blank=True)
    seed = models.BigIntegerField(default=new_seed)
    created_at = models.DateTimeField(auto_now_add=True)
    opening_at = models.DateTimeField(null=True, blank=True)  # last sign of life of the worker that makes its sounds
    problem = models.TextField(blank=True)  # why it could not be opened: one sentence
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = StudyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "studies"

    def __str__(self):
        return self.title

    @property
    def is_open(self):
        return self.state == self.State.OPEN

    @property
    def is_opening(self):
        return self.state == self.State.DRAFT and self.opening_at is not None

    @property
    def may_be_edited(self):
        return self.state == self.State.DRAFT and self.opening_at is None

    @property
    def hides_labels(self):
        """Whether its researchers may not know yet which clip is which."""
        return self.is_blind_to_researchers and self.is_open

    @property
    def is_sealed(self):
        """Whether means may not be seen yet: looking again and again finds differences that are not there."""
        if not self.is_open or self.unsealed_at is not None:
            return False
        finished = self.sessions.exclude(finished_at=None).count()
        return self.target_sessions is None or finished < self.target_sessions

    def unseal(self, researcher=None):
        """Let means be seen from now on, and write down who wanted so, and when."""
        with transaction.atomic():
            if Study.objects.filter(pk=self.pk, unsealed_at=None).update(unsealed_at=timezone.now()):
                finished = self.sessions.exclude(finished_at=None).count()
                Change.objects.note(researcher, "unsealed the results", self, finished=finished)
        self.refresh_from_db()

    def stimuli(self):
        return Stimulus.objects.filter(condition__study=self).select_related("condition", "clip")

    def put_in_order(self, members):
        """Store this order of all the study's conditions, or of all its scales."""
        for position, member in enumerate(members, start=1):
            member.position = position
        type(members[0]).objects.bulk_update(members, ["position"])

    def close(self, researcher=None):
        """Take in nobody new; who is inside may finish. A study that is not open stays as it is."""
        as_found = Study.objects.filter(pk=self.pk, state=self.State.OPEN)
        with transaction.atomic():
            if as_found.update(state=self.State.CLOSED, closed_at=timezone.now()):
                Change.objects.note(researcher, "closed it", self)
        self.refresh_from_db()

    @property
    def needed_seconds(self):
        """How much of a clip is heard before it is rated: never more than there is."""
        return min(self.min_heard_seconds, self.length_seconds)

    def asked(self):
        """The scales, from this process' memory: once a study is open nothing about them changes."""
        return cache.get_or_set(f"scales-{self.pk}-{self.seed}", lambda: list(self.scales.all()), SCALES_KEPT_SECONDS)

    def admit(self, admission=None, recruiter="", participant=""):
        """Return a new session with its whole order drawn.

        `admission` is the welcome form's own random mark: sent twice (a double click), it finds the session it made.
        So does `participant`, the mark of a person whom a recruiter sent: they take part once, on whatever device.
        """
        with transaction.atomic():
            # Places are given out one at a time: whoever comes second waits here.
            study = Study.objects.select_for_update().get(pk=self.pk)
            begun = study.sessions.filter(participant=participant).first() if participant else None
            begun = begun or (study.sessions.filter(admission=admission).first() if admission else None)
            if begun is None and not study.is_open:
                raise NotOpenError
            return begun or study.sessions.begin(study, admission or new_code(), recruiter, participant)

    def plan(self):
        """Return the design that orders are drawn from: the study's clips with their conditions, and its wishes."""
        clips = Stimulus.objects.filter(condition__study=self).order_by("id").values_list("id", "condition_id")
        return ordering.Plan(
            order=self.order,
            conditions=dict(clips),
            seed=self.seed,
            n_clips=self.clips_per_session,
            n_repeats=self.n_repeats,
            separate=self.separate_conditions,
            scales=tuple(self.scales.values_list("id", flat=True)) if self.separate_passes else (None,),
        )


class Scale(models.Model):
    """One question with its range. Every study has at least one."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="scales")
    name = models.SlugField(max_length=40, default="overall")
    question = models.CharField(max_length=200, default=gettext_noop("How much do you like this clip?"))
    low = models.SmallIntegerField(default=1)
    high = models.SmallIntegerField(default=10)
    low_label = models.CharField(max_length=60, default=gettext_noop("not at all"), blank=True)
    high_label = models.CharField(max_length=60, default=gettext_noop("very much"), blank=True)
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

    def choose(self, clips):
        """Have exactly these clips: those that stay keep their place and label, new ones follow in the order given."""
        self.stimuli.exclude(clip__in=clips).delete()
        n_kept = self.stimuli.count()
        kept = set(self.stimuli.values_list("clip_id", flat=True))
        new = [clip for clip in clips if clip.pk not in kept]
        Stimulus.objects.bulk_create(
            Stimulus(condition=self, clip=clip, label=f"{self.name} {number}", position=n_kept + number)
            for number, clip in enumerate(new, start=1)
        )
        self.put_in_order(self.stimuli.all())

    def put_in_order(self, stimuli, old_name=None):
        """Store this order and number the labels that nobody wrote ("2D CNN 1", "2D CNN 2", ...) by it.

        After a renaming, `old_name` is what such labels begin with. The row of the table is the stimulus' own label;
        the clips of real music share one, named like the condition.
        """
        automatic = re.compile(re.escape(old_name or self.name) + r" \d+")
        for number, stimulus in enumerate(stimuli, start=1):
            stimulus.position = number
            if automatic.fullmatch(stimulus.label):
                stimulus.label = f"{self.name} {number}"
            stimulus.row = self.name if self.is_reference else stimulus.label
        Stimulus.objects.bulk_update(stimuli, ["position", "label", "row"])


class Stimulus(models.Model):
    """A clip in its place in a condition, and the mp3 that this study plays of it (made when the study opens)."""

    condition = models.ForeignKey(Condition, on_delete=models.CASCADE, related_name="stimuli")
    # None where only the ratings are known: they were collected elsewhere.
    clip = models.ForeignKey("generation.Clip", null=True, on_delete=models.PROTECT, related_name="stimuli")
    label = models.CharField(max_length=100)  # "2D CNN 3"
    row = models.CharField(max_length=100)  # the row of the table it counts in: its label, or the references' one
    position = models.PositiveSmallIntegerField(default=0)
    sound = models.FileField(upload_to="sounds", max_length=200, blank=True)
    sound_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["condition__position", "position", "id"]
        verbose_name_plural = "stimuli"
        constraints = [models.UniqueConstraint(fields=["condition", "clip"], name="a_clip_once_in_a_condition")]

    def __str__(self):
        return self.label


def clips_seen_by(researcher):
    """The keys of the clips that play in studies which this researcher may see."""
    return Stimulus.objects.filter(condition__study__in=Study.objects.visible_to(researcher)).values("clip")
