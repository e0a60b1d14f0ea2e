"""Can what a browser holds of a clip, without its sound, tell real music from generated?

An observation is {name: text or number}: pages, headers, addresses, sizes, times. Two linear classifiers over hashed
n-grams and the numbers are fitted on some sessions and asked about the others: ridge, which sees what is spread over
many features, and soft thresholding, which sees one telling letter among thousands that are chance (ridge alone found
such a leak with an AUC of 0.68 to 0.91). Their scores are added; AUC 0.5 is a coin.
"""

import zlib
from dataclasses import dataclass

import numpy as np

N_HASHES = 2_048
GRAM = 3
N_FOLDS = 5
RIDGE = 300.0
# Standard errors from 0 that a feature's correlation has to exceed: of 2,000 features by chance, less than one does.
THRESHOLD = 3.5


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
    rng = np.random.default_rng(seed)
    permuted = [_permuted(is_real, sessions, rng) for _ in range(n_permutations)]
    labels = np.stack([is_real, *permuted], axis=1)  # (view, labelling)
    scores = np.empty_like(labels)
    for fold in _folds(sessions):
        known = labels[~fold] - labels[~fold].mean(axis=0)
        both = [classify(features[~fold], known, features[fold]) for classify in (_ridge, _thresholded)]
        scores[fold] = sum(_standardised(each) for each in both)
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


def _ridge(train, labels, test):
    """Return the scores (test view, labelling) of ridge regression in its dual form."""
    kernel = train @ train.T / train.shape[1]
    weights = np.linalg.solve(kernel + RIDGE / train.shape[1] * np.eye(len(train)), labels)
    return test @ (train.T @ weights) / train.shape[1]


def _thresholded(train, labels, test):
    """Return scores that weigh each feature by how far its own correlation with the labels exceeds chance."""
    spread = train.std(axis=0)
    spread[spread == 0] = np.inf
    z = ((train - train.mean(axis=0)) / spread).T @ labels / (labels.std(axis=0) * np.sqrt(len(train)))
    weights = np.sign(z) * np.maximum(np.abs(z) - THRESHOLD, 0)  # (feature, labelling)
    return (test / spread) @ weights


def _standardised(scores):
    spread = scores.std(axis=0)
    return (scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _permuted(labels, sessions, rng):
    labels = labels.copy()
    for session in np.unique(sessions):
        of_session = np.flatnonzero(sessions == session)
        labels[of_session] = labels[rng.permutation(of_session)]
    return labels
