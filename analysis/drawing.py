"""How figures look, and how they become files: SVG and PDF to print, PNG to paste.

A figure is a Vega-Lite specification without colours of its own: those come from a theme, so that a page may show it
light or dark and a file is always light. Every figure has words and a table that say the same.
"""

import json
from dataclasses import dataclass

import vl_convert

WIDTH = 640
PNG_SCALE = 2
FORMATS = ("svg", "pdf", "png")
# Okabe and Ito's colours without the pale ones, darkened where print needs it: told apart by colour-blind readers.
CATEGORIES = ["#0072b2", "#d55e00", "#009e73", "#b8578f", "#56606b", "#a66f00", "#2e8bc0", "#7a5195"]


@dataclass(frozen=True)
class Figure:
    """A picture of results, the words that stand for it, and its numbers as a table.

    name: of its files, such as "averages"; header, lines: cells of text
    spec: Vega-Lite, whose marks carry `index` and `words` for whoever walks through them by the keyboard
    """

    name: str
    title: str
    words: str
    header: tuple[str, ...]
    lines: list[tuple[str, ...]]
    spec: dict


def theme(ink="#1b1d22", quiet="#5b6070", line="#e2dfd9", categories=None):
    """Return the Vega-Lite configuration that gives marks, axes and letters these colours; by default a light one."""
    letters = {"labelColor": quiet, "titleColor": quiet, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "range": {"category": categories or CATEGORIES},
        "axis": letters
        | {
            "titleFontWeight": "normal",
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
            "labelLimit": 220,
            "labelFlush": False,
        }
        | {"gridColor": line},
        "legend": letters | {"titleFontWeight": "normal"},
        "rule": {"color": ink},
        "point": {"color": ink},
        "style": {
            "quiet": {"color": quiet, "fill": quiet, "stroke": None},
            "level": {"color": quiet, "stroke": quiet, "strokeDash": [4, 3]},
            "here": {"stroke": ink, "strokeWidth": 2.5, "fill": None},
        },
    }


def rendered(spec, form):
    """Return a figure's specification as a file's bytes, light, on a transparent ground; white for PNG.

    form: one of FORMATS

    Raises ValueError for another one.
    """
    if form not in FORMATS:
        raise ValueError(f"form must be one of {', '.join(FORMATS)}, not {form}")
    themed = spec | {"config": theme()}
    if form == "svg":
        return vl_convert.vegalite_to_svg(themed).encode()
    if form == "pdf":
        return vl_convert.vegalite_to_pdf(themed)
    themed["config"]["background"] = "white"
    return vl_convert.vegalite_to_png(themed, scale=PNG_SCALE)


def write(figures, folder):
    """Write each figure into the folder as SVG, PDF and PNG, and as its Vega-Lite specification."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        for form in FORMATS:
            (folder / f"{figure.name}.{form}").write_bytes(rendered(figure.spec, form))
        themed = json.dumps(figure.spec | {"config": theme()}, ensure_ascii=False)
        (folder / f"{figure.name}.vl.json").write_text(themed, encoding="utf-8")
