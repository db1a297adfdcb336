"""What stands beside the figures of a number: how large it is, and what it counts."""

from __future__ import annotations

import re
import unicodedata

_SIZES = {
    "k": 1e3, "tsd": 1e3, "thousand": 1e3, "mio": 1e6, "mn": 1e6, "mln": 1e6, "million": 1e6,
    "millions": 1e6, "millionen": 1e6, "bn": 1e9, "mrd": 1e9, "billion": 1e9, "billions": 1e9,
    "milliarden": 1e9,
    "천": 1e3, "만": 1e4, "십만": 1e5, "백만": 1e6, "천만": 1e7, "억": 1e8, "조": 1e12,
    "千": 1e3, "万": 1e4, "萬": 1e4, "億": 1e8, "亿": 1e8, "兆": 1e12,
}  # fmt: skip
"""Words for a multiple, in lower case."""
_SHORT = {"k": 1e3, "m": 1e6, "b": 1e9}
"""What stands for a multiple right behind the figures of an amount of money: ``$1.2M``."""
_EAST = "천만|백만|십만|[천만억조千万萬億亿兆]"
_COUNTED = "원|엔|달러|위안|유로|명|개|건|회|점|대|평|톤|円|元|人|個|个"
_STEP = r"[0-9][0-9,]*(?:\.[0-9]+)?"
_COMPOUND = re.compile(
    rf"(?P<steps>(?:{_STEP}\s*(?:{_EAST})\s*)+)(?P<rest>{_STEP})?\s*(?P<unit>{_COUNTED})?"
)
_ONE_STEP = re.compile(rf"({_STEP})\s*({_EAST})")
_MONEY = re.compile(r"[$€£¥₩₹]|\b(?:usd|eur|gbp|jpy|krw|inr|chf)\b", re.IGNORECASE)
_AMOUNT = re.compile(rf"(?P<before>\D*?)(?P<figures>{_STEP})(?P<space>\s*)(?P<word>[a-z]+)\b\.?")
_SAME = {
    "$": "usd", "us$": "usd", "dollar": "usd", "달러": "usd", "€": "eur", "euro": "eur",
    "£": "gbp", "pound": "gbp", "¥": "jpy", "엔": "jpy", "円": "jpy", "₩": "krw", "원": "krw",
    "won": "krw", "₹": "inr", "minute": "min", "분": "min", "hour": "h", "hr": "h", "시간": "h",
    "second": "s", "sec": "s", "초": "s", "day": "d", "일": "d", "meter": "m", "metre": "m",
    "gram": "g", "그램": "g", "kilogram": "kg", "kilo": "kg",
    "liter": "l", "litre": "l",
}  # fmt: skip
"""Names of units that mean the same as another."""
_ABOUT = frozenset({"", "about", "approx", "around", "ca", "circa", "over", "under", "약", "ca."})
"""Words beside a number that name no unit."""


def with_sizes(text: str) -> str:
    """The text with words for a multiple worked in: ``$1.2M`` as ``$1200000``, ``3억 5천만원`` as
    ``350000000원``.

    ``k`` right behind figures is a thousand, ``M`` right behind figures a million; in lower case,
    or as ``b``, only beside a currency.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if match := _COMPOUND.fullmatch(plain):
        total = sum(_value(a) * _SIZES[b] for a, b in _ONE_STEP.findall(match["steps"]))
        total += _value(match["rest"]) if match["rest"] else 0
        return f"{total:.15g}{match['unit'] or ''}"
    lower = plain.casefold()
    match = _AMOUNT.match(lower)
    if match is None:
        return text
    size = _size(match["word"], plain[match.start("word")], match["space"], plain)
    if size is None:
        return text
    figures = f"{_value(match['figures']) * size:.15g}"
    return plain[: match.start("figures")] + figures + plain[match.end("word") :]


def _size(word: str, first: str, space: str, whole: str) -> float | None:
    """The multiple that a word behind figures stands for; `first` is its first letter."""
    if word in _SIZES and (word != "k" or not space):
        return _SIZES[word]
    if word in _SHORT and not space and (first == "M" or _MONEY.search(whole)):
        return _SHORT[word]
    return None


def _value(figures: str) -> float:
    return float(figures.replace(",", ""))


def unit(text: str) -> str:
    """What the figures of a text count, in one word whatever its spelling; "" for mere figures."""
    plain = unicodedata.normalize("NFKC", with_sizes(text)).casefold()
    plain = re.sub(r"(?<=\d)e[+-]?\d+", "", plain)
    words = [word.strip(" .") for word in re.split(r"[-+()\d,'_.\s~]+", plain)]
    units = {_one(word) for word in words} - _ABOUT
    return " ".join(sorted(units))


def _one(word: str) -> str:
    single = word[:-1] if len(word) > 3 and word.endswith("s") else word
    return _SAME.get(single, single)
