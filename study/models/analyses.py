"""What a worker computed of a study's ratings: kept, so that a page never waits for a fit."""

from django.db import models

from generation.models import Job
from study.models.design import Study


def takeaway_path(analysis, filename):
    return f"analyses/{analysis.job_id}.zip"


class Analysis(models.Model):
    """The results of one state of a study's ratings, and everything about the study as one file to take away.

    fingerprint: of the counts that the ratings made then, and of the study's state; while it is the same, the results
        are of today
    results: as `analysis.results` gives them, less what a page does not need; figures: {scale: [Figure as a dict]}
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="analyses")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="analysis")
    fingerprint = models.CharField(max_length=64)
    asked_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True)
    n_ratings = models.PositiveIntegerField(default=0)
    results = models.JSONField(null=True)
    figures = models.JSONField(null=True)
    methods = models.TextField(blank=True)  # a paragraph for the paper
    file = models.FileField(upload_to=takeaway_path, max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "analyses"

    def __str__(self):
        return f"Results of {self.study}"

    def part(self, scale):
        """Return the results on a scale, or None where it had no ratings yet."""
        whole = self.results or {}
        part = whole.get("scales", {}).get(scale) if "scales" in whole else whole
        return part if part and part.get("scale") in ("", scale) else None

    def drawn(self, scale):
        """Return the figures of a scale."""
        drawn = self.figures or {}
        return drawn.get(scale, drawn.get("", [])) if self.part(scale) else []

    @property
    def parts(self):
        whole = self.results or {}
        return list(whole.get("scales", {"": whole}).values())
