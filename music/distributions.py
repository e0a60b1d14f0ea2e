"""How far one set of clips is from another: densities on one grid, kernel distance with a test, Frechet distance.

Conventions: a set is an array (clip,) of one feature or (clip, feature); the reference, real music, comes first. Chance
enters by a seed. No argument is changed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

GRID_POINTS = 512
MOST_DISTANCES = 20_000  # of a set of 1,000 clips half a million could be had; the density looks the same
MOST_CLIPS = 1_000  # of each set: their kernel takes 32 MB
NO_DENSITY = 1e-9
CONFIDENCE = 0.95
N_DRAWS, BLOCK = 2_000, 100  # so many draws at a time bound the memory


@dataclass(frozen=True)
class Overlap:
    """Of the distances within the reference and those between the sets: the area that both densities cover, and KL(within || between) in nats."""

    area: float
    divergence: float | None


def overlap(reference, other, seed=0):
    """Return the Overlap of two sets by one feature (Yang and Lerch, 2020), or None if the reference has fewer than two clips or the other none.

    reference, other: (clip,), or (clip, bin) of a histogram, whose distances are Euclidean

    Both densities are Gaussian kernels of Scott's width on one grid of 512 points, three widths beyond all distances:
    each on a grid of its own, a set and the same set moved away would look alike. Where all distances of one kind are
    equal there is no density: the area is then 1 if those of the other kind equal them too and else 0, without divergence.
    """
    reference, other = _rows(reference), _rows(other)
    if len(reference) < 2 or not len(other):
        return None
    rng = np.random.default_rng(seed)
    within = _thinned(cdist(reference, reference)[np.triu_indices(len(reference), 1)], rng)
    between = _thinned(cdist(reference, other).ravel(), rng)
    if np.ptp(within) < NO_DENSITY or np.ptp(between) < NO_DENSITY:
        same = np.ptp(np.concatenate([within, between])) < NO_DENSITY
        return Overlap(1.0, 0.0) if same else Overlap(0.0, None)
    return _overlap(within, between)


def _overlap(within, between):
    from scipy.stats import gaussian_kde  # takes half a second to import

    kernels = [gaussian_kde(distances) for distances in (within, between)]
    width = 3 * max(float(np.sqrt(kernel.covariance[0, 0])) for kernel in kernels)
    ends = np.concatenate([within, between])
    grid = np.linspace(ends.min() - width, ends.max() + width, GRID_POINTS)
    p, q = (kernel(grid) for kernel in kernels)
    area = float(np.trapezoid(np.minimum(p, q), grid))
    p, q = (density / density.sum() for density in (p, q))
    return Overlap(area, float((p * np.log((p + NO_DENSITY) / (q + NO_DENSITY))).sum()))


def _rows(values):
    values = np.asarray(values, float)
    return values[:, None] if values.ndim == 1 else values


def _thinned(distances, rng):
    if len(distances) <= MOST_DISTANCES:
        return distances
    return rng.choice(distances, MOST_DISTANCES, replace=False)


@dataclass(frozen=True)
class Discrepancy:
    """Squared maximum mean discrepancy, unbiased (so below 0 at times), and how often chance would give as much."""

    mmd2: float
    p: float


def discrepancy(reference, other, seed=0, n_permutations=1_000):
    """Return the Discrepancy of two sets (Gretton et al., JMLR 13, 2012), or None if one has fewer than two clips.

    The kernel is Gaussian, as wide as the median distance of all clips. p is the share of permutations of the clips over
    the sets, this one among them, that have as great an mmd2. Of a set of more than MOST_CLIPS, as many drawn ones count.
    """
    reference, other = _rows(reference), _rows(other)
    if min(len(reference), len(other)) < 2:
        return None
    rng = np.random.default_rng(seed)
    sets = [rows[rng.permutation(len(rows))[:MOST_CLIPS]] for rows in (reference, other)]
    kernel = _kernel(np.concatenate(sets))
    mine = np.zeros((len(kernel), n_permutations + 1))
    mine[: len(sets[0]), 0] = 1
    for permutation in range(1, n_permutations + 1):
        mine[rng.permutation(len(kernel))[: len(sets[0])], permutation] = 1
    found = _mmd2(kernel, mine)
    # Rounding must not part the permutations that are the sets themselves, or their exchange.
    return Discrepancy(float(found[0]), float((found >= found[0] - 1e-12).mean()))


def _kernel(rows):
    squared = cdist(rows, rows) ** 2
    width = np.median(squared[np.triu_indices(len(rows), 1)])
    kernel = np.exp(-squared / (2 * (width or 1.0)))
    np.fill_diagonal(kernel, 0)
    return kernel


def _mmd2(kernel, mine):
    """Return mmd2 for each column of `mine`, 1 where a clip belongs to the first set."""
    m = mine[:, 0].sum()
    n = len(kernel) - m
    yours = 1 - mine
    to_mine, to_yours = kernel @ mine, kernel @ yours
    within_mine, within_yours = (mine * to_mine).sum(axis=0), (yours * to_yours).sum(axis=0)
    across = (mine * to_yours).sum(axis=0)
    return within_mine / (m * (m - 1)) + within_yours / (n * (n - 1)) - 2 * across / (m * n)


def shrunk_covariance(rows):
    """Return the covariance of the rows, drawn to a multiple of the identity as far as Ledoit and Wolf (2004) say, (feature, feature)."""
    rows = np.asarray(rows, float)
    n, p = rows.shape
    rows = rows - rows.mean(axis=0)
    covariance = rows.T @ rows / n
    level = np.trace(covariance) / p
    apart = ((covariance - level * np.eye(p)) ** 2).sum()
    noise = min((((rows**2).T @ rows**2).sum() / n - (covariance**2).sum()) / n, apart)
    shrinkage = noise / apart if apart else 0.0
    return (1 - shrinkage) * covariance + shrinkage * level * np.eye(p)


def frechet(reference, other):
    """Return the Frechet distance of two sets taken as Gaussians, ||m - n||^2 + tr(S + T - 2 sqrt(S T)), or None if one has fewer than two clips.

    On music.features' standardised vectors: a *feature* Frechet distance. It is no FMD, which needs a network's
    embeddings, and two halves of one set are not at 0: `frechet_of_halves` says where that is.
    """
    reference, other = _rows(reference), _rows(other)
    if min(len(reference), len(other)) < 2:
        return None
    s, t = shrunk_covariance(reference), shrunk_covariance(other)
    values, vectors = np.linalg.eigh(s)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    of_product = np.sqrt(np.linalg.eigvalsh(root @ t @ root).clip(0)).sum()
    apart = ((reference.mean(axis=0) - other.mean(axis=0)) ** 2).sum()
    return float(apart + np.trace(s) + np.trace(t) - 2 * of_product)


def frechet_of_halves(reference, seed=0, n_splits=20):
    """Return the mean Frechet distance of two random halves of the reference, the zero that others are held against; None below four clips."""
    reference = _rows(reference)
    if len(reference) < 4:
        return None
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(reference), 2) for _ in range(n_splits)]
    return float(np.mean([frechet(a, b) for a, b in halves]))


def mean_interval(values, seed=0):
    """Return (mean, low, high): the mean and the 95 % percentile interval of 2,000 bootstrap draws of clips.

    values: float or None a clip; those that are None are left out. All three None without any, low and high of one.
    """
    values = np.array([value for value in values if value is not None], float)
    if not len(values):
        return None, None, None
    if len(values) == 1:
        return float(values[0]), None, None
    rng = np.random.default_rng(seed)
    size = (BLOCK, len(values))
    drawn = np.concatenate([values[rng.integers(len(values), size=size)].mean(axis=1) for _ in range(N_DRAWS // BLOCK)])
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(values.mean()), float(low), float(high)
