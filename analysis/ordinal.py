"""The cumulative-link mixed model: ratings as ordered answers, not as numbers, with sessions and stimuli crossed.

    P(rating <= level j) = 1 / (1 + exp(-(threshold j - eta))),   eta = X beta + session + stimulus

Normal effects are integrated out by Laplace's approximation. The parameters are found by their exact slopes, which
Laplace's term has too: its curvature changes with the parameters directly and through the mode.

Conventions: effects u are in units of their standard deviation, sessions first, then stimuli, (q,); `upper` and `lower`
are the thresholds around each rating less eta (n,), infinite at the ends; z is a rating's row of scaled effects.

Sources: McCullagh, J. R. Stat. Soc. B 42, 1980; objective as R's ordinal::clmm (Christensen, 2015) with nAGQ = 1.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, optimize, stats
from scipy.special import expit

from analysis.grid import grid

# Newton steps for the mode; it is concave, so a handful is enough.
MOST_STEPS = 50
# Sessions times stimuli beyond this would take minutes and gigabytes.
MOST_CELLS = 4_000_000
# A standard deviation below this is one of zero that the search has not quite reached: the likelihood is flat there.
NO_SPREAD = 1e-3
# A search that strays stays finite: logits are cut here, and thresholds at least so far apart.
FAR = 300.0
LEAST_APART = 1e-90
# Coefficients beyond this many logits mean that a condition's ratings are all at one end: its maximum is at infinity.
TOO_FAR = 20.0


@dataclass(frozen=True)
class OrdinalFit:
    """A fitted cumulative-link model, in logits.

    thresholds: (level - 1,); beta: (p,); sd_session, sd_stimulus: of the effects; log_likelihood: Laplace's
    covariance: (level - 1 + p,) squared, of thresholds and beta; NaN where it was not asked for
    levels: the answers that occurred, in order
    """

    thresholds: np.ndarray
    beta: np.ndarray
    sd_session: float
    sd_stimulus: float
    log_likelihood: float
    covariance: np.ndarray
    levels: np.ndarray

    @property
    def errors(self):
        """(level - 1 + p,) standard errors of thresholds and beta."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0))

    def difference(self, contrast):
        """Return (contrast @ beta, its standard error). contrast: (p,) numbers"""
        among = self.covariance[len(self.thresholds) :, len(self.thresholds) :]
        return float(contrast @ self.beta), float(np.sqrt(max(contrast @ among @ contrast, 0.0)))


@dataclass(frozen=True)
class OrdinalComparison:
    """Conditions on the latent scale: {condition: (logits above the reference, error)}; `chi2`, `df` and `p` of any
    difference at all (likelihood ratio)."""

    reference: str
    coefficients: dict[str, tuple[float, float]]
    fit: OrdinalFit
    chi2: float
    df: int
    p: float


def compare_ordinal(frame):
    """Return the OrdinalComparison of the conditions of a table of ratings, or None where the model has no answer.

    frame: as `ratings.read` returns it, of one scale. None for one condition, one answer, one session or one stimulus a
        condition, more than MOST_CELLS sessions x stimuli, and where a condition has answers at one end only.
    """
    table = grid(frame)
    if len(table.condition_names) < 2 or table.n_stimuli_of.max() < 2:
        return None
    if len(table.session_names) * len(table.stimulus_names) > MOST_CELLS or _is_at_one_end(table):
        return None
    try:
        fit = fit_ordinal(table.y, table.indicators()[:, 1:], table.sessions, table.stimuli)
        null = fit_ordinal(table.y, np.empty((len(table.y), 0)), table.sessions, table.stimuli, with_errors=False)
    except ValueError:
        return None
    reference, *others = table.condition_names
    errors = fit.errors[len(fit.thresholds) :]
    ratio, df = 2 * (fit.log_likelihood - null.log_likelihood), len(others)
    coefficients = {n: (float(b), float(e)) for n, b, e in zip(others, fit.beta, errors, strict=True)}
    return OrdinalComparison(reference, coefficients, fit, ratio, df, float(stats.chi2.sf(ratio, df)))


def _is_at_one_end(table):
    """Whether a condition was given the highest answer only, or the lowest: its coefficient would be infinite."""
    given = [table.y[table.conditions == k] for k in range(len(table.condition_names))]
    return any(y.min() == table.y.max() or y.max() == table.y.min() for y in given)


def fit_ordinal(y, design, sessions, stimuli, with_errors=True):
    """Fit the cumulative-link mixed model.

    y: (n,) ratings, of which only the order counts; design: (n, p) without a constant; sessions, stimuli: (n,) codes
        from 0
    returns: OrdinalFit; its covariance is NaN without `with_errors`

    Raises ValueError if y has one level only, a factor has one, or the maximum is at infinity (separation).
    """
    levels, answers = np.unique(y, return_inverse=True)
    if len(levels) < 2:
        raise ValueError("y has one level only")
    if min(np.max(sessions), np.max(stimuli)) < 1:
        raise ValueError("sessions and stimuli must have two levels or more")
    laplace = _Laplace(answers, np.asarray(design, float), np.asarray(sessions), np.asarray(stimuli))
    found = optimize.minimize(
        laplace.loss, laplace.start(), jac=True, method="BFGS", options={"gtol": 1e-5 / len(y) ** 0.5, "maxiter": 500}
    )
    thresholds, beta, sd = laplace.unpack(found.x)
    if not np.isfinite(found.fun) or np.abs(beta).max(initial=0) > TOO_FAR:
        raise ValueError("design separates the ratings, so that the likelihood has no maximum")
    sd = np.abs(sd)
    covariance = laplace.covariance(found.x) if with_errors else np.full((len(thresholds) + len(beta),) * 2, np.nan)
    session, stimulus = (0.0 if each < NO_SPREAD else float(each) for each in sd)
    return OrdinalFit(thresholds, beta, session, stimulus, -float(found.fun) * len(y), covariance, levels)


class _Rates:
    """Probabilities of the ratings and their derivatives; everything (n,).

    With F the logistic curve, b and a the thresholds around a rating less eta, and f = F (1 - F):
    P = F(b) - F(a) = F(b) F(-a) (1 - exp(a - b)), which loses no digit however far out both are; the derivative of
    log P by a shift of both is 1 - F(b) - F(a), and the second one -(f(b) + f(a)).
    """

    def __init__(self, upper, lower, apart):
        """apart: 1 - exp(lower - upper)"""
        self.upper, self.lower = np.clip(upper, -FAR, FAR), np.clip(lower, -FAR, FAR)
        self.apart = np.maximum(apart, LEAST_APART)
        self.below, self.above = expit(self.upper), expit(-self.lower)  # F(b), 1 - F(a)

    def log_likelihood(self):
        return float(np.log(self.below * self.above * self.apart).sum())

    def shifts(self):
        return self.above - self.below

    def densities(self):
        """Return (f(b), f(a))."""
        return self.below * (1 - self.below), self.above * (1 - self.above)

    def density_slopes(self):
        at_upper, at_lower = self.densities()
        return at_upper * (1 - 2 * self.below), at_lower * (2 * self.above - 1)

    def by_threshold(self):
        """Return the derivatives of log P by the upper and by the lower threshold alone."""
        return expit(-self.upper) / (self.above * self.apart), -expit(self.lower) / (self.below * self.apart)


class _Curvature:
    """Minus the second derivatives by the effects, [[sessions, crossed], [crossed', stimuli]], sessions eliminated.

    sessions (session,) and stimuli (stimulus,) are diagonals, crossed is (session, stimulus).
    """

    def __init__(self, sessions, stimuli, crossed):
        self.sessions, self.crossed = sessions, crossed
        self.shared = crossed / sessions[:, None]
        self.factor = linalg.cho_factor(np.diag(stimuli) - crossed.T @ self.shared, lower=True, check_finite=False)

    def log_det(self):
        return np.log(self.sessions).sum() + 2 * np.log(np.diag(self.factor[0])).sum()

    def solve(self, right):
        of_sessions, of_stimuli = np.split(right, [len(self.sessions)])
        of_stimuli = linalg.cho_solve(self.factor, of_stimuli - self.shared.T @ of_sessions, check_finite=False)
        return np.concatenate([of_sessions / self.sessions - self.shared @ of_stimuli, of_stimuli])

    def inverse(self):
        """Return the inverse's diagonal (q,) and its crossed block (session, stimulus)."""
        of_stimuli = linalg.cho_solve(self.factor, np.eye(self.crossed.shape[1]), check_finite=False)
        crossed = -self.shared @ of_stimuli
        of_sessions = 1 / self.sessions - np.sum(crossed * self.shared, axis=1)
        return np.concatenate([of_sessions, np.diag(of_stimuli)]), crossed


@dataclass
class _Laplace:
    """Minus Laplace's log likelihood, as a function of (first threshold, logs of their gaps, beta, sd of the effects).

    Standard deviations are free to cross 0, where the likelihood is even: so zero is an ordinary minimum.
    """

    answers: np.ndarray
    design: np.ndarray
    sessions: np.ndarray
    stimuli: np.ndarray
    mode: np.ndarray = field(init=False)

    def __post_init__(self):
        self.n_thresholds = int(self.answers.max())
        self.sizes = [int(self.sessions.max()) + 1, int(self.stimuli.max()) + 1]
        self.mode = np.zeros(sum(self.sizes))

    def start(self):
        shares = np.cumsum(np.bincount(self.answers))[:-1] / len(self.answers)
        thresholds = np.log(shares / (1 - shares))
        return np.concatenate([thresholds[:1], np.log(np.diff(thresholds)), np.zeros(self.design.shape[1]), [1.0, 1.0]])

    def unpack(self, parameters):
        first, gaps = parameters[0], np.exp(parameters[1 : self.n_thresholds])
        return np.cumsum([first, *gaps]), parameters[self.n_thresholds : -2], parameters[-2:]

    def loss(self, parameters):
        """Return (value, gradient), each a rating: of one size, however many ratings there are."""
        thresholds, beta, sd = self.unpack(parameters)
        value, slopes = self._at(thresholds, beta, sd)
        by_threshold = slopes[: self.n_thresholds]
        gaps = np.diff(thresholds)
        by_gap = np.cumsum(by_threshold[::-1])[::-1][1:] * gaps
        gradient = np.concatenate([[by_threshold.sum()], by_gap, slopes[self.n_thresholds :]])
        return value / len(self.answers), gradient / len(self.answers)

    def covariance(self, parameters):
        """Return the covariance of thresholds and beta by differences of the exact slopes."""
        thresholds, beta, sd = self.unpack(parameters)
        free = np.abs(sd) >= NO_SPREAD
        point = np.concatenate([thresholds, beta, sd])
        kept = np.flatnonzero(np.concatenate([np.ones(len(point) - 2, bool), free]))
        hessian = np.empty((len(kept), len(kept)))
        for row, k in enumerate(kept):
            step = np.zeros(len(point))
            step[k] = 1e-4
            hessian[row] = ((self._natural(point + step) - self._natural(point - step)) / 2e-4)[kept]
        covariance = np.linalg.pinv((hessian + hessian.T) / 2)
        return covariance[: len(point) - 2, : len(point) - 2]

    def _natural(self, point):
        return self._at(point[: self.n_thresholds], point[self.n_thresholds : -2], point[-2:])[1]

    def _at(self, thresholds, beta, sd):
        """Return the value and its slopes by thresholds, beta and sd."""
        scale = np.repeat(sd, self.sizes)  # (q,)
        u, rates, curvature = self._find_mode(thresholds, self.design @ beta, scale)
        value = -rates.log_likelihood() + u @ u / 2 + curvature.log_det() / 2
        diagonal, crossed = curvature.inverse()
        leverage = self._leverage(diagonal, crossed, scale)  # (n,) z' H^-1 z
        by_upper, by_lower = (slope * leverage / 2 for slope in rates.density_slopes())
        # How far the mode's move changes the curvature: by effect (q,), then by rating (n,).
        pull = curvature.solve(scale * self._gather(-(by_upper + by_lower)))
        carried = self._spread(scale * pull)
        upper, lower = (
            change + carried * density - slope
            for change, density, slope in zip(
                (by_upper, by_lower), rates.densities(), rates.by_threshold(), strict=True
            )
        )
        by_eta = -(upper + lower)
        # A standard deviation acts through eta, through the mode, and on the curvature itself.
        by_scale = u * self._gather(by_eta) - pull * self._gather(rates.shifts())
        by_scale += np.divide(1 - diagonal, scale, out=np.zeros(len(u)), where=scale != 0)
        by_sd = np.add.reduceat(by_scale, [0, self.sizes[0]])
        return value, np.concatenate([self._by_threshold(upper, lower), self.design.T @ by_eta, by_sd])

    def _by_threshold(self, upper, lower):
        by_upper = np.bincount(self.answers, upper, self.n_thresholds + 1)[:-1]
        by_lower = np.bincount(self.answers, lower, self.n_thresholds + 1)[1:]
        return by_upper + by_lower

    def _find_mode(self, thresholds, fixed, scale):
        """Return the most likely effects (q,), the rates and the curvature there, by Newton's method."""
        ends = np.concatenate([[-np.inf], thresholds, [np.inf]])
        upper, lower = ends[self.answers + 1] - fixed, ends[self.answers] - fixed
        apart = -np.expm1(-np.diff(ends))[self.answers]

        def at(u):
            eta = self._spread(scale * u)
            rates = _Rates(upper - eta, lower - eta, apart)
            return rates.log_likelihood() - u @ u / 2, rates

        u = self.mode
        value, rates = at(u)
        if not np.isfinite(value):
            u = np.zeros(len(u))
            value, rates = at(u)
        for _ in range(MOST_STEPS):
            curvature = self._curvature(sum(rates.densities()), scale)
            slope = -scale * self._gather(rates.shifts()) - u
            if np.abs(slope).max() < 1e-10 * len(fixed):
                break
            u, value, rates = self._climb(at, u, value, curvature.solve(slope))
        self.mode = u
        return u, rates, curvature

    @staticmethod
    def _climb(at, u, value, step):
        for _ in range(30):
            new_value, rates = at(u + step)
            if new_value >= value - 1e-12 * abs(value):
                return u + step, new_value, rates
            step = step / 2
        return u, value, at(u)[1]

    def _curvature(self, weights, scale):
        n_cells = self.sizes[0] * self.sizes[1]
        crossed = np.bincount(self.sessions * self.sizes[1] + self.stimuli, weights, n_cells).reshape(self.sizes)
        of_sessions, of_stimuli = np.split(scale, [self.sizes[0]])
        diagonal = np.split(1 + scale**2 * self._gather(weights), [self.sizes[0]])
        return _Curvature(*diagonal, of_sessions[:, None] * crossed * of_stimuli)

    def _leverage(self, diagonal, crossed, scale):
        sessions, stimuli = self.sessions, self.stimuli + self.sizes[0]
        a, b = scale[sessions], scale[stimuli]
        return a**2 * diagonal[sessions] + b**2 * diagonal[stimuli] + 2 * a * b * crossed[self.sessions, self.stimuli]

    def _spread(self, effects):
        """From effects (q,) to what each rating has of them (n,)."""
        return effects[self.sessions] + effects[self.stimuli + self.sizes[0]]

    def _gather(self, values):
        """From ratings (n,) to sums by effect (q,)."""
        return np.concatenate(
            [np.bincount(self.sessions, values, self.sizes[0]), np.bincount(self.stimuli, values, self.sizes[1])]
        )
