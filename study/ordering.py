"""Who hears what in which order, as pure functions of seeds.

An item is a stimulus' id, a condition is its condition's id; both are only ever compared. Every order is a list of
items. Chance comes from `random.Random(seed)` of the standard library, whose draws Python promises to keep, so that an
order can be drawn again years later from the seed that is stored with its session.
"""

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """What a study wants of its orders."""

    order: str  # shuffle, latin-square, blocks
    conditions: dict  # {item: condition}
    seed: int  # of the study: what its sessions share (squares, subsets)
    n_clips: int | None = None  # how many each session rates; None: all
    n_repeats: int = 0
    separate: bool = False  # never one condition twice in a row
    scales: tuple = field(default=(None,))  # one pass each; None: all scales on one screen


@dataclass(frozen=True)
class Place:
    """One trial before it has a session: which item, on which scale (None: all), and whether it was heard before."""

    item: int
    scale: int | None = None
    is_repeat: bool = False


def draw(plan, number, seed):
    """Return the places of the session that fills place `number` of the design and has this seed of its own."""
    chance = random.Random(seed)
    return [Place(item, scale) for scale in plan.scales for item in shuffled(plan.conditions, chance)]


def shuffled(items, chance):
    """Return the items in a random order, each order as likely as any other."""
    items = list(items)
    chance.shuffle(items)
    return items
