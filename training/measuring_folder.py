"""`python -m training metrics`: what is measured of a folder of clips, ours or not, clip by clip and as a set."""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from music import distributions, features, metrics, pianoroll, similarity, verdicts
from music.lpd import LpdError
from music.midi import MidiError
from music.pianoroll import LPD_STEPS_PER_BEAT
from training import measuring
from training.corpus import open_corpus
from training.importing import ENDED, on_all_cores, read_roll
from training.real_music import feature_row

SHOWN = tuple(metrics.HEADLINE)
# As the literature and we call them; a column is seven letters wide.
SHORT = ("disson", "on-beat", "short", "drift", "PCE", "SC", "GS", "EB", "UPC", "TD", "polyph", "repeat")
FEATURES_WITHIN = 30  # characters of a file's name that a row has room for


@dataclass(frozen=True, eq=False)
class OfFile:
    """What was found in one file. `problem` is a sentence, empty for one that was read."""

    file: str
    found: dict | None = None
    bars: np.ndarray | None = None
    vector: np.ndarray | None = None
    row: np.ndarray | None = None
    problem: str = ""


def of_folder(folder, files, against=None, steps_per_beat=LPD_STEPS_PER_BEAT, report=None):
    """Return an OfFile for each of these files of the folder, read and measured on all cores.

    report: called with the number of files that are done
    """
    grid = against.steps_per_beat if against else steps_per_beat
    # By name: each process opens it once and maps what the others map too.
    known = (against.corpus.folder, grid, against.seconds) if against else None
    done = []
    for one in on_all_cores(partial(_of_file, folder, grid, known), files, lambda file: OfFile(file, problem=ENDED)):
        done.append(one)
        if report is not None:
            report(len(done))
    return done


@cache
def _opened(corpus_folder, steps_per_beat, seconds):
    return measuring.Against.of(open_corpus(corpus_folder), steps_per_beat, seconds)


def _of_file(folder, grid, known, file):
    try:
        roll = read_roll(folder / file)
    except (LpdError, MidiError, OSError) as problem:
        return OfFile(file, problem=str(problem))
    if roll.steps_per_beat % grid:
        return OfFile(file, problem=f"has {roll.steps_per_beat} steps a beat, so it cannot be measured at {grid}")
    found = measuring.measured(roll, _opened(*known) if known else None, grid)
    coarse = pianoroll.coarsen(roll, grid)
    return OfFile(file, found, similarity.fingerprints(roll)[0], features.vector(coarse), feature_row(coarse))


def likenesses(measured):
    """Return music.similarity's S of each two clips that were read, float64 (clip, clip)."""
    return similarity.similarities([one.bars for one in measured if one.found])


def near_duplicates(measured, alike, limit):
    """Return [(file, file, similarity)] of clips of the folder that are more alike than the limit.

    alike: their `likenesses`
    """
    known = [one for one in measured if one.found]
    return [(known[a].file, known[b].file, value) for a, b, value in similarity.near_duplicates(alike, limit)]


def flag_duplicates(measured, pairs, limit):
    """Write the flag of a near-duplicate to both clips of each pair."""
    by_file = {one.file: one for one in measured}
    for a, b, alike in pairs:
        for mine, other in ((a, b), (b, a)):
            flag = verdicts.near_duplicate(alike, limit, other)
            by_file[mine].found["flags"].append({"kind": flag.kind, "sentence": flag.sentence})


def as_set(measured, alike, against):
    """Return what is said of the set as a whole, a dict: diversity, effective number, and how far it is from real music.

    alike: the clips' `likenesses`
    """
    known = [one for one in measured if one.found]
    said = {
        "n_clips": len(known),
        "diversity": similarity.diversity(alike),
        "effective_number": similarity.effective_number(alike),
    }
    if against is None or against.real is None:
        return said
    real = against.real
    vectors = np.array([one.vector for one in known if one.vector is not None])
    said["real_diversity"] = real.diversity
    if len(vectors):
        pair = (features.standardised(rows, real.vectors) for rows in (real.vectors, vectors))
        reference, ours = pair
        said["frechet"], said["frechet_of_halves"] = distributions.frechet(reference, ours), real.halves
        test = distributions.discrepancy(reference, ours)
        said["mmd2"], said["mmd_p"] = (test.mmd2, test.p) if test else (None, None)
    said["overlap"] = {name: _overlap(real, known, name) for name in SHOWN}
    return said


def _overlap(real, known, name):
    """Return the area that real music's and these clips' densities of this figure share, or None."""
    ours = [value for one in known if (value := one.found["figures"][name]) is not None]
    found = distributions.overlap(real.of(name), ours) if ours else None
    return found.area if found else None


def as_text(measured, said, against):
    """Return the lines that a person reads: a row a clip, the band beneath, the flags, the set."""
    width = max([len("real music"), *(min(len(one.file), FEATURES_WITHIN) for one in measured)])
    lines = [" ".join([" " * width, *(f"{name:>7}" for name in SHORT)])]
    for one in measured:
        if one.found:
            values = [_number(one.found["figures"][name]) for name in SHOWN]
            lines.append(" ".join([f"{one.file[-FEATURES_WITHIN:]:<{width}}", *(f"{value:>7}" for value in values)]))
    lines += _band_lines(against, width)
    lines += [
        "",
        *(f"{short:>7}  {metrics.HEADLINE[name]}" for short, name in zip(SHORT, SHOWN, strict=True)),
        "",
    ]
    for one in measured:
        lines += [f"{one.file}: {one.problem}"] if one.problem else []
        lines += [f"{one.file}: {flag['sentence']}" for flag in one.found["flags"]] if one.found else []
    return [*lines, *_set_lines(said)]


def _band_lines(against, width):
    if against is None:
        return []
    if against.real is None:
        return [against.why]
    lines = []
    for title, place in (("real, 5 %", "low"), ("real, half", "median"), ("real, 95 %", "high")):
        spans = [against.real.band[name] for name in SHOWN]
        values = [_number(getattr(span, place) if span else None) for span in spans]
        lines.append(" ".join([f"{title:<{width}}", *(f"{value:>7}" for value in values)]))
    return lines


def _set_lines(said):
    lines = []
    if said["diversity"] is not None:
        beside = f" (real music {said['real_diversity']:.2f})" if said.get("real_diversity") is not None else ""
        number = said["effective_number"]
        lines.append(f"Diversity {said['diversity']:.2f}{beside}; the clips count as {number:.1f} different ones.")
    if said.get("frechet") is not None:
        lines.append(
            f"Feature Frechet distance to real music {said['frechet']:.0f}; two halves of real music are "
            f"{said['frechet_of_halves']:.0f} apart."
        )
    if said.get("mmd2") is not None:
        lines.append(f"MMD^2 {said['mmd2']:.4f}, p {said['mmd_p']:.3f} (of permutations).")
    return lines


def _number(value):
    return "n/a" if value is None else f"{value:.2f}"
