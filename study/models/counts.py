"""Counts: of ratings by value and by total, from which tables are made, and of all that a study has."""

from django.db import models
from django.db.models import Func, OuterRef
from django.db.models.functions import Coalesce

from study.models.design import Condition, Scale, Stimulus
from study.models.taking import Session


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


def with_counts(studies):
    """Each with n_clips, n_started, n_finished and n_ratings (without hidden repeats)."""
    return studies.annotate(
        n_clips=_number_of(Stimulus.objects.filter(condition__study=OuterRef("pk"))),
        n_started=_number_of(Session.objects.taking_part().filter(study=OuterRef("pk"))),
        n_finished=_number_of(Session.objects.filter(study=OuterRef("pk")).exclude(finished_at=None)),
        n_ratings=Coalesce(_number_of(ValueCount.objects.filter(scale__study=OuterRef("pk")), "SUM(n)"), 0),
    )


def _number_of(rows, what="COUNT(*)"):
    count = rows.order_by().annotate(all=Func(template=what, output_field=models.IntegerField())).values("all")
    return models.Subquery(count, output_field=models.IntegerField())
