"""python -m analysis.simulate --sessions N --clips 4,6,3 [--heard N] [--spread SESSION,CLIP,REST,TASTE] [--studies N]

Will the intervals of a design cover what they say? Studies of it are simulated, and how often they do is counted.
"""

import argparse
import json
import sys
import time

from analysis.planning import REPORT, Design, Spread, coverage
from analysis.printing import aligned

SECONDS_BETWEEN = 0.5  # between two words on how far it is


def numbers(kind):
    """Return a reader of numbers with commas between."""

    def read(text):
        try:
            return tuple(kind(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f'"{text}" is not numbers with commas between') from None

    return read


def parser():
    parser = argparse.ArgumentParser(prog="python -m analysis.simulate", description="Simulated coverage of a design.")
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--clips", type=numbers(int), required=True, metavar="N,N,...", help="of each condition")
    parser.add_argument("--heard", type=int, help="of each condition by each session, if not all")
    parser.add_argument(
        "--spread", type=numbers(float), metavar="SESSION,CLIP,REST,TASTE", help="variances, in points squared"
    )
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", action="store_true", help="say how it goes as JSON, for a program that waits")
    return parser


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        design = Design(options.sessions, options.clips, options.heard)
        spread = Spread(*options.spread) if options.spread else REPORT
    except (TypeError, ValueError) as error:
        return _refused(error, options)
    shares = coverage(design, spread, options.studies, options.seed, _report(options))
    if options.events:
        print(json.dumps({"event": "done", "shares": [vars(share) | {"error": share.error} for share in shares]}))
    else:
        print(_table(shares), end="")
    return 0


def _refused(error, options):
    if options.events:
        print(json.dumps({"event": "error", "message": str(error)}))
    else:
        print(error, file=sys.stderr)
    return 2


def _report(options):
    started = said = time.monotonic()

    def report(done):
        nonlocal said
        now = time.monotonic()
        if options.events and done and now - said > SECONDS_BETWEEN:
            said = now
            left = (now - started) / done * (options.studies - done)
            print(json.dumps({"event": "progress", "done": done, "seconds_left": left}), flush=True)

    return report


def _table(shares):
    lines = [(s.question, s.way, f"{100 * s.share:.1f}", f"{100 * s.error:.1f}", str(s.n)) for s in shares]
    return aligned([("Question", "Way", "%", "error", "studies"), *lines])


if __name__ == "__main__":
    sys.exit(main())
