import uuid
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, F, Max, Min, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import Change
from accounts.sharing import OwnedQuerySet, SharedQuerySet
from generation.archiving import Archivable, ArchivedRows
from generation.leases import LEASE, QUEUE_PATIENCE, Leased, entry
from generation.storing import stored
from music.refusal import shown_name
from training.families import FAMILIES

# So long a refused file is listed with its reason, and a taken one with what it was understood to be.
UPLOADS_KEPT = timedelta(days=7)
# Bytes that nobody had read by then were left behind: a page that was closed between sending and reading.
UNREAD_KEPT = timedelta(days=1)


def family_title(name):
    """What the report calls this family."""
    return FAMILIES[name].title if name in FAMILIES else name


# File names are ours; the name that a file came with is text to show, never a path.
def checkpoint_path(checkpoint, filename):
    return f"checkpoints/{checkpoint.id}.keras"


def roll_path(clip, filename):
    return f"rolls/{clip.id}.npz"


def master_path(clip, filename):
    return f"masters/{clip.id}.flac"


def incoming_path(upload, filename):
    return f"incoming/{upload.id}"


class Owned(models.Model):
    """Something that a researcher made or brought."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class KeptQuerySet(ArchivedRows, SharedQuerySet):
    pass


class Corpus(Owned):
    """Pieces made ready for training: a folder on disk that `training.corpus` wrote, and its card."""

    name = models.CharField(max_length=200)
    folder = models.CharField(max_length=500)  # below settings.CORPUS_DIR
    card = models.JSONField(default=dict)
    checksum = models.CharField(max_length=64)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "corpora"

    def __str__(self):
        return self.name

    @property
    def path(self):
        return Path(settings.CORPUS_DIR) / self.folder


class TrainingRun(Owned):
    """One training of one network; `history` is what the loss curves are drawn from, one entry an epoch."""

    family = models.CharField(max_length=40)
    configuration = models.JSONField(default=dict)
    corpus = models.ForeignKey(Corpus, null=True, on_delete=models.PROTECT, related_name="runs")
    seed = models.BigIntegerField(default=0)
    minutes = models.FloatField(null=True)
    epochs = models.PositiveIntegerField(null=True)
    history = models.JSONField(default=list)
    baselines = models.JSONField(default=dict)  # the loss of two guesses that learn nothing

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return f"{self.family_title} on {self.corpus or 'another machine'}"

    @property
    def family_title(self):
        return family_title(self.family)

    @property
    def job(self):
        """The latest job that trained it."""
        trained = [job for job in self.jobs.all() if job.kind == Job.Kind.TRAINING]
        return max(trained, key=lambda job: job.created_at, default=None)

    @property
    def is_underway(self):
        return self.job is not None and not self.job.is_finished

    @property
    def checkpoint(self):
        """What it left: one each time that it ended, the latest of them."""
        return max(self.checkpoints.all(), key=lambda checkpoint: checkpoint.created_at, default=None)

    @property
    def seconds_trained(self):
        return self.history[-1].get("seconds", 0.0) if self.history else 0.0

    @property
    def best_test_loss(self):
        return min((epoch["test_loss"] for epoch in self.history), default=None)

    @property
    def folder(self):
        return Path(settings.RUN_DIR) / str(self.id)


class Checkpoint(Archivable, Owned):
    """Trained or uploaded weights with their card."""

    name = models.CharField(max_length=200)
    family = models.CharField(max_length=40)
    file = models.FileField(upload_to=checkpoint_path, max_length=200)
    sha256 = models.CharField(max_length=64)
    card = models.JSONField()
    run = models.ForeignKey(TrainingRun, null=True, on_delete=models.PROTECT, related_name="checkpoints")

    objects = KeptQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return self.name

    @property
    def family_title(self):
        return family_title(self.family)

    def leave(self):
        """Let jobs that are over and left no clip go with it."""
        self.jobs.filter(clips=None).exclude(state__in=UNFINISHED).delete()


UNFINISHED = ("waiting", "running")


def usual_drawing(family_name):
    """Return the temperature and top_p that clips of a family are sampled with unless something else is asked for."""
    family = FAMILIES.get(family_name)  # one that is gone asks for nothing
    return {name: getattr(family, name, 1.0) for name in ("temperature", "top_p")}


class JobQuerySet(OwnedQuerySet):
    def ask_for_clips(self, owner, checkpoint, n_clips, seconds, seed, **drawing):
        return self.plan_clips(owner, checkpoint, n_clips, seconds, seed, **drawing).enqueue()

    def ask_for_references(self, owner, corpus, pieces, seconds):
        return self.plan_references(owner, corpus, pieces, seconds).enqueue()

    def ask_for_training(self, owner, family, corpus, **wishes):
        return self.plan_training(owner, family, corpus, **wishes).enqueue()

    def ask_to_resume(self, owner, run, minutes=None, epochs=None):
        return self.plan_to_resume(owner, run, minutes, epochs).enqueue()

    def ask_for_sample(self, owner, run, seconds, seed):
        return self.plan_sample(owner, run, seconds, seed).enqueue()

    def plan_clips(self, owner, checkpoint, n_clips, seconds, seed, **drawing):
        """drawing: temperature, top_p and `settings`, the family's own of sampling; what is not said has its default"""
        wishes = {"n_clips": n_clips, "seconds": seconds, "seed": seed, **usual_drawing(checkpoint.family), **drawing}
        return self._plan(owner, Job.Kind.CLIPS, n_clips, wishes, checkpoint=checkpoint)

    def plan_references(self, owner, corpus, pieces, seconds):
        """pieces: which of the corpus' pieces, by their place in it; each gives one clip of its opening."""
        wishes = {"pieces": list(pieces), "seconds": seconds}
        return self._plan(owner, Job.Kind.REFERENCES, len(wishes["pieces"]), wishes, corpus=corpus)

    def plan_other(self, owner, kind, n_steps, title, link, **wishes):
        """What another room does (`work.DEEDS`), in so many steps. title, link: what it is about, and where that is"""
        return self._plan(owner, kind, n_steps, {"title": title, "link": link, **wishes})

    def plan_sample(self, owner, run, seconds, seed):
        """One clip of the last whole epoch that the run has by then."""
        wishes = {"n_clips": 1, "seconds": seconds, "seed": seed, **usual_drawing(run.family)}
        return self._plan(owner, Job.Kind.SAMPLE, 1, wishes, run=run)

    @transaction.atomic
    def plan_training(self, owner, family, corpus, minutes=None, seed=0, configuration=None, **bounds):
        """configuration: what differs from the family's defaults. minutes, epochs, patience: whichever is over first"""
        run = TrainingRun.objects.create(
            owner=owner,
            family=family,
            corpus=corpus,
            minutes=minutes,
            epochs=bounds.get("epochs"),
            seed=seed,
            configuration=FAMILIES[family].configuration(configuration),
        )
        return self._plan_training_of(owner, run, minutes, **bounds)

    def plan_to_resume(self, owner, run, minutes=None, epochs=None):
        """Go on with a run that ended, for so long; epochs counts from the run's first.

        Raises IntegrityError if the run is underway.
        """
        with transaction.atomic():
            return self._plan_training_of(owner, run, minutes, epochs)

    def _plan_training_of(self, owner, run, minutes=None, epochs=None, patience=None):
        wishes = {"minutes": minutes, "epochs": epochs, "seconds_before": run.seconds_trained}
        wishes |= {"patience": patience} if patience else {}
        return self._plan(owner, Job.Kind.TRAINING, 100, wishes, run=run, corpus=run.corpus)

    @transaction.atomic
    def ask_for_reading(self, owner, uploads, seconds):
        """Have these uploads read. seconds: the most that a roll or a MIDI file gives; longer ones are cut."""
        uploads = list(uploads)
        job = self._plan(owner, Job.Kind.UPLOADS, len(uploads), {"seconds": seconds})
        Upload.objects.filter(pk__in=[upload.pk for upload in uploads]).update(job=job)
        return job.enqueue()

    def _plan(self, owner, kind, n_total, wishes, **about):
        with transaction.atomic():
            job = self.create(
                owner=owner,
                kind=kind,
                n_total=n_total,
                settings=wishes,
                lease_until=timezone.now() + QUEUE_PATIENCE,
                **about,
            )
            Change.objects.note(owner, job.wish, job.run or job.checkpoint or job.corpus or job)
        return job

    def claim(self, job_id, worker):
        """Take a waiting job for this worker; None if it is taken, finished or cancelled already."""
        now = timezone.now()
        rested = Q(not_before=None) | Q(not_before__lte=now)
        taken = self.filter(rested, pk=job_id, state=Job.State.WAITING).update(
            state=Job.State.RUNNING,
            worker=worker,
            lease_until=now + LEASE,
            started_at=now,
            attempts=F("attempts") + 1,
            stage="",
            log=entry("begun by a worker"),
        )
        return self.select_related("checkpoint", "corpus", "run__corpus").get(pk=job_id) if taken else None

    def underway(self):
        """Those that a worker which lives works on."""
        return self.filter(state=Job.State.RUNNING, lease_until__gte=timezone.now())

    def sweep(self):
        """Put back into the queue what a dead worker left and what the queue lost. Returns how many jobs that were."""
        unfinished = self.filter(state__in=[Job.State.WAITING, Job.State.RUNNING])
        return sum(job.put_back() for job in unfinished.filter(lease_until__lt=timezone.now()))


class Job(Leased, Owned):
    """Something a researcher asked for. The queue delivers it, this row is what people look at.

    A delivery may come twice, and after a worker's death never again: `objects.claim()` takes a job by one conditional
    update, and the lease says until when its worker counts as alive. Every change that a worker makes asks in the same
    statement whether the job is still its own.
    """

    class Kind(models.TextChoices):
        CLIPS = "clips", "Clips from a checkpoint"
        REFERENCES = "references", "Clips of real music"
        TRAINING = "training", "Training"
        UPLOADS = "uploads", "Reading uploads"
        SAMPLE = "sample", "A sample of a training run"
        ANALYSIS = "analysis", "Results of a study"
        COVERAGE = "coverage", "Coverage of a study's design"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    checkpoint = models.ForeignKey(Checkpoint, null=True, on_delete=models.PROTECT, related_name="jobs")
    corpus = models.ForeignKey(Corpus, null=True, on_delete=models.PROTECT, related_name="jobs")
    run = models.ForeignKey(TrainingRun, null=True, on_delete=models.PROTECT, related_name="jobs")
    settings = models.JSONField(default=dict)
    n_done = models.PositiveIntegerField(default=0)  # clips; of a training, hundredths
    n_total = models.PositiveIntegerField(default=0)
    stage = models.CharField(max_length=60, blank=True)  # what its worker does just now
    seconds_left = models.FloatField(null=True)
    message = models.TextField(blank=True)  # the one sentence that a person reads when it failed
    log = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)  # a fault of the machine ended it: it is tried again, but not yet
    attempts = models.PositiveSmallIntegerField(default=0)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="job_state",
                condition=Q(state__in=["waiting", "running", "done", "failed", "cancelled"]),
            ),
            # Two would write into one folder.
            models.UniqueConstraint(
                name="one_unfinished_training_of_a_run",
                fields=["run"],
                condition=Q(kind="training", state__in=["waiting", "running"]),
            ),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} ({self.state})"

    @property
    def is_finished(self):
        return self.state not in (self.State.WAITING, self.State.RUNNING)

    @property
    def is_lost(self):
        """Did its worker die, or the queue lose it? The next sweep puts it back; a person may do so sooner."""
        return not self.is_finished and self.lease_until < timezone.now()

    @property
    def subject(self):
        """What the job is about."""
        about = self.checkpoint or self.run or self.corpus or self.settings.get("title")
        return about or f"{self.n_total} file{'s' if self.n_total > 1 else ''}"

    @property
    def wish(self):
        """What somebody did who asked for it, as the log says."""
        wishes = {
            self.Kind.CLIPS: f"asked for {self.n_total} clip{'s' if self.n_total > 1 else ''}",
            self.Kind.REFERENCES: f"asked for {self.n_total} clip{'s' if self.n_total > 1 else ''} of real music",
            self.Kind.TRAINING: "started training" if not (self.run and self.run.history) else "went on training",
            self.Kind.UPLOADS: f"had {self.n_total} file{'s' if self.n_total > 1 else ''} read",
            self.Kind.SAMPLE: "asked for a sample",
        }
        return wishes.get(self.kind, "asked for it")

    @property
    def makes_clips(self):
        return self.kind in (self.Kind.CLIPS, self.Kind.REFERENCES, self.Kind.UPLOADS, self.Kind.SAMPLE)

    def enqueue(self):
        """Hand the job to the queue as soon as the row is there for a worker to find."""
        # By its path, because the task's module needs this one.
        run_job = import_string("generation.tasks.run_job")
        if self.not_before and run_job.get_backend().supports_defer:
            run_job = run_job.using(run_after=self.not_before)
        transaction.on_commit(lambda: run_job.enqueue(str(self.pk)))
        return self


class UploadQuerySet(OwnedQuerySet):
    def recent(self):
        return self.filter(created_at__gte=timezone.now() - UPLOADS_KEPT)

    def unread(self):
        return self.filter(state=Upload.State.RECEIVED)

    def batches_to_read(self):
        """Each batch with unread files: how many they are, one's name, and how many of them nobody asked to have read."""
        counts = {"n_files": Count("pk"), "n_not_asked": Count("pk", filter=Q(job=None)), "latest": Max("created_at")}
        return self.unread().order_by().values("batch").annotate(name=Min("name"), **counts).order_by("-latest")

    def receive(self, owner, file, batch):
        """Keep a file until it is read."""
        name = shown_name(file.name)
        upload = self.model(owner=owner, batch=batch, name=name, n_bytes=file.size)
        with stored(file=(upload.file, file)), transaction.atomic():
            upload.save(force_insert=True)
            Change.objects.note(owner, "brought the file", upload)
        return upload

    def note_refusal(self, owner, file, reason, problem):
        """List a file that was refused before it was kept, without its bytes."""
        return self.create(
            owner=owner,
            batch=uuid.uuid4(),
            name=shown_name(file.name),
            n_bytes=file.size,
            state=Upload.State.REFUSED,
            reason=reason,
            problem=problem or "",
        )

    def sweep(self):
        """Forget what is older than a week, and bytes that nobody asked to have read. Returns how many those were."""
        now = timezone.now()
        left = Q(created_at__lt=now - UNREAD_KEPT, job=None, state=Upload.State.RECEIVED)
        old = list(self.filter(left | Q(created_at__lt=now - UPLOADS_KEPT)).exclude(job__state__in=UNFINISHED))
        for upload in old:
            upload.forget_bytes()
            upload.delete()
        return len(old)


class Upload(Owned):
    """A file that somebody brought: received, then read by a child, and taken for what it is or refused.

    Its bytes stay until it was read and no longer; nothing ever serves them. What it held lives on as a checkpoint or as
    clips; why it was refused is listed for a week.
    """

    class State(models.TextChoices):
        RECEIVED = "received"
        TAKEN = "taken"
        REFUSED = "refused"

    batch = models.UUIDField()  # the files that came together, by one page
    name = models.CharField(max_length=200)  # the name it came with: text to show, never a path
    n_bytes = models.PositiveBigIntegerField()
    file = models.FileField(upload_to=incoming_path, max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    problem = models.CharField(max_length=60, blank=True)  # its class, as in "zip.ratio"
    reason = models.TextField(blank=True)  # one sentence
    understood = models.JSONField(default=list)  # [label, text] of what it was taken for
    job = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="uploads")
    checkpoint = models.ForeignKey(Checkpoint, null=True, on_delete=models.SET_NULL, related_name="uploads")

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "name"]
        constraints = [
            models.CheckConstraint(name="upload_state", condition=Q(state__in=["received", "taken", "refused"]))
        ]

    def __str__(self):
        return self.name

    @property
    def is_read(self):
        return self.state != self.State.RECEIVED

    def refuse(self, reason, problem):
        self.state, self.reason, self.problem = self.State.REFUSED, reason, problem
        self.save(update_fields=["state", "reason", "problem"])
        self.forget_bytes()

    def take(self, understood, checkpoint=None):
        """Note what it was. The bytes go when this is certain, which a transaction around it may still undo."""
        self.state, self.understood, self.checkpoint = self.State.TAKEN, understood, checkpoint
        self.save(update_fields=["state", "understood", "checkpoint"])
        transaction.on_commit(self.forget_bytes)

    def forget_bytes(self):
        if self.file:
            self.file.delete(save=False)
            Upload.objects.filter(pk=self.pk).update(file="")


class Clip(Archivable, Owned):
    """One finished piece of sound: a lossless master, the roll it was played from, and all that made it."""

    class Source(models.TextChoices):
        GENERATED = "generated"
        REFERENCE = "reference"
        UPLOADED = "uploaded"

    title = models.CharField(max_length=200)
    source = models.CharField(max_length=20, choices=Source.choices)
    job = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="clips")
    checkpoint = models.ForeignKey(Checkpoint, null=True, on_delete=models.PROTECT, related_name="clips")
    corpus = models.ForeignKey(Corpus, null=True, on_delete=models.PROTECT, related_name="clips")
    upload = models.ForeignKey("Upload", null=True, on_delete=models.SET_NULL, related_name="clips")
    index = models.PositiveIntegerField(default=0)  # which clip of its job
    roll = models.FileField(upload_to=roll_path, max_length=200, blank=True)
    master = models.FileField(upload_to=master_path, max_length=200)
    seconds = models.FloatField()
    loudness_lufs = models.FloatField()  # of the master
    # seed, sampling settings, checkpoint and corpus checksums, renderer, SoundFont, versions, sha256 of roll and master
    provenance = models.JSONField(default=dict)

    objects = KeptQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "index"]
        constraints = [models.UniqueConstraint(fields=["job", "index"], name="one_clip_for_each_index_of_a_job")]

    def __str__(self):
        return self.title

    def leave(self):
        """Nothing goes with it: its job stays, for it may have made others."""


class Measures(models.Model):
    """What was measured of a clip (training.measuring.measured). The clip never changes; this may be made anew."""

    clip = models.OneToOneField(Clip, on_delete=models.CASCADE, primary_key=True, related_name="measures")
    found = models.JSONField()
    fingerprints = models.BinaryField()  # uint16 (bar, 28), as music.similarity has them
    made_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return f"Measures of {self.clip}"

    @property
    def flags(self):
        return self.found["flags"]
