"""SVG elements from values: what is not `Markup` is escaped, so user text never becomes code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

import markupsafe
from markupsafe import Markup

Attribute: TypeAlias = str | int | float | None

# Characters XML 1.0 cannot hold, and lone surrogates, which UTF-8 cannot write.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def writable(text: str) -> str:
    """`text` without characters that neither XML nor UTF-8 can hold."""
    return _UNWRITABLE.sub("\ufffd", text)


def join(*content: str) -> Markup:
    """The parts one after the other, each escaped unless it is `Markup`."""
    return Markup("").join(
        part if isinstance(part, Markup) else markupsafe.escape(writable(part)) for part in content
    )


def element(name: str, *content: str, at: Mapping[str, Attribute] | None = None) -> Markup:
    """One element. `name` may carry classes (``text.c-tick``); an attribute of None is left out."""
    tag, *classes = name.split(".")
    attributes = {"class": " ".join(classes) or None, **(at or {})}
    written = "".join(
        f' {key}="{join(_text(value))}"' for key, value in attributes.items() if value is not None
    )
    return Markup(f"<{tag}{written}>{join(*content)}</{tag}>")


def _text(value: str | int | float) -> str:
    """Coordinates with two decimals at most, so that the page is the same on every machine."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
