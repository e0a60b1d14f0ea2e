"""An estimate with its uncertainty, by Student's t, and what follows from it."""

import math
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error (same unit) and the degrees of freedom of that error.

    An error of 0 is legal: nothing varied. Then the interval has no width and `p` is None, for a test needs spread.
    """

    value: float
    se: float
    df: float

    @property
    def low(self) -> float:
        return self.value - self.reach()

    @property
    def high(self) -> float:
        return self.value + self.reach()

    @property
    def p(self) -> float | None:
        """Two-sided p of the value being 0."""
        return 2 * float(stdtr(self.df, -abs(self.value) / self.se)) if self.se > 0 else None

    def reach(self, confidence=CONFIDENCE):
        """Return half the width of the interval of that confidence."""
        return float(stdtrit(self.df, (1 + confidence) / 2)) * self.se if self.se > 0 else 0.0

    def excludes_zero(self):
        return self.low > 0 or self.high < 0

    def __neg__(self):
        return Estimate(-self.value, self.se, self.df)


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against a margin: `p` of a difference as large as the margin, and the 90 % interval."""

    margin: float
    p: float
    low: float
    high: float
    is_equivalent: bool


def equivalence(estimate, margin, alpha=0.05):
    """Return the Equivalence of an Estimate of a difference (TOST: Schuirmann, J. Pharmacokin. Biopharm. 15, 1987).

    margin: largest difference that does not matter, fixed before the data were seen; same unit as the estimate
    returns: p is the larger of the two one-sided ones; the interval has confidence 1 - 2 * alpha

    Raises ValueError if the margin is not above 0, or if nothing varied (an error of 0).
    """
    if not margin > 0:
        raise ValueError(f"margin must be above 0, not {margin}")
    if not estimate.se > 0:
        raise ValueError("estimate has an error of 0, so there is no test")
    p = float(stdtr(estimate.df, (abs(estimate.value) - margin) / estimate.se))
    reach = estimate.reach(1 - 2 * alpha)
    return Equivalence(margin, p, estimate.value - reach, estimate.value + reach, p < alpha)


def holm(ps):
    """Return p-values adjusted for their number, in the same order (Holm, Scand. J. Stat. 6, 1979).

    ps: numbers in 0..1, or None for a test that could not be made; those stay None and do not count
    """
    adjusted = [None] * len(ps)
    made = sorted((p, k) for k, p in enumerate(ps) if p is not None and not math.isnan(p))
    largest = 0.0
    for rank, (p, k) in enumerate(made):
        largest = max(largest, min(1.0, (len(made) - rank) * p))
        adjusted[k] = largest
    return adjusted
