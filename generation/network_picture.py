"""The report's Figure 1: the shape of a network, layer under layer, as an SVG to stand in a page.

A box is as wide as its layer's pitches (or numbers) and as tall as its steps; what leaves it is written beside it. Ink
is `currentColor`, and a track's answer has the track's class. The picture is as wide as where it stands, its letters
stay as large: only the boxes are stretched.
"""

from html import escape

from training.families import ConfigurationError, family_named
from training.layers import TIMES, layers

_ROW_PX, _TALLEST_PX, _LOWEST_PX = 62, 40, 7
_WIDEST, _NARROWEST = 32, 1.5  # per cent of the picture
_MIDDLE, _TEXT = 17, 37  # where the boxes' middle is, and where their words begin
_PLANE_PX = 3  # layers with several planes look like a pile of them


def network_picture(family, configuration):
    """Return the SVG, or the empty string for a network that is none of ours."""
    try:
        drawn = layers(family_named(family).name, _known(family, configuration))
    except ConfigurationError:
        return ""
    most = [max(layer.size[axis] for layer in drawn) for axis in (0, 1)]
    rows = "".join(_row(layer, number, most, number < len(drawn) - 1) for number, layer in enumerate(drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="network" role="img" width="100%" '
        f'height="{len(drawn) * _ROW_PX}" fill="currentColor" font-family="system-ui, sans-serif" font-size="12">'
        f"<title>Layers of {escape(family_named(family).title)}</title>"
        f"<desc>{escape('; '.join(_in_words(layer) for layer in drawn))}.</desc>{rows}</svg>"
    )


def _known(family, configuration):
    """Return those settings that this version of the family has: a card may be from another."""
    fields = family_named(family).fields
    given = configuration if isinstance(configuration, dict) else {}
    return {name: value for name, value in given.items() if name in fields}


def _row(layer, number, most, has_next):
    top = number * _ROW_PX
    tall = max(_TALLEST_PX * layer.size[0] / most[0], _LOWEST_PX)
    wide = max(_WIDEST * layer.size[1] / most[1], _NARROWEST)
    middle = top + _ROW_PX / 2
    arrow = _arrow(middle + tall / 2, top + _ROW_PX) if has_next else ""
    before = _arrow(top, middle - tall / 2) if number else ""
    return before + _boxes(layer, middle - tall / 2, tall, wide) + arrow + _words(layer, middle)


def _arrow(start, end):
    return (
        f'<line x1="{_MIDDLE}%" x2="{_MIDDLE}%" y1="{start:.1f}" y2="{end:.1f}" stroke="currentColor" opacity=".35"/>'
    )


def _boxes(layer, top, tall, wide):
    place = f'x="{_MIDDLE - wide / 2:.2f}%" width="{wide:.2f}%" height="{tall:.1f}" rx="2"'
    if layer.track:
        return f'<rect class="track-{layer.track.lower()}" {place} y="{top:.1f}"/>'
    planes = min(layer.size[2], 3) if len(layer.size) > 2 else 1
    return "".join(
        f'<rect {place} y="{top - _PLANE_PX * behind:.1f}" fill-opacity=".16" stroke="currentColor" '
        f'stroke-opacity=".45"/>'
        for behind in reversed(range(planes))
    )


def _words(layer, middle):
    lines = [f'<tspan font-weight="600">{escape(layer.title)}</tspan>', _size(layer), _detail(layer)]
    lines = [line for line in lines if line]
    first = middle + 4 - 8 * (len(lines) - 1)
    return "".join(
        f'<text x="{_TEXT}%" y="{first + 16 * number:.0f}"{"" if number == 0 else _QUIET}>{line}</text>'
        for number, line in enumerate(lines)
    )


_QUIET = ' opacity=".72"'


def _size(layer):
    return f" {TIMES} ".join(f"{number:,}" for number in layer.size)


def _detail(layer):
    weights = f"{layer.n_weights:,} weights" if layer.n_weights else ""
    # A track's words are long, and its weights are the least of what it is.
    parts = [layer.note] if layer.track else [layer.note, weights]
    return escape(", ".join(part for part in parts if part))


def _in_words(layer):
    return ", ".join(part for part in (layer.title, _size(layer), _detail(layer)) if part)
