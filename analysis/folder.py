"""Everything that is known of a table of ratings, as files in a folder."""

import json

from analysis import drawing, printing, r_script, reports
from analysis.figures import figures
from analysis.methods import methods
from analysis.results import by_scale


def write(folder, frame, found, design=()):
    """Write results.json, tables as text, CSV, LaTeX and Markdown, methods, a script for R with its table, and figures.

    frame: the ratings, as `ratings.read` returns them; found: what `results.results` returned of them
    design: sentences for the methods section
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "results.json": as_json(found),
        "tables.txt": printing.text(found),
        "table.csv": "".join(reports.table_csv(found)),
        "table.tex": reports.table_latex(found),
        "table.md": reports.table_markdown(found),
        "methods.txt": methods(found, design),
        "analysis.R": r_script.SCRIPT,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    with (folder / "analysed.csv").open("w", encoding="utf-8", newline="") as file:
        file.writelines(r_script.analysed_csv(frame))
    for number, part in enumerate(by_scale(found).values(), start=1):
        several = len(by_scale(found)) > 1
        drawing.write(figures(part), folder / "figures" / f"scale-{number}" if several else folder / "figures")


def as_json(found):
    """Return the results as the text of one JSON object, nothing rounded."""
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
