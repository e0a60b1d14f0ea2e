"""A paragraph for the methods section, written from what was done and found, not from what is usual."""

from analysis.describe import half_up
from analysis.results import by_scale
from analysis.rules import RULES

SIMULATED = (
    "Tests that treat ratings as independent were not used: simulated with designs like this one, they find differences "
    "that are not there in a quarter of the studies."
)


def methods(found, design=()):
    """Return the paragraphs as text, one a line.

    found: what `results.results` returned; design: sentences on what participants heard and were asked, which the table
        of ratings does not say
    """
    about, parts = found["about"], by_scale(found)
    if not next(iter(parts.values())).get("rows"):
        return "Nobody has rated anything yet.\n"
    paragraphs = [
        " ".join([*design, _size(about, list(parts.values()))]),
        " ".join(_statistics(parts, about)),
        " ".join(_checks(parts)),
        _versions(about),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _size(about, parts):
    largest = max(parts, key=lambda part: part["n_sessions"])
    stimuli = sum(condition["n_stimuli"] for condition in largest["conditions"])
    scales = f" on {len(parts)} scales" if len(parts) > 1 else ""
    listeners, ratings = _several(largest["n_sessions"], "listener"), _several(about["ratings"], "rating")
    conditions = _several(len(largest["conditions"]), "condition")
    return f"{listeners} gave {ratings}{scales} to {_several(stimuli, 'clip')} of {conditions}."


def _several(n, thing):
    return f"{n} {thing}{'' if n == 1 else 's'}"


def _statistics(parts, about):
    yield (
        "Averages are exact and rounded half up. Each condition's mean comes with two 95 % intervals that answer two "
        "questions: for these clips and other listeners, Student's t over the means of the listeners; for new clips of "
        "the same system and other listeners, a linear mixed model with crossed random intercepts of listeners and "
        "clips, fitted by restricted maximum likelihood, with Satterthwaite's degrees of freedom."
    )
    for scale, part in parts.items():
        yield f"{_variances(part)}{_of(scale, parts)}."
    pairs = [pair for part in parts.values() for pair in part["pairs"]]
    if any(pair["p"] is not None or (pair["these_clips"] or {}).get("p") is not None for pair in pairs):
        yield "Differences of all pairs of conditions were tested with Holm's adjustment."
    if any(one["bootstrap"] for part in parts.values() for one in part["conditions"]):
        yield (
            "As checks, errors were clustered two ways, and listeners and clips were resampled "
            f"{about['draws']:,} times (seed {about['seed']})."
        )
    if any(pair["equivalence"] for pair in pairs):
        yield f"Equivalence was tested by two one-sided tests within {half_up(about['margin'], 2)} points, fixed before."
    yield SIMULATED


def _of(scale, parts):
    return f" (“{scale}”)" if len(parts) > 1 else ""


def _variances(part):
    if not part["variances"]:
        why = part["conditions"][0]["why_not_new_clips"]
        return f"That model has no answer here: {_lowered(why).removesuffix('.')}"
    names = (("stimulus", "clips"), ("session", "listeners"), ("residual", "the rest"))
    shares = ", ".join(f"{half_up(part['variances'][key], 3)} for {name}" for key, name in names)
    return f"Its variances are {shares}"


def _lowered(sentence):
    return sentence[0].lower() + sentence[1:]


def _checks(parts):
    beside = list(_beside(parts.values()))
    if beside:
        *first, last = beside
        named = f"{', '.join(first)} and {last} stand" if first else f"{last} stands"
        yield f"{named[0].upper()}{named[1:]} beside."
    for scale, part in parts.items():
        yield from _agreement(part, _of(scale, parts))
        yield _left_out(part, _of(scale, parts))


def _beside(parts):
    """Yield what else was computed on any scale."""
    if any(part["ordinal"] for part in parts):
        yield "a cumulative-link mixed model with crossed intercepts, which takes ratings as ordered answers only"
    if any(test for part in parts for test in part["friedman"].values()):
        yield "Friedman's test"
    if any(test["p"] is not None for part in parts for test in part["wilcoxon"]):
        yield "Wilcoxon's signed ranks over the listeners' means"


def _agreement(part, of):
    icc, one = part["agreement"].get("icc_2_k"), part["agreement"].get("icc_2_1")
    if icc is not None:
        alpha = part["agreement"]["alpha_ordinal"]
        also = f", Krippendorff's ordinal alpha {half_up(alpha, 2)}" if alpha is not None else ""
        yield f"Listeners agree with ICC(2,1) = {half_up(one, 2)} and ICC(2,k) = {half_up(icc, 2)}{also}{of}."


def _left_out(part, of):
    if part["screened"]:
        rules = " ".join(f"“{RULES[rule]}”" for rule in part["screened"]["rules"])
        n = len(part["screened"]["sessions"])
        return (
            f"Before the study opened it was settled to leave out listeners to whom one of these applies: {rules} "
            f"That concerns {n} of {part['n_sessions']}{of}; results are given with and without them."
        )
    if part["flags"]:
        n = len({flag["session"] for flag in part["flags"]})
        return f"No listener was left out; {n} of {part['n_sessions']} were flagged for inspection{of}."
    return f"No listener was left out, and none was flagged{of}."


def _versions(about):
    earmark, *others = about["versions"].items()
    libraries = ", ".join(f"{name} {version}" for name, version in others)
    return f"Computed with Earmark {earmark[1]} on {libraries}. SHA-256 of the ratings: {about['checksum']}."
