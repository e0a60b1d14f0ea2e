"""Sample from trained networks, measure the clips beside real music and the floors, and write docs/models.md.

    python -m benchmarks.models CORPUS --runs FOLDER [--clips 60]

CORPUS is a corpus of `../shared/data/lpd5_train` at 24 steps a beat; FOLDER holds the checkpoints that RUNS names, each trained on
it. Clips are kept in FOLDER/clips, and sampled again only where they are missing.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu

from benchmarks.clip_sets import HEADLINE, SECONDS, SEED, Bench, usual
from benchmarks.site import ROOT
from music import lpd, metrics, musegan_v1
from music.distributions import mean_interval
from training import floors
from training.real_music import stretches_of

PAGE = ROOT / "docs" / "models.md"
TRAINED = ("gru-chain", "rnn", "cnn", "cnn-factorised")
LADDER = {
    "gru-plain": "the place in the bar, held notes, a look back of one and two bars, tracks chained; three voices a track",
    "gru-arranged": "told how densely each track plays and which scale most of it lies in",
    "gru-transposed": "and each window moved by up to half an octave in training",
    "gru-voices": "and four voices a track",
    "gru-chain": "and trained for as long as above",
}
WORDS = {"wall": "a wall of notes", "fragments": "in fragments"}
TEMPERATURES, TOP_P = (0.8, 0.9, 0.95, 1.0), (0.95, 1.0)
IN_SHORT = ("inside the band", "mean distance", "dissonance", "SC", "self-repeat")
# As the report describes them: what is drawn is what is heard, however short, and the CNNs know no density.
_RAW = {"min_note_beats": 0.0, "density": False, "hysteresis": 0.0, "polyphony": [16] * 5}
LITERAL = {
    "`rnn`, drawn": ("rnn", 1.0, {"min_note_beats": 0.0}),
    "`cnn`, whatever is likelier than not": ("cnn", 0.0, _RAW),
    "`cnn`, drawn": ("cnn", 1.0, _RAW),
    "`cnn-factorised`, whatever is likelier than not": ("cnn-factorised", 0.0, _RAW),
    "`cnn-factorised`, drawn": ("cnn-factorised", 1.0, _RAW),
}
# Dong et al., AAAI 2018, tables 1 and 2: training data, and the model that listeners liked best.
PAPER = {
    "their training data": (8.06, 8.06, 24.8, 1.71, 3.28, 90.0, 88.4, 88.6, 1.51, 1.02),
    "their hybrid": (2.14, 29.7, 17.8, 2.35, 5.45, 44.6, 45.5, 71.3, 1.32, 0.85),
}
OF_PAPER = {
    "EB bass %": ("EB.bass", 100),
    "EB drums %": ("EB.drums", 100),
    "EB piano %": ("EB.piano", 100),
    "UPC bass": ("UPC.bass", 1),
    "UPC piano": ("UPC.piano", 1),
    "QN bass %": ("QN.bass", 100),
    "QN piano %": ("QN.piano", 100),
    "DP %": ("DP", 100),
    "TD bass-piano": ("TD.piano-bass", 1),
    "TD guitar-piano": ("TD.piano-guitar", 1),
}


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(head, rows):
    return "\n".join([row(*head), row(*["---"] * len(head)), *(row(*cells) for cells in rows)])


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def cell(one, figure):
    """Return the mean of a set's figure with its 95 % interval; in bold where it lies inside the band."""
    mean, low, high = mean_interval(one.values(figure))
    if mean is None:
        return "-"
    said = f"{mean:.2f} ({low:.2f} to {high:.2f})"
    return f"**{said}**" if one.is_inside(figure) else said


def trained_rows(sets):
    for one in sets:
        card = one.made_from
        minutes, loss = f"{card['minutes']:.0f} min", f"{best_loss(card):.4f}"
        yield f"`{one.title}`", minutes, len(card["history"]), f"{card['n_weights']:,}", loss


def best_loss(card):
    return card["history"][card["best_epoch"] - 1]["test_loss"]


def figures_table(sets, real):
    head = ["figure", "real, half (5 to 95 %)", *(one.title for one in sets)]
    rows = []
    for figure, short in HEADLINE.items():
        span = real.band[figure]
        band = f"{span.median:.2f} ({span.low:.2f} to {span.high:.2f})"
        rows.append((short, band, *(cell(one, figure) for one in sets)))
    rows.append(("**inside the band**", "", *(f"**{one.n_inside} of {len(HEADLINE)}**" for one in sets)))
    rows.append(
        ("Frechet distance", f"{real.halves:.0f} (halves)", *(number(one.as_set["frechet"], 0) for one in sets))
    )
    rows.append(("diversity", number(real.diversity), *(number(one.as_set["diversity"]) for one in sets)))
    for kind in ("silent", "wall", "fragments", "copied"):
        rows.append((f"clips flagged as {WORDS.get(kind, kind)}", "", *(one.flagged(kind) for one in sets)))
    return table(head, rows)


def distances_table(sets, first):
    head = ["figure", *(one.title for one in sets)]
    rows = [(short, *(number(one.distance(figure)) for one in sets)) for figure, short in HEADLINE.items()]
    nearer = ("" if one is first else f"{first.n_nearer(one)} of {len(HEADLINE)}" for one in sets)
    return table(head, [*rows, (f"**{first.title} is nearer on**", *nearer)])


def compared(chained, independent, figure):
    """Return a row: both means with their intervals, the difference, and p of a Mann-Whitney test over clips."""
    ours, theirs = chained.values(figure), independent.values(figure)
    p = mannwhitneyu(ours, theirs).pvalue
    both = (cell(one, figure).strip("*") for one in (chained, independent))
    return (HEADLINE[figure], *both, f"{ours.mean() - theirs.mean():+.3f}", f"{p:.1g}")


def ladder_table(sets):
    rows = []
    for one, what in sets:
        card = one.made_from
        rows.append((f"`{one.title}`", len(card["history"]), f"{best_loss(card):.4f}", *in_short(one), what))
    return table(["step", "epochs", "test loss", *IN_SHORT, "what it adds"], rows)


def grid_table(sets):
    rows = [(*drawing, *in_short(one), number(one.as_set["diversity"])) for drawing, one in sets.items()]
    return table(["temperature", "top-p", *IN_SHORT, "diversity"], rows)


def in_short(one):
    """Return what IN_SHORT heads."""
    means = (number(one.values(figure).mean()) for figure in ("dissonance", "scale_consistency", "self_repeat"))
    return f"{one.n_inside} of {len(HEADLINE)}", f"{one.mean_distance:.3f}", *means


def failures_table(sets, real):
    figures = ("notes_per_beat", "density_drift", "short_notes", "polyphony", "on_beat")
    head = [
        "",
        *("notes a beat", "drift", "short notes", "pitches at once", "on the beat"),
        "silent",
        "wall",
        "fragments",
    ]
    rows = [
        (
            "real, 5 to 95 %",
            *(f"{real.band[name].low:.2f} to {real.band[name].high:.2f}" for name in figures),
            *[""] * 3,
        )
    ]
    for one in sets:
        means = (number(float(values.mean()) if len(values := one.values(name)) else None) for name in figures)
        rows.append((one.title, *means, *(one.flagged(kind) for kind in ("silent", "wall", "fragments"))))
    return table(head, rows)


def paper_table(sets, bench):
    rows = [(title, *values) for title, values in PAPER.items()]
    real = [musegan_v1.measure(roll) for roll in held_out_openings(bench.corpus)]
    rows.append(("held-out pieces here", *(of_paper(real, name) for name in OF_PAPER)))
    for one in sets:
        found = [musegan_v1.measure(lpd.read(file)) for file in sorted(one.folder.glob("*.npz"))]
        rows.append((f"`{one.title}`", *(of_paper(found, name) for name in OF_PAPER)))
    return table(["", *OF_PAPER], rows)


def held_out_openings(corpus):
    for piece in corpus.held_out():
        yield from list(stretches_of(corpus.roll(piece), SECONDS))[:1]


def of_paper(found, name):
    figure, scale = OF_PAPER[name]
    values = [one[figure] for one in found if one[figure] is not None]
    return number(scale * float(np.mean(values)) if values else None)


def made(bench):
    """Return all the sets of clips that the page speaks of."""
    chosen = {run: bench.of_run(run, *usual(run)) for run in TRAINED}
    return {
        "chosen": chosen,
        "floors": [
            bench.of_floor("shuffled tracks", floors.shuffled_tracks),
            bench.of_floor("marginals", floors.marginals),
        ],
        "ladder": [(bench.of_run(run, *usual("gru-chain")), what) for run, what in LADDER.items()],
        "grid": {(t, p): bench.of_run("gru-chain", t, p) for t in TEMPERATURES for p in TOP_P},
        "literal": [
            bench.of_run(run, temperature, settings=settings, title=title)
            for title, (run, temperature, settings) in LITERAL.items()
        ],
    }


def page(bench, sets):
    shown = [*sets["chosen"].values(), *sets["floors"]]
    sections = (
        introduction(bench, sets["chosen"].values()),
        beside_real_music(shown, bench.against.real),
        distances(shown, sets["chosen"]),
        the_claim(sets, bench.against.real),
        what_helped(sets["ladder"]),
        f"## Temperature and top-p\n\n{grid_table(sets['grid'])}\n",
        failures(sets["literal"], bench.against.real),
        beside_musegan(shown, bench),
    )
    return "\n".join(sections)


def introduction(bench, chosen):
    real, (temperature, top_p) = bench.against.real, usual("gru-chain")
    n_pieces = len(list(bench.corpus.of_split("train")))
    return f"""# The families on real music

`python -m benchmarks.models` made this page from networks that were trained on {n_pieces} pieces of LPD-5 cleansed,
on two cores without a GPU, with other work beside them, so that epochs say more than minutes. Of each, {bench.n_clips} clips of {SECONDS:g} s were sampled from seed {SEED} and held
against {len(real.figures)} stretches of {real.n_pieces} pieces that nothing was trained on, all at 24 steps a beat. `gru-chain` is sampled at
temperature {temperature:g} and top-p {top_p:g}, the others as they were trained (1 and 1), as the site does; what other values do is below.

No figure is better when it is higher. What counts is whether it lies where real music lies.

{table(["family", "trained for", "epochs", "weights", "test loss of its best epoch"], trained_rows(chosen))}

Losses of different families cannot be compared: each predicts something else.
"""


def beside_real_music(shown, real):
    explained = "\n".join(f"- {short}: {metrics.HEADLINE[name]}" for name, short in HEADLINE.items())
    return f"""## Beside real music

Means over clips with 95 % intervals of a bootstrap over clips, in bold where the mean lies inside the band in which 90 % of real stretches
lie. The floors are no models: *shuffled tracks* puts together five tracks of five different held-out pieces, *marginals* sounds
each pitch of each track as often as real music does and knows nothing else.

{figures_table(shown, real)}

{explained}

The feature Frechet distance is between 48 figures of the clips and of real music; two halves of real music are as far apart as the
second column says. A clip is *copied* if two bars of it stand note by note in a training piece, or nearly all of it bar by bar.
"""


def distances(shown, chosen):
    gru, n = chosen["gru-chain"], len(HEADLINE)
    nearer = {run: gru.n_nearer(chosen[run]) for run in ("rnn", "cnn")}
    return f"""## How far from real music

How far the values of the clips must be moved to become those of real music (Wasserstein distance), in widths of the band: 0 is the
same distribution. `gru-chain` is nearer than `rnn` on {nearer["rnn"]} and nearer than `cnn` on {nearer["cnn"]} of the {n}. A mean inside the band can hide a
model that is right on average and in no clip; a distance between distributions cannot.

{distances_table(shown, gru)}
"""


def the_claim(sets, real):
    chained, independent = sets["chosen"]["cnn"], sets["chosen"]["cnn-factorised"]
    rows = [compared(chained, independent, figure) for figure in ("dissonance", "tonal_distance")]
    shuffled = sets["floors"][0].values("dissonance").mean()
    return f"""## Chained against independent

The report's claim: tracks that hear each other (`cnn`, drawn one after the other) are less dissonant than tracks that do not
(`cnn-factorised`, the same network drawn all at once).

{table(["figure", "chained", "independent", "difference", "p (Mann-Whitney, over clips)"], rows)}

Real music has a dissonance of {real.band["dissonance"].median:.2f}; tracks shuffled over pieces have {shuffled:.2f}.
"""


def what_helped(ladder):
    temperature, top_p = usual("gru-chain")
    return f"""## What helped `gru-chain`

Each row adds to the one above it. All are sampled at temperature {temperature:g} and top-p {top_p:g}.

{ladder_table(ladder)}

Mean distance is the mean over the twelve figures of the distance above. Losses of three and of four voices cannot be compared: the
fourth is mostly silent, and easy to guess. Nothing else of what is usually tried was: no longer context, no attention, no compound
tokens.
"""


def failures(literal, real):
    return f"""## Where the report's networks fail

The same networks, sampled as the report describes: no shortest note, no corpus' density to keep to. (By default the site gives
notes a sixteenth at least, and the CNNs as many cells as real music has, pitch by pitch.)

{failures_table(literal, real)}
"""


def beside_musegan(shown, bench):
    return f"""## Beside MuseGAN's tables

For this comparison alone the figures are computed as MuseGAN's code computes them, whose pitch classes are groups of seven
neighbouring semitones. Theirs are of four-bar phrases of rock, ours of clips of {SECONDS:g} s of all genres.

{paper_table(shown, bench)}
"""


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    bench = Bench(options.corpus, options.runs, options.clips)
    options.out.write_text(page(bench, made(bench)))


if __name__ == "__main__":
    main()
