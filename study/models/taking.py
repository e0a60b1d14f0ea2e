"""Who hears what in which order, and what they answered.

A rating is safe once its row is committed: everything here that a participant does is one short transaction, and what
must never happen twice is a unique constraint.
"""

import datetime
from collections import Counter

from django.db import models, transaction
from django.db.models import Max, OuterRef, Q
from django.utils import timezone

from study import counting, ordering
from study.models.design import NotOpenError, Scale, Stimulus, Study
from study.models.marks import new_code, new_seed

# A session that nobody touched for so long counts as dropped out, and the next participant gets its place.
DROPPED_OUT_AFTER = datetime.timedelta(hours=1)
# The page's own count of what was heard comes in steps of the player's clock (four a second in some browsers).
HEARD_TOLERANCE_SECONDS = 0.25
AT_ONCE = datetime.timedelta(minutes=1)
# Plain SQL, for it stands in every participant's way twice a clip: the ORM would take as long to write it as to run it.
UNRATED = "SELECT * FROM study_trial WHERE session_id = %s AND rated_at IS NULL ORDER BY position LIMIT 2"


class NotHeardEnoughError(Exception):
    """So many seconds of the clip have yet to be heard before it can be rated."""

    def __init__(self, seconds_left):
        super().__init__(seconds_left)
        self.seconds_left = seconds_left


class SessionQuerySet(models.QuerySet):
    def dropped_out(self, now):
        """Those that withdrew, or neither finished nor showed a sign of life for long."""
        limit = now - DROPPED_OUT_AFTER
        alive = Trial.objects.filter(Q(shown_at__gte=limit) | Q(rated_at__gte=limit), session=OuterRef("pk"))
        silent = Q(started_at__lt=limit) & ~Q(models.Exists(alive))
        return self.filter(Q(withdrawn_at__isnull=False) | silent, finished_at=None)

    def taking_part(self):
        """All but those that withdrew: of them nothing is left but that they came."""
        return self.filter(withdrawn_at=None)

    def on_the_way(self):
        """With what a participant's requests need of session and study, and no more: they come by the thousand."""
        study = ("seed", "public_title", "thanks", "comments", "min_heard_seconds", "length_seconds", "state")
        own = ("code", "n_trials", "study_id", "recruiter")
        return self.select_related("study").only(*own, "study__completion_code", *(f"study__{name}" for name in study))

    def begin(self, study, admission, recruiter="", participant=""):
        """Return a new session of an open study with its whole order drawn. The study's row is locked meanwhile."""
        plan = study.plan()
        session = self.model(
            study=study,
            admission=admission,
            recruiter=recruiter,
            participant=participant,
            seed=new_seed(),
            number=self._free_place(plan),
        )
        places = ordering.draw(plan, session.number, session.seed)
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

    def _free_place(self, plan):
        """Return the place of somebody who dropped out, or one that nobody had."""
        dropped_out = self.dropped_out(timezone.now())
        number = self._evening_place(plan, dropped_out) if plan.is_of_subsets else self._first_place(dropped_out)
        dropped_out.filter(number=number).update(is_replaced=True)
        return number

    def _first_place(self, dropped_out):
        lost = dropped_out.filter(is_replaced=False).order_by("number").first()
        if lost is not None:
            return lost.number
        last = self.aggregate(last=Max("number"))["last"]
        return 0 if last is None else last + 1

    def _evening_place(self, plan, dropped_out):
        """Return the place that evens out what the clips have: some who dropped out have rated a part of theirs."""
        taken = Counter(self.exclude(pk__in=dropped_out.values("pk")).values_list("number", flat=True))
        rated = Trial.objects.filter(session__in=dropped_out, is_repeat=False, rated_at__isnull=False)
        given = Counter(rated.values_list("stimulus", flat=True).order_by())
        n_passes = len(plan.scales)
        return ordering.evening_place(plan, taken, {item: n / n_passes for item, n in given.items()})


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
        trials = list(Trial.objects.raw(UNRATED, [self.pk]))
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
        now = timezone.now()
        # A clock that was set back since has left a time to come, by which nothing could be judged. Of many pages at once
        # each has its own moment: those that lie close together are one.
        never = Q(shown_at=None) | Q(shown_at__gt=now + AT_ONCE)
        with transaction.atomic():
            if Trial.objects.filter(never, pk=self.pk).update(shown_at=now):
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
        now = timezone.now()
        answer = {"comment": comment, "heard_seconds": self.heard_seconds, "plays": self.plays}
        # Never before it was shown, wherever the clock was set since.
        rated_at = max(now, self.shown_at or now)
        return Trial.objects.filter(pk=self.pk, rated_at=None).update(rated_at=rated_at, **answer) == 1

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
        if since_shown < 0:  # the clock was set back, and cannot judge
            since_shown = self.session.study.length_seconds
        # Both are totals, so that a report that comes twice or late takes nothing away and adds nothing.
        self.heard_seconds = max(self.heard_seconds, min(heard_seconds, since_shown))
        self.plays = max(self.plays, plays)

    def _log(self, events):
        # A report may come twice; an event that has its mark is stored once.
        rows = [PlayEvent(trial=self, kind=kind, at_seconds=at, mark=mark) for kind, at, mark in map(_marked, events)]
        if rows:
            PlayEvent.objects.bulk_create(rows, ignore_conflicts=True)


def _marked(event):
    kind, at, *mark = event
    return kind, at, mark[0] if mark else ""


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
    kind = models.CharField(max_length=20)  # shown, or one of participant.PLAYER_EVENTS
    at_seconds = models.FloatField(null=True)  # place in the clip
    received_at = models.DateTimeField(auto_now_add=True)
    mark = models.CharField(max_length=24, blank=True)  # the page's own, by which it is known when it comes again

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["trial", "mark"], name="an_event_once", condition=~Q(mark=""))]

    def __str__(self):
        return self.kind
