"""Who hears what in which order, as pure functions of seeds.

An item is a stimulus' id, a condition is its condition's id; both are only ever compared, and every order is a list of
items. Chance comes from `random.Random` of the standard library. Python promises to keep what `random()` gives for a
seed, not what `shuffle` and its like make of it; they have given the same since 3.2, and a test holds recorded orders,
so that a Python that draws others is noticed before an order is drawn again.
"""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from math import comb, factorial

import numpy as np

ROUNDS_OF_A_CYCLE = 4  # of a design of subsets: enough for pairs to even out, few enough to draw in a blink


@dataclass(frozen=True)
class Plan:
    """What a study wants of its orders."""

    order: str  # one of ORDERS
    conditions: dict  # {item: condition}
    seed: int  # of the study: what its sessions share (squares, subsets)
    n_clips: int | None = None  # how many each session rates; None: all
    n_repeats: int = 0  # how many of them it hears once more, at the end
    separate: bool = False  # never one condition twice in a row
    scales: tuple = (None,)  # one pass over a fresh order each; None: all scales on one screen

    @property
    def is_of_subsets(self):
        return bool(self.n_clips) and self.n_clips < len(self.conditions)

    def shared_chance(self, *use):
        """Return the chance that all sessions with this study's seed share for one use."""
        return random.Random(" ".join(map(str, (self.seed, *use))))


@dataclass(frozen=True)
class Place:
    """One trial before it has a session: which item, on which scale (None: all), and whether it was heard before."""

    item: int
    scale: int | None = None
    is_repeat: bool = False


def draw(plan, number, seed):
    """Return the places of the session that fills place `number` of the design and has this seed of its own."""
    chance = random.Random(seed)
    items = sorted(plan.conditions)
    if plan.is_of_subsets:
        items = balanced_subset(tuple(items), plan.n_clips, number, plan.seed)
    places = []
    for n_pass, scale in enumerate(plan.scales):
        after = plan.conditions[places[-1].item] if places else None
        order = ORDERS[plan.order](plan, items, number, n_pass, chance, after)
        if places and len(order) > 2 and order[0] == places[-1].item and not plan.separate:
            order[:2] = order[1::-1]  # no clip comes twice in a row where one pass follows another
        places += [Place(item, scale) for item in order]
        places += [Place(item, scale, is_repeat=True) for item in hidden_repeats(plan, order, chance)]
    return places


# ---- whole orders


def _shuffle(plan, items, number, n_pass, chance, after):
    return separated(items, plan.conditions, chance, after) if plan.separate else shuffled(items, chance)


def _latin_square(plan, items, number, n_pass, chance, after):
    """One row of a square for each place; sessions that follow each other fill one square after the other.

    Every square has its own labels and its own order of rows, or the same few orders would come again and again.
    """
    if len(items) < 2:
        return items
    square = carry_over_square(len(items))
    n_square, row = divmod(number, len(square))
    labels = plan.shared_chance("square", n_square, n_pass)
    # A subset is labelled by the session itself: its neighbours in the square have other clips.
    items = shuffled(items, chance if plan.n_clips else labels)
    return [items[i] for i in square[shuffled(range(len(square)), labels)[row]]]


def _blocks(plan, items, number, n_pass, chance, after):
    blocks = dealt_blocks(items, plan.conditions, chance)
    if plan.separate:
        return separated_blocks(blocks, plan.conditions, chance, after)
    return [item for block in blocks for item in shuffled(block, chance)]


ORDERS = {"shuffle": _shuffle, "latin-square": _latin_square, "blocks": _blocks}


def shuffled(items, chance):
    """Return the items in a random order, each order as likely as any other."""
    items = list(items)
    chance.shuffle(items)
    return items


def carry_over_square(n_stimuli):
    """Return orders in which every stimulus follows every other equally often (Williams, Aust. J. Sci. Res. A 2, 1949).

    n_stimuli: 2 or more
    returns: int array (order, position), n rows for an even n, 2n for an odd one; each stimulus once a row,
        equally often at each position

    Raises ValueError if n_stimuli is below 2, for then nothing follows anything.
    """
    if n_stimuli < 2:
        raise ValueError(f"n_stimuli is {n_stimuli}: with fewer than 2 nothing follows anything")
    steps = np.arange(n_stimuli)
    # 0, 1, n - 1, 2, n - 2, ...: the differences of neighbours are all different.
    first = np.where(steps % 2 == 1, (steps + 1) // 2, -(steps // 2)) % n_stimuli  # (position,)
    square = (first + steps[:, None]) % n_stimuli  # (order, position)
    return square if n_stimuli % 2 == 0 else np.concatenate([square, square[:, ::-1]])


# ---- never one condition twice in a row


def is_separable(conditions):
    """Whether the items {item: condition} have an order in which no condition comes twice in a row."""
    sizes = Counter(conditions.values())
    return not sizes or 2 * max(sizes.values()) <= len(conditions) + 1


def separated(items, conditions, chance, after=None):
    """Return an order in which no two neighbours share a condition, each such order as likely as any other.

    It is constructed: the conditions are put in one after the other, and how many of a condition's items go where two
    equal ones touch is drawn in proportion to the number of good orders that it leads to, so that nothing is ever
    thrown away. Where one condition has too many items, as few neighbours are equal as can be.

    after: the condition that was heard just before, if any
    """
    groups = _by_condition(items, conditions)
    pinned = 0 if after is None else 1
    names = sorted(groups, key=lambda name: name != after)  # the condition that was just heard comes first
    if pinned and after not in groups:
        names = [after, *names]
    sizes = tuple(len(groups[name]) + (pinned if name == after else 0) for name in names)
    order = [names[0]] * sizes[0] if sizes else []
    for i in range(1, len(names)):
        parts, n_between = _drawn_split(sizes, pinned, i, order, chance)
        order = _put_in(order, names[i], sizes[i], parts, n_between, pinned, chance)
    queues = {name: shuffled(group, chance) for name, group in groups.items()}
    return [queues[name].pop() for name in order[pinned:]]


def _by_condition(items, conditions):
    groups = defaultdict(list)
    for item in items:
        groups[conditions[item]].append(item)
    return groups


def _drawn_split(sizes, pinned, i, order, chance):
    """Draw in how many parts condition i is put in, and how many of them go between two equal neighbours."""
    touching = sum(a == b for a, b in pairwise(order))
    options = list(_splits(sizes, pinned, i, touching))
    fewest = min(left for left, _, _ in options)
    return _drawn(((ways, split) for left, ways, split in options if left == fewest), chance)


@lru_cache(maxsize=10_000)
def _completions(sizes, pinned, i, touching):
    """Return (fewest touching equals in the end, number of ways to get there) before condition i is put in."""
    if i == len(sizes):
        return touching, 1
    options = list(_splits(sizes, pinned, i, touching))
    fewest = min(left for left, _, _ in options)
    return fewest, sum(ways for left, ways, _ in options if left == fewest)


def _splits(sizes, pinned, i, touching):
    """Yield (touching equals in the end, ways, (parts, of them between equals)) for each way to split condition i."""
    size = sizes[i]
    n_gaps = sum(sizes[:i]) + 1 - pinned
    for parts in range(1, min(size, n_gaps) + 1):
        for n_between in range(max(0, parts - (n_gaps - touching)), min(touching, parts) + 1):
            ways = comb(size - 1, parts - 1) * comb(touching, n_between) * comb(n_gaps - touching, parts - n_between)
            left, further = _completions(sizes, pinned, i + 1, touching - n_between + size - parts)
            yield left, ways * further, (parts, n_between)


def _put_in(order, name, size, n_parts, n_between, pinned, chance):
    gaps = range(pinned, len(order) + 1)  # gap g is before order[g]
    between = [gap for gap in gaps if 0 < gap < len(order) and order[gap - 1] == order[gap]]
    elsewhere = [gap for gap in gaps if gap not in set(between)]
    places = chance.sample(between, n_between) + chance.sample(elsewhere, n_parts - n_between)
    cuts = [0, *sorted(chance.sample(range(1, size), n_parts - 1)), size]
    parts = dict(zip(places, np.diff(cuts).tolist(), strict=True))
    result = []
    for gap in range(len(order) + 1):
        result += [name] * parts.get(gap, 0) + order[gap : gap + 1]
    return result


def _drawn(weighted, chance):
    """Draw one of (weight, value) in proportion to whole weights of any size."""
    weighted = list(weighted)
    place = chance.randrange(sum(weight for weight, _ in weighted))
    for weight, value in weighted:
        place -= weight
        if place < 0:
            return value
    raise AssertionError("the weights add up")


# ---- blocks


def dealt_blocks(items, conditions, chance):
    """Return blocks that hold at most one item of each condition, as many as the largest condition has items.

    A condition with fewer items is dealt out where the one before it ended, over blocks in random order, so that the
    blocks' sizes differ by one at most.
    """
    groups = _by_condition(items, conditions)
    blocks = [[] for _ in range(max(map(len, groups.values()), default=0))]
    turn = 0
    for name in shuffled(groups, chance):
        for item in shuffled(groups[name], chance):
            blocks[turn % len(blocks)].append(item)
            turn += 1
    return shuffled(blocks, chance)


def separated_blocks(blocks, conditions, chance, after=None):
    """Return the items block by block, a block never beginning with the condition that the one before ended with.

    Drawn in proportion to the number of ways to go on, as in `separated`; where a block of one item cannot but repeat
    the condition before it, as few do as can be.
    """
    names = tuple(tuple(sorted(conditions[item] for item in block)) for block in blocks)
    order, last = [], after
    for i, block in enumerate(blocks):
        options = list(_block_ends(names, i, last))
        fewest = min(left for left, _, _ in options)
        first, last = _drawn(((ways, ends) for left, ways, ends in options if left == fewest), chance)
        of = {conditions[item]: item for item in block}
        middle = shuffled([item for item in block if conditions[item] not in (first, last)], chance)
        order += [of[first], *middle] + ([of[last]] if last != first else [])
    return order


@lru_cache(maxsize=10_000)
def _block_completions(names, i, last):
    if i == len(names):
        return 0, 1
    options = list(_block_ends(names, i, last))
    fewest = min(left for left, _, _ in options)
    return fewest, sum(ways for left, ways, _ in options if left == fewest)


def _block_ends(names, i, last):
    """Yield (equal neighbours at borders in the end, ways, (first, last condition)) of block i after `last`."""
    block = names[i]
    for first in block:
        for end in block:
            if first == end and len(block) > 1:
                continue
            left, ways = _block_completions(names, i + 1, end)
            yield left + (first == last), ways * factorial(max(len(block) - 2, 0)), (first, end)


# ---- subsets and repeats


def balanced_subset(items, n_chosen, number, seed):
    """Return the items of place `number`: after any number of places, items were chosen equally often within 1.

    Pairs of items come together about equally often too (a balanced incomplete block design, as near as a greedy
    choice gets). The places go in cycles, in each of which every item is chosen equally often.
    """
    n_cycle, place = divmod(number, ROUNDS_OF_A_CYCLE * len(items))
    chosen = _cycle_of_subsets(len(items), n_chosen, f"{seed} subsets {n_cycle}")[place]
    return [items[i] for i in chosen]


def evening_place(plan, taken, given):
    """Return the place, of those that nobody fills, whose clips have been rated least; of several the first.

    A lost place is so filled again, unless what was given in it before it was lost makes another one better. Where
    nobody is lost, the places come one after the other.

    taken: {place: number of sessions that fill it}, each of which has rated its clips or will
    given: {item: number of ratings} of those that were lost
    """
    items = tuple(sorted(plan.conditions))
    subset = partial(balanced_subset, items, plan.n_clips, seed=plan.seed)
    counts = Counter(given)
    for place, n_sessions in taken.items():
        for item in subset(place):
            counts[item] += n_sessions
    ahead = max(taken, default=-1) + 1 + ROUNDS_OF_A_CYCLE * len(items)
    free = (place for place in range(ahead) if place not in taken)
    return min(free, key=lambda place: sum(counts[item] for item in subset(place)))


@lru_cache(maxsize=1_000)
def _cycle_of_subsets(n_items, n_chosen, seed):
    chance = random.Random(seed)
    n_times = np.zeros(n_items, int)
    n_met = np.zeros((n_items, n_items), int)  # how often two were chosen together
    cycle = []
    for _ in range(ROUNDS_OF_A_CYCLE * n_items):
        chosen = []
        candidates = np.array(shuffled(range(n_items), chance))
        for _ in range(n_chosen):
            # The least often chosen first, or counts would drift apart; of those, the one that met the others least.
            rank = np.lexsort([n_met[np.ix_(candidates, chosen)].sum(axis=1), n_times[candidates]])
            best = int(candidates[rank[0]])  # lexsort is stable: ties fall to the shuffle
            candidates = candidates[candidates != best]
            chosen.append(best)
        n_times[chosen] += 1
        n_met[np.ix_(chosen, chosen)] += 1
        cycle.append(tuple(chosen))
    return cycle


def hidden_repeats(plan, order, chance):
    """Return the items of this order to be heard once more after it; the last of it never comes again at once."""
    candidates = order[:-1] if plan.n_repeats < len(order) else order
    if plan.separate:
        candidates = separated(candidates, plan.conditions, chance, after=plan.conditions[order[-1]])
    else:
        candidates = shuffled(candidates, chance)
    if candidates and candidates[0] == order[-1]:
        candidates.reverse()
    return candidates[: plan.n_repeats]
