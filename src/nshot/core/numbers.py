"""Numbers as people write them: in figures, with separators, beside a currency or a unit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_FIGURES = r"[+-]?(?:[0-9]{1,3}(?:[ ,'_][0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
_AROUND = r"[^\W\d_]{0,12}[$€£¥₩₹%°]?[^\W\d_]{0,12}"
"""A currency or a unit of one word: ``USD``, ``원``, ``kg``, ``$``, ``%``."""
_WHOLE = re.compile(rf"([+-]?)\s*{_AROUND}\s*({_FIGURES})\s*{_AROUND}\.?", re.IGNORECASE)
_ANY = re.compile(
    r"[+-]?[0-9]+(?:,[0-9]{3})*(?![0-9])(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE
)
_COMMA_DECIMAL = re.compile(r"[0-9],(?:[0-9]{1,2}|[0-9]{4,})(?![0-9])|\.[0-9]{3},[0-9]")


def number(text: str) -> float | None:
    """The number that a text is, with a currency or a unit beside it; None for anything else."""
    plain = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-")
    match = _WHOLE.fullmatch(plain)
    if match is None or not re.search(r"[0-9]", match[2]):
        return None
    figures = re.sub(r"[ ,'_]", "", match[2])
    return float(match[1] + figures if figures[0] not in "+-" else figures)


def first_number(text: str) -> float | None:
    """The first number in figures anywhere in a text."""
    match = _ANY.search(unicodedata.normalize("NFKC", text).replace("\u2212", "-"))
    return float(match[0].replace(",", "")) if match else None


def has_decimal_commas(texts: Iterable[str]) -> bool:
    """Does a column write 12,5 for twelve and a half? One that cannot be thousands tells."""
    return any(_COMMA_DECIMAL.search(text) for text in texts)


def with_points(text: str) -> str:
    """``1.234,5`` as ``1234.5``."""
    return text.replace(".", "").replace(",", ".")


def written(value: float) -> str:
    """A number in figures, to ten digits: ``1200``, ``0.1``."""
    return f"{value:.10g}"
