"""Is a translation whole? Every reason why it is not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nshot.synthesis.languages import Language, share_written
from nshot.synthesis.masking import lost, mask, strange_marks, without_kept

OWN_SCRIPT = 0.25
"""Share of the letters that must be of the language's script: names may stay as they are."""
RATIO = (0.15, 6.0)
"""Length of a translation to its source, in characters; a short text may be 40 longer."""
_SPARE = 40
_LIST_ITEM = re.compile(r"^\s*(?:[-*•]|\(?\w{1,3}[.)])\s+", re.MULTILINE)


@dataclass(frozen=True)
class Reason:
    """Why a text is not taken: the kind is counted, `detail` is printed."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


def reasons_against(source: str, translation: str, to: Language) -> list[Reason]:
    """Why a translation is not taken; none for a whole one."""
    if not translation.strip():
        return [Reason("empty")]
    masked = mask(source)
    reasons = [
        Reason(f"{part.kind} lost or changed", _short(part.text))
        for part in lost(masked, translation)
    ]
    if strange_marks(translation, masked.parts):
        reasons.append(Reason("a mark that stands for nothing"))
    others = (_untranslated, _items, _lines, _length)
    return [*reasons, *[r for r in (one(source, translation, to) for one in others) if r]]


def nothing_to_translate(source: str) -> bool:
    """Whether a text has no letter outside what must not change."""
    return share_written(without_kept(source), Language("", ("",))) is None


def _untranslated(source: str, translation: str, to: Language) -> Reason | None:
    if _folded(source) == _folded(translation):
        return Reason("untranslated", "the same text")
    share = share_written(without_kept(translation), to)
    if share is not None and share < OWN_SCRIPT:
        return Reason("untranslated", f"{share:.0%} of its letters are {to.name}")
    return None


def _items(source: str, translation: str, to: Language) -> Reason | None:
    """Lists must keep their items."""
    before, after = (len(_LIST_ITEM.findall(text)) for text in (source, translation))
    lost_some = before > 1 and before != after
    return Reason("lines lost or added", f"a list of {before} has {after}") if lost_some else None


def _lines(source: str, translation: str, to: Language) -> Reason | None:
    """Texts of several lines must keep them."""
    before, after = (
        sum(bool(line.strip()) for line in text.split("\n")) for text in (source, translation)
    )
    if before == after:
        return None
    return Reason("lines lost or added", f"{before} have become {after}")


def _length(source: str, translation: str, to: Language) -> Reason | None:
    """Absurdly short or long; what must not change does not count."""
    before, after = (len(without_kept(text).strip()) for text in (source, translation))
    if RATIO[0] * before - 1 <= after <= RATIO[1] * before + _SPARE:
        return None
    return Reason("absurd length", f"{before} characters have become {after}")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:37]}..."
