"""What a study was, in sentences for the methods section and as the plan that its ratings are read by."""

from analysis.plan import Plan
from study.models import Session, Study

ORDERS = {
    Study.Order.SHUFFLE: "in an order drawn at random for each listener",
    Study.Order.LATIN_SQUARE: "in orders from a Williams square, in which every clip follows every other equally often",
    Study.Order.BLOCKS: "in random blocks of one clip of each condition",
}


def plan_of(study, seed=1):
    """Return the analysis.plan.Plan of a study: all that was settled before its ratings were seen."""
    references = study.conditions.filter(is_reference=True).values_list("name", flat=True)
    scales = list(study.scales.all())
    return Plan(
        margin=study.margin,
        exclusion=tuple(study.exclusion),
        references=tuple(references),
        seed=seed,
        rows=tuple(dict.fromkeys(study.stimuli().values_list("condition__name", "row"))),
        scale_ends={scale.name: (scale.low, scale.high) for scale in scales},
        design=tuple(design_of(study)),
    )


def design_of(study):
    """Yield sentences on what participants heard and were asked, and on how many they were."""
    if study.stimuli().filter(clip=None).exists():
        yield "The ratings were collected elsewhere."
        return
    n_clips = study.stimuli().count()
    heard = f"{study.clips_per_session} of {n_clips} clips" if study.clips_per_session else f"all {n_clips} clips"
    yield (
        f"Each listener heard {heard}, {study.length_seconds:g} s each at {study.loudness_lufs:g} LUFS, blind and one by "
        f"one, {ORDERS[study.order]}."
    )
    if study.separate_conditions:
        yield "No two clips in a row were of one condition."
    yield from _asked(study)
    if study.n_repeats:
        yield f"{study.n_repeats} of the clips came once more at the end, unannounced."
    yield f"A clip could be rated once {study.needed_seconds:g} s of it had been heard."
    yield from _funnel(study)


def _asked(study):
    where = ", each in a pass of its own over a fresh order" if study.separate_passes else ""
    for scale in study.scales.all():
        low, high = _end(scale.low, scale.low_label), _end(scale.high, scale.high_label)
        yield f"They answered “{scale.question}” in whole numbers from {low} to {high}{where}."


def _end(value, label):
    return f"{value} (“{label}”)" if label else f"{value}"


def _funnel(study):
    sessions = Session.objects.filter(study=study)
    began, withdrew = sessions.count(), sessions.exclude(withdrawn_at=None).count()
    finished = sessions.exclude(finished_at=None).count()
    also = f", {withdrew} withdrew and {'is' if withdrew == 1 else 'are'} not counted below" if withdrew else ""
    wanted = f"{study.target_sessions} were wanted; " if study.target_sessions else ""
    yield f"{wanted}{began} began, {finished} finished{also}."
    if study.unsealed_at:
        until = "as many had finished as were wanted" if study.target_sessions else "it was closed"
        yield f"The means were unsealed on {study.unsealed_at:%Y-%m-%d at %H:%M} UTC, before {until}."
