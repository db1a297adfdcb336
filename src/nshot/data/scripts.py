"""In which script a text is written: a guess at its language that needs no model."""

from __future__ import annotations

import re
from collections import Counter

_LETTERS = {
    "Latin": re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ]"),
    "Hangul": re.compile(r"[가-힣ᄀ-ᇿ㄰-㆏]"),
    "Han": re.compile(r"[㐀-䶿一-鿿豈-﫿]"),
    "Kana": re.compile(r"[぀-ヿㇰ-ㇿ]"),
    "Cyrillic": re.compile(r"[Ѐ-ԯ]"),
}
_MOST = 0.7
"""Share of the letters from which a text is of one script."""
_KANA = 0.1
"""Share of kana among Han and kana from which Han characters are Japanese."""


def script(text: str) -> str:
    """``Latin``, ``Hangul``, ``Han``, ``Kana`` (Japanese), ``Cyrillic``, ``mixed`` or ``other``.

    The script of at least 70 % of the letters that belong to one of these; ``other`` without any.
    """
    counts = Counter({name: len(letters.findall(text)) for name, letters in _LETTERS.items()})
    if counts["Kana"] > _KANA * (counts["Kana"] + counts["Han"]):
        counts["Kana"] += counts.pop("Han", 0)
    (name, most), total = counts.most_common(1)[0], counts.total()
    if not total:
        return "other"
    return name if most >= _MOST * total else "mixed"
