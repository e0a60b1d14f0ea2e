"""Studies, who hears what in which order, and what they answered."""

from study.models.analyses import Analysis
from study.models.counts import TotalCount, ValueCount, with_counts
from study.models.design import Condition, NotOpenError, Scale, Stimulus, Study, clips_seen_by
from study.models.marks import new_code, new_seed, new_slug
from study.models.taking import (
    DROPPED_OUT_AFTER,
    NotHeardEnoughError,
    PlayEvent,
    Rating,
    Session,
    Trial,
)

__all__ = [
    "DROPPED_OUT_AFTER",
    "Analysis",
    "Condition",
    "NotHeardEnoughError",
    "NotOpenError",
    "PlayEvent",
    "Rating",
    "Scale",
    "Session",
    "Stimulus",
    "Study",
    "TotalCount",
    "Trial",
    "ValueCount",
    "clips_seen_by",
    "new_code",
    "new_seed",
    "new_slug",
    "with_counts",
]
