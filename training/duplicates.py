"""Pieces of the two splits that share much of their music: versions of one song, which a split by md5 cannot tell.

A bar's fingerprint is what begins in it: on which sixteenth, which pitch class above the bar's first bass note (so that
a transposed version is found), by bass or by another pitched track. Drums do not count, for patterns are common. Two
pieces are alike if a fifth of one's distinct bars stand in the other as they are. That is simpler than a search
for the most similar bar: it finds other encodings of one song where they keep its rhythm, and misses freer versions.
"""

import numpy as np

from music.pianoroll import BASS, BEATS_PER_BAR, DRUMS

SIXTEENTHS = 16
FEWEST_ONSETS = 4  # emptier bars are alike by chance
FEWEST_BARS = 8
ALIKE = 0.2  # of 110,000 real pairs across a split two reach it, and all others stay under 0.08
CODES = SIXTEENTHS * 12 * 2


def across_splits(pieces, notes, steps_per_beat):
    """Return the pairs of a test and a training piece that are alike: [{test, train, shared}], the most alike first.

    pieces: list of training.corpus.Piece
    notes: NOTE array of all of them, as packed
    """
    bars = [bars_of(notes[piece.first_note : piece.first_note + piece.n_notes], steps_per_beat) for piece in pieces]
    where: dict = {}
    for number, piece in enumerate(pieces):
        if piece.split == "train":
            for bar in bars[number].tolist():
                where.setdefault(bar, []).append(number)
    pairs = []
    for number, piece in enumerate(pieces):
        if piece.split == "test" and len(bars[number]) >= FEWEST_BARS:
            pairs += _alike(piece, bars[number], where, pieces)
    return sorted(pairs, key=lambda pair: (-pair["shared"], pair["test"], pair["train"]))


def in_words(pairs):
    """Return one sentence on what `across_splits` found, the empty string where that is nothing."""
    if not pairs:
        return ""
    first, n_pairs = pairs[0], f"{len(pairs)} pair{'s' if len(pairs) > 1 else ''}"
    alike = f"{first['test']} and {first['train']}, {first['shared']:.0%} of whose bars are the same"
    return f"Alike though one is held out and one trained on: {n_pairs} of pieces, {'first of all ' if len(pairs) > 1 else ''}{alike}."


def _alike(piece, bars, where, pieces):
    found = [number for bar in bars.tolist() for number in where.get(bar, ())]
    numbers, counts = np.unique(np.array(found, int), return_counts=True)
    shares = counts / len(bars)
    return [
        {"test": piece.md5, "train": pieces[number].md5, "shared": float(share)}
        for number, share in zip(numbers, shares, strict=True)
        if share >= ALIKE
    ]


def bars_of(notes, steps_per_beat):
    """Return the fingerprints of a piece's distinct bars in which enough begins: uint64 (bar,)."""
    notes = notes[notes["track"] != DRUMS]
    if not len(notes):
        return np.zeros(0, np.uint64)
    bar_steps = BEATS_PER_BAR * steps_per_beat
    # To the nearest sixteenth: LPD's own conversion puts an onset one step early now and then.
    onset = notes["onset"].astype(np.int64) + bar_steps // SIXTEENTHS // 2
    bar, step = np.divmod(onset, bar_steps)
    is_bass = notes["track"] == BASS
    # Of each bar the first note, and before all others the first of the bass.
    order = np.lexsort((notes["pitch"], notes["onset"], ~is_bass, bar))
    _, first, at = np.unique(bar[order], return_index=True, return_inverse=True)
    root = notes["pitch"][order][first][at].astype(int)
    code = (notes["pitch"][order] - root) % 12 * 2 + is_bass[order]
    code += step[order] * SIXTEENTHS // bar_steps * 24
    cells = np.unique(at * CODES + code)
    bar_of_cell, code = np.divmod(cells, CODES)
    marks = np.random.default_rng(0).integers(0, 2**63, CODES, np.uint64)
    starts = np.flatnonzero(np.append(True, bar_of_cell[1:] != bar_of_cell[:-1]))
    enough = np.diff(np.append(starts, len(cells))) >= FEWEST_ONSETS
    return np.unique(np.bitwise_xor.reduceat(marks[code], starts)[enough])
