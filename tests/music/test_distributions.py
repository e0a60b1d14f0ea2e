import numpy as np
import pytest

from music import distributions
from music.distributions import Overlap


@pytest.fixture
def normal():
    """normal(seed, n=100, mean=0, n_features=1): draws of a normal distribution, (n,) or (n, n_features)."""

    def draw(seed, n=100, mean=0.0, n_features=1):
        rows = np.random.default_rng(seed).normal(mean, 1, (n, n_features))
        return rows[:, 0] if n_features == 1 else rows

    return draw


def test_a_set_overlaps_with_itself_and_less_with_one_that_lies_further_away(normal):
    real = normal(1, 200)

    found = [distributions.overlap(real, normal(2, 200, mean)) for mean in (0, 1, 3, 20)]

    areas, divergences = [one.area for one in found], [one.divergence for one in found]
    assert areas[0] > 0.93
    assert areas == sorted(areas, reverse=True)
    assert areas[-1] < 0.01
    assert divergences == sorted(divergences)
    assert divergences[0] < 0.03
    # On grids of their own, both densities of the last pair would have the same shape and no divergence at all.
    assert divergences[-1] > 5


def test_the_overlap_of_three_clips_worked_by_hand():
    within, between = [1, 2, 1], [0, 1, 2, 1, 0, 1, 2, 1, 0]  # of 0, 1, 2 and themselves
    grid = np.linspace(-20, 20, 40_001)

    def density(distances):
        width = np.std(distances, ddof=1) * len(distances) ** (-1 / 5)
        bells = np.exp(-(((grid[:, None] - distances) / width) ** 2) / 2)
        return bells.mean(axis=1) / width / np.sqrt(2 * np.pi)

    expected = np.trapezoid(np.minimum(density(within), density(between)), grid)
    assert distributions.overlap([0, 1, 2], [0, 1, 2]).area == pytest.approx(expected, abs=0.002)


def test_the_overlap_of_two_known_densities():
    # Distances within are about those of two normal draws, |N(0, 2)|; between, of one and another 5 further on, |N(5, 2)|.
    rng = np.random.default_rng(0)
    real, other = rng.normal(0, 1, 400), rng.normal(5, 1, 400)

    area = distributions.overlap(real, other).area

    grid = np.linspace(0, 15, 3000)
    density = [np.exp(-((grid - mean) ** 2) / 4) + np.exp(-((grid + mean) ** 2) / 4) for mean in (0, 5)]
    expected = np.trapezoid(np.minimum(*density), grid) / (2 * np.sqrt(np.pi))
    assert area == pytest.approx(expected, abs=0.04)


def test_histograms_are_compared_by_their_euclidean_distances(normal):
    slope = np.array([0.6, 0.8])  # along it, a distance is as long as along an axis
    along = [normal(seed, 30)[:, None] * slope for seed in (1, 2)]
    a, b = np.eye(12)[[0, 0, 1, 1]], np.eye(12)[[5, 5, 6, 6]]

    assert distributions.overlap(*along).area == pytest.approx(distributions.overlap(normal(1, 30), normal(2, 30)).area)
    assert distributions.overlap(a, b) == Overlap(0.0, None)  # between them all are the square root of two apart


@pytest.mark.parametrize(
    ("real", "other", "expected"),
    [
        ([1, 1, 1], [1, 1], Overlap(1.0, 0.0)),
        ([1, 1, 1], [2, 2], Overlap(0.0, None)),
        ([1, 1, 1], [2, 3], Overlap(0.0, None)),
        ([1, 2], [1, 2, 3], Overlap(0.0, None)),  # a single distance within has no density
        ([1], [1, 2], None),
        ([1, 2], [], None),
    ],
)
def test_a_constant_feature_has_no_density(real, other, expected):
    assert distributions.overlap(real, other) == expected


def test_of_many_distances_some_are_drawn_and_the_same_ones_each_time(normal):
    many = normal(1, 400), normal(2, 400, 0.5)

    found = [distributions.overlap(*many, seed=seed) for seed in (0, 0, 1)]

    assert found[0] == found[1] != found[2]
    assert found[0].area == pytest.approx(found[2].area, abs=0.02)


def test_the_discrepancy_of_three_clips_worked_by_hand():
    # Distances 1 (within the first set), 3 and 2; the median of all squares 1, 9, 4, ... is that of the kernel.
    real, other = np.array([0.0, 1.0]), np.array([3.0, 3.0])
    squares = {"within": 1, "other": 0, "across": [9, 9, 4, 4]}
    width = np.median([squares["within"], squares["other"], *squares["across"]])

    def kernel(square):
        return np.exp(-square / (2 * width))

    expected = kernel(1) + kernel(0) - 2 * np.mean([kernel(square) for square in squares["across"]])
    found = distributions.discrepancy(real, other)
    assert found.mmd2 == pytest.approx(expected)
    assert found.p == pytest.approx(1 / 3, abs=0.05)  # of the three ways to pair four clips, this one


def test_the_discrepancy_of_one_distribution_is_about_zero_and_its_p_spread_evenly(normal):
    found = [
        distributions.discrepancy(normal(2 * i, 20, 0, 3), normal(2 * i + 1, 15, 0, 3), i, 200) for i in range(150)
    ]

    mmd2, p = (np.array([getattr(one, name) for one in found]) for name in ("mmd2", "p"))
    assert mmd2.mean() == pytest.approx(0, abs=0.005)
    assert (mmd2 < 0).any()
    assert [(p <= level).mean() for level in (0.05, 0.25, 0.5)] == pytest.approx([0.05, 0.25, 0.5], abs=0.1)


def test_sets_that_differ_are_told_apart(normal):
    found = distributions.discrepancy(normal(1, 30, 0, 5), normal(2, 30, 1, 5))

    assert found.mmd2 > 0.05
    assert found.p == pytest.approx(1 / 1001)


def test_constant_sets_have_a_discrepancy_too():
    same = distributions.discrepancy(np.ones((5, 3)), np.ones((4, 3)))

    assert (same.mmd2, same.p) == (pytest.approx(0), 1)
    assert distributions.discrepancy(np.ones((5, 3)), 2 * np.ones((4, 3))).mmd2 > 0.5
    assert distributions.discrepancy([1.0], [1.0, 2.0]) is None


def test_the_shrunk_covariance_is_that_of_scikit_learn():
    # sklearn.covariance.ledoit_wolf(rows)[0], scikit-learn 1.9.1; its shrinkage is 0.794 and 0.142.
    six = [[1, 2, 0], [3, 1, 1], [2, 4, 1], [5, 3, 2], [4, 6, 0], [0, 1, 3]]
    thirty = np.random.default_rng(0).normal(size=(30, 4)) @ np.diag([1, 2, 3, 4.0])

    assert distributions.shrunk_covariance(six) == pytest.approx(
        np.array(
            [
                [2.5050344, 0.32638482, -0.08589074],
                [0.32638482, 2.5508428, -0.20041173],
                [-0.08589074, -0.20041173, 2.13856724],
            ]
        )
    )
    assert distributions.shrunk_covariance(thirty) == pytest.approx(
        np.array(
            [
                [1.73599468, -0.14195257, 0.30861718, -0.79553288],
                [-0.14195257, 3.80262319, -0.24836812, 0.71990893],
                [0.30861718, -0.24836812, 7.92619377, 3.17270755],
                [-0.79553288, 0.71990893, 3.17270755, 15.03615323],
            ]
        )
    )
    assert (distributions.shrunk_covariance(np.ones((5, 2))) == 0).all()


def test_the_frechet_distance_of_one_feature_is_that_of_two_gaussians():
    # (m - n)^2 + (s - t)^2, by hand: means 1 and 4, standard deviations 1 and 3; one feature is never shrunk.
    assert distributions.frechet([0, 2], [1, 7]) == pytest.approx(9 + 4)
    assert distributions.frechet([0, 2], [0, 2]) == pytest.approx(0)
    assert distributions.frechet([0], [0, 2]) is None


def test_the_frechet_distance_agrees_with_a_square_root_of_the_product(normal):
    from scipy.linalg import sqrtm

    mixing = np.random.default_rng(5).normal(size=(6, 6))
    real, other = normal(1, 40, 0, 6), normal(2, 60, 0.5, 6) @ mixing
    s, t = distributions.shrunk_covariance(real), distributions.shrunk_covariance(other)

    expected = ((real.mean(0) - other.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert distributions.frechet(real, other) == pytest.approx(expected)
    assert distributions.frechet(other, real) == pytest.approx(expected)


def test_two_halves_of_real_music_are_the_zero_that_other_music_is_held_against(normal):
    real = normal(1, 60, 0, 8)

    zero = distributions.frechet_of_halves(real)

    assert 0 < zero < distributions.frechet(real, normal(2, 60, 1, 8))
    assert zero == distributions.frechet_of_halves(real) != distributions.frechet_of_halves(real, seed=1)
    assert distributions.frechet_of_halves(real[:3]) is None


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    draws = [np.random.default_rng(seed).normal(3, 1, 40).tolist() for seed in range(200)]

    found = [distributions.mean_interval([*values, None], seed) for seed, values in enumerate(draws)]

    assert [mean for mean, _, _ in found] == pytest.approx([np.mean(values) for values in draws])
    assert np.mean([low <= 3 <= high for _, low, high in found]) == pytest.approx(0.95, abs=0.04)


def test_a_mean_of_one_clip_has_no_interval_and_of_none_no_value():
    assert distributions.mean_interval([2.0, None]) == (2.0, None, None)
    assert distributions.mean_interval([None, None]) == (None, None, None)


def test_no_argument_is_changed(normal):
    real, other = normal(1, 20, 0, 48), normal(2, 20, 1, 48)
    for rows in (real, other):
        rows.flags.writeable = False

    distributions.frechet(real, other)
    distributions.frechet_of_halves(real)
    distributions.discrepancy(real, other)
    distributions.overlap(real, other)
