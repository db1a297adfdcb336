"""In which script a text is written: a guess at its language that needs no model."""

from __future__ import annotations

import re
from collections import Counter

_LETTERS = {
    "Latin": re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]"),
    "Hangul": re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]"),
    "Han": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "Kana": re.compile("[\u3040-\u30ff\u31f0-\u31ff]"),
    "Cyrillic": re.compile("[\u0400-\u052f]"),
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
