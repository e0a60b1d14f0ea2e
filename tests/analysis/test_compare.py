"""Conditions and pairs: R's answers to both questions, and a stated answer for odd tables."""

import numpy as np
import pandas as pd
import pytest

from analysis import compare, describe, ratings
from analysis.compare import cliffs_delta, over_sessions
from analysis.grid import grid
from analysis.words import pair_in_words

COMPLETE = ("paper_table", "paper_table_bib", "screening_sim", "music_aimgef", "mushra_neural_codec")


def frame_of(*rated):
    return ratings.read(pd.DataFrame(rated, columns=["session", "condition", "stimulus", "rating"]))


def crossed(answers):
    """A table of {(condition, stimulus): [one rating a session]}."""
    return frame_of(
        *[
            (f"s{k}", condition, stimulus, rating)
            for (condition, stimulus), given in answers.items()
            for k, rating in enumerate(given)
        ]
    )


def as_r_writes(pairs, answers):
    """{R's term: pair}, turned round where R has the other condition first."""
    by_names = {(pair.a, pair.b): (pair, 1) for pair in pairs} | {(pair.b, pair.a): (pair, -1) for pair in pairs}
    return {term: by_names[tuple(part.strip("()") for part in term.split(" - "))] for term in answers}


def values(pairs, answers, of):
    """{R's term: of(pair)}, with R's sign."""
    return {term: sign * of(pair) for term, (pair, sign) in as_r_writes(pairs, answers).items()}


@pytest.fixture(scope="module")
def comparison(rated):
    kept = {}

    def of(name):
        if name not in kept:
            kept[name] = compare.compare(rated(name), n_draws=50)
        return kept[name]

    return of


@pytest.mark.parametrize("name", COMPLETE)
def test_new_clips_agree_with_emmeans(name, comparison, r_says):
    # R: emmeans(m, "condition", lmer.df = "satterthwaite"), m <- lmer(rating ~ condition + (1 | rater) + (1 | item), d)
    conditions = {c.name: c.new_clips for c in comparison(name).conditions}

    assert {name: e.value for name, e in conditions.items()} == r_says(name, "emmean")
    assert {name: e.se for name, e in conditions.items()} == r_says(name, "emmean SE")
    assert {name: e.df for name, e in conditions.items()} == r_says(name, "emmean df")


@pytest.mark.parametrize("name", COMPLETE)
def test_pairs_agree_with_emmeans(name, comparison, r_says):
    # R: summary(pairs(emmeans(m, "condition")), adjust = "holm")
    pairs = comparison(name).pairs
    differences, ps = r_says(name, "pair estimate"), r_says(name, "pair p Holm")

    assert values(pairs, differences, lambda pair: pair.new_clips.value) == differences
    assert {t: p.new_clips.se for t, (p, _) in as_r_writes(pairs, differences).items()} == r_says(name, "pair SE")
    assert {t: p.p_holm for t, (p, _) in as_r_writes(pairs, ps).items()} == ps


@pytest.mark.parametrize("name", COMPLETE)
def test_pairs_of_these_clips_agree_with_r(name, comparison, r_says):
    # R: t.test(a, b, paired = TRUE) over rater means; p.adjust(p, "holm"); effectsize::cliffs_delta(a, b)
    said = {key: r_says(name, f"paired on rater means: {key}") for key in ("diff", "t", "p_t", "d_z", "cliffs_delta")}
    pairs = comparison(name).pairs
    found = {
        "diff": lambda pair: pair.these_clips.value,
        "t": lambda pair: pair.these_clips.value / pair.these_clips.se,
        "d_z": lambda pair: pair.d_z,
        "cliffs_delta": lambda pair: pair.cliffs_delta,
    }

    for key, of in found.items():
        assert values(pairs, said[key], of) == said[key]
    adjusted = r_says(name, "paired on rater means: p_t_holm")
    by_term = as_r_writes(pairs, adjusted)
    assert {term: pair.these_clips.p for term, (pair, _) in by_term.items()} == said["p_t"]
    assert {term: pair.these_p_holm for term, (pair, _) in by_term.items()} == adjusted


def test_effect_sizes_on_all_spread_agree_with_r(comparison):
    # R: pairs(e)$estimate / sqrt(sum(as.data.frame(VarCorr(m))$vcov))
    found = {(pair.a, pair.b): pair.d_total for pair in comparison("paper_table").pairs}

    assert found == pytest.approx(
        {("baseline_rnn", "cnn2d"): -0.770, ("baseline_rnn", "lpd5"): -2.100, ("cnn2d", "lpd5"): -1.330}, abs=5e-4
    )


def test_equivalence_agrees_with_r(rated):
    # R: summary(pairs(e), delta = 1, side = "equivalence", adjust = "none")
    pairs = compare.compare(rated("paper_table"), margin=1, n_draws=10).pairs

    ps = [pair.equivalence.p for pair in pairs]
    assert ps == pytest.approx([0.681777868790622, 0.997713006199321, 0.957454812638267], abs=1e-5)


def test_covariates_leave_the_conditions_means_first(rated):
    # R: lmer(rating ~ condition + pos_c + (1 | rater) + (1 | item), d), pos_c <- order - mean(order)
    table = grid(rated("paper_table"), ["position"])

    fit, _ = compare.fit_conditions(table, [table.extra["position"]])

    slope, first, difference = fit.estimate([0, 0, 0, 1]), fit.estimate([1, 0, 0, 0]), fit.estimate([-1, 1, 0, 0])
    assert (slope.value, slope.se) == pytest.approx((-0.0119926399916954, 0.0285661841293105), rel=1e-4)
    assert slope.df == pytest.approx(109.167230393416, rel=1e-3)
    assert (first.value, difference.value) == pytest.approx((5.7910055200062, 1.29752462399019), rel=1e-5)
    assert difference.df == pytest.approx(10.0657890537033, rel=1e-3)


def test_these_clips_are_the_intervals_of_the_table(rated):
    frame = rated("paper_table_bib")
    described = {d.label: (d.se, d.df, d.low, d.high) for d in describe.conditions(frame)}

    for condition in compare.compare(frame, n_draws=10).conditions:
        these = condition.these_clips
        assert (these.se, these.df, these.low, these.high) == pytest.approx(described[condition.name], abs=1e-9)


def test_the_order_of_the_lines_changes_no_digit(rated):
    frame = rated("paper_table_bib")

    assert repr(compare.compare(frame).pairs) == repr(compare.compare(frame.sample(frac=1, random_state=1)).pairs)


def test_a_stimulus_belongs_to_its_condition():
    rated = crossed(
        {("a", "one"): [3, 4, 6], ("a", "two"): [5, 6, 9], ("b", "one"): [7, 8, 8], ("b", "two"): [5, 9, 9]}
    )
    renamed = rated.assign(stimulus=rated["condition"] + rated["stimulus"])

    assert compare.compare(rated).pairs == compare.compare(renamed).pairs


def test_the_two_answers_are_said_in_plain_words(rated):
    pairs = compare.compare(rated("paper_table"), margin=1, n_draws=10).pairs

    assert pair_in_words(pairs[0]) == (
        "These clips, other listeners: cnn2d is rated 1.28 points above baseline_rnn "
        "(95 % interval 0.78 to 1.79; p < 0.001), so a difference is shown. "
        "New clips of the same models, other listeners: cnn2d is rated 1.28 points above baseline_rnn "
        "(95 % interval -0.01 to 2.58; p = 0.052), so a difference is not shown. "
        "The two answers differ because the second allows for which clips happened to be made: "
        "more clips would narrow it, more listeners hardly. "
        "Within the margin of 1.00 points, new clips are not shown to be equivalent "
        "(90 % interval -2.34 to -0.23, p = 0.682)."
    )
    assert pair_in_words(pairs[2]).count("so a difference is shown.") == 2


def test_one_clip_a_condition_has_no_answer_for_new_clips_and_says_why():
    rated = crossed({("a", "x"): [4, 6, 5, 7], ("b", "y"): [6, 7, 8, 8]})

    (pair,) = compare.compare(rated).pairs

    assert (pair.new_clips, pair.p_holm, pair.d_total, pair.clustered, pair.bootstrap) == (None,) * 5
    assert pair.these_clips.value == -1.75
    assert pair_in_words(pair) == (
        "These clips, other listeners: b is rated 1.75 points above a (95 % interval 0.23 to 3.27; p = 0.035), "
        "so a difference is shown. New clips of the same models: no answer. "
        "Each condition has one clip only, so it cannot be known how much clips of one model differ."
    )


def test_a_lone_clip_beside_conditions_of_several_speaks_for_itself_only():
    a, b = {("a", "x"): [4, 6, 5, 7], ("a", "y"): [6, 7, 8, 8]}, {("b", "z"): [9, 9, 8, 10]}

    comparison = compare.compare(crossed(a | b))

    assert [c.new_clips is None for c in comparison.conditions] == [False, True]
    assert (
        comparison.conditions[1].why_not == "b has one clip only, so it cannot be known how its other clips would do."
    )
    assert comparison.pairs[0].new_clips is None
    assert comparison.pairs[0].these_clips.df == 3


def test_one_session_has_averages_and_no_intervals():
    comparison = compare.compare(crossed({("a", "x"): [4], ("a", "y"): [6], ("b", "z"): [7], ("b", "w"): [8]}))

    assert [(c.mean, c.these_clips, c.new_clips, c.bootstrap) for c in comparison.conditions] == [
        (5.0, None, None, None),
        (7.5, None, None, None),
    ]
    assert pair_in_words(comparison.pairs[0]) == (
        "These clips: too few listeners rated a as well as b. New clips of the same models: no answer. "
        "There is one session only, and one listener does not speak for others."
    )


def test_one_condition_has_its_means_and_no_pairs(rated):
    frame = rated("paper_table").query("condition == 'lpd5'")

    comparison = compare.compare(frame)

    assert [c.name for c in comparison.conditions] == ["lpd5"]
    assert comparison.conditions[0].new_clips.value == pytest.approx(9.3)
    assert comparison.pairs == []


def test_equal_ratings_have_intervals_of_no_width_and_no_test():
    (pair,) = compare.compare(crossed({(c, c + n): [5, 5, 5] for c in "ab" for n in "12"})).pairs

    assert (pair.these_clips.low, pair.these_clips.high, pair.these_clips.p) == (0, 0, None)
    assert (pair.new_clips, pair.these_p_holm, pair.d_z, pair.cliffs_delta) == (None, None, None, 0)
    assert pair.why_not.startswith("Sessions and clips explain the ratings to the last digit")
    assert "rated 0.00 points above b by every listener alike, so there is no test" in pair_in_words(pair)


def test_no_ratings_compare_nothing(rated):
    assert compare.compare(rated("paper_table").head(0)) == compare.Comparison()


def test_missing_cells_leave_the_model_its_answer():
    # Each session heard two of three conditions, so none is complete: a pair takes those that rated both.
    heard = {"s1": "ab", "s2": "bc", "s3": "ac", "s4": "ab", "s5": "bc", "s6": "ac"}
    level = {"a": 4, "b": 6, "c": 8}
    rated = [
        (session, c, f"{c}{k}", level[c] + (int(session[1]) * (k + 2) + k) % 3)
        for session, conditions in heard.items()
        for c in conditions
        for k in range(3)
    ]

    comparison = compare.compare(frame_of(*rated))

    assert [pair.these_clips.df for pair in comparison.pairs] == [1, 1, 1]
    assert all(pair.new_clips.value < 0 for pair in comparison.pairs)


def test_one_rating_a_session_compares_new_clips_all_the_same():
    # Listeners then are part of the rest, as they are in a test over clips alone.
    rated = [
        (f"s{c}{k}{r}", c, f"{c}{k}", 4 + 2 * (c == "b") + (r + k) % 3) for c in "ab" for k in range(3) for r in (0, 1)
    ]

    comparison = compare.compare(frame_of(*rated))

    assert comparison.fit.session == 0
    assert comparison.pairs[0].new_clips.value == pytest.approx(-2)
    assert comparison.pairs[0].these_clips is None


def test_a_margin_below_zero_is_refused(rated):
    with pytest.raises(ValueError, match="margin must be above 0, not -1"):
        compare.compare(rated("paper_table"), margin=-1)


def test_cliffs_delta_by_hand():
    # 1 < 2 and 3; 2 = 2 and < 3; 4 > both: 2 above, 3 below, of 6
    assert cliffs_delta([1, 2, 4], [2, 3]) == pytest.approx((2 - 3) / 6)
    assert cliffs_delta([0.1 + 0.2], [0.3]) == 0
    assert cliffs_delta([], [1]) is None


def test_means_that_differ_in_the_last_digit_only_do_not_vary():
    assert over_sessions([0.1 + 0.2, 0.3, 0.3]).se == 0
    assert over_sessions([1.0]) is None


def false_alarms(test, n_studies):
    """The share of studies without a difference in which test(frame) finds one, with the report's design."""
    chance = np.random.default_rng(1)
    sessions, clips = (codes.ravel() for codes in np.indices((10, 10)))
    found = 0
    for _ in range(n_studies):
        effects = chance.normal(0, 0.853, 10)[sessions] + chance.normal(0, 0.82, 10)[clips]
        rating = np.clip(np.rint(6.5 + effects + chance.normal(0, 1.173, 100)), 1, 10)
        condition = np.where(clips < 4, "rnn", "cnn")
        frame = pd.DataFrame({"session": sessions, "condition": condition, "stimulus": clips, "rating": rating})
        found += test(frame)
    return found / n_studies


def test_the_headline_test_raises_few_false_alarms():
    def finds_a_difference(frame):
        fit, _ = compare.fit_conditions(grid(frame))
        return fit is not None and fit.estimate([1, -1]).p < 0.05

    assert 0.02 <= false_alarms(finds_a_difference, 400) <= 0.09
