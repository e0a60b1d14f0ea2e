"""How often intervals cover the truth and tests raise false alarms, as a table: the reason to ask two questions.

python -m benchmarks.coverage [--studies N] [--out FILE.md]
"""

import argparse
from pathlib import Path

from analysis.planning import CAUTIOUS, REPORT, Design, coverage

DESIGNS = {
    "10 sessions, 4 / 6 / 3 clips": (Design(10, (4, 6, 3)), REPORT),
    "40 sessions, 4 / 6 / 3 clips": (Design(40, (4, 6, 3)), REPORT),
    "10 sessions, 20 / 20 clips": (Design(10, (20, 20)), REPORT),
    "40 sessions hear 3 of 10 / 10 clips": (Design(40, (10, 10), heard=3), REPORT),
    "10 sessions of different taste, 4 / 6 / 3 clips": (Design(10, (4, 6, 3)), CAUTIOUS),
}


def table(n_studies, seed=1):
    """Return the table in Markdown: a row a way of answering a question, a column a design, shares in percent."""
    found = {name: coverage(*plan, n_studies, seed) for name, plan in DESIGNS.items()}
    shares = {name: {(s.question, s.way): s for s in of_design} for name, of_design in found.items()}
    keys = sorted({key for of_design in shares.values() for key in of_design})
    lines = [("Question", "Way", *DESIGNS), ("---", "---", *("--:" for _ in DESIGNS))]
    lines += [(*key, *(_percent(shares[name].get(key)) for name in DESIGNS)) for key in keys]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(share):
    return f"{100 * share.share:.1f} ± {100 * share.error:.1f}" if share else ""


def text(n_studies):
    """Return the table with the sentence that explains it."""
    return (
        f"Shares in percent of {n_studies:,} simulated studies. Intervals should cover in 95, tests should raise a "
        f"false alarm in 5.\n\n{table(n_studies)}"
    )


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage")
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies of each design")
    parser.add_argument("--out", type=Path, help="write the table there, too")
    options = parser.parse_args()
    said = text(options.studies)
    if options.out:
        options.out.write_text(said, encoding="utf-8")
    print(said, end="")


if __name__ == "__main__":
    main()
