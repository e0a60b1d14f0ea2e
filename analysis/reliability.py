"""How far listeners agree: intraclass correlations, Krippendorff's alpha, and what more listeners would bring.

Conventions: `cells` is (session, stimulus), NaN where there is no rating. Stimuli are what is measured, sessions are
the raters. Forms are Shrout & Fleiss' (Psychol. Bull. 86, 1979): 1 each stimulus rated by others, 2 the same sessions
rate all and stand for others, 3 these sessions only; "1" is one rating, "k" the mean of all.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from analysis import mixed
from analysis.grid import grid
from analysis.intervals import CONFIDENCE

FORMS = ("1_1", "1_k", "2_1", "2_k", "3_1", "3_k")
LEVELS = ("nominal", "ordinal", "interval")


@dataclass(frozen=True)
class Correlation:
    """An intraclass correlation and its interval; None for an interval that there is none of."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Variances:
    """Where the spread of one rating comes from (points squared): sessions, stimuli and the rest."""

    session: float
    stimulus: float
    residual: float

    def agreement(self, n_sessions):
        """Return the correlation of two means of n_sessions each, sessions differing in severity (ICC 2)."""
        return self._share((self.session + self.residual) / n_sessions)

    def consistency(self, n_sessions):
        """Return the same where severity does not matter (ICC 3)."""
        return self._share(self.residual / n_sessions)

    def _share(self, noise):
        return self.stimulus / (self.stimulus + noise) if self.stimulus + noise > 0 else None


@dataclass(frozen=True)
class Agreement:
    """Agreement of a table of ratings.

    icc: {form: Correlation}; all six with intervals where every session rated every stimulus, else forms 2 and 3 from
        the mixed model, without; empty where neither can be had
    alpha: {level: number or None}; curve: [(sessions, ICC of their mean)]; is_complete: every session rated all
    k: how many sessions rated a stimulus, on average; the k of the forms of a mean
    """

    icc: dict[str, Correlation]
    alpha: dict[str, float | None]
    curve: list[tuple[int, float]]
    is_complete: bool
    k: float = 0.0


def agreement(frame, most_sessions=60):
    """Return the Agreement of the sessions of a table of ratings.

    frame: as `ratings.read` returns it, of one scale. One session or one stimulus: no ICC. No ratings: nothing at all.
    most_sessions: how far the curve of "with so many sessions" goes
    """
    if frame.empty:
        return Agreement({}, dict.fromkeys(LEVELS), [], is_complete=False)
    table = grid(frame)
    cells = table.cells()
    is_complete = not np.isnan(cells).any()
    parts = variances(table)
    curve = [(n, parts.agreement(n)) for n in range(1, most_sessions + 1)] if parts else []
    k = len(table.y) / len(table.stimulus_names)
    found = (icc(cells) if min(cells.shape) > 1 else {}) if is_complete else _of_model(parts, k)
    return Agreement(found, {level: alpha(cells, level) for level in LEVELS}, curve, is_complete, k)


def variances(table):
    """Return the Variances of a Grid's ratings by the crossed model without conditions, or None if it has none."""
    try:
        fit = mixed.fit(table.y, np.ones((len(table.y), 1)), table.sessions, table.stimuli)
    except ValueError:
        return None
    return Variances(fit.session, fit.stimulus, fit.residual)


def icc(cells):
    """Return {form: Correlation} of a complete grid; a form without spread (0 / 0) is left out.

    cells: (session, stimulus), at least 2 x 2
    Source: values Shrout & Fleiss 1979; intervals McGraw & Wong, Psychol. Methods 1, 1996, as R's psych::ICC.

    Raises ValueError for missing cells or fewer than 2 sessions or stimuli.
    """
    cells = np.asarray(cells, float)
    if cells.ndim != 2 or min(cells.shape) < 2:
        raise ValueError(f"cells must be at least 2 sessions x 2 stimuli, not {cells.shape}")
    if np.isnan(cells).any():
        raise ValueError("cells has missing ratings; the mixed model's variances do without them")
    squares = _MeanSquares.of(cells)
    found = {form: getattr(squares, f"icc_{form}")() for form in FORMS}
    return {form: correlation for form, correlation in found.items() if correlation is not None}


def alpha(cells, level):
    """Return Krippendorff's alpha, 1 - observed / expected disagreement, or None where no two ratings differ or pair.

    cells: (session, stimulus), NaN where there is none; stimuli with one rating have no pair and do not count
    level: "nominal" (equal or not), "ordinal" (by ranks) or "interval" (by squared distance)
    Source: Krippendorff, "Computing Krippendorff's alpha-reliability", 2011. R's irr::kripp.alpha 0.84.1 is wrong for
    complete tables of more than two raters, where it does not weight coincidences.

    Raises ValueError for another level.
    """
    if level not in LEVELS:
        raise ValueError(f'level must be one of {", ".join(LEVELS)}, not "{level}"')
    values, counts = _counts(np.asarray(cells, float))
    pairable = counts.sum(axis=1, keepdims=True)
    counts, pairable = counts[pairable[:, 0] > 1], pairable[pairable[:, 0] > 1]
    weighted = counts / (pairable - 1)  # (stimulus, value)
    coincidences = weighted.T @ counts - np.diag(weighted.sum(axis=0))  # (value, value)
    totals = coincidences.sum(axis=0)
    distances = _distances(values, totals, level)
    expected = totals @ distances @ totals
    return 1 - (totals.sum() - 1) * float(np.sum(coincidences * distances)) / float(expected) if expected else None


def _counts(cells):
    """Return the values that occur, and how often each stimulus got each, (stimulus, value)."""
    stimuli = np.nonzero(~np.isnan(cells.T))[0]
    values, which = np.unique(cells.T[~np.isnan(cells.T)], return_inverse=True)
    shape = (cells.shape[1], len(values))
    return values, np.bincount(stimuli * shape[1] + which, minlength=shape[0] * shape[1]).reshape(shape).astype(float)


def _distances(values, totals, level):
    """Return the squared distances between values, (value, value)."""
    if level == "nominal":
        return 1 - np.eye(len(values))
    # Ordinal: as many ranks apart as there are ratings from the one to the other, half of each end's.
    places = values if level == "interval" else np.cumsum(totals) - totals / 2
    return (places[:, None] - places[None, :]) ** 2


def _of_model(parts, k):
    if parts is None:
        return {}
    shares = {"2_1": parts.agreement(1), "2_k": parts.agreement(k), "3_1": parts.consistency(1)}
    shares["3_k"] = parts.consistency(k)
    return {form: Correlation(share) for form, share in shares.items() if share is not None}


def _upper(df1, df2):
    return float(fdtri(df1, df2, (1 + CONFIDENCE) / 2))


@dataclass(frozen=True)
class _MeanSquares:
    """Mean squares of a complete grid of n stimuli and k sessions; `within` pools sessions and rest."""

    n: int
    k: int
    stimuli: float
    sessions: float
    rest: float
    within: float

    @classmethod
    def of(cls, cells):
        k, n = cells.shape
        centred = cells - cells.mean()
        by_stimulus, by_session = centred.mean(axis=0), centred.mean(axis=1)
        rest = np.sum((centred - by_stimulus - by_session[:, None]) ** 2)
        sessions = n * np.sum(by_session**2)
        return cls(
            n,
            k,
            stimuli=float(k * np.sum(by_stimulus**2) / (n - 1)),
            sessions=float(sessions / (k - 1)),
            rest=float(rest / ((n - 1) * (k - 1))),
            within=float((sessions + rest) / (n * (k - 1))),
        )

    def icc_1_1(self):
        return self._by_f(self.within, self.n * (self.k - 1), single=True)

    def icc_1_k(self):
        return self._by_f(self.within, self.n * (self.k - 1), single=False)

    def icc_3_1(self):
        return self._by_f(self.rest, (self.n - 1) * (self.k - 1), single=True)

    def icc_3_k(self):
        return self._by_f(self.rest, (self.n - 1) * (self.k - 1), single=False)

    def icc_2_1(self):
        n, k, noise = self.n, self.k, self.k * self.sessions + (self.k * self.n - self.k - self.n) * self.rest
        return self._agreement(k, noise, self.stimuli + (k - 1) * self.rest + k * (self.sessions - self.rest) / n)

    def icc_2_k(self):
        noise = self.sessions - self.rest
        return self._agreement(1, noise, self.stimuli + noise / self.n)

    def _by_f(self, noise, df, single):
        """The forms whose ratio of mean squares is an F: 1 and 3."""
        extra = self.k - 1 if single else 0
        if self.stimuli + extra * noise <= 0:
            return None
        value = (self.stimuli - noise) / (self.stimuli + extra * noise)
        if noise <= 0:
            return Correlation(value)
        ratio = self.stimuli / noise
        limits = (ratio / _upper(self.n - 1, df), ratio * _upper(df, self.n - 1))
        return Correlation(value, *((f - 1) / (f + extra) for f in limits))

    def _agreement(self, scale, noise, total):
        """Form 2: the error's degrees of freedom are Satterthwaite's. scale: k for one rating, 1 for the mean."""
        if total <= 0:
            return None
        value, n = (self.stimuli - self.rest) / total, self.n
        if value >= 1 or self.rest <= 0:
            return Correlation(value)
        a = scale * value / (n * (1 - value))
        b = 1 + scale * value * (n - 1) / (n * (1 - value))
        of_sessions, of_rest = a * self.sessions, b * self.rest
        parts = of_sessions**2 / (self.k - 1) + of_rest**2 / ((n - 1) * (self.k - 1))
        if parts == 0:
            return Correlation(value)
        df = (of_sessions + of_rest) ** 2 / parts
        lower, upper = _upper(n - 1, df), _upper(df, n - 1)
        if not np.isfinite([lower, upper]).all():  # next to no degrees of freedom: no interval either
            return Correlation(value)
        low = n * (self.stimuli - lower * self.rest) / (lower * noise + n * self.stimuli)
        high = n * (upper * self.stimuli - self.rest) / (noise + n * upper * self.stimuli)
        return Correlation(value, low, high)
