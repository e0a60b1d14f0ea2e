"""One order proves nothing: what is promised of orders is tested over many seeds."""

import random
from collections import Counter
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from study import ordering
from study.ordering import Place, Plan, draw

# The report's table: three pieces of real music, four clips of the RNN, six of the CNN.
REPORT = {item: "real" if item < 3 else "rnn" if item < 7 else "cnn" for item in range(13)}
EVEN = {item: "abcd"[item % 4] for item in range(12)}
N_SEEDS = 2_000


def orders(plan, n=N_SEEDS):
    return [[place.item for place in draw(plan, number, seed=number)] for number in range(n)]


def table_of_positions(drawn, n_items):
    """How often each item stood at each position: (item, position)."""
    table = np.zeros((n_items, len(drawn[0])), int)
    for order in drawn:
        table[order, range(len(order))] += 1
    return table


def neighbours_of_one_condition(order, conditions):
    return sum(conditions[a] == conditions[b] for a, b in pairwise(order))


# ---- every kind of order


@pytest.mark.parametrize("order", ordering.ORDERS)
@pytest.mark.parametrize("conditions", [REPORT, EVEN, {7: "one"}], ids=["report", "even", "one clip"])
def test_every_participant_gets_every_clip_once(order, conditions):
    plan = Plan(order, conditions, seed=1)

    for drawn in orders(plan, 50):
        assert sorted(drawn) == sorted(conditions)


@pytest.mark.parametrize("order", ordering.ORDERS)
def test_every_clip_stands_equally_often_at_every_position(order):
    plan = Plan(order, EVEN, seed=1)

    table = table_of_positions(orders(plan, 1_992), 12)

    assert chisquare(table, axis=None).pvalue > 0.01


@pytest.mark.parametrize("order", ordering.ORDERS)
def test_which_of_two_clips_comes_first_is_even(order):
    plan = Plan(order, REPORT, seed=4)
    first = np.zeros((13, 13), int)
    for drawn in orders(plan):
        for earlier, later in combinations(drawn, 2):
            first[earlier, later] += 1

    earlier, later = np.triu_indices(13, 1)
    statistic = ((first[earlier, later] - first[later, earlier]) ** 2 / N_SEEDS).mean()
    assert statistic < 1.35  # each pair's chi-square has one degree of freedom: 1 on average, 0 where it is balanced


@pytest.mark.parametrize("order", ordering.ORDERS)
def test_an_order_can_be_drawn_again_and_differs_from_seed_to_seed(order):
    plan = Plan(order, REPORT, seed=3, n_repeats=2, scales=(1, 2))

    assert draw(plan, 5, seed=8) == draw(plan, 5, seed=8)
    assert len({tuple(drawn) for drawn in orders(plan, 26)}) == 26


def test_stored_seeds_give_the_orders_they_always_gave():
    # Written down once: if one of these changes, studies that ran can no longer be replayed.
    drawn = {order: [place.item for place in draw(Plan(order, REPORT, seed=3), 5, seed=8)] for order in ordering.ORDERS}
    drawn["separate"] = [place.item for place in draw(Plan("shuffle", REPORT, seed=3, separate=True), 5, seed=8)]
    drawn["subset"] = [place.item for place in draw(Plan("shuffle", REPORT, seed=3, n_clips=5), 5, seed=8)]

    assert drawn == RECORDED


RECORDED = {
    "shuffle": [9, 10, 8, 4, 11, 1, 7, 0, 12, 2, 6, 5, 3],
    "latin-square": [3, 5, 12, 1, 2, 6, 0, 4, 10, 9, 11, 7, 8],
    "blocks": [8, 1, 9, 6, 5, 7, 10, 0, 2, 4, 12, 3, 11],
    "separate": [1, 10, 2, 7, 6, 12, 0, 4, 11, 3, 9, 5, 8],
    "subset": [1, 6, 8, 12, 11],
}


# item/scale, r before one that is heard again; of place 5 and seed 8, the last of place 60: another cycle of subsets.
RECORDED_WHOLE = [
    (
        {"order": "shuffle", "n_repeats": 2, "scales": (21, 22)},
        "9/21 10/21 8/21 4/21 11/21 1/21 7/21 0/21 12/21 2/21 6/21 5/21 3/21 r8/21 r12/21 "
        "1/22 9/22 10/22 2/22 11/22 5/22 3/22 7/22 6/22 8/22 4/22 0/22 12/22 r5/22 r11/22",
    ),
    (
        {"order": "latin-square", "n_repeats": 2, "scales": (21, 22)},
        "3/21 5/21 12/21 1/21 2/21 6/21 0/21 4/21 10/21 9/21 11/21 7/21 8/21 r4/21 r10/21 "
        "12/22 9/22 11/22 7/22 1/22 0/22 6/22 4/22 3/22 8/22 2/22 10/22 5/22 r11/22 r8/22",
    ),
    (
        {"order": "blocks", "n_repeats": 2, "scales": (21, 22), "separate": True},
        "8/21 1/21 6/21 9/21 5/21 7/21 0/21 10/21 4/21 12/21 2/21 11/21 3/21 r8/21 r0/21 "
        "11/22 1/22 5/22 12/22 0/22 9/22 4/22 2/22 10/22 6/22 7/22 3/22 8/22 r5/22 r12/22",
    ),
    ({"order": "latin-square", "n_clips": 5}, "6 8 1 12 11"),
    ({"order": "shuffle", "n_clips": 5, "number": 60}, "8 2 0 1 12"),
]


@pytest.mark.parametrize(("wanted", "recorded"), RECORDED_WHOLE)
def test_stored_seeds_give_the_passes_repeats_and_subsets_they_always_gave(wanted, recorded):
    number = wanted.get("number", 5)
    plan = Plan(conditions=REPORT, seed=3, **{name: value for name, value in wanted.items() if name != "number"})

    assert " ".join(map(written, draw(plan, number, seed=8))) == recorded


def written(place):
    return "r" * place.is_repeat + str(place.item) + (f"/{place.scale}" if place.scale else "")


# ---- full shuffle


def test_a_shuffle_gives_every_order_equally_often():
    drawn = Counter(map(tuple, orders(Plan("shuffle", dict.fromkeys(range(4), "a"), seed=1), 4_800)))

    assert set(drawn) == set(permutations(range(4)))
    assert chisquare(list(drawn.values())).pvalue > 0.01


# ---- Latin square


@pytest.mark.parametrize("n_stimuli", [2, 3, 4, 5, 6, 7, 12, 13])
def test_a_square_has_every_stimulus_once_a_row_and_follows_every_other_equally_often(n_stimuli):
    square = ordering.carry_over_square(n_stimuli)

    n_rows = n_stimuli if n_stimuli % 2 == 0 else 2 * n_stimuli
    assert square.shape == (n_rows, n_stimuli)
    assert (np.sort(square, axis=1) == np.arange(n_stimuli)).all()
    assert (table_of_positions(square.tolist(), n_stimuli) == n_rows / n_stimuli).all()
    follows = Counter(pair for row in square.tolist() for pair in pairwise(row))
    assert set(follows) == set(permutations(range(n_stimuli), 2))
    assert set(follows.values()) == {n_rows // n_stimuli}


def test_a_square_of_four_by_hand():
    assert ordering.carry_over_square(4).tolist() == [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]


def test_a_square_of_one_is_refused():
    with pytest.raises(ValueError, match="n_stimuli is 1"):
        ordering.carry_over_square(1)


def test_each_full_set_of_participants_fills_a_square_whatever_their_own_seeds():
    plan = Plan("latin-square", dict.fromkeys(range(6), "a"), seed=11)

    for start in (0, 6, 60):
        rows = [[place.item for place in draw(plan, number, seed=77 * number)] for number in range(start, start + 6)]
        follows = Counter(pair for row in rows for pair in pairwise(row))
        assert follows == dict.fromkeys(permutations(range(6), 2), 1)
        assert (table_of_positions(rows, 6) == 1).all()


# ---- never one condition twice in a row


@pytest.mark.parametrize("order", ["shuffle", "blocks"])
@pytest.mark.parametrize("conditions", [REPORT, EVEN], ids=["report", "even"])
def test_no_condition_comes_twice_in_a_row(order, conditions):
    plan = Plan(order, conditions, seed=1, separate=True, n_repeats=3, scales=(1, 2))

    assert {neighbours_of_one_condition(drawn, conditions) for drawn in orders(plan)} == {0}


def test_every_separated_order_is_equally_likely():
    conditions = {0: "a", 1: "a", 2: "b", 3: "b", 4: "c"}
    allowed = {order for order in permutations(range(5)) if neighbours_of_one_condition(order, conditions) == 0}

    drawn = Counter(tuple(ordering.separated(conditions, conditions, random.Random(seed))) for seed in range(9_600))

    assert set(drawn) == allowed
    assert chisquare(list(drawn.values())).pvalue > 0.01


def test_every_separated_order_after_a_condition_is_equally_likely():
    conditions = {0: "a", 1: "a", 2: "b", 3: "b", 4: "c"}
    after_a = {
        order
        for order in permutations(range(5))
        if neighbours_of_one_condition(order, conditions) == 0 and conditions[order[0]] != "a"
    }

    drawn = Counter(
        tuple(ordering.separated(conditions, conditions, random.Random(s), after="a")) for s in range(6_000)
    )

    assert set(drawn) == after_a
    assert chisquare(list(drawn.values())).pvalue > 0.01


def test_separation_skews_who_comes_first_as_its_help_text_says():
    plan = Plan("shuffle", REPORT, seed=1, separate=True)

    first = Counter(REPORT[drawn[0]] for drawn in orders(plan))

    assert first["cnn"] / N_SEEDS == pytest.approx(0.652, abs=0.03)  # counted over all 534 * 3! 4! 6! orders


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.integers(0, 1000), st.sampled_from([None, "a"]))
@settings(max_examples=150, deadline=None)
def test_as_few_neighbours_are_equal_as_can_be(names, seed, after):
    conditions = dict(enumerate(names))

    order = ordering.separated(conditions, conditions, random.Random(seed), after)

    heard = [] if after is None else [after]
    sequence = heard + [conditions[item] for item in order]
    n_equal = sum(a == b for a, b in pairwise(sequence))
    sizes = Counter(sequence)
    most, size = max(sizes.items(), key=lambda pair: (pair[1], pair[0] == after), default=("", 0))
    room = len(sequence) - size + 1
    if after is not None and size > len(sequence) - size and most != after:
        room -= 1  # what was heard stands first, and nothing can be put before it
    assert sorted(order) == sorted(conditions)
    assert n_equal == max(0, size - room)


def test_what_cannot_be_separated_is_known_beforehand():
    assert ordering.is_separable(dict(enumerate("aaabb")))
    assert not ordering.is_separable(dict(enumerate("aaaab")))
    assert ordering.is_separable({})


# ---- blocks


def test_a_block_holds_one_clip_of_each_condition():
    for drawn in orders(Plan("blocks", EVEN, seed=1), 200):
        assert [sorted(EVEN[item] for item in drawn[start : start + 4]) for start in (0, 4, 8)] == [list("abcd")] * 3


def test_smaller_conditions_are_spread_evenly_over_the_blocks():
    positions = {"real": [], "rnn": [], "cnn": []}
    for seed in range(N_SEEDS):
        blocks = ordering.dealt_blocks(REPORT, REPORT, random.Random(seed))
        assert sorted(map(len, blocks)) == [2] * 5 + [3]
        assert all(len({REPORT[item] for item in block}) == len(block) for block in blocks)
        for n_block, block in enumerate(blocks):
            for item in block:
                positions[REPORT[item]].append(n_block)

    for places in positions.values():
        assert chisquare(np.bincount(places, minlength=6)).pvalue > 0.01


def test_every_way_to_keep_blocks_apart_is_equally_likely():
    conditions = {0: "a", 1: "b", 2: "c", 3: "a", 4: "b", 5: "a"}
    blocks = [[0, 1, 2], [3, 4], [5]]  # a block may not begin with what the one before ended with
    allowed = {
        (*first, *second, 5)
        for first in permutations(blocks[0])
        for second in permutations(blocks[1])
        if neighbours_of_one_condition((*first, *second, 5), conditions) == 0
    }

    drawn = Counter(tuple(ordering.separated_blocks(blocks, conditions, random.Random(seed))) for seed in range(2_000))

    assert set(drawn) == allowed
    assert chisquare(list(drawn.values())).pvalue > 0.01


# ---- subsets


@pytest.mark.parametrize(("n_items", "n_clips"), [(13, 5), (13, 12), (7, 3), (20, 1)])
def test_after_any_number_of_participants_clips_were_rated_equally_often_within_one(n_items, n_clips):
    plan = Plan("shuffle", dict.fromkeys(range(n_items), "a"), seed=5, n_clips=n_clips)
    counts = np.zeros(n_items, int)

    for drawn in orders(plan, 150):
        assert len(set(drawn)) == n_clips
        counts[drawn] += 1
        assert counts.max() - counts.min() <= 1


def test_pairs_of_clips_come_together_about_equally_often():
    plan = Plan("shuffle", REPORT, seed=5, n_clips=4)
    together = Counter(pair for drawn in orders(plan, 520) for pair in combinations(sorted(drawn), 2))

    # 520 subsets of 6 pairs over 78 pairs: 40 each. Subsets drawn by chance would spread by about 6.
    assert len(together) == 78
    assert np.std(list(together.values())) < 3


# ---- passes and repeats


def test_each_scale_has_a_pass_of_its_own_over_a_fresh_order():
    plan = Plan("shuffle", EVEN, seed=1, scales=(21, 22))

    places = draw(plan, 0, seed=1)

    first, second = places[:12], places[12:]
    assert [place.scale for place in places] == [21] * 12 + [22] * 12
    assert sorted(place.item for place in first) == sorted(place.item for place in second) == list(range(12))
    assert [place.item for place in first] != [place.item for place in second]


def test_hidden_repeats_come_at_the_end_and_never_at_once():
    plan = Plan("shuffle", REPORT, seed=1, n_repeats=4)
    repeated = np.zeros(13, int)
    for seed in range(N_SEEDS):
        places = draw(plan, 0, seed)
        assert [place.is_repeat for place in places] == [False] * 13 + [True] * 4
        items = [place.item for place in places]
        assert len(set(items[13:])) == 4
        assert all(a != b for a, b in pairwise(items))
        repeated[items[13:]] += 1

    assert chisquare(repeated).pvalue > 0.01


def test_more_repeats_than_clips_are_as_many_as_there_are_clips():
    assert draw(Plan("shuffle", {1: "a"}, seed=1, n_repeats=3), 0, seed=1) == [Place(1), Place(1, is_repeat=True)]


def test_no_clip_comes_twice_in_a_row_where_one_pass_follows_another():
    plan = Plan("shuffle", {item: item % 3 for item in range(13)}, seed=5, scales=(1, 2, 3))

    for number in range(300):
        items = [place.item for place in draw(plan, number, seed=number)]
        assert all(one != other for one, other in pairwise(items))
        assert all(sorted(items[first : first + 13]) == list(range(13)) for first in (0, 13, 26))


@pytest.mark.parametrize("seed", range(5))
def test_a_place_that_several_fill_counts_for_each_of_them(seed):
    plan = Plan("shuffle", EVEN, seed, n_clips=4)

    def clips(place):
        return set(ordering.balanced_subset(tuple(sorted(EVEN)), plan.n_clips, place, seed))

    place = ordering.evening_place(plan, {0: 3, 1: 1, 2: 1}, {})

    assert clips(0) | clips(1) | clips(2) == set(EVEN)  # else heard as often
    assert not clips(place) & clips(0)
