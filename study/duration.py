"""How long a session takes, as far as that can be said before anybody took part."""

import math
from dataclasses import dataclass

ANSWER_SECONDS = 8  # to decide on one question and go on
EXAMPLE_CLIPS = 10  # of a draft that has none yet


@dataclass(frozen=True)
class Duration:
    n_clips: int  # heard in one pass, hidden repeats aside
    n_repeats: int
    n_passes: int
    n_questions: int  # on each screen
    needed_seconds: float  # of a clip, before it can be rated
    length_seconds: float
    is_example: bool = False  # the study has no clips yet

    @property
    def n_trials(self):
        return self.n_passes * (self.n_clips + self.n_repeats)

    @property
    def shortest_minutes(self):
        """Of somebody who rates each clip as soon as that is allowed."""
        return self._minutes(self.needed_seconds)

    @property
    def longest_minutes(self):
        """Of somebody who hears each clip once to its end."""
        return self._minutes(self.length_seconds)

    @property
    def n_orders(self):
        """How many participants it takes until every clip followed every other equally often, in a Latin square."""
        return self.n_clips if self.n_clips % 2 == 0 else 2 * self.n_clips

    @property
    def answer_seconds(self):
        return ANSWER_SECONDS * self.n_questions

    def _minutes(self, heard_seconds):
        return math.ceil(self.n_trials * (heard_seconds + self.answer_seconds) / 60)


def of(study):
    """Return the Duration of one session of a study; of one without clips, an example with EXAMPLE_CLIPS.

    The study may be a new one that a form holds: it asks one question.
    """
    n_clips = study.stimuli().count() if study.pk else 0
    n_questions = study.scales.count() if study.pk else 1
    heard = study.clips_per_session or n_clips or EXAMPLE_CLIPS
    return Duration(
        n_clips=min(heard, n_clips) if n_clips else heard,
        n_repeats=study.n_repeats,
        n_passes=n_questions if study.separate_passes else 1,
        n_questions=1 if study.separate_passes else n_questions,
        needed_seconds=study.needed_seconds,
        length_seconds=study.length_seconds,
        is_example=not n_clips,
    )
