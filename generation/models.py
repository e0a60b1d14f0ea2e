import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


# File names are ours; the name that a file came with is text to show, never a path.
def checkpoint_path(checkpoint, filename):
    return f"checkpoints/{checkpoint.id}.keras"


def roll_path(clip, filename):
    return f"rolls/{clip.id}.npz"


def master_path(clip, filename):
    return f"masters/{clip.id}.flac"


class Owned(models.Model):
    """Something that a researcher made or brought."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class OwnedQuerySet(models.QuerySet):
    def visible_to(self, researcher):
        """What this researcher may see. (Sharing widens this one place.)"""
        return self.filter(owner=researcher)


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


class TrainingRun(Owned):
    """One training of one network; `history` is what the loss curves are drawn from, one entry an epoch."""

    family = models.CharField(max_length=40)
    configuration = models.JSONField(default=dict)
    corpus = models.ForeignKey(Corpus, null=True, on_delete=models.PROTECT, related_name="runs")
    seed = models.BigIntegerField(default=0)
    minutes = models.FloatField(null=True)
    history = models.JSONField(default=list)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return f"{self.family} on {self.corpus or 'another machine'}"


class Checkpoint(Owned):
    """Trained or uploaded weights with their card."""

    name = models.CharField(max_length=200)
    family = models.CharField(max_length=40)
    file = models.FileField(upload_to=checkpoint_path, max_length=200)
    sha256 = models.CharField(max_length=64)
    card = models.JSONField()
    run = models.OneToOneField(TrainingRun, null=True, on_delete=models.PROTECT, related_name="checkpoint")

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return self.name


class Job(Owned):
    """Something a researcher asked for. The queue delivers it, this row is what people look at.

    A delivery may come twice, and after a worker's death never again: `objects.claim()` takes a job by one conditional
    update, and the lease says until when its worker counts as alive.
    """

    class Kind(models.TextChoices):
        CLIPS = "clips", "Clips from a checkpoint"
        REFERENCES = "references", "Clips of real music"
        TRAINING = "training", "Training"

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
    n_done = models.PositiveIntegerField(default=0)
    n_total = models.PositiveIntegerField(default=0)
    message = models.TextField(blank=True)  # the one sentence that a person reads when it failed
    log = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="job_state",
                condition=Q(state__in=["waiting", "running", "done", "failed", "cancelled"]),
            )
        ]

    def __str__(self):
        return f"{self.get_kind_display()} ({self.state})"


class Clip(Owned):
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
    index = models.PositiveIntegerField(default=0)  # which clip of its job
    roll = models.FileField(upload_to=roll_path, max_length=200, blank=True)
    master = models.FileField(upload_to=master_path, max_length=200)
    seconds = models.FloatField()
    loudness_lufs = models.FloatField()  # of the master
    # seed, sampling settings, checkpoint and corpus checksums, renderer, SoundFont, versions, sha256 of roll and master
    provenance = models.JSONField(default=dict)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "index"]
        constraints = [models.UniqueConstraint(fields=["job", "index"], name="one_clip_for_each_index_of_a_job")]

    def __str__(self):
        return self.title
