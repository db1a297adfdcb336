"""The one way in which a number of leaderboard.json becomes text on a page.

`number` looks the value up by its JSON pointer, so that what a page shows can be compared with
the file it came from: every figure carries `data-path` and `data-value`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from markupsafe import Markup
from pydantic import BaseModel

from nshot.report.svg import element

Style: TypeAlias = Literal[
    "score", "points", "seconds", "bytes", "count", "tokens", "share", "plain", "money"
]

MISSING = "–"


def at(part: object, path: str) -> object:
    """The value under a JSON pointer (RFC 6901) into a model, or None where there is none."""
    value = part
    for key in (key.replace("~1", "/").replace("~0", "~") for key in path.split("/")[1:]):
        if isinstance(value, BaseModel):
            value = getattr(value, key, None)
        elif isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and not isinstance(value, str) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def under(path: str, key: str) -> str:
    """The pointer of `key` in the mapping at `path`."""
    return f"{path}/{key.replace('~', '~0').replace('/', '~1')}"


def number(part: object, path: str, style: Style) -> Markup:
    """The figure under `path` of the board, with where it came from."""
    value = at(part, path)
    return figure(value if isinstance(value, (int, float)) else None, style, path)


def figure(value: float | None, style: Style, path: str | None = None) -> Markup:
    """A number as text in a span that carries the exact value, and the place it came from."""
    if value is None or not math.isfinite(value):
        return element("span.none", MISSING, at={"data-path": path, "title": "not measured"})
    exact = json.dumps(value)
    title = exact if style in ("count", "bytes") else None
    return element(
        "span.n",
        say(value, style),
        at={"data-path": path, "data-value": exact, "title": title},
    )


def say(value: float | None, style: Style) -> str:
    """A number in words: scores and shares in percent, seconds and bytes in the unit that fits."""
    if value is None:
        return MISSING
    if style == "score":
        return f"{value * 100:.1f}"
    if style == "plain":
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if style == "money":
        return f"{value:.4g}"
    if style == "points":
        return "0.0" if abs(value) < 0.0005 else f"{value * 100:+.1f}".replace("-", "−")
    if style == "seconds":
        return _seconds(value)
    if style == "bytes":
        return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))
    if style == "share":
        return f"{_three(100 * value)} %"
    if style == "count":
        return _scaled(value, 1000, ("", "k", "M", "B", "T"))
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    if value < 1:
        return f"{_three(value * 1000)} ms"
    if value < 100:
        return f"{_three(value)} s"
    minutes = round(value / 60)
    if minutes < 100:
        return (
            f"{int(value // 60)} min {int(value % 60):02d} s" if value < 600 else f"{minutes} min"
        )
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _scaled(value: float, base: int, units: tuple[str, ...]) -> str:
    step = 0
    while abs(value) >= base and step < len(units) - 1:
        value, step = value / base, step + 1
    text = f"{value:,.0f}" if step == 0 else _three(value)
    return f"{text} {units[step]}".strip()


def _three(value: float) -> str:
    """About three digits, never in exponent form, without trailing zeros."""
    if value >= 99.95:
        return f"{value:,.0f}"
    decimals = 1 if value >= 9.995 else 2
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return text if float(text) else "<0.01"
