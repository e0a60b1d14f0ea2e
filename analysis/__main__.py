"""python -m analysis RATINGS.csv [--json] [--out DIR] [--margin POINTS] [--columns session=rater,stimulus=item]"""

import argparse
import json
import math
import sys
from pathlib import Path

from analysis import clips, plan, printing, ratings, results
from analysis.rules import RULES


def columns(text):
    """Read "session=rater,stimulus=item" as {"session": "rater", "stimulus": "item"}."""
    pairs = [pair.split("=", 1) for pair in text.split(",")]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise argparse.ArgumentTypeError(f'"{text}" is not of the form session=rater,stimulus=item')
    return {ours.strip(): theirs.strip() for ours, theirs in pairs}


def points(text):
    """Read a margin above 0."""
    try:
        margin = float(text)
    except ValueError:
        margin = math.nan
    if not 0 < margin < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number above 0')
    return margin


def parser():
    parser = argparse.ArgumentParser(prog="python -m analysis", description="The tables of a file of ratings.")
    parser.add_argument("ratings", metavar="RATINGS.csv")
    parser.add_argument("--events", action="store_true", help="say how it went as JSON, for a program that waits")
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing rounded")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write tables, figures, methods and a script for R there"
    )
    parser.add_argument("--margin", type=points, metavar="POINTS", help="test for equivalence within so many points")
    parser.add_argument("--seed", type=int, help="of the bootstrap (default 1)")
    parser.add_argument("--reference", action="append", metavar="CONDITION", help="real music; may be given again")
    parser.add_argument("--anchor", metavar="CONDITION", help="meant to be bad, as MUSHRA has it")
    parser.add_argument(
        "--exclude",
        action="append",
        choices=RULES,
        metavar="RULE",
        help=f"show the results without those who break it, too; may be given again: {', '.join(RULES)}",
    )
    parser.add_argument("--clips", metavar="FILE.csv", help="measures of the clips, in columns measure_NAME")
    parser.add_argument("--similarity", metavar="FILE.csv", help="how alike each two clips are, 0 to 1")
    parser.add_argument("--repeats", metavar="FILE.csv", help="ratings of clips that were played again, unannounced")
    parser.add_argument("--columns", type=columns, default={}, metavar="OURS=THEIRS,...", help="columns of other names")
    parser.add_argument(
        "--study",
        type=Path,
        metavar="FILE.json",
        help=f"what was settled before, as an export has it ({plan.BESIDE} beside the ratings is found by itself)",
    )
    return parser


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        settled = _settled(options)
        frame = ratings.read(options.ratings, options.columns)
        repeats = _found(options, options.repeats, plan.REPEATS, lambda path: ratings.read(path, options.columns))
        known = _known(options)
    except ratings.RatingsError as error:
        return _refused(error, options)
    found = results.results(frame, settled, repeats, known)
    # Here, not above: charts take a second to import.
    from analysis import folder

    if options.out:
        folder.write(options.out, frame, found, settled.design)
    if options.events:
        print(json.dumps({"event": "done"}))
    else:
        print(folder.as_json(found) if options.json else printing.text(found), end="")
    return 0


def _refused(error, options):
    if options.events:
        print(json.dumps({"event": "error", "message": str(error)}))
    else:
        print(error, file=sys.stderr)
    return 2


def _settled(options):
    """Return the Plan: what the command says, else what the study's file says."""
    found = plan.read(options.study) if options.study else plan.beside(options.ratings)
    return found.changed(
        margin=options.margin,
        exclusion=None if options.exclude is None else tuple(options.exclude),
        references=None if options.reference is None else tuple(options.reference),
        anchor=options.anchor,
        seed=options.seed,
    )


def _known(options):
    """Return what is known of the clips beside their ratings."""
    return results.Known(
        measures=_found(options, options.clips, clips.CLIPS, clips.measures) or {},
        similarities=_found(options, options.similarity, clips.SIMILARITY, clips.similarities) or {},
    )


def _found(options, named, beside, read):
    """Return what is read of the file that is named, or that an export has beside the ratings; None without one."""
    folder = Path(options.ratings)
    if named is None and folder.with_name(plan.BESIDE).is_file() and folder.with_name(beside).is_file():
        named = folder.with_name(beside)
    return read(named) if named else None


if __name__ == "__main__":
    sys.exit(main())
