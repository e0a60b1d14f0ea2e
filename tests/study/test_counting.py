"""What is stored beside the ratings says the same as the ratings, whatever was rated in which order."""

import importlib
import random

import pytest
from django.db import connection

from study.models import Condition, Rating, Session, Stimulus, TotalCount, Trial, ValueCount
from study.recounting import recount
from tests.study.test_concurrency import at_once

pytestmark = pytest.mark.django_db
TWO = ({"name": "overall"}, {"name": "rhythm"})


def stored():
    values = ValueCount.objects.values_list("stimulus", "scale", "value", "n")
    totals = TotalCount.objects.filter(n_sessions__gt=0)
    return set(values), set(totals.values_list("condition", "row", "scale", "total", "n", "n_sessions"))


def rate_some(session, chance, n_trials):
    for trial in session.trials.order_by("position")[:n_trials]:
        trial.session = session
        scales = [trial.scale_id] if trial.scale_id else session.study.scales.values_list("id", flat=True)
        trial.rate({scale: chance.randint(1, 10) for scale in scales})


@pytest.mark.parametrize(
    "design",
    [
        {},
        {"scales": TWO},
        {"scales": TWO, "separate_passes": True},
        {"n_repeats": 2},
        {"clips_per_session": 4},
    ],
    ids=["plain", "two scales", "passes", "repeats", "subset"],
)
def test_counts_kept_with_each_rating_are_those_of_all_ratings(make_study, design):
    study, chance = make_study({"A": 3, "B": 2, "real": 1}, **design), random.Random(1)
    for _ in range(12):
        session = study.admit()
        rate_some(session, chance, chance.randint(0, session.n_trials))
    kept = stored()

    recount(study)

    assert kept == stored()
    assert sum(count.n for count in ValueCount.objects.all()) == Rating.objects.filter(trial__is_repeat=False).count()
    assert len(kept[1]) > 5


def test_an_answer_that_is_not_stored_does_not_count(make_study):
    session = make_study({"A": 2}).admit()
    trial = session.next_trial()
    scale = session.study.scales.get().pk

    trial.rate({scale: 7})
    trial.rate({scale: 7})
    trial.rate({scale: 3})

    assert stored()[0] == {(trial.stimulus_id, scale, 7, 1)}


def test_a_recount_leaves_other_studies_alone(make_study):
    one, other = make_study({"A": 2}), make_study({"A": 2})
    for study in (one, other):
        rate_some(study.admit(), random.Random(2), 2)
    before = stored()

    recount(one)

    assert stored() == before


def test_a_row_that_part_of_a_condition_shares_has_counts_of_its_own(make_study):
    study = make_study({"A": 3})
    Stimulus.objects.filter(label__in=["A 1", "A 2"]).update(row="both")
    rate_some(study.admit(), random.Random(3), 3)

    recount(study)

    given = dict(Rating.objects.values_list("trial__stimulus__label", "value"))
    condition, scale = Condition.objects.get().pk, study.scales.get().pk
    assert stored()[1] == {
        (condition, "", scale, sum(given.values()), 3, 1),
        (condition, "both", scale, given["A 1"] + given["A 2"], 2, 1),
    }


def test_the_migration_counts_what_was_rated_before_there_were_counts(make_study):
    migration = importlib.import_module("study.migrations.0003_counts")
    for design in ({"scales": TWO}, {"n_repeats": 2}):
        rate_some(make_study({"A": 3, "B": 1}, **design).admit(), random.Random(4), 4)
    Stimulus.objects.filter(label__in=["A 1", "A 2"]).update(row="both")
    for condition in Condition.objects.all():
        recount(condition.study)
    before = stored()
    ValueCount.objects.all().delete()
    TotalCount.objects.all().delete()

    with connection.cursor() as cursor:
        for statement in (migration.VALUES, migration.CONDITIONS, migration.SHARED_ROWS):
            cursor.execute(statement)

    assert stored() == before
    assert {row for _, row, *_ in before[1]} == {"", "both"}


@pytest.mark.django_db(transaction=True)
def test_eight_who_rate_at_once_are_all_counted(make_study):
    study = make_study({"A": 3, "B": 3}, scales=TWO)
    sessions = [study.admit() for _ in range(8)]

    at_once(8, lambda i: rate_some(Session.objects.get(pk=sessions[i].pk), random.Random(i), 6))

    kept = stored()
    recount(study)
    assert kept == stored()
    assert Trial.objects.filter(rated_at=None).count() == 0
