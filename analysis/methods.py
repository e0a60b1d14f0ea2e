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
    whole = next(iter(parts.values()))
    if not whole.get("rows"):
        return "Nobody has rated anything yet.\n"
    paragraphs = [
        " ".join([*design, _size(about, whole, len(parts))]),
        " ".join(_statistics(whole, about)),
        " ".join(_checks(whole, about)),
        _versions(about),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _size(about, part, n_scales):
    stimuli = sum(condition["n_stimuli"] for condition in part["conditions"])
    scales = f" on {n_scales} scales" if n_scales > 1 else ""
    return (
        f"{part['n_sessions']} listeners gave {about['ratings']} ratings{scales} to {stimuli} clips of "
        f"{len(part['conditions'])} conditions."
    )


def _statistics(part, about):
    yield (
        "Averages are exact and rounded half up. Each condition's mean comes with two 95 % intervals that answer two "
        "questions: for these clips and other listeners, Student's t over the means of the listeners; for new clips of "
        "the same system and other listeners, a linear mixed model with crossed random intercepts of listeners and "
        "clips, fitted by restricted maximum likelihood, with Satterthwaite's degrees of freedom."
    )
    if part["variances"]:
        names = (("stimulus", "clips"), ("session", "listeners"), ("residual", "the rest"))
        shares = ", ".join(f"{half_up(part['variances'][key], 3)} for {name}" for key, name in names)
        yield f"Its variances are {shares}."
    else:
        yield f"That model has no answer here: {_lowered(part['conditions'][0]['why_not_new_clips'])}"
    if len(part["conditions"]) > 1:
        yield "Differences of all pairs of conditions were tested with Holm's adjustment."
    yield (
        "As checks, errors were clustered two ways, and listeners and clips were resampled "
        f"{about['draws']:,} times (seed {about['seed']})."
    )
    if about["margin"]:
        yield f"Equivalence was tested by two one-sided tests within {half_up(about['margin'], 2)} points, fixed before."
    yield SIMULATED


def _lowered(sentence):
    return sentence[0].lower() + sentence[1:]


def _checks(part, about):
    if part["ordinal"]:
        yield (
            "A cumulative-link mixed model with crossed intercepts, which takes ratings as ordered answers only, Friedman's "
            "test and Wilcoxon's signed ranks over the listeners' means stand beside."
        )
    icc, one = part["agreement"].get("icc_2_k"), part["agreement"].get("icc_2_1")
    if icc is not None:
        alpha = part["agreement"]["alpha_ordinal"]
        also = f", Krippendorff's ordinal alpha {half_up(alpha, 2)}" if alpha is not None else ""
        yield f"Listeners agree with ICC(2,1) = {half_up(one, 2)} and ICC(2,k) = {half_up(icc, 2)}{also}."
    if part["screened"]:
        rules = " ".join(f"“{RULES[rule]}”" for rule in part["screened"]["rules"])
        n = len(part["screened"]["sessions"])
        yield (
            f"Before the study opened it was settled to leave out listeners to whom one of these applies: {rules} "
            f"That concerns {n} of {part['n_sessions']}; results are given with and without them."
        )
    elif part["flags"]:
        n = len({flag["session"] for flag in part["flags"]})
        yield f"No listener was left out; {n} of {part['n_sessions']} were flagged for inspection."
    else:
        yield "No listener was left out, and none was flagged."


def _versions(about):
    earmark, *others = about["versions"].items()
    libraries = ", ".join(f"{name} {version}" for name, version in others)
    return f"Computed with Earmark {earmark[1]} on {libraries}. SHA-256 of the ratings: {about['checksum']}."
