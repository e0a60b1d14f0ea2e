"""Signs that a session did not listen: flags to look at, never a reason to delete by themselves.

An exclusion rule is fixed before the data are seen, and both results are shown. On simulated studies with 6 bad of 36
sessions no single rule finds all; the union of the first four does, without a false alarm.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.grid import grid

# The share of a normal distribution's standard deviation that its median absolute deviation is.
MAD = 0.6744897501960817


@dataclass(frozen=True)
class Limits:
    """When a rule raises a flag. z are in robust standard deviations (Iglewicz & Hoaglin, 1993, for 3.5)."""

    fewest_ratings: int = 5  # below this, no rule on a session's own ratings speaks
    most_values: int = 2
    least_correlation: float = 0.3
    most_z: float = 3.5
    least_seconds: float = 5.0  # a median answer faster than this has not heard the music
    most_repeat_distance: float = 2.5  # points between two ratings of one clip, on average


@dataclass(frozen=True)
class Flag:
    """A session, the rule that it broke, and the value by which it did; the rules are keys of RULES."""

    session: str
    rule: str
    value: float


def flags(frame, references=(), limits=None):
    """Return the Flags of the sessions of a table of ratings, by session and in the order of RULES.

    frame: as `ratings.read` returns it, of one scale; with columns `shown_at` and `rated_at`, or `response_ms`, it is
        asked for speed too. No ratings: no flags.
    references: names of the conditions that are real music
    limits: Limits, by default those above
    """
    if frame.empty:
        return []
    limits, table = limits or Limits(), grid(frame)
    found = measures(frame, references)
    enough = found["n"] >= limits.fewest_ratings
    broken = {
        "no_spread": ("sd", enough & (found["sd"] == 0)),
        "low_correlation": ("correlation", enough & (found["correlation"] < limits.least_correlation)),
        "far_from_others": ("distance_z", enough & (found["distance_z"] > limits.most_z)),
        "too_fast": ("seconds", found["seconds"] < limits.least_seconds),
        "few_values": ("n_values", enough & (found["n_values"] <= limits.most_values)),
        "unusual_mean": ("mean_z", enough & (found["mean_z"].abs() > limits.most_z)),
        "reference_below": ("above_reference", found["above_reference"] > 0),
    }
    return [
        Flag(session, rule, float(found.loc[session, measure]))
        for session in table.session_names
        for rule, (measure, is_broken) in broken.items()
        if is_broken[session]
    ]


def measures(frame, references=()):
    """Return what the rules look at, a row a session: a DataFrame, NaN where a session does not say.

    n, mean, sd, n_values: of its ratings. correlation: with the mean of the other sessions on the same stimuli (NaN
    below 3 stimuli or without spread). distance: root mean square of rating less that mean. mean_z, distance_z: robust
    z over sessions. seconds: median time for an answer. above_reference: mean of the other conditions less that of
    `references`.
    """
    table = grid(frame)
    by_session = pd.Series(table.y).groupby(table.sessions)
    found = pd.DataFrame(
        {"n": by_session.size(), "mean": by_session.mean(), "sd": by_session.std(), "n_values": by_session.nunique()}
    ).set_axis(table.session_names)
    found.loc[found["n_values"] == 1, "sd"] = 0.0
    others = _others_mean(table)
    found["correlation"] = _correlations(table, others)
    squares = pd.Series((table.y - others) ** 2).groupby(table.sessions)
    found["distance"] = np.sqrt(squares.mean().to_numpy())
    found["mean_z"], found["distance_z"] = robust_z(found["mean"]), robust_z(found["distance"])
    found["seconds"] = _seconds(frame).groupby(frame["session"]).median().reindex(found.index)
    found["above_reference"] = _above_reference(table, references)
    return found


def robust_z(values):
    """Return .6745 (x - median) / median absolute deviation; 0 / 0 and x / 0 are NaN, for then half are alike.

    values: Series or array of numbers (n,), NaN left out of the medians
    """
    if np.isnan(values).all():
        return values
    centred = values - np.nanmedian(values)
    deviation = np.nanmedian(np.abs(centred))
    return MAD * centred / deviation if deviation > 0 else centred * np.nan


def paired(frame, repeats):
    """Return what repeat_flags asks for: the two ratings of each clip that a session heard again.

    frame, repeats: as `ratings.read` returns them, of one scale
    """
    key = ["session", "condition", "stimulus"]
    both = repeats[[*key, "rating"]].merge(frame[[*key, "rating"]], on=key, suffixes=("_again", ""))
    return both.rename(columns={"rating": "first", "rating_again": "second"})[["session", "first", "second"]]


def repeat_flags(repeats, limits=None):
    """Return Flags "inconsistent" of sessions that rated clips twice.

    repeats: DataFrame (session, first, second), a row a clip that was heard again
    """
    limits = limits or Limits()
    distance = (repeats["first"] - repeats["second"]).abs().groupby(repeats["session"]).mean()
    return [Flag(s, "inconsistent", float(d)) for s, d in distance.items() if d > limits.most_repeat_distance]


def mushra_flags(frame, reference, anchor=None):
    """Return Flags by the rule of ITU-R BS.1534-3 for scales of 0 to 100.

    A session is flagged where it rates the hidden reference below 90 in more than 15 % of the trials, or the mid anchor
    above 90 in more than 15 %. reference, anchor: names of conditions
    """
    rules = [("reference_missed", reference, frame["rating"] < 90), ("anchor_missed", anchor, frame["rating"] > 90)]
    found = []
    for rule, condition, missed in rules:
        shares = missed[frame["condition"] == condition].groupby(frame["session"]).mean()
        found += [Flag(session, rule, float(share)) for session, share in shares.items() if share > 0.15]
    return sorted(found, key=lambda flag: flag.session)


def without(frame, found):
    """Return the ratings of the sessions without any of these flags: the other of the two results to show."""
    return frame[~frame["session"].isin({flag.session for flag in found})]


def _others_mean(table):
    """Return for each rating the mean of the other sessions' ratings of its stimulus, (n,); NaN where there is none."""
    stimuli = len(table.stimulus_names)
    where = table.sessions * stimuli + table.stimuli
    cell, inverse = np.unique(where, return_inverse=True)
    own_sum, own_n = np.bincount(inverse, table.y), np.bincount(inverse)
    total, n = np.bincount(table.stimuli, table.y), np.bincount(table.stimuli)
    sums, counts = total[cell % stimuli] - own_sum, n[cell % stimuli] - own_n
    return np.divide(sums, counts, out=np.full(len(cell), np.nan), where=counts > 0)[inverse]


def _correlations(table, others):
    pairs = pd.DataFrame({"session": table.sessions, "own": table.y, "others": others}).dropna()
    sizes = pairs.groupby("session")["own"].transform("size")
    pairs = pairs[sizes >= 3]
    centred = pairs[["own", "others"]] - pairs.groupby("session")[["own", "others"]].transform("mean")
    products = pd.DataFrame(
        {"both": centred["own"] * centred["others"], "own": centred["own"] ** 2, "others": centred["others"] ** 2}
    )
    sums = products.groupby(pairs["session"]).sum()
    scale = np.sqrt(sums["own"] * sums["others"])
    correlation = (sums["both"] / scale.where(scale > 1e-9)).reindex(range(len(table.session_names)))
    return correlation.to_numpy()


def _seconds(frame):
    """Return how long each answer took, (n,) seconds, NaN where the table does not say."""
    if {"shown_at", "rated_at"} <= set(frame.columns):
        shown, rated = (pd.to_datetime(frame[name], utc=True, format="ISO8601") for name in ("shown_at", "rated_at"))
        return (rated - shown).dt.total_seconds()
    if "response_ms" in frame:
        return pd.to_numeric(frame["response_ms"], errors="coerce") / 1000
    return pd.Series(np.nan, frame.index)


def _above_reference(table, references):
    is_reference = np.isin(table.condition_names, list(references))[table.conditions]
    means = [
        pd.Series(np.where(side, table.y, np.nan)).groupby(table.sessions).mean()
        for side in (~is_reference, is_reference)
    ]
    return (means[0] - means[1]).to_numpy()
