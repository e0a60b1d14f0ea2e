import datetime
from collections import Counter

import numpy as np
import pytest

from study import duration
from study.models import DROPPED_OUT_AFTER, NotOpenError, Session, Trial

pytestmark = pytest.mark.django_db


def order_of(session):
    return list(session.trials.values_list("position", "stimulus_id", "scale_id", "is_repeat"))


def drop_out(session, ago=DROPPED_OUT_AFTER * 2):
    Session.objects.filter(pk=session.pk).update(started_at=session.started_at - ago)


def finish(session):
    for trial in session.trials.all():
        trial.session = session
        trial.rate(dict.fromkeys(session.study.scales.values_list("id", flat=True), 5))


def test_the_whole_order_is_drawn_at_admission_and_can_be_drawn_again(make_study):
    study = make_study({"A": 4, "B": 3}, scales=({"name": "one"}, {"name": "two"}), separate_passes=True, n_repeats=2)

    session = study.admit()

    drawn = [(i, place.item, place.scale, place.is_repeat) for i, place in enumerate(session.drawn_order(), start=1)]
    assert order_of(session) == drawn
    assert len(drawn) == session.n_trials == duration.of(study).n_trials == 2 * (7 + 2)


def test_participants_get_different_orders(make_study):
    study = make_study({"A": 4, "B": 3})

    orders = {tuple(trial[1] for trial in order_of(study.admit())) for _ in range(8)}

    assert len(orders) == 8


def test_places_are_given_out_one_after_the_other(make_study):
    study, other = make_study(), make_study()

    numbers = [study.admit().number, other.admit().number, study.admit().number, study.admit().number]

    assert numbers == [0, 0, 1, 2]


def test_the_same_welcome_form_sent_twice_admits_once(make_study):
    study = make_study()

    first, second = study.admit("a-mark-of-the-form"), study.admit("a-mark-of-the-form")

    assert first == second
    assert Session.objects.count() == 1


def test_another_studys_form_finds_nobody(make_study):
    one, other = make_study(), make_study()
    one.admit("a-mark-of-the-form")

    with pytest.raises(NotOpenError):
        other.close() or other.admit("a-mark-of-the-form")


def test_a_study_that_was_just_closed_admits_nobody(make_study):
    study = make_study()
    type(study).objects.update(state="closed")

    with pytest.raises(NotOpenError):
        study.admit()
    assert Session.objects.count() == Trial.objects.count() == 0


def test_the_place_of_a_drop_out_is_filled_again_once(make_study):
    study = make_study()
    sessions = [study.admit() for _ in range(3)]
    drop_out(sessions[1])

    assert [study.admit().number for _ in range(2)] == [1, 3]


@pytest.mark.parametrize("sign_of_life", ["finished", "rated lately", "shown lately", "began lately"])
def test_the_place_of_somebody_who_is_still_there_is_kept(make_study, sign_of_life):
    study = make_study()
    session = study.admit()
    if sign_of_life == "finished":
        finish(session)
    elif sign_of_life == "rated lately":
        session.next_trial().rate({study.scales.get().id: 5})
    elif sign_of_life == "shown lately":
        session.next_trial().show()
    drop_out(session, ago=datetime.timedelta(0) if sign_of_life == "began lately" else DROPPED_OUT_AFTER * 2)

    assert study.admit().number == 1


@pytest.mark.parametrize(("drop_outs", "within", "seeds"), [(0, 1, 1), (0.3, 2, 6)])
def test_ratings_per_clip_stay_even_though_three_in_ten_leave_halfway(make_study, clock, drop_outs, within, seeds):
    for seed in range(seeds):
        study = make_study({"A": 4, "B": 5}, clips_per_session=4, seed=seed)
        chance = np.random.default_rng(seed)
        stay = [come(study, chance.random() >= drop_outs, chance, clock) for _ in range(50)]
        # Who has just left is not missed yet: those who come when it shows fill what they left.
        just_left = study.sessions.filter(finished_at=None).count() - study.sessions.dropped_out(clock.now).count()
        clock.forward(2 * DROPPED_OUT_AFTER.total_seconds())
        stay += [come(study, True, chance, clock) for _ in range(just_left)]

        counts = Counter(study.stimuli().values_list("pk", flat=True))
        counts.update(
            Trial.objects.filter(session__study=study, rated_at__isnull=False).values_list("stimulus", flat=True)
        )
        n_rated = [n - 1 for n in counts.values()]
        assert sum(n_rated) >= 4 * sum(stay)
        assert max(n_rated) - min(n_rated) <= within


def come(study, stays, chance, clock):
    """Let a participant begin, and rate a clip a minute to the end or to somewhere on the way. Return whether they stay."""
    clock.forward(chance.exponential(600))
    session = study.admit()
    trials = list(session.trials.all())
    for trial in trials[: len(trials) if stays else chance.integers(len(trials))]:
        trial.rated_at = clock.now + datetime.timedelta(minutes=trial.position)
    Trial.objects.bulk_update(trials, ["rated_at"])
    Session.objects.filter(pk=session.pk).update(finished_at=clock.now if stays else None)
    return stays


def test_without_drop_outs_places_of_subsets_come_one_after_the_other(make_study):
    study = make_study({"A": 3, "B": 4}, clips_per_session=3)

    assert [study.admit().number for _ in range(10)] == list(range(10))


def test_what_a_drop_out_has_rated_counts_where_their_place_is_filled(make_study):
    study = make_study({"A": 4}, clips_per_session=2, scales=({"name": "one"}, {"name": "two"}), separate_passes=True)
    left = study.admit()
    Trial.objects.filter(session=left).update(rated_at=left.started_at - 2 * DROPPED_OUT_AFTER)
    drop_out(left)

    follower = study.admit()

    heard = {trial.stimulus_id for session in (left, follower) for trial in session.trials.all()}
    assert len(heard) == 4
    left.refresh_from_db()
    assert not left.is_replaced
