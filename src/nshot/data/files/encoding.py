"""From the bytes of a text to its characters, in the encoding that they are written in.

UTF-8 and UTF-16 are told with certainty. Bytes of another encoding are read in each that they may
be written in; the text is judged by what a text of that language looks like: a Korean one has the
common syllables of Hangul and hardly a rare ideograph, a French one has single accented letters
inside words. Two readings that both pass are both shown, and none is taken.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from nshot.core.errors import Fault, InputError
from nshot.data.files.plausible import EAST, OTHERS, plausibility

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDER = {"euc_kr": "cp949", "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030"}
"""What files are written in that are said to be in the left one: a superset of it."""
_SAMPLE = 1 << 17
"""Bytes of lines with other characters than ASCII from which an encoding is told."""
_GUESSED = 1 << 15
"""Bytes of these that charset-normalizer is given."""
_PASS, _AHEAD = 0.75, 0.15
"""How plausible a reading must be, and how far ahead of the next that differs."""
_LITTLE = 5
"""Different characters beyond ASCII below which an encoding of East Asia may be another of them."""
_SHOWN = 40
_NAMED = 8
"""Files that a fault names."""
_LATIN = ("cp1252", "cp1250", "cp1254")
"""Between these charset-normalizer is as often wrong as right."""


@dataclass(frozen=True)
class Reading:
    """An encoding, and how plausible the text is that it gives."""

    encoding: str
    score: float
    text: str


def decoded(raw: bytes, path: Path, encoding: str | None = None) -> tuple[str, str]:
    """The text of a file, and a note where its encoding was told from the content ("" elsewhere).

    `encoding` settles it. Raises `InputError` for bytes that are not in it, for an encoding that
    is unknown, and where it cannot be told.
    """
    if encoding is not None:
        return _as_given(raw, path, encoding), ""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            if name == "utf-8" and not _can(raw, name):
                raise InputError(_stray(raw, path))
            return _strictly(raw[len(mark) :], path, name, len(mark)), ""
    if (wide := _utf16(raw)) is not None:
        return _strictly(raw, path, wide), f"{path.name}: read as {wide} (told from its content)"
    try:
        return raw.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        name = tell_encoding([raw], path, error)
    text = _strictly(raw, path, name)
    return text, f"{path.name}: read as {name} (told from its content; --encoding sets it)"


def encoding_of(beginning: bytes, path: Path, encoding: str | None) -> tuple[str, int, str]:
    """The encoding of a file that begins so, bytes of its mark, and a note where it was told.

    `beginning` ends with a line. Raises `InputError` as `decoded` does.
    """
    if encoding is not None:
        name = codec(encoding)
        same = [
            (marked, len(mark))
            for mark, marked in _MARKS
            if beginning.startswith(mark) and marked.replace("-", "_").startswith(name)
        ]
        return (*(same[0] if same else (name, 0)), "")
    for mark, name in _MARKS:
        if beginning.startswith(mark):
            return name, len(mark), ""
    told_from = "(told from its content; --encoding sets it)"
    if (wide := _utf16(beginning)) is not None:
        return wide, 0, f"{path.name}: read as {wide} {told_from}"
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        if _nearly_utf8(beginning):
            return "utf-8", 0, ""
        name = tell_encoding([beginning], path, error)
        return name, 0, f"{path.name}: read as {name} {told_from}"
    return "utf-8", 0, ""


def decoded_alike(
    raws: Mapping[Path, bytes], place: Path, encoding: str | None = None
) -> tuple[list[str], str]:
    """The texts of files in `place` that were written alike, and a note as `decoded` gives it.

    What is not UTF-8 is of one encoding, told from all of these files: one text is too short.
    """
    other: str | None = encoding
    if encoding is None:
        rest = {path: raw for path, raw in raws.items() if not _certain(raw)}
        if stray := [path for path, raw in rest.items() if _nearly_utf8(raw)]:
            raise InputError(_stray_files(stray, rest, place))
        if rest:
            first = next(iter(rest))
            try:
                rest[first].decode("utf-8")
            except UnicodeDecodeError as error:
                where = first if len(rest) == 1 else place
                other = tell_encoding(list(rest.values()), where, error)
    note = f"{len(raws)} files of {place.name}: read as {other} where they are not UTF-8"
    texts = [
        decoded(raw, path, other if other == encoding or not _certain(raw) else None)[0]
        for path, raw in raws.items()
    ]
    return (
        texts,
        f"{note} (told from their content; --encoding sets it)" if other and not encoding else "",
    )


def _certain(raw: bytes) -> bool:
    """Is this UTF-8, or UTF-16 or UTF-32?"""
    return (
        any(raw.startswith(mark) for mark, _ in _MARKS) or bool(_utf16(raw)) or _can(raw, "utf-8")
    )


def codec(encoding: str) -> str:
    """Python's name of an encoding. Raises `InputError` for one that is unknown."""
    try:
        name = codecs.lookup(encoding).name
        b"ab".decode(name, "ignore")
    except LookupError:
        known = "utf-8, utf-16, cp949, shift_jis, gb18030, big5, cp1252, ..."
        raise InputError(Fault(f"unknown encoding '{encoding}'", f"such as {known}")) from None
    name = name.replace("-", "_")
    return _WIDER.get(name, name)


def tell_encoding(raws: Sequence[bytes], path: Path, error: UnicodeDecodeError) -> str:
    """The encoding of files that were written alike and are not UTF-8, which `error` shows.

    Raises `InputError` where two are as plausible, or none is.
    """
    broken = next((raw for raw in raws if _nearly_utf8(raw)), None)
    if broken is not None:
        raise InputError(_stray(broken, path))
    sample = _sample(raws)
    fitting = readings(sample, raws)
    if fitting and fitting[0].score >= _PASS:
        little = len({char for char in fitting[0].text if char > "\x7f"}) < _LITTLE
        close = [
            one
            for one in fitting
            if one.score > fitting[0].score - _AHEAD or (little and one.encoding in EAST)
        ]
        other = next((one for one in close if one.text != fitting[0].text), None)
        if other is None:
            return fitting[0].encoding
        if fitting[0].encoding not in _LATIN:
            guess = next(iter(_guessed(sample)), "")
            if not little and guess in [one.encoding for one in close if one.score >= _PASS]:
                return guess
        raise InputError(_open(path, fitting[0], other))
    raise InputError(_unknown(path, error, fitting))


def readings(sample: bytes, raws: Sequence[bytes]) -> list[Reading]:
    """What `sample` may say, the most plausible first; all of `raws` can be read so."""
    fitting = _read(EAST, sample, raws)
    if not fitting or fitting[0].score < _PASS:
        fitting = _read([*EAST, *OTHERS], sample, raws)
    if not fitting or fitting[0].score < _PASS:
        fitting = _read([*EAST, *OTHERS, *_guessed(sample)], sample, raws)
    return fitting


def _read(names: Sequence[str], sample: bytes, raws: Sequence[bytes]) -> list[Reading]:
    read = []
    for name in names:
        try:
            text = sample.decode(name)
        except UnicodeDecodeError:
            continue
        read.append(Reading(name, plausibility(text, name), text))
    read.sort(key=lambda one: -one.score)
    return [one for one in read if one.score > 0.5 and all(_can(raw, one.encoding) for raw in raws)]


def _can(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _guessed(sample: bytes) -> list[str]:
    """What charset-normalizer takes the bytes for, the likeliest first."""
    import charset_normalizer

    matches = charset_normalizer.from_bytes(sample[:_GUESSED])
    return [codecs.lookup(match.encoding).name.replace("-", "_") for match in list(matches)[:3]]


def _sample(raws: Sequence[bytes]) -> bytes:
    """Lines with bytes that are not ASCII, of every file some."""
    each, lines = max(256, _SAMPLE // len(raws)), []
    for raw in raws:
        size = 0
        for match in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*", raw):
            lines.append(match[0])
            size += len(match[0])
            if size > each:
                break
    return b"\n".join(lines)


def _utf16(raw: bytes) -> str | None:
    """UTF-16 without a mark: line ends and separators have a zero byte, always on the same side."""
    head = raw[:4096]
    if b"\x00" not in head or len(raw) % 2:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) > 0.3 * max(even, odd):
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    try:
        text = raw.decode(name)
    except UnicodeDecodeError:
        return None
    return name if "\n" in text and "\x00" not in text else None


def _nearly_utf8(raw: bytes) -> bool:
    """Is most of what is not ASCII well-formed UTF-8? Then a few bytes of it are broken."""
    text = raw.decode("utf-8", errors="replace")
    wide = sum(map(len, re.findall(r"[^\x00-\x7f]+", text)))
    return 2 * text.count("\ufffd") < wide


def _as_given(raw: bytes, path: Path, encoding: str) -> str:
    name = codec(encoding)
    for mark, marked in _MARKS:
        if raw.startswith(mark) and marked.replace("-", "_").startswith(name):
            return _strictly(raw[len(mark) :], path, marked, len(mark))
    return _strictly(raw, path, name)


def _strictly(raw: bytes, path: Path, encoding: str, before: int = 0) -> str:
    """The text. Raises `InputError` with the offset and line of the first byte that is none."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{raw[error.start]:02x} at offset {before + error.start}"
        raise InputError(
            Fault(
                f"{problem} is not {encoding}",
                expected="a file of one encoding",
                do="--encoding NAME, or leave it out: it is told from the content",
                where=f"{path}, line {line}",
            )
        ) from None


def _stray(raw: bytes, path: Path) -> Fault:
    """A few bytes in a file of UTF-8 that are not: the end of a cut character, another encoding."""
    start = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
    offset = start
    try:
        raw[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset += error.start
    several = raw.decode("utf-8", errors="replace").count("\ufffd") - 1
    line = raw.count(b"\n", 0, offset) + 1
    more = f" (and {several} more)" if several else ""
    fixed = path.with_name(f"{path.stem}.utf8{path.suffix}")
    return Fault(
        f"byte 0x{raw[offset]:02x} at offset {offset}{more} is not UTF-8, as the rest is",
        expected="a file of one encoding",
        do=f"iconv -c -f UTF-8 -t UTF-8 {quote(str(path))} > {quote(str(fixed))}   (leaves such "
        "bytes out)",
        where=f"{path}, line {line}",
    )


def _stray_files(files: Sequence[Path], raws: Mapping[Path, bytes], place: Path) -> Fault:
    """The fault of a file, and how many have it: one line for all of them."""
    fault = _stray(raws[files[0]], files[0])
    if len(files) == 1:
        return fault
    names = ", ".join(path.name for path in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    problem = f"{len(files)} files have bytes that are not UTF-8, as the rest is: {names}{more}"
    return Fault(problem, fault.expected, f"for each: {fault.do}", str(place))


def _open(path: Path, one: Reading, other: Reading) -> Fault:
    """Two readings, and what to type for each."""
    lines = zip(one.text.split("\n"), other.text.split("\n"), strict=False)
    differ = next(((a, b) for a, b in lines if a != b), (one.text, other.text))
    shown = [_around(text, rest) for text, rest in (differ, differ[::-1])]
    return Fault(
        f"the encoding may be {one.encoding}: '{shown[0]}', or {other.encoding}: '{shown[1]}'",
        expected="UTF-8, or what it is written in",
        do=f"--encoding {one.encoding}, or --encoding {other.encoding}",
        where=str(path),
    )


def _around(text: str, other: str) -> str:
    """The place where two readings of one line differ."""
    at = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    return text[max(0, at - _SHOWN // 2) : at + _SHOWN // 2].strip()


def _unknown(path: Path, error: UnicodeDecodeError, fitting: Sequence[Reading]) -> Fault:
    raw = error.object
    line = raw.count(b"\n", 0, error.start) + 1
    likely = f": {fitting[0].encoding} would read '{_first(fitting[0].text)}'" if fitting else ""
    return Fault(
        f"byte 0x{raw[error.start]:02x} at offset {error.start} is not UTF-8, and no other encoding"
        f" is plausible{likely}",
        expected="a text in UTF-8",
        do="--encoding NAME, such as cp949, shift_jis, gb18030, big5, cp1252",
        where=f"{path}, line {line}",
    )


def _first(text: str) -> str:
    """Some characters from the first that is not ASCII on."""
    match = re.search(r"[^\x00-\x7f]", text)
    at = match.start() if match else 0
    return text[max(0, at - 10) : at + _SHOWN].split("\n")[0].strip()
