"""Everything that is known of a table of ratings, as files in a folder."""

import json
from collections import Counter
from dataclasses import asdict

from analysis import drawing, printing, r_script, reports
from analysis.figures import figures
from analysis.methods import methods
from analysis.results import by_scale

# Flags that a page lists; it says how many there are in all.
MOST_FLAGS = 100


def write(folder, frame, found, design=()):
    """Write results.json, tables as text, CSV, LaTeX and Markdown, methods, a script for R with its table, and figures.

    page.json is what a page needs of it all, and no more, however many sessions there were.

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
    drawn = {scale: figures(part) for scale, part in by_scale(found).items()}
    for number, of_scale in enumerate(drawn.values(), start=1):
        drawing.write(of_scale, folder / "figures" / f"scale-{number}" if len(drawn) > 1 else folder / "figures")
    (folder / "page.json").write_text(json.dumps(_page(found, drawn)), encoding="utf-8")


def _page(found, drawn):
    """Return {results, figures: {scale: [Figure as an object]}}, without what only the figures are made of."""
    figures = {scale: [asdict(one) for one in of_scale] for scale, of_scale in drawn.items()}
    if "scales" in found:
        return {"results": found | {"scales": {k: _shown(v) for k, v in found["scales"].items()}}, "figures": figures}
    return {"results": _shown(found), "figures": figures}


def _shown(part):
    """Return the results of a scale with the first of its flags, and how many sessions each rule flags."""
    kept = {name: value for name, value in part.items() if name not in ("heat_map", "sessions", "preferences")}
    flags = part.get("flags", [])
    if kept.get("objective"):
        kept["objective"] = {name: value for name, value in kept["objective"].items() if name != "clips"}
    return kept | {"flags": flags[:MOST_FLAGS], "flagged": Counter(flag["rule"] for flag in flags)}


def as_json(found):
    """Return the results as the text of one JSON object, nothing rounded."""
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
