"""All results of a table of ratings as one object, and as text to read."""

import math
import textwrap

from analysis import compare, describe, ordinal, ranks, ratings, reliability, screening
from analysis.describe import half_up
from analysis.order import order_effects
from analysis.words import pair_in_words

N_DRAWS = 2000


def results(frame, margin=None, seed=1, references=None):
    """Return the results of a table of ratings as plain values that JSON can hold; nothing in it is rounded.

    frame: as `ratings.read` returns it; margin, seed: as for `compare.compare`
    references: names of the conditions that are real music; None for those whose stimuli share a row
    returns: the object that DESIGN calls stable, or {"scales": {scale: that}} where there are several scales; None
        stands where a table has no answer
    """
    scales = ratings.by_scale(frame)
    if len(scales) > 1:
        return {"scales": {name: _of_one_scale(part, margin, seed, references) for name, part in scales.items()}}
    return _of_one_scale(frame, margin, seed, references)


def _of_one_scale(frame, margin, seed, references):
    compared = compare.compare(frame, margin, seed, N_DRAWS)
    by_name = {condition.name: condition for condition in compared.conditions}
    fit = compared.fit
    variances = {"stimulus": fit.stimulus, "session": fit.session, "residual": fit.residual} if fit else None
    found = screening.flags(frame, pooled(frame) if references is None else references)
    return {
        "rows": [row(described) for described in describe.rows(frame)],
        "conditions": [condition(described, by_name[described.label]) for described in describe.conditions(frame)],
        "pairs": [pair(compared_pair) for compared_pair in compared.pairs],
        "variances": variances,
        "reml": fit.criterion if fit else None,
        "bootstrap": {"seed": seed, "draws": N_DRAWS},
        "ordinal": _ordinal(ordinal.compare_ordinal(frame)),
        "agreement": _agreement(reliability.agreement(frame)),
        **_ranks(ranks.ranks(frame)),
        "order": _order(order_effects(frame)),
        "flags": [vars(flag) for flag in found],
    }


def pooled(frame):
    """Return the names of the conditions whose stimuli share rows, as references do."""
    stimuli = frame.groupby(["condition", "row"])["stimulus"].nunique()
    return set(stimuli[stimuli > 1].index.get_level_values("condition"))


def row(described):
    return {
        "condition": described.condition,
        "stimulus": described.label,
        "n": described.n,
        "mean": described.mean,
        "sd": described.sd,
        "low": described.low,
        "high": described.high,
    }


def condition(described, compared):
    """Return a condition's mean with the answers to both questions. compared: compare.Condition"""
    these_clips = {"se": described.se, "df": described.df, "low": described.low, "high": described.high}
    return {
        "condition": described.condition,
        "n": described.n,
        "mean": described.mean,
        "these_clips": these_clips if described.se is not None else None,
        "new_clips": _interval(compared.new_clips, "mean"),
        "why_not_new_clips": compared.why_not or None,
        "clustered": _interval(compared.clustered, "mean"),
        "bootstrap": _between(compared.bootstrap),
    }


def pair(compared):
    """Return a compare.Pair; what has no further name is of new clips."""
    new_clips = _interval(compared.new_clips, "difference", p=True) or dict.fromkeys(
        ("difference", "se", "df", "low", "high", "p")
    )
    these_clips = _interval(compared.these_clips, "difference", p=True)
    return {
        "a": compared.a,
        "b": compared.b,
        **new_clips,
        "p_holm": compared.p_holm,
        "d_total": compared.d_total,
        "why_not_new_clips": compared.why_not or None,
        "these_clips": these_clips and these_clips | {"p_holm": compared.these_p_holm, "d_z": compared.d_z},
        "cliffs_delta": compared.cliffs_delta,
        "clustered": _interval(compared.clustered, "difference"),
        "bootstrap": _between(compared.bootstrap),
        "equivalence": vars(compared.equivalence) if compared.equivalence else None,
        "sentence": pair_in_words(compared),
    }


def _interval(estimate, name, p=False):
    """Return an Estimate as {name: value, se, df, low, high}, with p where it is asked for; None for None."""
    if estimate is None:
        return None
    found = {name: estimate.value, "se": estimate.se, "df": estimate.df, "low": estimate.low, "high": estimate.high}
    return found | {"p": estimate.p} if p else found


def _between(limits):
    return {"low": limits[0], "high": limits[1]} if limits else None


def _ordinal(found):
    if found is None:
        return None
    fit = found.fit
    return {
        "reference": found.reference,
        "coefficients": {name: coefficient for name, (coefficient, _) in found.coefficients.items()},
        "errors": {name: _finite(error) for name, (_, error) in found.coefficients.items()},
        "thresholds": fit.thresholds.tolist(),
        "levels": fit.levels.tolist(),
        "sd_stimulus": fit.sd_stimulus,
        "sd_session": fit.sd_session,
        "log_likelihood": fit.log_likelihood,
        "chi2": found.chi2,
        "df": found.df,
        "p": found.p,
    }


def _agreement(found):
    icc = {f"icc_{form}": found.icc[form].value if form in found.icc else None for form in reliability.FORMS}
    alpha = {f"alpha_{level}": found.alpha[level] for level in reliability.LEVELS}
    intervals = {f"icc_{form}": _between((c.low, c.high)) for form, c in found.icc.items() if c.low is not None}
    return {**icc, **alpha, "intervals": intervals, "is_complete": found.is_complete}


def _ranks(found):
    tests = {"stimuli": found.stimuli, "conditions": found.conditions}
    return {
        "friedman": {name: vars(test) if test else None for name, test in tests.items()},
        "wilcoxon": [vars(each) for each in found.wilcoxon],
    }


def _order(found):
    return {
        "drift": _interval(found.drift, "slope", p=True),
        "carry_over": _interval(found.carry_over, "slope", p=True),
        "places": [vars(place) for place in found.places],
    }


def _finite(number):
    return number if math.isfinite(number) else None


def text(frame, found):
    """Return the tables of rows and conditions and the pairs in words as text, for each scale.

    found: what `results` returned
    """
    parts = found.get("scales", {"": found})
    return "\n".join(_text_of_one_scale(name, frame, parts) for name, frame in ratings.by_scale(frame).items())


def _text_of_one_scale(name, frame, parts):
    heading = f"{name}\n\n" if name else ""
    tables = [("Row", describe.rows(frame)), ("Condition", describe.conditions(frame))]
    pairs = parts.get(name, parts.get(""))["pairs"]
    words = [f"{each['a']} and {each['b']}\n{wrapped(each['sentence'])}" for each in pairs]
    return heading + "\n".join([*(aligned(first, descriptions) for first, descriptions in tables), *words])


def wrapped(sentence):
    """Return sentences in indented lines of at most 100 characters."""
    indent = "  "
    return textwrap.fill(sentence, 100, initial_indent=indent, subsequent_indent=indent) + "\n"


def aligned(first, descriptions):
    """Return Descriptions as lines of text under a heading; the interval is that of these clips."""
    heading = (first, "n", "Average", "SD", "95 % interval")
    lines = [heading, *(cells(described) for described in descriptions)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(heading))]
    return "".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        + "\n"
        for line in lines
    )


def cells(described):
    """Return (label, n, average, sd, interval) as printed: the average to one decimal, the rest to two."""
    sd = "" if described.sd is None else half_up(described.sd, 2)
    interval = "" if described.low is None else f"{half_up(described.low, 2)} to {half_up(described.high, 2)}"
    return described.label, str(described.n), described.average, sd, interval
