"""What must not change in a translation stands behind a mark while the text is translated.

Code, addresses and placeholders become ``⟦0⟧``, numbers ``⟦1|42⟧``: a translator that sees the
number chooses the right form of the word beside it. Afterwards what the marks stand for is put
back, whatever became of their inside.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["code", "address", "placeholder", "number", "bracket"]

_KINDS: tuple[Kind, ...] = get_args(Kind)
_KEPT = re.compile(
    r"(?P<code>```.*?```|~~~.*?~~~|`[^`\n]+`)"
    r"|(?P<address>(?:https?|ftp)://[^\s<>\"'`⟦⟧]*[^\s<>\"'`⟦⟧.,;:!?)\]]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<placeholder>\{\{[^{}\n]*\}\}|\$?\{[A-Za-z_][^{}\n]*\}|\{\d*\}"
    r"|</?[A-Za-z_][^<>\n]*>|%\([^()\n]+\)[sdifgr]|%\d*\.?\d*[sdifgr](?![A-Za-z0-9]))"
    r"|(?P<number>\d+(?:[.,:/-]\d+)*)"
    r"|(?P<bracket>[⟦⟧])",
    re.DOTALL,
)
_MARK = re.compile(r"⟦\s*(\d{1,9})\s*(?:\|[^⟦⟧]*)?⟧")


@dataclass(frozen=True)
class Kept:
    """A part of a text that must not change."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Masked:
    """A text with marks, and what each mark stands for: mark i is `parts[i]`."""

    text: str
    parts: tuple[Kept, ...]


def mask(text: str) -> Masked:
    """Put a mark in place of each part that must not change."""
    parts: list[Kept] = []

    def marked(match: re.Match[str]) -> str:
        kind = next(kind for kind in _KINDS if match[kind] is not None)
        parts.append(Kept(kind, match[0]))
        inside = f"|{match[0]}" if kind == "number" else ""
        return f"⟦{len(parts) - 1}{inside}⟧"

    return Masked(_KEPT.sub(marked, text), tuple(parts))


def restore(text: str, parts: tuple[Kept, ...]) -> str:
    """What the marks stand for, put back; a mark that stands for nothing stays."""

    def unmarked(match: re.Match[str]) -> str:
        index = int(match[1])
        return parts[index].text if index < len(parts) else match[0]

    return _MARK.sub(unmarked, text)


def lost(source: Masked, text: str) -> list[Kept]:
    """What stands in `source` more often than in a restored translation, each once."""
    needed, here = Counter(source.parts), Counter(mask(text).parts)
    return [
        part
        for part, times in needed.items()
        if here[part] < times and part.kind != "bracket" and not _hidden(part, text, times)
    ]


def _hidden(part: Kept, text: str, times: int) -> bool:
    """Whether a part is there, but its neighbours make it look like another: a letter after it."""
    return part.kind != "number" and text.count(part.text) >= times


def strange_marks(text: str, parts: tuple[Kept, ...]) -> bool:
    """Whether a restored translation has marks, or halves of them, that its source had not."""
    own = sum(part.text in "⟦⟧" for part in parts)
    return sum(text.count(bracket) for bracket in "⟦⟧") > own


def without_kept(text: str) -> str:
    """A text without its code, addresses, placeholders and numbers."""
    return _KEPT.sub(" ", text)
