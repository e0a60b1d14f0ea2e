"""Can what a browser holds of a clip, without its sound, tell real music from generated?

An observation is {name: text or number}: pages, headers, addresses, sizes, times. A ridge classifier over hashed
n-grams and the numbers is fitted on some sessions and asked about the others; AUC 0.5 is a coin.
"""

import zlib
from dataclasses import dataclass

import numpy as np

N_HASHES = 2_048
GRAM = 3
N_FOLDS = 5
RIDGE = 300.0


@dataclass(frozen=True)
class Verdict:
    auc: float
    p: float  # share of permutations of the labels, within sessions, that do as well
    n: int


def verdict(observations, is_real, sessions, n_permutations=200, seed=0):
    """Return how well held-out sessions' labels are told from observations.

    observations: one dict a trial view, all with the same keys; is_real, sessions: one value a trial view
    """
    features = _features(observations)  # (view, feature)
    is_real, sessions = np.asarray(is_real, float), np.asarray(sessions)
    folds = [np.flatnonzero(fold) for fold in _folds(sessions)]
    maps = [_map(features, np.setdiff1d(np.arange(len(is_real)), fold), fold) for fold in folds]
    rng = np.random.default_rng(seed)
    permuted = [_permuted(is_real, sessions, rng) for _ in range(n_permutations)]
    labels = np.stack([is_real, *permuted], axis=1)  # (view, labelling)
    scores = np.empty_like(labels)
    for fold, to_scores in zip(folds, maps, strict=True):
        train = np.setdiff1d(np.arange(len(is_real)), fold)
        scores[fold] = to_scores @ (labels[train] - labels[train].mean(axis=0))
    aucs = np.array([auc(labels[:, i] > 0, scores[:, i]) for i in range(labels.shape[1])])
    return Verdict(auc=aucs[0], p=(1 + np.sum(aucs[1:] >= aucs[0])) / (1 + n_permutations), n=len(is_real))


def auc(is_real, scores):
    """Return the chance that a real one has the higher score, ties counting half (Mann and Whitney)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n_real = is_real.sum()
    return (ranks[is_real].sum() - n_real * (n_real + 1) / 2) / (n_real * (len(is_real) - n_real))


def _features(observations):
    rows = np.zeros((len(observations), N_HASHES + 2 * len(observations[0])))
    common = {
        name: set.intersection(*(set(observation[name].splitlines()) for observation in observations))
        for name, value in observations[0].items()
        if isinstance(value, str)
    }
    for row, observation in zip(rows, observations, strict=True):
        for i, (name, value) in enumerate(observation.items()):
            if not isinstance(value, str):
                row[N_HASHES + i] = value
                continue
            # Lines that every view has tell nothing; how long the whole was might.
            row[N_HASHES + i] = len(value)
            rest = "\n".join(line for line in value.splitlines() if line not in common[name])
            for place in range(len(rest) - GRAM + 1):
                row[zlib.crc32(f"{name} {rest[place : place + GRAM]}".encode()) % N_HASHES] += 1
            for place, letter in enumerate(value[:24]):
                row[zlib.crc32(f"{name} {place} {letter}".encode()) % N_HASHES] += 1
    spread = rows.std(axis=0)
    return (rows[:, spread > 0] - rows[:, spread > 0].mean(axis=0)) / spread[spread > 0]


def _folds(sessions):
    names = np.unique(sessions)
    for fold in range(N_FOLDS):
        yield np.isin(sessions, names[fold::N_FOLDS])


def _map(features, train, test):
    """Return the matrix (test view, training view) that turns training labels into scores: ridge in its dual form."""
    kernel = features @ features[train].T / features.shape[1]
    return np.linalg.solve(kernel[train] + RIDGE / features.shape[1] * np.eye(len(train)), kernel[test].T).T


def _permuted(labels, sessions, rng):
    labels = labels.copy()
    for session in np.unique(sessions):
        of_session = np.flatnonzero(sessions == session)
        labels[of_session] = labels[rng.permutation(of_session)]
    return labels
