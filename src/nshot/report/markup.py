"""HTML and SVG from values: what is not `Markup` is escaped, so user text never becomes code."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

# Characters XML 1.0 cannot hold (the same text stands in standalone SVG files), and lone
# surrogates, which UTF-8 cannot write.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already. Everything else is escaped when it enters an element."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """`text` as HTML; `Markup` stays as it is."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(_UNWRITABLE.sub("\ufffd", text), quote=True))


def join(*content: str) -> Markup:
    """The parts one after the other, each escaped unless it is `Markup`."""
    return Markup("".join(escape(part) for part in content))


def element(
    name: str, *content: str, at: Mapping[str, str | int | float | bool | None] | None = None
) -> Markup:
    """One element. `name` may carry classes (``td.score.num``); an attribute of None is left out.

    True writes a bare attribute, False leaves it out.
    """
    tag, *classes = name.split(".")
    attributes = {"class": " ".join(classes) or None, **(at or {})}
    written = "".join(
        f" {key}" if value is True else f' {key}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(*content)}</{tag}>")


def _text(value: str | int | float) -> str:
    """Coordinates with two decimals at most, so that the page is the same on every machine."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
