"""Before the first participant: the power of a design, and whether its intervals will cover what they say.

Power is bought with clips: with four clips a condition, a difference of one point is found in a quarter of the studies
with 10 sessions and in less than a third with 1,000; with 20 clips and 10 sessions, in four of five.
"""

from dataclasses import dataclass
from itertools import combinations
from math import isfinite, sqrt

import numpy as np
from scipy import stats

from analysis import mixed
from analysis.compare import fit_conditions, over_sessions
from analysis.grid import Grid, grid
from analysis.intervals import CONFIDENCE, Estimate

MOST_CLIPS = 500


@dataclass(frozen=True)
class Spread:
    """Where ratings differ from (points squared): severity of sessions, clips of one condition, the rest, and `taste`,
    how much sessions differ in which condition they like."""

    session: float
    stimulus: float
    residual: float
    taste: float = 0.0


# The fit of the report's table: what music studies of this kind look like. Ten sessions cannot tell taste from none,
REPORT = Spread(session=0.728, stimulus=0.673, residual=1.376)
# so a plan had better allow for some.
CAUTIOUS = Spread(session=0.728, stimulus=0.673, residual=1.376, taste=0.2)


@dataclass(frozen=True)
class Design:
    """n_sessions hear every clip of every condition, or `heard` clips of each. n_clips: (condition,) clips of each."""

    n_sessions: int
    n_clips: tuple[int, ...]
    heard: int | None = None

    def __post_init__(self):
        if self.n_sessions < 1 or not self.n_clips or min(self.n_clips) < 1:
            raise ValueError(f"a design needs sessions and clips, not {self.n_sessions} and {self.n_clips}")
        if self.heard is not None and not 1 <= self.heard <= min(self.n_clips):
            raise ValueError(f"heard must be 1 to {min(self.n_clips)}, not {self.heard}")

    def ratings_of(self, condition):
        """Return how many ratings the condition gets."""
        return self.n_sessions * (self.heard or self.n_clips[condition])


def pilot(frame):
    """Return the Spread of a pilot's ratings, conditions allowed for, or None where its model has no answer.

    frame: as `ratings.read` returns it, of one scale. Taste is what the sessions' own differences of conditions vary
    more than clips and the rest explain; 0 where they vary less, or where no two sessions rated every condition.
    """
    if frame.empty:
        return None
    table = grid(frame)
    fit, _ = fit_conditions(table)
    if fit is None:
        return None
    try:
        # One effect for each session in each condition is severity and taste together, and leaves the rest pure.
        each = table.sessions * len(table.condition_names) + table.conditions
        apart = mixed.fit(table.y, table.indicators(), each, table.stimuli)
    except ValueError:
        return Spread(fit.session, fit.stimulus, fit.residual)
    taste = _taste(table, apart)
    return Spread(max(0.0, apart.session - taste), apart.stimulus, apart.residual, taste)


def _taste(table, fit):
    """Return half of what differences of a session's own means vary beyond its clips and the rest, on average."""
    shape = (len(table.session_names), len(table.condition_names))
    n = np.bincount(table.sessions * shape[1] + table.conditions, minlength=shape[0] * shape[1]).reshape(shape)
    n = n[(n > 0).all(axis=1)]
    if len(n) < 2 or shape[1] < 2:
        return 0.0
    means = table.complete_session_means()
    # Who heard all clips of a condition heard the same as the others; who heard some adds which ones.
    expected = (fit.residual / n + fit.stimulus * (1 / n - 1 / table.n_stimuli_of)).mean(axis=0)
    pairs = combinations(range(shape[1]), 2)
    found = [(means[:, a] - means[:, b]).var(ddof=1) - expected[a] - expected[b] for a, b in pairs]
    return max(0.0, float(np.mean(found)) / 2)


def error(design, spread, a=0, b=1):
    """Return the Estimate, of value 0, of the difference of two conditions that the design would give.

    The crossed model's standard error; severity cancels, since each session rates both. Degrees of freedom: the clips
    less the conditions, what Satterthwaite's come to where clips differ more than listeners waver.
    Source: Westfall, Kenny & Judd, J. Exp. Psychol. Gen. 143, 2014, for stimuli within conditions.
    """
    of_clips = spread.stimulus * (1 / design.n_clips[a] + 1 / design.n_clips[b])
    of_rest = spread.residual * (1 / design.ratings_of(a) + 1 / design.ratings_of(b))
    of_taste = 2 * spread.taste / design.n_sessions
    return Estimate(0.0, sqrt(of_clips + of_rest + of_taste), sum(design.n_clips) - len(design.n_clips))


def power(design, spread, difference, alpha=0.05, a=0, b=1):
    """Return the chance that the headline test finds a difference of that many points between two conditions.

    Noncentral t, two-sided. A design of one clip a condition has no such test: 0.
    """
    expected = error(design, spread, a, b)
    if expected.df < 1 or expected.se == 0:
        return 0.0
    critical = stats.t.ppf(1 - alpha / 2, expected.df)
    shift = abs(difference) / expected.se
    found = float(stats.nct.sf(critical, expected.df, shift) + stats.nct.cdf(-critical, expected.df, shift))
    # Far out SciPy's noncentral t has no number; there the normal curve is as good.
    return found if isfinite(found) else float(stats.norm.sf(critical - shift))


def power_table(spread, difference, sessions=(5, 10, 20, 40, 100), clips=(2, 4, 6, 10, 20, 40), alpha=0.05):
    """Return [(sessions, clips of each of two conditions, power)], rows of a table and points of a curve."""
    return [(s, c, power(Design(s, (c, c)), spread, difference, alpha)) for s in sessions for c in clips]


def clips_needed(spread, difference, n_sessions, wanted=0.8, alpha=0.05):
    """Return the fewest clips a condition (of two) that give that power, or None where MOST_CLIPS do not."""
    for n_clips in range(2, MOST_CLIPS + 1):
        if power(Design(n_sessions, (n_clips, n_clips)), spread, difference, alpha) >= wanted:
            return n_clips
    return None


@dataclass(frozen=True)
class Share:
    """How often, in simulated studies, an interval covered the truth or a test raised a false alarm.

    question: "these clips", "new clips" or "false alarm"; way: the method; n: studies in which it had an answer
    """

    question: str
    way: str
    n: int
    share: float

    @property
    def error(self) -> float:
        return sqrt(self.share * (1 - self.share) / self.n)


def coverage(design, spread, n_studies=200, seed=1, report=lambda done: None):
    """Return the Shares of studies in which intervals cover and tests raise false alarms, by simulation.

    Studies have that design and those spread, normal effects, and conditions that do not differ as models. Coverage
    is of the last condition's mean, tests are of the first two conditions. The truth of "these clips" is the mean of
    the clips that the study drew, of "new clips" that of all clips of the model. Ways that treat ratings as independent
    stand beside, because most reports use them. report: called with how many studies are done
    """
    chance = np.random.default_rng(seed)
    found = {}
    for done in range(n_studies):
        report(done)
        table, clips = simulate(design, spread, chance)
        for key, held in _checks(table, clips).items():
            found.setdefault(key, []).append(held)
    return [Share(*key, len(held), float(np.mean(held))) for key, held in found.items()]


def simulate(design, spread, chance):
    """Return (Grid, clips): ratings around 0 of one study of a design, and the clips' true values (clip,).

    chance: numpy Generator, which moves on
    """
    condition_of = np.repeat(np.arange(len(design.n_clips)), design.n_clips)
    heard = [_heard(design, condition_of, chance) for _ in range(design.n_sessions)]
    sessions = np.repeat(np.arange(design.n_sessions), [len(each) for each in heard])
    stimuli = np.concatenate(heard)
    clips = chance.normal(0, sqrt(spread.stimulus), len(condition_of))
    severity = chance.normal(0, sqrt(spread.session), design.n_sessions)
    taste = chance.normal(0, sqrt(spread.taste), (design.n_sessions, len(design.n_clips)))[
        sessions, condition_of[stimuli]
    ]
    y = severity[sessions] + taste + clips[stimuli] + chance.normal(0, sqrt(spread.residual), len(stimuli))
    names = [f"{condition:03}" for condition in range(len(design.n_clips))]
    stimulus_names = [(names[condition], f"{k:04}") for k, condition in enumerate(condition_of)]
    session_names = list(range(design.n_sessions))
    return Grid(y, sessions, stimuli, condition_of, session_names, stimulus_names, names, {}), clips


def _heard(design, condition_of, chance):
    if design.heard is None:
        return np.arange(len(condition_of))
    drawn = [chance.permutation(np.flatnonzero(condition_of == c))[: design.heard] for c in range(len(design.n_clips))]
    return np.sort(np.concatenate(drawn))


def _checks(table, clips):
    """Return {(question, way): whether it covered, or raised a false alarm} for the ways that have an answer."""
    last = len(table.condition_names) - 1
    truth = {"these clips": float(clips[table.condition_of == last].mean()), "new clips": 0.0}
    ratings, means = table.y[table.conditions == last], table.session_means()
    own = means[:, last][~np.isnan(means[:, last])]
    intervals = {
        ("these clips", "Student's t over session means"): over_sessions(own),
        ("these clips", "Student's t over ratings"): over_sessions(ratings),
        ("new clips", "Student's t over ratings"): over_sessions(ratings),
    }
    tests = {("false alarm", "paired t over session means"): _p(over_sessions(means[:, 0] - means[:, 1]))}
    one, other = (table.y[table.conditions == k] for k in (0, 1))
    tests["false alarm", "t over ratings"] = float(stats.ttest_ind(one, other).pvalue)
    fit, _ = fit_conditions(table)
    if fit is not None:
        intervals["new clips", "crossed mixed model"] = fit.estimate(np.eye(last + 1)[last])
        tests["false alarm", "crossed mixed model"] = fit.estimate(np.eye(last + 1)[0] - np.eye(last + 1)[1]).p
    covered = {key: e.low <= truth[key[0]] <= e.high for key, e in intervals.items() if e is not None}
    return covered | {key: p < 1 - CONFIDENCE for key, p in tests.items() if p is not None}


def _p(estimate):
    return estimate.p if estimate else None
