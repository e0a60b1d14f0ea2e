"""Make the checkpoints that come with Earmark: `python -m benchmarks.shipping FOLDER`.

FOLDER holds FAMILY.keras of each family in FAMILIES, trained on Freedoom's pieces alone (`python -m training train FAMILY
--corpus var/corpora/freedoom-... --minutes 10`). What is kept is float16, without optimiser state, and says of itself
what any checkpoint does.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.site import ROOT
from training import checkpoint

FAMILIES = ("gru-chain", "cnn", "rnn")
SHIPPED = ROOT / "generation" / "shipped"


def ship(path):
    """Write a checkpoint's weights in half precision to its place in the repository; return how many bytes that took."""
    from training import networks

    read = checkpoint.read(path)
    family = read.card["family"]
    model = networks.build(family, read.card["configuration"])
    halves = {name: array.astype(np.float16) for name, array in read.weights.items()}
    out = SHIPPED / f"{family}.keras"
    checkpoint.write(out, read.card, halves, networks.architecture(model))
    return out.stat().st_size


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shipping", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for family in FAMILIES:
        print(f"{family}: {ship(folder / f'{family}.keras'):,} bytes")


if __name__ == "__main__":
    main()
