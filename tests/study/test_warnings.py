"""What a researcher is told of the clips before a study is opened: twins, and clips that are broken or copied."""

import csv
import io

import numpy as np
import pytest

from generation.models import Measures
from music import metrics, similarity
from study import opening, takeaway
from study.models import Study
from tests.console import text

pytestmark = pytest.mark.django_db

BARS = np.zeros((2, similarity.WORDS), np.uint16)
BARS[:, 12] = 0b1000_1000_1000_1000
OTHER = np.zeros((2, similarity.WORDS), np.uint16)
OTHER[:, 17] = 0b0100_0010_0001_0111


def measured(clip, bars, *flags):
    figures = dict.fromkeys(metrics.HEADLINE, 0.25)
    found = {"version": 1, "figures": figures, "flags": [{"kind": "silent", "sentence": flag} for flag in flags]}
    return Measures.objects.create(clip=clip, found=found, fingerprints=bars.tobytes())


@pytest.fixture
def draft(make_study, make_clip, ada):
    study = make_study(state=Study.State.DRAFT, length_seconds=1)
    for number, stimulus in enumerate(study.stimuli()):
        stimulus.clip = make_clip(ada, stimulus.label, 1.0, 220 * (number + 1))
        stimulus.save()
    return study


def test_twins_and_broken_clips_are_named_and_forbid_nothing(client_of, ada, draft):
    one, two, three = list(draft.stimuli())[:3]
    measured(one.clip, BARS)
    measured(two.clip, BARS)
    measured(three.clip, OTHER, "Nothing sounds in it.")

    found = opening.warnings(draft)

    assert found == [
        f"“{three}”: Nothing sounds in it.",
        f"“{one}” and “{two}” are 100% the same: participants would rate one clip twice.",
    ]
    shown = text(client_of(ada).get(f"/studies/{draft.slug}/"))
    assert all(sentence in shown for sentence in found)
    assert opening.check(draft) == []


def test_measures_and_likeness_are_taken_away_with_the_ratings(draft, tmp_path):
    one, two, *others = draft.stimuli()
    measured(one.clip, BARS)
    measured(two.clip, OTHER)

    list(takeaway.write(draft, tmp_path))

    clips = list(csv.DictReader(io.StringIO((tmp_path / "clips.csv").read_text())))
    assert [line["measure_polyphony"] for line in clips] == ["0.25", "0.25", *[""] * len(others)]
    (pair,) = csv.DictReader(io.StringIO((tmp_path / "similarity.csv").read_text()))
    assert (pair["stimulus_a"], pair["stimulus_b"], float(pair["similarity"])) == (one.label, two.label, 0.0)
