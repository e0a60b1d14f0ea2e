"""Thirty seconds of each family, alone and ten at once, beside `model.predict` asked once for every answer.

The naive loop asks for what the graph asks for, in the same order, with inputs of the same shapes, and draws in NumPy;
it is timed over a few answers and multiplied, for the whole of it takes minutes.
"""

import argparse
import json
import time

import numpy as np

from training.families import FAMILIES

SECONDS = 30.0
TEMPO_BPM = 120.0


def checkpoint_of(family):
    """Return a Checkpoint of the family's default size; how long sampling takes does not hang on what it learnt."""
    from training import networks
    from training.checkpoint import Checkpoint

    configuration = FAMILIES[family].configuration()
    card = {
        "family": family,
        "configuration": configuration,
        "steps_per_beat": FAMILIES[family].steps_per_beat or 24,
        "statistics": {"tempo_bpm": TEMPO_BPM, "density": [0.2, 1.5, 1.0, 0.8, 1.5], "velocity": [90.0] * 5},
        "calibration": {},
    }
    networks.set_up(1)
    return Checkpoint(card, networks.weights(family, configuration, networks.build(family, configuration)))


def ours(read, n_clips):
    """Return the seconds that n_clips take, compiling included, as a caller waits for them."""
    from training import sampling

    started = time.perf_counter()
    sampling.sample(read, n_clips, SECONDS, seed=0)
    return time.perf_counter() - started


def naive(read, n_answers):
    """Return the seconds that one clip takes by `model.predict`, from the time of n_answers answers."""
    from training import networks, sampling
    from training.networks import PROMPT_BEATS

    family, configuration = FAMILIES[read.card["family"]], read.card["configuration"]
    model = networks.build(family.name, configuration, read.weights)
    questions = [np.zeros((1, *(size or 1 for size in one.shape[1:])), np.float32) for one in model.inputs]
    model.predict(questions, verbose=0)
    started = time.perf_counter()
    for _ in range(n_answers):
        for answer in _as_list(model.predict(questions, verbose=0)):
            draw(answer)
    each = (time.perf_counter() - started) / n_answers
    n_steps = sampling.steps_of(SECONDS, read.card) + PROMPT_BEATS * read.card["steps_per_beat"]
    return each * answers_of(family, configuration, n_steps)


def answers_of(family, configuration, n_steps):
    """How often a loop must ask: at each step or block, and once for each part that is decided after another."""
    from training.families import Voices

    n_blocks = -(-n_steps // family.target_steps)
    if family.name == "gru-chain":
        return n_steps * len(Voices.of(configuration).tracks)
    return n_blocks * (5 if "order" in family.fields else 1)


def _as_list(answers):
    return answers if isinstance(answers, list) else [answers]


def draw(logits):
    share = np.exp(logits - logits.max(axis=-1, keepdims=True))
    cumulative = share.cumsum(axis=-1)
    return (cumulative < np.random.random((*cumulative.shape[:-1], 1)) * cumulative[..., -1:]).sum(axis=-1)


def measure(families, n_answers):
    found = {}
    for family in families:
        read = checkpoint_of(family)
        one, ten, loop = ours(read, 1), ours(read, 10), naive(read, n_answers)
        found[family] = {
            "one_s": one,
            "ten_s": ten,
            "naive_s": loop,
            "one_times_faster": loop / one,
            "ten_times_faster": 10 * loop / ten,
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100, help="of the naive loop that are timed")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    options = parser.parse_args()
    print(json.dumps(measure(options.families, options.answers)))


if __name__ == "__main__":
    main()
