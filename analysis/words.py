"""What a comparison says, in plain words."""

from collections import Counter

from analysis.describe import half_up

# A difference is called shown when its p, adjusted for all pairs, is below this.
SHOWN = 0.05
WHY_THEY_DIFFER = (
    "The two answers differ because the second allows for which clips happened to be made: "
    "more clips would narrow it, more listeners hardly."
)


def names_of(clips):
    """Return {(condition, name): what to call it}: its name, with its condition where another's has the same."""
    often = Counter(name for _, name in set(clips))
    return {(condition, name): name if often[name] == 1 else f"{name} ({condition})" for condition, name in clips}


def in_words(measure):
    """Return the name of a measure as a reader has it: "pitch classes" for pitch_classes."""
    return measure.replace("_", " ")


def row_names(rows):
    """Return what to call each row of a table. rows: as `results.row` makes them"""
    keys = [(row["condition"], row["stimulus"]) for row in rows]
    names = names_of(keys)
    return [names[key] for key in keys]


def pair_in_words(pair):
    """Return sentences on a `compare.Pair`: what it says of these clips, of new ones, and of equivalence."""
    sentences = [_of_these_clips(pair), _of_new_clips(pair)]
    if is_shown(pair.these_p_holm) and pair.new_clips and not is_shown(pair.p_holm):
        sentences.append(WHY_THEY_DIFFER)
    if pair.equivalence:
        sentences.append(_of_equivalence(pair.equivalence))
    return " ".join(sentences)


def is_shown(p):
    return p is not None and p < SHOWN


def p_in_words(p):
    """Return "p = 0.052", or "p < 0.001" below that."""
    return "p < 0.001" if p < 0.001 else f"p = {half_up(p, 3)}"


def _of_these_clips(pair):
    if pair.these_clips is None:
        return f"These clips: too few listeners rated {pair.a} as well as {pair.b}."
    return f"These clips, other listeners: {_difference(pair, pair.these_clips, pair.these_p_holm)}"


def _of_new_clips(pair):
    if pair.new_clips is None:
        return f"New clips of the same models: no answer. {pair.why_not}"
    return f"New clips of the same models, other listeners: {_difference(pair, pair.new_clips, pair.p_holm)}"


def _difference(pair, estimate, p):
    higher, lower, e = (pair.a, pair.b, estimate) if estimate.value >= 0 else (pair.b, pair.a, -estimate)
    size = half_up(e.value, 2)
    between = f"(95 % interval {half_up(e.low, 2)} to {half_up(e.high, 2)}"
    if e.se == 0:
        return f"{higher} is rated {size} points above {lower} by every listener alike, so there is no test."
    verdict = "so a difference is shown." if is_shown(p) else "so a difference is not shown."
    return f"{higher} is rated {size} points above {lower} {between}; {p_in_words(p)}), {verdict}"


def _of_equivalence(found):
    margin, p = half_up(found.margin, 2), p_in_words(found.p)
    inside = f"90 % interval {half_up(found.low, 2)} to {half_up(found.high, 2)}, {p}"
    verdict = "equivalent" if found.is_equivalent else "not shown to be equivalent"
    return f"Within the margin of {margin} points, new clips are {verdict} ({inside})."
