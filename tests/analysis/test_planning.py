"""Plans promise what simulation then finds, and the intervals of a design cover what they say."""

import numpy as np
import pandas as pd
import pytest

from analysis.compare import fit_conditions
from analysis.planning import (
    CAUTIOUS,
    REPORT,
    Design,
    Spread,
    clips_needed,
    coverage,
    pilot,
    power,
    power_table,
    simulate,
)


def test_clips_buy_power_and_sessions_hardly_do():
    # The figures of a separate computation for a difference of one point: .25, .31, .80, .31.
    plans = [Design(10, (4, 4)), Design(1000, (4, 4)), Design(10, (20, 20)), Design(10, (4, 6, 3))]

    assert [round(power(plan, CAUTIOUS, 1), 2) for plan in plans] == [0.24, 0.31, 0.80, 0.31]


def test_power_is_the_share_of_studies_that_find_the_difference():
    design, difference = Design(10, (8, 8)), 1.2
    chance = np.random.default_rng(1)
    found = 0
    for _ in range(300):
        table, _ = simulate(design, REPORT, chance)
        table.y[table.conditions == 0] += difference
        fit, _ = fit_conditions(table)
        found += fit.estimate([1, -1]).p < 0.05

    assert found / 300 == pytest.approx(power(design, REPORT, difference), abs=0.07)


def test_without_a_difference_power_is_the_error_rate():
    assert power(Design(10, (6, 6)), REPORT, 0) == pytest.approx(0.05)
    assert power(Design(10, (6, 6)), REPORT, 0, alpha=0.01) == pytest.approx(0.01)


def test_a_design_that_cannot_miss_has_the_power_of_one():
    huge = Design(1000, (200, 200))

    assert [power(huge, REPORT, difference) for difference in (5, -5, 50)] == pytest.approx([1, 1, 1])
    assert power(Design(10, (6, 6)), REPORT, -1) == power(Design(10, (6, 6)), REPORT, 1)


def test_power_rises_with_everything_that_helps():
    sessions = [p for s, c, p in power_table(CAUTIOUS, 1) if c == 6]
    clips = [p for s, c, p in power_table(CAUTIOUS, 1) if s == 10]

    assert sessions == sorted(sessions)
    assert clips == sorted(clips)
    assert power(Design(10, (6, 6)), REPORT, 2) > power(Design(10, (6, 6)), REPORT, 1)
    assert power(Design(10, (6, 6), heard=3), REPORT, 1) < power(Design(10, (6, 6)), REPORT, 1)


def test_the_clips_that_are_needed_are_the_fewest():
    n = clips_needed(CAUTIOUS, difference=1, n_sessions=10)

    assert power(Design(10, (n, n)), CAUTIOUS, 1) >= 0.8 > power(Design(10, (n - 1, n - 1)), CAUTIOUS, 1)
    assert clips_needed(CAUTIOUS, difference=0.01, n_sessions=10) is None


def test_one_clip_a_condition_finds_nothing():
    assert power(Design(100, (1, 1)), REPORT, 5) == 0


def test_a_pilot_gives_the_spread_of_its_own_fit(rated):
    found = pilot(rated("paper_table"))

    # lmer(rating ~ condition + (1 | rater) + (1 | item)) has .728, .673 and 1.376, and no rater:condition.
    assert (found.session + found.taste, found.stimulus, found.residual) == pytest.approx((0.73, 0.67, 1.38), abs=0.1)
    assert found.taste < 0.2
    assert pilot(rated("paper_table").head(0)) is None
    assert pilot(rated("paper_table").query("session == 'P01'")) is None


@pytest.mark.parametrize("design", [Design(200, (8, 8, 8)), Design(200, (8, 8, 8), heard=5)])
def test_a_pilot_finds_the_spread_that_was_simulated(design):
    truth = Spread(session=0.7, stimulus=0.7, residual=1.4, taste=0.4)
    chance = np.random.default_rng(1)

    found = [pilot_of(simulate(design, truth, chance)[0]) for _ in range(25)]

    assert np.mean([spread.taste for spread in found]) == pytest.approx(0.4, abs=0.03)
    assert np.mean([spread.session for spread in found]) == pytest.approx(0.7, abs=0.06)
    assert np.mean([spread.stimulus for spread in found]) == pytest.approx(0.7, abs=0.12)
    assert np.mean([spread.residual for spread in found]) == pytest.approx(1.4, abs=0.02)


def pilot_of(table):
    names = [table.stimulus_names[k] for k in table.stimuli]
    frame = pd.DataFrame({"session": table.sessions, "rating": table.y})
    return pilot(frame.assign(condition=[c for c, _ in names], stimulus=[s for _, s in names]))


def test_a_simulated_study_has_the_design_that_was_asked_for():
    table, clips = simulate(Design(7, (4, 3), heard=2), REPORT, np.random.default_rng(1))

    assert (len(table.y), len(clips), table.n_stimuli_of.tolist()) == (28, 7, [4, 3])
    assert (np.bincount(table.sessions * 2 + table.conditions) == 2).all()


def test_the_intervals_cover_and_the_usual_tests_raise_false_alarms():
    # The report's design. The long form, with more studies and designs, is benchmarks/coverage.py.
    shares = {(s.question, s.way): s.share for s in coverage(Design(10, (4, 6, 3)), REPORT, n_studies=300)}

    assert 0.92 <= shares["these clips", "Student's t over session means"] <= 0.98
    assert 0.91 <= shares["new clips", "crossed mixed model"] <= 0.98
    assert 0.02 <= shares["false alarm", "crossed mixed model"] <= 0.09
    assert shares["false alarm", "t over ratings"] >= 0.18
    assert shares["false alarm", "paired t over session means"] >= 0.18
    assert shares["new clips", "Student's t over ratings"] <= 0.8


def test_the_same_seed_simulates_the_same():
    design = Design(5, (2, 2))

    assert coverage(design, REPORT, 5, seed=3) == coverage(design, REPORT, 5, seed=3)


def test_impossible_designs_are_refused():
    with pytest.raises(ValueError, match="needs sessions and clips"):
        Design(0, (4, 4))
    with pytest.raises(ValueError, match="needs sessions and clips"):
        Design(5, (4, 0))
    with pytest.raises(ValueError, match="heard must be 1 to 3, not 4"):
        Design(5, (4, 3), heard=4)
