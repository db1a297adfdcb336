"""Texts that were decoded wrongly before they were written as UTF-8: `schÃ¶n` for `schön`.

The way back is to encode such a text as it was wrongly read and to decode these bytes as what they
were. That hardly ever succeeds by chance: a text is taken for one where all of it goes back, and
what comes out are letters of one script, or a letter that Ã, Â, Ä or Å with a symbol stood for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from nshot.data.files.encoding import readings
from nshot.data.files.plausible import plausibility
from nshot.data.table import Table

Way: TypeAlias = Callable[[str], str | None]
"""The text that was meant; None for one that does not go back."""
_LOOKED_AT = 2000
"""Texts with other characters than ASCII from which it is told."""
_MOSTLY = 0.9
"""The share of them that go back, where all that do are mended."""
_LEAST = 3
"""Sure ones, where most texts are sound."""
_VARIED = 8
"""Different characters beyond ASCII that show a rare way."""
_SOUND, _PASS, _AHEAD = 0.5, 0.75, 0.15
"""How plausible a text in Latin letters is as it stands; what bytes of another encoding must be."""
_SINGLE = ("cp1251", "mac_roman", "cp437", "cp850")
_DOUBLE = ("gb18030", "cp932", "cp949")
_SHOWN = 40
_QUOTES = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022"
_SURE = re.compile(
    rf"[\xc2-\xc5](?:[^\x00-\x7f\xc0-\xff{_QUOTES}]|[{_QUOTES}](?=[a-z]))|\xe2\u20ac|\xef\xbb\xbf"
)
"""Pairs that no text has: `Ã©`, `â€`, a byte order mark."""
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL"})


@cache
def _table_of(codec: str) -> dict[int, int]:
    """What each character beyond ASCII was as a byte, also where Python's codec has none for it."""
    table = {number: number for number in range(0x80, 0xA0)}
    for number in range(0x80, 0x100):
        char = bytes([number]).decode(codec, "ignore") or chr(number)
        table[ord(char)] = number
    return table


def _raw(text: str, table: dict[int, int]) -> bytes | None:
    try:
        return text.translate(table).encode("latin-1")
    except UnicodeEncodeError:
        return None


@cache
def _as_utf8(codec: str) -> Way:
    """The way back of UTF-8 that was read as `codec`."""
    table = _table_of(codec) if codec not in _DOUBLE else {}
    own = {number for number in table if number >= 0xA0}

    def way(text: str) -> str | None:
        try:
            if table:
                # a letter of Latin-1 that the codec does not have is no byte of it
                if any(0x9F < ord(char) <= 0xFF and ord(char) not in own for char in text):
                    return None
                raw = _raw(text, table)
            else:
                raw = text.encode(codec)
            meant = raw.decode("utf-8") if raw is not None else text
        except UnicodeError:
            return None
        return meant if meant != text and all(map(_is_written, meant)) else None

    return way


def _is_written(char: str) -> bool:
    """May this stand in a text: a letter, a mark, a sign, but no control or unknown character?"""
    return char in "\n\r\t" or unicodedata.category(char) not in ("Cc", "Cn", "Co", "Cs")


@dataclass(frozen=True)
class Mending:
    """How texts are mended: by their `way`, all that go back or only the `sure` ones."""

    way: Way
    sure: bool = False

    def of(self, text: str) -> str:
        """The text that was meant; the text itself where it is sound."""
        if text.isascii() or (self.sure and not _is_sure(text, self.way)):
            return text
        return self.way(text) or text

    def of_value(self, value: Any) -> Any:
        """The same of all texts in a cell."""
        if isinstance(value, str):
            return self.of(value)
        if isinstance(value, list):
            return [self.of_value(one) for one in value]
        if isinstance(value, dict):
            return {self.of_value(key): self.of_value(one) for key, one in value.items()}
        return value


def _is_sure(text: str, way: Way) -> bool:
    meant = way(text)
    if meant is None:
        return False
    far = {char for char in meant if char > "\u024f" and char.isalpha()}
    scripts = {unicodedata.name(char, "?").split()[0] for char in far}
    return bool(_SURE.search(text)) or (
        len(far) > 1 and (len(scripts) == 1 or scripts <= _EAST_ASIAN)
    )


def mending_of(texts: Iterable[str]) -> Mending | None:
    """How the texts are to be mended; None where they are sound, or nothing is certain."""
    wide: dict[str, None] = {}
    for text in texts:
        if not text.isascii():
            wide[text] = None
            if len(wide) == _LOOKED_AT:
                break
    some = list(wide)
    return (_of_latin(some) or _of_others(some) or _of_bytes(some)) if some else None


def _of_latin(texts: Sequence[str]) -> Mending | None:
    """UTF-8 that was read as Windows code page 1252 or Latin-1."""
    way = _as_utf8("cp1252")
    fitting = [text for text in texts if way(text) is not None]
    sure = sum(_is_sure(text, way) for text in fitting)
    if sure and len(fitting) >= _MOSTLY * len(texts):
        return Mending(way)
    return Mending(way, sure=True) if sure >= _LEAST else None


def _of_others(texts: Sequence[str]) -> Mending | None:
    """UTF-8 that was read as another code page."""
    for codec in (*_SINGLE, *_DOUBLE):
        way = _as_utf8(codec)
        fitting = [text for text in texts if way(text) is not None]
        varied = len({char for text in fitting for char in text if char > "\x7f"})
        if varied >= _VARIED and len(fitting) >= _MOSTLY * len(texts):
            return Mending(way)
    return None


def _of_bytes(texts: Sequence[str]) -> Mending | None:
    """Bytes of Korean, Japanese, Chinese, Russian ... that were read as Latin letters."""
    whole = "\n".join(texts)
    table = _table_of("cp1252")
    raw = _raw(whole, table)
    if raw is None or plausibility(whole, "cp1252") >= _SOUND:
        return None
    fitting = readings(raw, [raw])
    if not fitting or fitting[0].score < _PASS or fitting[0].text == whole:
        return None
    best = fitting[0]
    close = any(one.text != best.text and one.score > best.score - _AHEAD for one in fitting[1:])
    if close or len({char for char in best.text if char > "\x7f"}) < _VARIED:
        return None

    def way(text: str) -> str | None:
        try:
            raw = _raw(text, table)
            return raw.decode(best.encoding) if raw is not None else None
        except UnicodeDecodeError:
            return None

    return Mending(way)


def mend(table: Table) -> None:
    """Put the texts that were meant in the place of those that were decoded wrongly, and say so."""
    mending = mending_of(texts_of(table))
    if mending is None:
        return
    cells, example = 0, ("", "")
    for row in table.rows:
        for name, cell in row.items():
            meant = mending.of_value(cell)
            if meant != cell:
                row[name] = meant
                cells += 1
                example = example if example[0] or not isinstance(cell, str) else (cell, meant)
    names = {name: mending.of(name) for name in table.columns}
    if any(old != new for old, new in names.items()) and len({*names.values()}) == len(names):
        table.columns = tuple(names.values())
        table.rows = [{names[old]: cell for old, cell in row.items()} for row in table.rows]
    table.notes.append(note(table.path.name, cells, *example))


def note(name: str, count: int, text: str, meant: str) -> str:
    """What was mended, with an example, and how to have it as it stands."""
    at = next((i for i, (a, b) in enumerate(zip(text, meant, strict=False)) if a != b), 0)
    was, now = (_shown(one, at) for one in (text, meant))
    example = f": '{was}' is read as '{now}'" if text else ""
    return (
        f"{name}: {count} texts were decoded wrongly before they became UTF-8{example} "
        "(--encoding utf-8 takes them as they stand)"
    )


def _shown(text: str, at: int) -> str:
    """Some characters from a little before a place."""
    start = max(0, at - _SHOWN // 4)
    return " ".join(text[start : start + _SHOWN].split())


def texts_of(table: Table) -> Iterable[str]:
    """All texts of a table, the names of its columns first."""
    yield from table.columns
    for row in table.rows:
        for cell in row.values():
            yield from _texts_in(cell)


def _texts_in(cell: Any) -> Iterable[str]:
    if isinstance(cell, str):
        yield cell
    elif isinstance(cell, list):
        for one in cell:
            yield from _texts_in(one)
    elif isinstance(cell, dict):
        for key, one in cell.items():
            yield from (key, *_texts_in(one)) if isinstance(key, str) else _texts_in(one)
