"""python -m analysis RATINGS.csv [--json] [--out DIR] [--margin POINTS] [--columns session=rater,stimulus=item]"""

import argparse
import json
import math
import sys
from pathlib import Path

from analysis import printing, ratings, results


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
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing rounded")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write tables.txt and results.json there too")
    parser.add_argument("--margin", type=points, metavar="POINTS", help="test for equivalence within so many points")
    parser.add_argument("--seed", type=int, default=1, help="of the bootstrap (default 1)")
    parser.add_argument("--reference", action="append", metavar="CONDITION", help="real music; may be given again")
    parser.add_argument("--columns", type=columns, default={}, metavar="OURS=THEIRS,...", help="columns of other names")
    return parser


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        frame = ratings.read(options.ratings, options.columns)
    except ratings.RatingsError as error:
        print(error, file=sys.stderr)
        return 2
    references = None if options.reference is None else tuple(options.reference)
    found = results.results(frame, results.Plan(options.margin, references=references, seed=options.seed))
    as_json = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    as_text = printing.text(found)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "results.json").write_text(as_json, encoding="utf-8")
        (options.out / "tables.txt").write_text(as_text, encoding="utf-8")
    print(as_json if options.json else as_text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
