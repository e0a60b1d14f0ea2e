"""The crossed linear mixed model: y = X beta + session + stimulus + rest, by restricted maximum likelihood.

Sessions and stimuli have independent normal effects. "long" is the factor with more levels, "short" the other; the
block of the long one is diagonal and is eliminated first, so that after one pass over the ratings a step of the fit
costs what the square of the short one costs, however many ratings there are.

Conventions: B = [X y] (n, p + 1); `ratio` = variances of (long, short) relative to that of the rest, 0 or more;
V = I + ratio[0] * Z0 Z0' + ratio[1] * Z1 Z1'. In ratios, not standard deviations, a variance of 0 is a regular point:
the slope there says whether it stays.

Sources: criterion, Bates et al., J. Stat. Softw. 67(1), 2015; its slopes, Harville, J. Am. Stat. Assoc. 72, 1977;
degrees of freedom, Giesbrecht & Burns, Biometrics 41, 1985, as in R's lmerTest.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import linalg, optimize, sparse

from analysis.grid import sums_by_cell
from analysis.intervals import Estimate

# Squares kept by number of ratings: 32 MB of float64.
KEPT_CELLS = 4_000_000
# A rest below this share of the spread of y means that the effects explain y; it is looked for at a ratio of 1e7.
NO_REST = 1e-6
LARGE_RATIO = 1e7
# Sums of squares carry a rounding error of about this share.
ROUNDING = 1e-12
# A share of the total variance below this is a variance of zero that the search has not quite reached.
NO_VARIANCE = 1e-9


@dataclass(frozen=True)
class Fit:
    """A fitted crossed model.

    beta: (p,) coefficients of the columns of X; covariance: (p, p) theirs
    session, stimulus, residual: variances (unit of y squared); 0 is a legal answer
    criterion: -2 log likelihood, restricted if `reml`, with the constants of R's lme4
    """

    beta: np.ndarray
    covariance: np.ndarray
    session: float
    stimulus: float
    residual: float
    criterion: float
    reml: bool
    _problem: "_Problem"
    _ratio: np.ndarray

    @property
    def log_likelihood(self):
        return -self.criterion / 2

    @property
    def total_variance(self):
        return self.session + self.stimulus + self.residual

    def estimate(self, contrast):
        """Return the Estimate of contrast @ beta, with Satterthwaite's degrees of freedom.

        contrast: (p,) numbers
        """
        contrast = np.asarray(contrast, float)
        variance = contrast @ self.covariance @ contrast
        slopes = np.array([contrast @ slope @ contrast for slope in self._covariance_slopes])
        df = 2 * variance**2 / (slopes @ self._covariance_of_variances @ slopes)
        return Estimate(float(contrast @ self.beta), float(np.sqrt(variance)), float(df))

    @cached_property
    def _free(self):
        """Indices of the ratios that are not at their bound; a variance of 0 adds nothing to the uncertainty."""
        return [k for k in (0, 1) if self._ratio[k] > 0]

    @cached_property
    def _covariance_slopes(self):
        """Derivatives of the covariance of beta by the free ratios and the residual variance, each (p, p)."""
        relative = self.covariance / self.residual
        slopes = self._problem.at(self._ratio).slopes[:, :-1, :-1]
        by_ratio = [-self.residual * relative @ slopes[k] @ relative for k in self._free]
        return [*by_ratio, relative]

    @cached_property
    def _covariance_of_variances(self):
        """Asymptotic covariance of the free ratios and the residual variance: twice the inverse Hessian."""
        free = self._free
        hessian = np.empty((len(free) + 1,) * 2)
        for row, k in enumerate(free):
            step = np.zeros(2)
            step[k] = 1e-4 * self._ratio[k]
            above, below = (self._problem.gradient_at(self._ratio + s, self.residual) for s in (step, -step))
            hessian[row, :-1] = (above - below)[free] / (2 * step[k])
        point = self._problem.at(self._ratio)
        quadratic = np.append(-self._problem.solve(point)[0], 1.0)
        hessian[:-1, :-1] = (hessian[:-1, :-1] + hessian[:-1, :-1].T) / 2
        hessian[-1, :-1] = hessian[:-1, -1] = [
            -(quadratic @ point.slopes[k] @ quadratic) / self.residual**2 for k in free
        ]
        hessian[-1, -1] = self._problem.df / self.residual**2
        return 2 * np.linalg.inv(hessian)


def fit(y, design, sessions=None, stimuli=None, reml=True):
    """Fit y = design @ beta + session + stimulus + rest.

    y: (n,) ratings; design: (n, p) numbers, columns independent; sessions, stimuli: (n,) labels of any kind.
        Where one of them is left out there is no such effect and its variance is 0.
    reml: restricted likelihood (for variances and tests), or the full one (to compare designs by their likelihood)
    returns: Fit

    Raises ValueError if the columns of the design depend on each other, if a factor has one level or as many as there
    are ratings (its variance cannot be told from the rest), or if nothing is left over as rest.
    """
    y, design = np.asarray(y, float), np.asarray(design, float)
    factors = {name: f for name, f in {"sessions": sessions, "stimuli": stimuli}.items() if f is not None}
    codes = {name: pd.factorize(np.asarray(factor), sort=True)[0] for name, factor in factors.items()}
    _refuse(y, design, codes)
    names = sorted(codes, key=lambda name: -codes[name].max())  # the longer one first
    # What is far from 0 loses digits in sums of squares, so the fit is of what simple regression leaves.
    start = np.linalg.solve(design.T @ design, design.T @ y)
    problem = _Problem(y - design @ start, design, [codes[name] for name in names], reml)
    problem.refuse_unknown(names, y @ y)
    return _fit_at(problem, problem.best_ratio(n_free=len(names)), names, start)


def _refuse(y, design, codes):
    if design.ndim != 2 or len(design) != len(y):
        raise ValueError(f"design must have {len(y)} rows as y has, not the shape {design.shape}")
    if len(y) <= design.shape[1]:
        raise ValueError(f"{len(y)} ratings are too few for {design.shape[1]} columns of the design")
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError("design has columns that depend on each other")
    if not codes:
        raise ValueError("sessions and stimuli are both left out: one is needed")
    for name, code in codes.items():
        if code.max() == 0:
            raise ValueError(f"{name} has one level only, so its variance cannot be told")
        if code.max() + 1 == len(y):
            raise ValueError(f"{name} has one rating a level, so its variance cannot be told from the rest")


def _fit_at(problem, ratio, names, start):
    beta, relative, rest = problem.solve(problem.at(ratio))
    residual = rest / problem.df
    variances = dict.fromkeys(("sessions", "stimuli"), 0.0)
    variances |= {name: float(ratio[k] * residual) for k, name in enumerate(names)}
    criterion = problem.criterion_at(ratio)[0]
    return Fit(
        start + beta, residual * relative, *variances.values(), residual, criterion, problem.reml, problem, ratio
    )


@dataclass(frozen=True)
class _Point:
    """What the likelihood needs at one ratio.

    products: B' V^-1 B (p + 1, p + 1); slopes: its derivatives by the two ratios (2, p + 1, p + 1)
    log_det: log |V|; traces: its derivatives (2,)
    """

    products: np.ndarray
    slopes: np.ndarray
    log_det: float
    traces: np.ndarray


class _Crossing:
    """How many ratings each long level gave to each short one.

    Levels with equally many ratings always have equal weights, so their squares are added up once where that is small.
    """

    def __init__(self, long, short):
        shape = (int(long.max()) + 1, int(short.max()) + 1)
        self.counts = sums_by_cell(long, short, np.ones(len(long)), shape)
        self.n_long = np.bincount(long).astype(float)  # (long,)
        self.n_short = np.bincount(short).astype(float)  # (short,)
        self.numbers, first, which = np.unique(self.n_long, return_index=True, return_inverse=True)
        self.first = first
        self.kept = None
        if len(self.numbers) * shape[1] ** 2 <= KEPT_CELLS:
            self.kept = np.stack([_square(self.counts[which == k]) for k in range(len(first))])

    def squares(self, weights):
        """Return counts' diag(weights) counts, (short, short). weights: (long,), equal for equal n_long."""
        if self.kept is not None:
            return np.tensordot(weights[self.first], self.kept, 1)
        return _square(sparse.diags_array(np.sqrt(weights)) @ self.counts)


def _square(counts):
    square = counts.T @ counts
    return square.toarray() if sparse.issparse(square) else square


class _Problem:
    """The sums over all ratings that the likelihood depends on, and the likelihood."""

    def __init__(self, y, design, factors, reml):
        long, short = (*factors, np.zeros(len(y), int))[
            :2
        ]  # one that is not there has one level, and its ratio stays 0
        columns = np.column_stack([design, y])
        self.n, self.p, self.reml = len(y), design.shape[1], reml
        self.df = self.n - self.p if reml else self.n
        self.crossing = _Crossing(long, short)
        self.squares = columns.T @ columns
        self.long = _sums(columns, long)  # (long, p + 1)
        self.short = _sums(columns, short)  # (short, p + 1)

    def at(self, ratio):
        crossing, (long, short) = self.crossing, ratio
        spread = 1 + long * crossing.n_long
        shrink = long / spread
        inner = np.diag(crossing.n_short) - crossing.squares(shrink)  # Z1' V0^-1 Z1, V0 = V without the short factor
        sums = self.short - crossing.counts.T @ (shrink[:, None] * self.long)  # Z1' V0^-1 B
        triangle = linalg.cholesky(np.eye(len(inner)) + short * inner, lower=True, check_finite=False)
        inverse = linalg.cho_solve((triangle, True), np.eye(len(inner)), check_finite=False)
        of_short = inverse @ sums  # Z1' V^-1 B
        of_long = (self.long - short * (crossing.counts @ of_short)) / spread[:, None]  # Z0' V^-1 B
        crossed = np.sum(inverse * crossing.squares(1 / spread**2))
        return _Point(
            products=self.squares - self.long.T @ (shrink[:, None] * self.long) - short * sums.T @ of_short,
            slopes=np.stack([-of_long.T @ of_long, -of_short.T @ of_short]),
            log_det=float(np.log(spread).sum() + 2 * np.log(np.diag(triangle)).sum()),
            traces=np.array([np.sum(crossing.n_long / spread) - short * crossed, np.sum(inverse * inner)]),
        )

    def solve(self, point):
        """Return (beta, (X' V^-1 X)^-1, rest): the weighted least squares at a point."""
        inverse = np.linalg.inv(point.products[:-1, :-1])
        inverse = (inverse + inverse.T) / 2
        beta = inverse @ point.products[:-1, -1]
        return beta, inverse, float(point.products[-1, -1] - beta @ point.products[:-1, -1])

    def criterion_at(self, ratio):
        """Return -2 log likelihood with the best residual variance, and its gradient by the ratios (2,)."""
        point = self.at(ratio)
        _, inverse, rest = self.solve(point)
        value = point.log_det + self.df * (1 + np.log(2 * np.pi * rest / self.df))
        if self.reml:
            value -= np.linalg.slogdet(inverse)[1]
        return value, self._gradient(point, rest / self.df)

    def gradient_at(self, ratio, residual):
        """Return the gradient by the ratios (2,) at a given residual variance."""
        return self._gradient(self.at(ratio), residual)

    def _gradient(self, point, residual):
        beta, inverse, _ = self.solve(point)
        quadratic = np.append(-beta, 1.0)
        gradient = point.traces + np.array([quadratic @ slope @ quadratic for slope in point.slopes]) / residual
        if self.reml:
            gradient += [np.sum(inverse * slope[:-1, :-1]) for slope in point.slopes]
        return gradient

    def refuse_unknown(self, names, size):
        """Raise ValueError where no ratio is the best: a factor that the design implies, or no rest at all.

        names: what the long factor is called, and the short one if it is there; size: sum of squares of the ratings
        """
        inverse = np.linalg.inv(self.squares[:-1, :-1])
        for name, sums in zip(names, (self.long, self.short), strict=False):
            if self.n - np.sum(inverse * (sums[:, :-1].T @ sums[:, :-1])) <= ROUNDING * self.n:
                raise ValueError(f"{name} differ by nothing but the design, so their variance cannot be told")
        spread = self.squares[-1, -1]
        rest = self.solve(self.at(self._ratio(LARGE_RATIO, len(names))))[2]
        if spread <= ROUNDING * size or rest <= NO_REST * spread:
            raise ValueError(f"y has no rest: {' and '.join(sorted(names))} explain it to the last digit")

    def best_ratio(self, n_free):
        """Return the ratios (2,) that minimise the criterion; after the first n_free they stay 0."""
        found = optimize.minimize(
            self.criterion_at,
            self._ratio(0.5, n_free),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, None if k < n_free else 0) for k in (0, 1)],
            options={"ftol": 1e-15, "gtol": 1e-7},
        )
        return np.where(found.x < NO_VARIANCE * (1 + found.x.sum()), 0.0, found.x)

    @staticmethod
    def _ratio(value, n_free):
        return np.array([value if k < n_free else 0.0 for k in (0, 1)])


def _sums(columns, codes):
    """Return the sums of each column over the ratings of each level, (level, column)."""
    return np.column_stack([np.bincount(codes, column) for column in columns.T])
