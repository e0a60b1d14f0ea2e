"""Rank tests are those of R, with ties that are ties."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from analysis.ranks import Ranks, friedman, ranks, signed_ranks

TABLES = ("paper_table", "paper_table_bib", "screening_sim", "music_aimgef", "mushra_neural_codec")


@pytest.mark.parametrize("name", ["paper_table", "screening_sim"])
def test_friedman_of_stimuli_agrees_with_r(name, rated, r_says):
    # R: friedman.test(W); irr::kendall(t(W), correct = TRUE)$value
    found = ranks(rated(name)).stimuli

    assert {"": found.chi2} == r_says(name, "friedman_items chi2")
    assert {"": found.p} == r_says(name, "friedman_items p")
    assert {"": found.w} == r_says(name, "Kendall's W (tie corrected)")


@pytest.mark.parametrize("name", TABLES)
def test_friedman_of_conditions_agrees_with_r(name, rated, r_says):
    # R: friedman.test(tapply(d$rating, list(d$rater, d$condition), mean)), complete raters
    found = ranks(rated(name)).conditions

    assert {"": found.chi2} == r_says(name, "friedman_conditions chi2")
    assert {"": found.p} == r_says(name, "friedman_conditions p")


@pytest.mark.parametrize("name", ["music_aimgef", "mushra_neural_codec"])
def test_signed_ranks_agree_with_r(name, rated, r_says):
    # R: wilcox.test(a, b, paired = TRUE, exact = FALSE, correct = TRUE); p.adjust(p, "holm"). Here means are of 4 and
    # 8 ratings, so that R's floats tie as they should.
    found = as_r_turns(ranks(rated(name)).wilcoxon, said_of_signed_ranks(name, r_says))

    for key, (ours, said) in found.items():
        assert (key, ours) == (key, said)


# Means of 3, 4 and 6 ratings: R's floats break ties that are ties on paper, which moves a sum of ranks by 1 at the most
# and a p by so little; effectsize's rank-biserial keeps zeros in the number of ranks besides.
APART = {"V": 1, "rank_biserial_paired": 0.004, "p_wilcox_corr": 5e-5, "p_wilcox_corr_holm": 5e-5}


@pytest.mark.parametrize("name", ["paper_table", "paper_table_bib", "screening_sim"])
def test_signed_ranks_agree_with_r_but_for_ties(name, rated, r_says):
    # R: wilcox.test(a, b, paired = TRUE, exact = FALSE, correct = TRUE); effectsize::rank_biserial(a, b, paired = TRUE)
    found = as_r_turns(ranks(rated(name)).wilcoxon, said_of_signed_ranks(name, r_says))

    for key, (ours, said) in found.items():
        values = {term: one.expected for term, one in said.items()}
        assert (key, ours) == (key, pytest.approx(values, abs=APART[key]))


def said_of_signed_ranks(name, r_says):
    return {key: r_says(name, f"paired on rater means: {key}") for key in APART}


def as_r_turns(pairs, said):
    """{quantity: ({term: ours}, {term: R's})}, turned round where R has the other condition first."""
    found = {key: ({}, answers) for key, answers in said.items()}
    for term in said["V"]:
        names = tuple(part.strip("()") for part in term.split(" - "))
        pair = next(pair for pair in pairs if {pair.a, pair.b} == set(names))
        turned = (pair.a, pair.b) != names
        found["V"][0][term] = pair.n * (pair.n + 1) / 2 - pair.v if turned else pair.v
        found["rank_biserial_paired"][0][term] = -pair.rank_biserial if turned else pair.rank_biserial
        found["p_wilcox_corr"][0][term], found["p_wilcox_corr_holm"][0][term] = pair.p, pair.p_holm
    return found


@pytest.mark.parametrize("name", ["paper_table", "paper_table_bib", "screening_sim"])
def test_signed_ranks_are_those_of_fractions(name, rated):
    # Means of 3, 4 and 6 ratings: R breaks ties here that are ties on paper, and its p are off by up to a tenth.
    frame = rated(name)
    means = frame.groupby(["session", "condition"])["rating"].agg(lambda y: Fraction(int(y.sum()), len(y))).unstack()
    means = means.dropna()

    for pair in ranks(frame).wilcoxon:
        whole = [int(360 * d) for d in means[pair.a] - means[pair.b]]
        expected = stats.wilcoxon(whole, correction=True, method="asymptotic")

        assert pair.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert min(pair.v, pair.n * (pair.n + 1) / 2 - pair.v) == expected.statistic


def test_the_reports_pairs_agree_with_r_where_nothing_ties(rated, r_says):
    # R: pairwise.wilcox.test(y, condition, p.adjust.method = "holm", paired = TRUE, exact = FALSE)
    found = ranks(rated("paper_table")).wilcoxon

    assert found[0].p == r_says("paper_table", "paired on rater means: p_wilcox_corr")["baseline_rnn - cnn2d"]
    assert [pair.p_holm for pair in found] == [pytest.approx(0.0175712972558524, rel=1e-9)] * 3
    assert [pair.rank_biserial for pair in found] == [-1, -1, -1]


def test_signed_ranks_by_hand():
    # |differences| 1, 1, 2, 3 rank 1.5, 1.5, 3, 4; positive ones 1.5 + 3 + 4; the 0 is dropped.
    n, v, p, rank_biserial = signed_ranks([1, -1, 2, 3, 0])

    assert (n, v, rank_biserial) == (4, 8.5, pytest.approx((8.5 - 1.5) / 10))
    assert p == pytest.approx(2 * stats.norm.sf((8.5 - 5 - 0.5) / (4 * 5 * 9 / 24 - (2**3 - 2) / 48) ** 0.5))


def test_one_session_alone_is_no_test():
    assert signed_ranks([2]) == (1, 1.0, None, None)
    assert signed_ranks([-2]) == (1, 0.0, None, None)
    assert signed_ranks([-2, 0])[2] == 1


def test_differences_that_tie_on_paper_tie():
    thirds = np.array([(5 + 6 + 7) / 3 - 0.3 * 10, 3.0, 0.1 + 0.2 - 0.3, -3.0])

    assert signed_ranks(thirds) == signed_ranks([3, 3, 0, -3])
    assert friedman([[0.1 + 0.2, 0.3, 1], [1, 2, 3]]) == friedman([[0.3, 0.3, 1], [1, 2, 3]])


def test_friedman_of_two_treatments_by_hand():
    # Rank sums 3 and 6 of 3 blocks: 12 / (3 * 2 * 3) * (9 + 36) - 3 * 3 * 3 = 3
    assert friedman([[1, 2], [3, 4], [5, 6]]).chi2 == pytest.approx(3)


def test_no_difference_is_no_test():
    assert signed_ranks([0, 0]) == (0, 0.0, None, None)
    assert friedman(np.ones((3, 3))) is None
    assert friedman(np.ones((1, 3))) is None


def test_an_incomplete_table_ranks_conditions_and_not_stimuli(rated):
    found = ranks(rated("paper_table_bib"))

    assert found.stimuli is None
    assert (found.conditions.n, found.conditions.df) == (36, 2)


def test_no_ratings_have_no_ranks(rated):
    assert ranks(rated("paper_table").head(0)) == Ranks(None, None, [])
