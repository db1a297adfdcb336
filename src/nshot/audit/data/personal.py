"""Personal data in texts: mail addresses, phone numbers, cards, Korean resident numbers.

Numbers with a check digit count only where it is right, so that most numbers of orders do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}")
_RESIDENT = re.compile(r"(?<!\d)(\d{6})[ -]?([1-8]\d{6})(?!\d)")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_PHONE = re.compile(
    r"(?<![\d+-])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?)\d{2,4}[ .-]?\d{3,4}(?:[ .-]?\d{2,4})?"
    r"|01[016789][ .-]?\d{3,4}[ .-]?\d{4}"  # Korean mobile
    r"|0(?:2|[3-6]\d)[ .-]\d{3,4}[ .-]\d{4}"  # Korean land lines
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?![\d-])"  # North America
)


class Personal(NamedTuple):
    """A piece of a text that is personal data of a `kind`, from `start` to `end`."""

    kind: str
    start: int
    end: int


def personal(text: str) -> list[Personal]:
    """What of a text is personal data, in order; no piece is counted twice."""
    taken: list[Personal] = []
    for piece in _candidates(text):
        if all(piece.end <= other.start or piece.start >= other.end for other in taken):
            taken.append(piece)
    return sorted(taken, key=lambda piece: piece.start)


def _candidates(text: str) -> Iterator[Personal]:
    """The surest kinds first."""
    for match in _MAIL.finditer(text):
        yield Personal("mail address", *match.span())
    for match in _RESIDENT.finditer(text):
        if is_resident(match[1] + match[2]):
            yield Personal("resident number", *match.span())
    for match in _CARD.finditer(text):
        if passes_luhn("".join(filter(str.isdigit, match[0]))):
            yield Personal("card number", *match.span())
    for match in _PHONE.finditer(text):
        yield Personal("phone number", *match.span())


def passes_luhn(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1): from the right every second digit doubled, the sum in tens."""
    if len(set(digits)) < 2:  # 0000 0000 0000 0000 passes, and is nobody's
        return False
    doubled = [
        int(digit) if place % 2 == 0 else sum(divmod(2 * int(digit), 10))
        for place, digit in enumerate(reversed(digits))
    ]
    return sum(doubled) % 10 == 0


def is_resident(digits: str) -> bool:
    """A Korean resident registration number: a date of birth, and the check digit right.

    The last of 13 digits is (11 - sum of the others times 2 3 4 5 6 7 8 9 2 3 4 5, mod 11) mod 10.
    Numbers that were given out since October 2020 have no check digit, and are not known by it.
    """
    month, day = int(digits[2:4]), int(digits[4:6])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    total = sum(int(digit) * weight for digit, weight in zip(digits[:12], weights, strict=True))
    return (11 - total % 11) % 10 == int(digits[12])


def masked(text: str) -> str:
    """The text with personal data as its kind and its last two signs: ``[phone number …67]``."""
    pieces, end = [], 0
    for one in personal(text):
        tail = text[one.end - 2 : one.end]
        pieces += [text[end : one.start], f"[{one.kind} …{tail}]"]
        end = one.end
    return "".join([*pieces, text[end:]])


def beginning(text: str, width: int) -> str:
    """The beginning of a text, personal data masked before it is cut."""
    plain = " ".join(masked(text).split())
    return plain if len(plain) <= width else plain[: width - 1] + "…"
