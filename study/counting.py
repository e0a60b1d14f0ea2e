"""Counts that every table is made of, kept up to date with each rating: so no table ever loads a rating.

A rating moves two of them, in its own transaction: how many ratings its clip has of that value, and how many sessions
gave the clips of its condition (total, n). Hidden repeats are a control of the listener and count in neither.

Plain SQL, for this stands in the way of every participant: three statements take a tenth of what the ORM's would.
"""

from django.db import connection

# The condition of a clip.
CONDITION = "(SELECT condition_id FROM study_stimulus WHERE id = %s)"
# What the session has given the other clips of this one's condition, a row a scale.
GIVEN_SO_FAR = f"""
    SELECT rating.scale_id, SUM(rating.value), COUNT(*)
    FROM study_trial trial
    JOIN study_stimulus stimulus ON stimulus.id = trial.stimulus_id AND stimulus.condition_id = {CONDITION}
    JOIN study_rating rating ON rating.trial_id = trial.id
    WHERE trial.session_id = %s AND trial.id <> %s AND NOT trial.is_repeat
    GROUP BY rating.scale_id
"""
ONE_MORE_OF_A_VALUE = """
    INSERT INTO study_valuecount (stimulus_id, scale_id, value, n) VALUES (%s, %s, %s, 1)
    ON CONFLICT (stimulus_id, scale_id, value) DO UPDATE SET n = study_valuecount.n + 1
"""
# An empty `row` stands for the whole condition.
ONE_LESS_OF_A_TOTAL = f"""
    UPDATE study_totalcount SET n_sessions = n_sessions - 1
    WHERE condition_id = {CONDITION} AND "row" = '' AND scale_id = %s AND total = %s AND n = %s
"""
ONE_MORE_OF_A_TOTAL = f"""
    INSERT INTO study_totalcount (condition_id, "row", scale_id, total, n, n_sessions)
    VALUES ({CONDITION}, '', %s, %s, %s, 1)
    ON CONFLICT (condition_id, "row", scale_id, total, n) DO UPDATE SET n_sessions = study_totalcount.n_sessions + 1
"""

OF_SESSION = """
    FROM study_rating rating
    JOIN study_trial trial ON trial.id = rating.trial_id AND NOT trial.is_repeat
    JOIN study_stimulus stimulus ON stimulus.id = trial.stimulus_id
    WHERE trial.session_id = %s
"""
GIVEN_VALUES = f"SELECT trial.stimulus_id, rating.scale_id, rating.value {OF_SESSION}"
# A clip of each condition stands for it.
GIVEN_TOTALS = f"""
    SELECT MIN(stimulus.id), rating.scale_id, SUM(rating.value), COUNT(*) {OF_SESSION}
    GROUP BY stimulus.condition_id, rating.scale_id
"""
ONE_LESS_OF_A_VALUE = "UPDATE study_valuecount SET n = n - 1 WHERE stimulus_id = %s AND scale_id = %s AND value = %s"


def count(trial, values):
    """Count the ratings that a trial has just got, {scale id: value}, within the transaction that stores them."""
    if trial.is_repeat:
        return
    clip, values = trial.stimulus_id, sorted(values.items())
    with connection.cursor() as cursor:
        cursor.execute(GIVEN_SO_FAR, [clip, trial.session_id, trial.pk])
        before = {scale: (total, n) for scale, total, n in cursor.fetchall()}
        left = [(clip, scale, *before[scale]) for scale, _ in values if scale in before]
        reached = [(clip, scale, *_after(before, scale, value)) for scale, value in values]
        # Everybody takes the rows in the same order (values, totals of fewer ratings, totals of more, each by scale):
        # two sessions that waited for each other's would wait for ever.
        cursor.executemany(ONE_MORE_OF_A_VALUE, [(clip, scale, value) for scale, value in values])
        if left:
            cursor.executemany(ONE_LESS_OF_A_TOTAL, left)
        cursor.executemany(ONE_MORE_OF_A_TOTAL, reached)


def uncount(session):
    """Take the ratings of a session out of the counts, within the transaction that deletes them."""
    with connection.cursor() as cursor:
        cursor.execute(GIVEN_VALUES, [session.pk])
        cursor.executemany(ONE_LESS_OF_A_VALUE, sorted(cursor.fetchall()))
        cursor.execute(GIVEN_TOTALS, [session.pk])
        # As in `count`: totals of fewer ratings first, each by scale.
        totals = sorted(cursor.fetchall(), key=lambda given: (given[3], given[1], given[0]))
        cursor.executemany(ONE_LESS_OF_A_TOTAL, totals)


def _after(before, scale, value):
    total, n = before.get(scale, (0, 0))
    return total + value, n + 1
