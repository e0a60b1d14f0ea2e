"""How long it takes to measure 1,000 clips of thirty seconds, and to find what a clip is like among 1,000 training pieces.

Clips and pieces are real LPD-5 where ../shared has it, else made up here. The clips are stretches of the pieces, so that
they are as full as real music is; each is read from a file of its own, as `python -m training metrics` does.
"""

import argparse
import json
import tempfile
import time
from itertools import chain, islice
from pathlib import Path

from benchmarks import windows
from benchmarks.site import ROOT
from music import lpd
from training import corpus as corpora
from training import measuring, measuring_folder, neighbours
from training.real_music import USUAL_SECONDS, stretches_of

# Of these 1,224 pieces about 1,070 are trained on; of lpd5_train alone 870.
REAL = (windows.REAL, ROOT.parent / "shared" / "data" / "lpd5_sample" / "lpd_5_cleansed")
MADE_UP = 1.15  # pieces for each training piece that is wanted
N_ASKED = 20  # clips whose neighbours are looked for


def source(folder, n_train):
    """Return (a folder of LPD-5 files of which at least so many will be trained on, whether they are real)."""
    if not all(real.is_dir() for real in REAL):
        return windows.made_up(folder, int(MADE_UP * n_train)), False
    for file in chain.from_iterable(sorted(real.rglob("*.npz")) for real in REAL):
        if not (folder / file.name).exists():
            (folder / file.name).symlink_to(file)
    return folder, True


def write_clips(corpus, folder, n_clips):
    """Write this many clips, one stretch of each piece and then the next ones; return the names of their files."""
    pieces = range(len(corpus.pieces))
    openings = chain.from_iterable(
        islice(stretches_of(corpus.roll(piece), USUAL_SECONDS), turn, turn + 1) for turn in range(4) for piece in pieces
    )
    names = []
    for number, roll in enumerate(islice(openings, n_clips)):
        names.append(f"{number:04d}.npz")
        lpd.write(folder / names[-1], roll)
    return names


def seconds_of(work):
    """Return (what work() returns, the seconds that it took)."""
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def seconds_of_neighbours(index, rolls):
    """Return the seconds that each of these clips waits for its nearest pieces and for what it takes over note by note."""
    return [seconds_of(lambda roll=roll: (index.nearest(roll), index.sources(roll)))[1] for roll in rolls]


def measure(n_clips, n_train):
    with tempfile.TemporaryDirectory() as folder:
        pieces, clips = Path(folder) / "pieces", Path(folder) / "clips"
        pieces.mkdir()
        clips.mkdir()
        files, is_real = source(pieces, n_train)
        corpus = corpora.build(files, Path(folder) / "corpus", limit=int(MADE_UP * n_train))
        names = write_clips(corpus, clips, n_clips)
        found, figures_s = seconds_of(lambda: measuring_folder.of_folder(clips, names))
        index, index_s = seconds_of(lambda: neighbours.index_of(corpus))
        against, band_s = seconds_of(lambda: measuring.Against.of(corpus))
        alike, pairs_s = seconds_of(lambda: measuring_folder.likenesses(found))
        _, set_s = seconds_of(lambda: measuring_folder.as_set(found, alike, against))
        _, beside_s = seconds_of(lambda: measuring_folder.of_folder(clips, names, against))
        asked = [lpd.read(clips / name) for name in names[:: max(1, len(names) // N_ASKED)]]
        waits = sorted(seconds_of_neighbours(index, asked))
        return {
            "real": is_real,
            "clips": len(found),
            "unread": sum(bool(one.problem) for one in found),
            "figures_s": figures_s,
            "pairs_s": pairs_s,
            "set_s": set_s,
            "beside_s": beside_s,
            "pieces": len(index.pieces),
            "bars": len(index.bars),
            "index_s": index_s,
            "band_s": band_s,
            "neighbours_median_s": waits[len(waits) // 2],
            "neighbours_most_s": waits[-1],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--pieces", type=int, default=1000, help="that are trained on")
    options = parser.parse_args()
    print(json.dumps(measure(options.clips, options.pieces)))


if __name__ == "__main__":
    main()
