"""Studies, who hears what in which order, and what they answered.

A rating is safe once its row is committed: everything here that a participant does is one short transaction, and what
must never happen twice is a unique constraint.
"""

import datetime
import re
import secrets

from django.conf import settings
from django.core.cache import cache
from django.db import models, transaction
from django.db.models import F, Func, Max, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_noop

from study import counting, ordering

# A session that nobody touched for so long counts as dropped out, and the next participant gets its place.
DROPPED_OUT_AFTER = datetime.timedelta(hours=3)
# The page's own count of what was heard comes in steps of the player's clock (four a second in some browsers).
HEARD_TOLERANCE_SECONDS = 0.25


SCALES_KEPT_SECONDS = 3600


class NotOpenError(Exception):
    """The study takes in nobody: it was closed, or never opened."""


class NotHeardEnoughError(Exception):
    """So many seconds of the clip have yet to be heard before it can be rated."""

    def __init__(self, seconds_left):
        super().__init__(seconds_left)
        self.seconds_left = seconds_left


def new_code():
    """128 random bits: nobody guesses a session's link or a clip's address."""
    return secrets.token_urlsafe(16)


def new_slug():
    return secrets.token_hex(4)


def new_seed():
    return secrets.randbits(53)


class StudyQuerySet(models.QuerySet):
    def visible_to(self, researcher):
        """What this researcher may see. (Sharing widens this one place.)"""
        return self.filter(owner=researcher)

    def with_counts(self):
        """Each with n_clips, n_started, n_finished and n_ratings (without hidden repeats)."""
        return self.annotate(
            n_clips=_number_of(Stimulus.objects.filter(condition__study=OuterRef("pk"))),
            n_started=_number_of(Session.objects.taking_part().filter(study=OuterRef("pk"))),
            n_finished=_number_of(Session.objects.filter(study=OuterRef("pk")).exclude(finished_at=None)),
            n_ratings=Coalesce(_number_of(ValueCount.objects.filter(scale__study=OuterRef("pk")), "SUM(n)"), 0),
        )


def _number_of(rows, what="COUNT(*)"):
    count = rows.order_by().annotate(all=Func(template=what, output_field=models.IntegerField())).values("all")
    return models.Subquery(count, output_field=models.IntegerField())


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

    def stimuli(self):
        return Stimulus.objects.filter(condition__study=self).select_related("condition", "clip")

    def put_in_order(self, members):
        """Store this order of all the study's conditions, or of all its scales."""
        for position, member in enumerate(members, start=1):
            member.position = position
        type(members[0]).objects.bulk_update(members, ["position"])

    def close(self):
        """Take in nobody new; who is inside may finish. A study that is not open stays as it is."""
        Study.objects.filter(pk=self.pk, state=self.State.OPEN).update(
            state=self.State.CLOSED, closed_at=timezone.now()
        )
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
            return begun or study._begin(admission or new_code(), recruiter, participant)

    def _begin(self, admission, recruiter, participant):
        if not self.is_open:
            raise NotOpenError
        session = Session(
            study=self,
            admission=admission,
            recruiter=recruiter,
            participant=participant,
            seed=new_seed(),
            number=self._free_place(),
        )
        places = session.drawn_order()
        session.n_trials = len(places)
        session.save()
        Trial.objects.bulk_create(
            Trial(
                session=session,
                position=position,
                stimulus_id=place.item,
                scale_id=place.scale,
                is_repeat=place.is_repeat,
            )
            for position, place in enumerate(places, start=1)
        )
        return session

    def _free_place(self):
        """Return the place of somebody who dropped out, or the first that nobody had."""
        dropped_out = self.sessions.dropped_out(timezone.now()).order_by("number").first()
        if dropped_out is None:
            last = self.sessions.aggregate(last=Max("number"))["last"]
            return 0 if last is None else last + 1
        dropped_out.is_replaced = True
        dropped_out.save(update_fields=["is_replaced"])
        return dropped_out.number

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

    class Meta:
        ordering = ["condition__position", "position", "id"]
        verbose_name_plural = "stimuli"
        constraints = [models.UniqueConstraint(fields=["condition", "clip"], name="a_clip_once_in_a_condition")]

    def __str__(self):
        return self.label


class SessionQuerySet(models.QuerySet):
    def dropped_out(self, now):
        """Those that withdrew, or neither finished nor showed a sign of life for long, and whose place is free yet."""
        limit = now - DROPPED_OUT_AFTER
        alive = Trial.objects.filter(Q(shown_at__gte=limit) | Q(rated_at__gte=limit), session=OuterRef("pk"))
        silent = Q(started_at__lt=limit) & ~Q(models.Exists(alive))
        return self.filter(Q(withdrawn_at__isnull=False) | silent, finished_at=None, is_replaced=False)

    def taking_part(self):
        """All but those that withdrew: of them nothing is left but that they came."""
        return self.filter(withdrawn_at=None)

    def on_the_way(self):
        """With what a participant's requests need of session and study, and no more: they come by the thousand."""
        study = ("seed", "public_title", "thanks", "comments", "min_heard_seconds", "length_seconds", "state")
        own = ("code", "n_trials", "study_id", "recruiter")
        return self.select_related("study").only(*own, "study__completion_code", *(f"study__{name}" for name in study))


class Session(models.Model):
    """One participant's way through a study."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sessions")
    code = models.CharField(max_length=32, unique=True, default=new_code)
    admission = models.CharField(max_length=32, unique=True, default=new_code)  # the welcome form that it came from
    seed = models.BigIntegerField()
    number = models.PositiveIntegerField()  # the place in the design that this session fills
    is_replaced = models.BooleanField(default=False)  # dropped out, and another session got its place
    n_trials = models.PositiveSmallIntegerField(default=0)
    recruiter = models.CharField(max_length=10, blank=True)  # who sent this participant, see study/recruiting.py
    participant = models.CharField(max_length=64, blank=True)  # and the mark by which they are known again
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["started_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "participant"], name="a_participant_once_in_a_study", condition=~Q(participant="")
            )
        ]
        indexes = [
            models.Index(fields=["study", "number"], name="session_place"),
            # Admission looks for places to fill again: few rows, however many have finished.
            models.Index(
                fields=["study", "started_at"],
                name="session_unfinished",
                condition=Q(finished_at=None, is_replaced=False),
            ),
            # How many have finished is on every page about a study.
            models.Index(fields=["study"], name="session_finished", condition=Q(finished_at__isnull=False)),
        ]

    def __str__(self):
        return f"Session {self.number} of {self.study}"

    def drawn_order(self):
        """Return the places of this session's trials. The same seeds give the same order, for ever."""
        return ordering.draw(self.study.plan(), self.number, self.seed)

    def next_trials(self):
        """Return the trial to rate now and the one after it, as far as there are any."""
        trials = list(self.trials.filter(rated_at=None).order_by("position")[:2])
        for trial in trials:
            trial.session = self
        return trials

    def next_trial(self):
        return next(iter(self.next_trials()), None)

    def withdraw(self):
        """Delete all that this participant gave, and every way back to it. Its place in the design is free again.

        Raises NotOpenError once the study is closed: what it found may be published by then.
        """
        with transaction.atomic():
            # A rating that is on its way is stored before this, and goes too, or finds nothing to be stored in.
            trials = list(self.trials.select_for_update().values_list("pk", flat=True))
            if not Study.objects.select_for_update().get(pk=self.study_id).is_open:
                raise NotOpenError
            counting.uncount(self)
            Trial.objects.filter(pk__in=trials).delete()
            Session.objects.filter(pk=self.pk).update(
                code=new_code(), admission=new_code(), participant="", finished_at=None, withdrawn_at=timezone.now()
            )


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

    def show(self):
        """Note when the page first showed this trial; every later time changes nothing."""
        with transaction.atomic():
            if Trial.objects.filter(pk=self.pk, shown_at=None).update(shown_at=timezone.now()):
                self.events.create(kind="shown")

    def hear(self, heard_seconds, plays, events=()):
        """Note what the page says was heard so far in all, as far as the time since it was shown allows."""
        self._note(heard_seconds, plays)
        with transaction.atomic():
            Trial.objects.filter(pk=self.pk, rated_at=None).update(heard_seconds=self.heard_seconds, plays=self.plays)
            self._log(events)

    def rate(self, values, comment="", heard_seconds=0, plays=0, events=()):
        """Store the answer, {scale id: value}, if it is the first. Return whether it is the one that is stored now.

        Raises NotHeardEnoughError, having stored nothing but what was heard.
        """
        self._note(heard_seconds, plays)
        if (seconds_left := self.seconds_left()) > 0:
            self.hear(heard_seconds, plays, events)
            raise NotHeardEnoughError(seconds_left)
        with transaction.atomic():
            if self._is_first(comment):
                Rating.objects.bulk_create(
                    Rating(trial=self, scale_id=scale, value=value) for scale, value in values.items()
                )
                counting.count(self, values)
                self._log(events)
                self._finish_session()
                return True
        return self.has_rating(values)

    def is_reached(self):
        """Whether every trial before this one has its rating: a clip that lies ahead can be neither shown nor heard."""
        return not self.session.trials.filter(position__lt=self.position, rated_at=None).exists()

    def has_rating(self, values):
        return dict(self.ratings.values_list("scale_id", "value")) == values

    def _is_first(self, comment):
        """Claim the trial by one conditional update: of many at once, one gets it, whatever the database."""
        answer = {"comment": comment, "heard_seconds": self.heard_seconds, "plays": self.plays}
        return Trial.objects.filter(pk=self.pk, rated_at=None).update(rated_at=timezone.now(), **answer) == 1

    def _finish_session(self):
        # Trials are rated in their order, so the last one is rated last.
        if self.position == self.session.n_trials:
            Session.objects.filter(pk=self.session_id).update(finished_at=timezone.now())

    def seconds_left(self):
        """How much has yet to be heard before this trial can be rated."""
        needed = self.session.study.needed_seconds
        return 0 if self.heard_seconds + HEARD_TOLERANCE_SECONDS >= needed else needed - self.heard_seconds

    def _note(self, heard_seconds, plays):
        since_shown = (timezone.now() - self.shown_at).total_seconds() if self.shown_at else 0
        # Both are totals, so that a report that comes twice or late takes nothing away and adds nothing. A clock that
        # was set back makes the cap too small for a while, never a duration below nothing.
        self.heard_seconds = max(self.heard_seconds, min(heard_seconds, since_shown))
        self.plays = max(self.plays, plays)

    def _log(self, events):
        PlayEvent.objects.bulk_create(PlayEvent(trial=self, kind=kind, at_seconds=at) for kind, at in events)


class Rating(models.Model):
    """The answer to a trial on one scale; absent until given, then never changed."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="ratings")
    scale = models.ForeignKey(Scale, on_delete=models.PROTECT, related_name="ratings")
    value = models.SmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "scale"], name="one_rating_for_each_trial_and_scale")]

    def __str__(self):
        return str(self.value)


class ValueCount(models.Model):
    """How many ratings a stimulus has of one value; study/counting.py keeps it up to date with every rating."""

    stimulus = models.ForeignKey(Stimulus, on_delete=models.CASCADE, related_name="value_counts")
    scale = models.ForeignKey(Scale, on_delete=models.CASCADE, related_name="+")
    value = models.SmallIntegerField()
    n = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stimulus", "scale", "value"], name="one_count_of_a_value")]

    def __str__(self):
        return f"{self.n} times {self.value}"


class TotalCount(models.Model):
    """How many sessions gave the stimuli of a condition n ratings that add up to total: intervals are made of these.

    row: empty for the whole condition; else that of the stimuli that share it, where they are only a part of it
    """

    condition = models.ForeignKey(Condition, on_delete=models.CASCADE, related_name="total_counts")
    row = models.CharField(max_length=100, blank=True)
    scale = models.ForeignKey(Scale, on_delete=models.CASCADE, related_name="+")
    total = models.IntegerField()
    n = models.PositiveIntegerField()
    n_sessions = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["condition", "row", "scale", "total", "n"], name="one_count_of_a_total")
        ]

    def __str__(self):
        return f"{self.n_sessions} with {self.total} in {self.n}"


class PlayEvent(models.Model):
    """What the player reported; rows are only ever added."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=20)  # shown, or one of participant.PLAYER_EVENTS
    at_seconds = models.FloatField(null=True)  # place in the clip
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.kind
