"""All counts of a study made anew from its ratings: after an import, after a repair, and to see that they are right."""

from django.db import connection, transaction

from study.models import Study, TotalCount, ValueCount

COUNTED = """
    FROM study_rating rating
    JOIN study_trial trial ON trial.id = rating.trial_id AND NOT trial.is_repeat
    JOIN study_stimulus stimulus ON stimulus.id = trial.stimulus_id
    JOIN study_condition condition ON condition.id = stimulus.condition_id AND condition.study_id = %s
"""
VALUES = "study_valuecount", ("stimulus_id", "scale_id", "value", "n")
COUNT_VALUES = f"""
    SELECT trial.stimulus_id, rating.scale_id, rating.value, COUNT(*) {COUNTED}
    GROUP BY trial.stimulus_id, rating.scale_id, rating.value
"""
TOTALS = "study_totalcount", ("condition_id", "row", "scale_id", "total", "n", "n_sessions")
COUNT_TOTALS = """
    SELECT condition_id, "row", scale_id, total, n, COUNT(*)
    FROM (
        SELECT stimulus.condition_id, {row} AS "row", rating.scale_id, SUM(rating.value) AS total, COUNT(*) AS n
        {counted}
        GROUP BY trial.session_id, stimulus.condition_id, {row}, rating.scale_id
    ) given
    GROUP BY condition_id, "row", scale_id, total, n
"""
COUNT_CONDITIONS = COUNT_TOTALS.format(row="CAST('' AS varchar(100))", counted=COUNTED)
# A row that several clips share, but not all of their condition.
COUNT_SHARED_ROWS = COUNT_TOTALS.format(
    row='stimulus."row"',
    counted=COUNTED
    + """
    WHERE 1 < (
        SELECT COUNT(*) FROM study_stimulus other
        WHERE other.condition_id = condition.id AND other."row" = stimulus."row"
    ) AND EXISTS (
        SELECT 1 FROM study_stimulus other
        WHERE other.condition_id = condition.id AND other."row" <> stimulus."row"
    )
    """,
)
COUNTS = ((VALUES, COUNT_VALUES), (TOTALS, COUNT_CONDITIONS), (TOTALS, COUNT_SHARED_ROWS))


@transaction.atomic
def recount(study):
    """Store the counts that the study's ratings make. Nobody may be rating meanwhile."""
    Study.objects.select_for_update().get(pk=study.pk)
    ValueCount.objects.filter(stimulus__condition__study=study).delete()
    TotalCount.objects.filter(condition__study=study).delete()
    with connection.cursor() as cursor:
        for (table, columns), counts in COUNTS:
            quoted = ", ".join(f'"{column}"' for column in columns)
            cursor.execute(f"INSERT INTO {table} ({quoted}) {counts}", [study.pk])


@transaction.atomic
def is_miscounted(study):
    """Whether the stored counts are others than the study's ratings make. Changes nothing."""
    return _stored(study) != _counted(study)


def _stored(study):
    values = ValueCount.objects.filter(stimulus__condition__study=study, n__gt=0)
    totals = TotalCount.objects.filter(condition__study=study, n_sessions__gt=0)
    return {*values.values_list(*VALUES[1]), *totals.values_list(*TOTALS[1])}


def _counted(study):
    found = set()
    with connection.cursor() as cursor:
        for _, counts in COUNTS:
            cursor.execute(counts, [study.pk])
            found.update(map(tuple, cursor.fetchall()))
    return found
