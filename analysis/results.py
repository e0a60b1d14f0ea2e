"""All results of a table of ratings as one object of plain values: what the command prints and the site shows."""

import hashlib
import math
import platform
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np

from analysis import (
    compare,
    describe,
    objective,
    ordinal,
    overview,
    planning,
    preference,
    ranks,
    ratings,
    reliability,
    screening,
    sensitivity,
)
from analysis.order import order_effects
from analysis.plan import Plan
from analysis.rules import RECOMMENDED
from analysis.words import pair_in_words

VERSION = "0.1.0"  # of Earmark, as pyproject.toml has it
N_DRAWS = 2000


@dataclass(frozen=True)
class Known:
    """What is known of clips, each a (condition, stimulus), as `clips.measures` and `clips.similarities` read it."""

    measures: dict = field(default_factory=dict)
    similarities: dict = field(default_factory=dict)


LIBRARIES = ("numpy", "scipy", "pandas")


def results(frame, plan=None, repeats=None, known=None):
    """Return the results of a table of ratings as plain values that JSON can hold; nothing in it is rounded.

    frame: as `ratings.read` returns it; plan: Plan; repeats: the ratings of hidden repeats, which count in nothing else
    known: Known, what is known of the clips beside their ratings
    returns: the object that DESIGN calls stable, or {"scales": {scale: that}} where there are several scales, and
        "about": versions, seed and checksum. None stands where a table has no answer.
    """
    plan, again = plan or Plan(), {} if repeats is None else ratings.by_scale(repeats)
    frame = frame.sort_values(["session", "condition", "stimulus"], kind="stable")  # no digit hangs on the file's order
    parts = {
        name: _of_one_scale(part, plan, again.get(name), name) | {"objective": _objective(part, plan, known)}
        for name, part in ratings.by_scale(frame).items()
    }
    about = {"about": _about(frame, plan)}
    return {"scales": parts} | about if len(parts) > 1 else next(iter(parts.values()), {}) | about


def by_scale(found):
    """Return {scale: its results}, as `ratings.by_scale` names them; one entry named "" where there is one scale."""
    return found.get("scales", {"": found})


def _about(frame, plan):
    versions = {"earmark": VERSION, "python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
    return {
        "ratings": len(frame),
        "checksum": checksum(frame),
        "seed": plan.seed,
        "draws": N_DRAWS,
        "margin": plan.margin,
        "exclusion": list(plan.exclusion),
        "versions": versions,
    }


def checksum(frame):
    """Return the SHA-256 of who rated what how, whatever the order of the lines."""
    names = [name for name in ("scale", "session", "condition", "stimulus", "position", "rating") if name in frame]
    lines = sorted("\t".join(map(str, line)) for line in frame[names].itertuples(index=False, name=None))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _of_one_scale(frame, plan, repeats, scale):
    references = sorted(pooled(frame)) if plan.references is None else list(plan.references)
    flags = screening.flags(frame, references)
    if repeats is not None:
        flags += screening.repeat_flags(screening.paired(frame, repeats))
    if _is_mushra(frame):
        flags += [flag for reference in references for flag in screening.mushra_flags(frame, reference, plan.anchor)]
    compared = compare.compare(frame, plan.margin, plan.seed, N_DRAWS)
    fit = compared.fit
    return {
        "scale": scale,
        **_tables(frame, compared, plan),
        "variances": {"stimulus": fit.stimulus, "session": fit.session, "residual": fit.residual} if fit else None,
        "reml": fit.criterion if fit else None,
        "spread": _spread(frame),
        "bootstrap": {"seed": plan.seed, "draws": N_DRAWS},
        "ordinal": _ordinal(ordinal.compare_ordinal(frame)),
        "agreement": _agreement(reliability.agreement(frame), frame),
        **_ranks(ranks.ranks(frame)),
        "preferences": _preferences(preference.preferences(frame)),
        "order": _order(order_effects(frame)),
        "flags": [vars(flag) for flag in flags],
        "screened": _screened(frame, flags, plan),
        "sensitivity": _sensitivity(frame, flags, plan),
        "heat_map": _heat_map(overview.heat_map(frame)),
        "sessions": [vars(one) for one in overview.severities(frame)],
        "n_sessions": int(frame["session"].nunique()),
        "references": references,
        "scale_ends": list(plan.scale_ends.get(scale) or ()) or None,
    }


def _is_mushra(frame):
    """Whether the ratings are on a scale of 0 to 100, for which BS.1534 has its rule."""
    return len(frame) > 0 and frame["rating"].min() >= 0 and 90 < frame["rating"].max() <= 100


def pooled(frame):
    """Return the names of the conditions whose stimuli share rows, as references do."""
    stimuli = frame.groupby(["condition", "row"])["stimulus"].nunique()
    return set(stimuli[stimuli > 1].index.get_level_values("condition"))


def _tables(frame, compared, plan):
    """Return rows, conditions and pairs, in the plan's order where it has one."""
    by_name = {condition.name: condition for condition in compared.conditions}
    chances = compared.resampled.chance_of_best() if compared.resampled else ()
    best = dict(zip(by_name, map(_finite, chances), strict=True))
    place = {key: number for number, key in enumerate(plan.rows)}
    of_condition = {name: place[name, row] for name, row in reversed(plan.rows)}
    rows = sorted(describe.rows(frame), key=lambda one: place.get((one.condition, one.label), len(place)))
    described = sorted(describe.conditions(frame), key=lambda one: of_condition.get(one.label, len(place)))
    return {
        "rows": [row(one) for one in rows],
        "conditions": [condition(one, by_name[one.label], best[one.label]) for one in described],
        "pairs": [pair(one) for one in compared.pairs],
    }


def row(described):
    return {
        "condition": described.condition,
        "stimulus": described.label,
        "n": described.n,
        "n_sessions": described.n_sessions,
        "mean": described.mean,
        "average": described.average,
        "sd": described.sd,
        "low": described.low,
        "high": described.high,
        "values": _counted(described.values),
    }


def _counted(values):
    """Return {answer as it was given: how often}, in the order of the answers."""
    return {describe.written(value): n for value, n in sorted(values.items())}


def condition(described, compared, chance_of_best=None):
    """Return a condition's mean with the answers to both questions. compared: compare.Condition"""
    these_clips = {"se": described.se, "df": described.df, "low": described.low, "high": described.high}
    return {
        "condition": described.condition,
        "n": described.n,
        "n_sessions": compared.n_sessions,
        "n_stimuli": compared.n_stimuli,
        "mean": described.mean,
        "average": described.average,
        "sd": described.sd,
        "values": _counted(described.values),
        "these_clips": these_clips if described.se is not None else None,
        "new_clips": _interval(compared.new_clips, "mean"),
        "why_not_new_clips": compared.why_not or None,
        "clustered": _interval(compared.clustered, "mean"),
        "bootstrap": _between(compared.bootstrap),
        "chance_of_best": chance_of_best,
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


def _spread(frame):
    """Return the variances by which the next study can be planned, or None."""
    found = planning.pilot(frame)
    return vars(found) if found else None


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


def _agreement(found, frame):
    icc = {f"icc_{form}": found.icc[form].value if form in found.icc else None for form in reliability.FORMS}
    alpha = {f"alpha_{level}": found.alpha[level] for level in reliability.LEVELS}
    intervals = {f"icc_{form}": _between((c.low, c.high)) for form, c in found.icc.items() if c.low is not None}
    curve = [{"sessions": sessions, "icc": _finite(value)} for sessions, value in found.curve if value is not None]
    return {
        **icc,
        **alpha,
        "intervals": intervals,
        "is_complete": found.is_complete,
        "curve": curve,
        "sessions": int(frame["session"].nunique()),
        "k": found.k,
    }


def _ranks(found):
    tests = {"stimuli": found.stimuli, "conditions": found.conditions}
    return {
        "friedman": {name: vars(test) if test else None for name, test in tests.items()},
        "wilcoxon": [vars(each) for each in found.wilcoxon],
    }


def _preferences(found):
    if found is None:
        return None
    lines = zip(found.names, found.strengths, found.errors, strict=True)
    return [
        {"condition": c, "stimulus": s, "strength": float(strength), "se": float(error)}
        for (c, s), strength, error in lines
    ]


def _order(found):
    return {
        "drift": _interval(found.drift, "slope", p=True),
        "carry_over": _interval(found.carry_over, "slope", p=True),
        "places": [vars(place) for place in found.places],
    }


def _screened(frame, flags, plan):
    """Return the tables without the sessions that the exclusion rule names, or None where there is no rule."""
    if not plan.exclusion:
        return None
    broken = [flag for flag in flags if flag.rule in plan.exclusion]
    kept = screening.without(frame, broken)
    return {
        "rules": list(plan.exclusion),
        "sessions": sorted({flag.session for flag in broken}),
        "ratings": len(kept),
        **_tables(kept, compare.compare(kept, plan.margin, plan.seed, N_DRAWS), plan),
    }


def _sensitivity(frame, flags, plan):
    """Return [{a, b, lines, left_out}]; left_out is None where leaving each clip out would take too long."""
    rules = plan.exclusion or RECOMMENDED
    flagged = {flag.session for flag in flags if flag.rule in rules}
    left_out = sensitivity.leave_one_clip_out(frame)
    return [
        {
            "a": a,
            "b": b,
            "lines": [vars(line) for line in lines],
            "left_out": [vars(line) for line in left_out[a, b]] if left_out else None,
        }
        for (a, b), lines in sensitivity.strips(frame, flagged).items()
    ]


def _objective(frame, plan, known):
    """Return how measures go with mean ratings, and whether like clips are rated alike; None where nothing is known."""
    if known is None or not (known.measures or known.similarities):
        return None
    means = frame.groupby(["condition", "stimulus"])["rating"].mean().to_dict()
    found = objective.likeness(means, known.similarities, plan.near_duplicate, plan.seed)
    pairs = [_pair_of_clips(*pair) for pair in found.pairs]
    return {
        "correlations": [vars(one) for one in objective.correlations(means, known.measures)],
        "likeness": vars(found) | {"pairs": pairs} if known.similarities else None,
        "clips": [
            {
                "condition": c,
                "stimulus": s,
                "mean": mean,
                "measures": {k: v.get((c, s)) for k, v in known.measures.items()},
            }
            for (c, s), mean in means.items()
        ],
    }


def _pair_of_clips(a, b, similarity, distance):
    return {
        "a": {"condition": a[0], "stimulus": a[1]},
        "b": {"condition": b[0], "stimulus": b[1]},
        "similarity": similarity,
        "distance": distance,
    }


def _heat_map(found):
    if found is None:
        return None
    cells = [[None if np.isnan(cell) else float(cell) for cell in line] for line in found.cells]
    return {
        "sessions": found.sessions,
        "stimuli": [{"condition": c, "stimulus": s} for c, s in found.stimuli],
        "session_sizes": found.session_sizes,
        "stimulus_sizes": found.stimulus_sizes,
        "cells": cells,
    }


def _finite(number):
    return float(number) if math.isfinite(number) else None
