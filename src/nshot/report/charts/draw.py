"""The strokes of a drawing, and a drawing as a file of its own.

Shapes say what colours say: the pick is a filled diamond, a row that could still be the best a
filled circle, one that is ruled out a hollow circle; a row that stopped before the last test rows a
hollow square, in the colour of what it could be. Colours are classes, set by report.css in the
page and by `standalone` in a file of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, TypeAlias

from markupsafe import Markup

from nshot.report.svg import element, join

Role: TypeAlias = Literal["pick", "could", "out"]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""
Spot: TypeAlias = tuple[float, float]
ROLES: tuple[Role, ...] = ("pick", "could", "out")
_SMALL = 0.8
"""How wide the small text of a name is against the usual."""


def line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """A straight line of a class."""
    return element(f"line.{name}", at={"x1": x1, "y1": y1, "x2": x2, "y2": y2})


def text(name: str, x: float, y: float, words: str, anchor: str) -> Markup:
    """A text of a class; `anchor` is start, middle or end."""
    return element(f"text.{name}", words, at={"x": x, "y": y, "text-anchor": anchor})


def polyline(name: str, spots: Sequence[Spot]) -> Markup:
    """A line through the spots."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    return element(f"path.{name}", at={"d": f"M{path}"})


def shape(
    role: Role,
    x: float,
    y: float,
    size: float,
    words: str = "",
    ring: bool = False,
    partial: bool = False,
) -> Markup:
    """The mark of a role at a spot, with `words` for who points at it."""
    title = element("title", words) if words else Markup("")
    around = element("circle.c-ring", at={"cx": x, "cy": y, "r": size + 3.5}) if ring else ""
    if partial:
        side = size * 1.7
        at = {"x": x - side / 2, "y": y - side / 2, "width": side, "height": side}
        drawn = element(f"rect.c-mark.c-partial.c-{role}", title, at=at)
    elif role == "pick":
        s = size * 1.25
        points = f"{x:.1f},{y - s:.1f} {x + s:.1f},{y:.1f} {x:.1f},{y + s:.1f} {x - s:.1f},{y:.1f}"
        drawn = element("polygon.c-mark.c-pick", title, at={"points": points})
    else:
        drawn = element(f"circle.c-mark.c-{role}", title, at={"cx": x, "cy": y, "r": size})
    return join(Markup(around), drawn)


def svg(
    width: float, height: float, title: str, body: Sequence[Markup], name: str, top: float = 0.0
) -> Markup:
    """A drawing with its title, or one that readers of the page may pass over."""
    words = [element("title", title)] if title else []
    role = {"role": "img"} if title else {"aria-hidden": "true"}
    return element(
        f"svg.chart.chart-{name}",
        *words,
        *body,
        at={
            "viewBox": f"0 {top:g} {width:g} {height - top:g}",
            **role,
            "style": f"--w:{width:g}px",
        },
    )


def text_width(text: str) -> float:
    """About how wide text of 12 px is: wide characters (Korean, Chinese) count double."""
    return sum(12.5 if unicodedata.east_asian_width(c) in "WF" else 7.0 for c in text)


def name_text(role: Role, x: float, y: float, name: str, width: float, anchor: str) -> Markup:
    """A row's name, smaller where it is wider than `width`, and cut where it still is."""
    style = f"c-name.c-{role}"
    if text_width(name) > width:
        style, name = f"{style}.c-small", short(name, width / _SMALL)
    return text(style, x, y, name, anchor)


def short(text: str, width: float) -> str:
    """`text` cut to about `width` pixels."""
    if text_width(text) <= width:
        return text
    while text and text_width(text) > width - 8:
        text = text[:-1]
    return text + "…"


def standalone(svg: Markup, ground: str = "#ffffff") -> str:
    """The drawing as a file of its own: with namespace, ground and explicit light colours."""
    drawing = str(svg)
    size = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', drawing)
    if size is None:
        raise ValueError("no drawing: the chart had nothing to show")
    left, top, width, height = (float(part) for part in size.groups())
    pad = 12.0
    box = f"{left - pad:g} {top - pad:g} {width + 2 * pad:g} {height + 2 * pad:g}"
    rect = (
        f'<rect x="{left - pad:g}" y="{top - pad:g}" width="{width + 2 * pad:g}" '
        f'height="{height + 2 * pad:g}" fill="{ground}"/>'
    )
    opened = drawing.replace(size.group(0), f'viewBox="{box}"', 1).replace(
        "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2 * pad:g}" ', 1
    )
    head, rest = opened.split(">", 1)
    return f"{head}><style>{_STANDALONE}</style>{rect}{rest}\n"


_STANDALONE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI','Apple SD Gothic Neo','Malgun Gothic',"
    "'Noto Sans KR','Noto Sans CJK KR','DejaVu Sans',sans-serif;fill:#1b2430}"
    ".c-tick,.c-title{fill:#5b6672;font-size:11px}.c-small{font-size:9px}"
    ".c-name{font-size:12px}.c-name.c-small{font-size:9px}.c-name.c-pick{font-weight:700;fill:#b3361b}"
    ".c-name.c-out{fill:#66717d}"
    ".c-grid{stroke:#e2e6ea}.c-axis,.c-frame{stroke:#9aa4af;fill:none}"
    ".c-leader{stroke:#b7c0c9;stroke-width:.8}"
    ".c-bar{stroke-width:2.5}.c-cap,.c-stem{stroke-width:1.5}.c-stem{stroke-opacity:.45}"
    "line.c-pick,path.c-pick{stroke:#b3361b}line.c-could,path.c-could{stroke:#12606b}"
    "line.c-out,path.c-out{stroke:#98a2ac}"
    ".c-mark.c-pick{fill:#b3361b;stroke:#fff}.c-mark.c-could{fill:#12606b;stroke:#fff}"
    ".c-mark.c-out{fill:#fff;stroke:#66717d;stroke-width:1.6}"
    ".c-mark.c-partial{fill:#fff;stroke-width:1.8}.c-partial.c-pick{stroke:#b3361b}"
    ".c-partial.c-could{stroke:#12606b}"
    ".c-work{stroke:none}.c-work.c-fit,.c-work.c-answer{fill:#12606b}.c-work.c-trial{fill:#fff;stroke:#66717d}"
    ".c-work.c-search{fill:#98a2ac}.c-work.c-answer{fill-opacity:.5}"
    ".c-stands{stroke:#b3361b;stroke-width:1.5;stroke-dasharray:4 3}"
    ".c-ring{fill:none;stroke:#1b2430;stroke-width:1.2}"
    ".c-seed{fill-opacity:.55}.c-seed.c-pick{fill:#b3361b}.c-seed.c-could{fill:#12606b}"
    ".c-seed.c-out{fill:#66717d}"
    ".c-frontier{fill:none;stroke:#1b2430;stroke-width:1.2;stroke-dasharray:4 3}"
    ".c-run{fill:none;stroke-width:2}.c-behind{fill:none;stroke:#dde2e7;stroke-width:1}"
    ".c-band{stroke:none!important;fill-opacity:.15}.c-band.c-pick{fill:#b3361b}"
    ".c-band.c-could{fill:#12606b}.c-band.c-out{fill:#66717d}"
    ".c-right{fill:#12606b}.c-wrong{fill:#b3361b}.c-strong{fill:#fff}"
)
