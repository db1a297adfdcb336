"""Numbers as people write them: in figures, with separators, beside a currency or a unit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from nshot.core.units import with_sizes

_FIGURES = r"[+-]?(?:[0-9]{1,3}(?:[ ,'_][0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
_AROUND = r"[^\W\d_]{0,12}[$€£¥₩₹%°]?[^\W\d_]{0,12}"
"""A currency or a unit of one word: ``USD``, ``원``, ``kg``, ``$``, ``%``."""
_WHOLE = re.compile(rf"([+-]?)\s*{_AROUND}\s*({_FIGURES})\s*{_AROUND}\.?", re.IGNORECASE)
_ANY = re.compile(
    r"[+-]?[0-9]+(?:,[0-9]{3})*(?![0-9])(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE
)
_IN_BRACKETS = re.compile(r"\((.*[0-9].*)\)")
_DOTS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+")
_COMMA_DECIMAL = re.compile(r"[0-9],(?:[0-9]{1,2}|[0-9]{4,})(?![0-9])|\.[0-9]{3},[0-9]")


def number(text: str) -> float | None:
    """The number that a text is, with a currency or a unit beside it; None for anything else.

    Words for a multiple count (``$1.2M``, ``3억``); an amount in brackets is negative, as
    accountants write it.
    """
    plain = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-")
    if match := _IN_BRACKETS.fullmatch(plain):
        inner = number(match[1])
        return None if inner is None else -inner
    plain = with_sizes(plain)
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


def has_dots_between(texts: Iterable[str]) -> bool:
    """Does a column part thousands by dots? One number with two of them tells (1.234.567), if no
    other number has a dot elsewhere."""
    parts = [re.findall(r"[0-9][0-9.]*[0-9]", text) for text in texts]
    dotted = [one for pieces in parts for one in pieces if "." in one]
    return any(one.count(".") > 1 for one in dotted) and all(map(_DOTS.fullmatch, dotted))


def may_have_dots_between(texts: Iterable[str]) -> bool:
    """Has each number with a dot three figures behind it? They may be thousands, or decimals."""
    dotted = [text for text in texts if "." in text]
    return len(dotted) > 1 and all(
        re.fullmatch(r"\D*[1-9][0-9]{0,2}\.[0-9]{3}\D*", text) for text in dotted
    )


def with_points(text: str) -> str:
    """``1.234,5`` as ``1234.5``."""
    return text.replace(".", "").replace(",", ".")


def written(value: float) -> str:
    """A number in figures, to ten digits: ``1200``, ``0.1``."""
    return f"{value:.10g}"
