"""The content of a file of the user's, unpacked, and as what it is to be read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import sys
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shlex import quote

from nshot.core.errors import Fault, InputError
from nshot.core.files import UNSAFE
from nshot.data.files.encoding import decoded

STANDARD_INPUT = "-"
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_ZIP, _GZIP, _PARQUET = b"PK\x03\x04", b"\x1f\x8b", b"PAR1"
_BZIP, _XZ = b"BZh", b"\xfd7zXZ\x00"
_NAMED = 8
"""Files of an archive that are named."""
_FLAT = 64 << 20
"""Bytes that any packed file may unpack to."""
BEGINNING = 16 << 20
"""Bytes up to which a file is looked through whole before it is answered row by row."""
_TIMES, _MOST = 200, 4 << 30
"""Beyond these it may unpack to so many times its size, and to so many bytes at most."""
_OTHER_KINDS = {
    ".xls": "in the spreadsheet program: save as .xlsx or .csv",
    ".ods": "in the spreadsheet program: save as .xlsx or .csv",
    ".7z": "unpack it, and name a file in it",
    ".rar": "unpack it, and name a file in it",
    ".tar": "tar xf it, and name a file or the folder",
    ".tgz": "tar xzf it, and name a file or the folder",
    ".zst": "unzstd it",
}
_ALIASES = {
    ".ndjson": ".jsonl", ".jsonlines": ".jsonl", ".jl": ".jsonl", ".manifest": ".jsonl",
    ".tab": ".tsv", ".psv": ".csv", ".data": ".txt", ".dat": ".txt", ".md": ".txt",
}  # fmt: skip
"""Endings that mean the same as another."""
_ROWS_OF_JSON = re.compile(r'\s*(\[\s*)?\{\s*"[^"\n]*"\s*:')
_PACKED = (".gz", ".zip", ".bz2", ".xz")


@dataclass
class Opened:
    """A file's content: `raw` is to be read as of ending `kind`, in `encoding` where that is given.

    `notes` are what was assumed so far.
    """

    path: Path
    kind: str
    raw: bytes
    encoding: str | None = None
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The content as text; a note where the encoding was told. Raises `InputError`."""
        text, note = decoded(self.raw, self.path, self.encoding)
        self.notes += [note] if note else []
        if "\ufeff" in text:  # files were put together, each with its mark
            return re.sub(r"(?m)^\ufeff+", "", text)
        return text


def open_file(path: Path, known: Collection[str], encoding: str | None = None) -> Opened:
    """Open a file of one of the endings `known`, packed (``.gz``, ``.zip``) or not; ``-`` is
    standard input.

    Raises `InputError`: absent, empty, pickled, of no known kind, too large once unpacked.
    """
    if str(path) == STANDARD_INPUT:
        return _without_packing(Opened(path, "", _standard_input(), encoding), known)
    where, kinds = str(path), ", ".join(known)
    if where.lower().startswith(("http:/", "https:/")):
        raise InputError(_address(path))
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*") if p.suffix in known)[:8]
        have = f"{path.parent} has {', '.join(near)}" if near else ""
        raise InputError(Fault("no such file", expected=f"one of {kinds}", do=have, where=where))
    suffix = path.suffix.lower()
    suffix = _ALIASES.get(suffix, suffix)
    if suffix in UNSAFE:
        raise InputError(_pickled(f"a {suffix} file is, or may hold, a pickle", kinds, where))
    raw = path.read_bytes()
    if raw.startswith(_PICKLES):
        raise InputError(_pickled("this is a pickle", kinds, where))
    if suffix in _OTHER_KINDS:
        problem = f"no reader for '{suffix}' files"
        raise InputError(Fault(problem, f"one of {kinds}", _OTHER_KINDS[suffix], where))
    if suffix not in known and suffix not in _PACKED:
        problem = (
            f"no reader for '{suffix}' files" if suffix else "a file name without an extension"
        )
        do = f"nshot check - < {quote(where)}   if it holds rows"
        raise InputError(Fault(problem, expected=f"one of {kinds}", do=do, where=where))
    return _without_packing(Opened(path, suffix, raw, encoding), known)


def _without_packing(file: Opened, known: Collection[str]) -> Opened:
    """Unpack what is packed; what begins like another kind is of that kind, whatever its name."""
    for _ in range(2):
        if file.raw.startswith(_GZIP):
            file = _gunzipped(file)
        elif file.raw.startswith((_BZIP, _XZ)):
            file = _decompressed(file)
        elif file.raw.startswith(_ZIP) and not _is_workbook(file.raw):
            file = _unzipped(file, known)
    if not file.raw.strip():
        raise InputError(
            Fault("the file is empty", expected="a row for each example", where=str(file.path))
        )
    kind = kind_of(file.raw)
    if kind in (".xlsx", ".parquet") or file.kind not in known:
        if file.kind in known and file.kind != kind:
            file.notes.append(f"{file.path.name}: this is {kind} content, read as such")
        file.kind = kind
    elif file.kind in (".xlsx", ".parquet"):
        problem = f"not a {file.kind[1:]} file, by its first bytes"
        raise InputError(Fault(problem, "the kind that the name says", where=str(file.path)))
    elif file.kind in (".csv", ".tsv", ".txt") and _holds_json(file.raw):
        file.notes.append(f"{file.path.name}: this is JSON, read as such")
        file.kind = ".json"
    elif file.raw.startswith(b"\x93NUMPY"):
        raise InputError(Fault("this is a numpy array", "text", where=str(file.path)))
    return file


def kind_of(raw: bytes) -> str:
    """As what bytes are read whose name does not say it."""
    if raw.startswith(_ZIP):
        return ".xlsx"
    if raw.startswith(_PARQUET):
        return ".parquet"
    head = raw[:64].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if head.startswith((b"{", b"[")):
        return ".json"
    return ".txt" if head.startswith(b"__label__") else ".csv"


def is_text(raw: bytes) -> bool:
    """May this be read as text, by its first bytes?"""
    packed = (_ZIP, _GZIP, _BZIP, _XZ, _PARQUET)
    return not raw.startswith((*_PICKLES, *packed, b"\x93NUMPY"))


def _holds_json(raw: bytes) -> bool:
    """Does it begin with an object, or a list of objects?"""
    head = raw[:4096].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
    return bool(_ROWS_OF_JSON.match(head.decode("utf-8", "replace")))


def _is_workbook(raw: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names)


def room(raw: bytes) -> int:
    """Bytes to which packed content may unpack."""
    return min(_MOST, max(_FLAT, _TIMES * len(raw)))


def too_large(path: Path, limit: int) -> InputError:
    """The error of content that would fill the memory."""
    problem = f"it unpacks to more than {limit >> 20:,} MB"
    do = "unpack it yourself if you trust it, and name the file"
    return InputError(Fault(problem, "a packed file of ordinary size", do, str(path)))


def _gunzipped(file: Opened) -> Opened:
    limit = room(file.raw)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(file.raw)) as content:
            raw = content.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        problem = f"gzip data that cannot be unpacked: {error}"
        raise InputError(Fault(problem, "the whole file", where=str(file.path))) from None
    if len(raw) > limit:
        raise too_large(file.path, limit)
    if raw[257:262] == b"ustar":
        do = f"tar xzf {quote(str(file.path))}, and name a file or the folder"
        raise InputError(Fault("this is an archive of files", "one file", do, str(file.path)))
    inner = Path(file.path.stem).suffix.lower() if file.kind == ".gz" else file.kind
    return Opened(file.path, _ALIASES.get(inner, inner), raw, file.encoding, file.notes)


def _decompressed(file: Opened) -> Opened:
    """What bzip2 or xz has packed."""
    limit = room(file.raw)
    unpack: bz2.BZ2Decompressor | lzma.LZMADecompressor = (
        bz2.BZ2Decompressor() if file.raw.startswith(_BZIP) else lzma.LZMADecompressor()
    )
    try:
        raw = unpack.decompress(file.raw, max_length=limit + 1)
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        problem = f"packed data that cannot be unpacked: {error}"
        raise InputError(Fault(problem, "the whole file", where=str(file.path))) from None
    if len(raw) > limit:
        raise too_large(file.path, limit)
    if not unpack.eof:
        problem = "packed data that ends too early"
        raise InputError(Fault(problem, "the whole file", where=str(file.path)))
    if raw[257:262] == b"ustar":
        do = f"tar xf {quote(str(file.path))}, and name a file or the folder"
        raise InputError(Fault("this is an archive of files", "one file", do, str(file.path)))
    inner = Path(file.path.stem).suffix.lower() if file.kind in _PACKED else file.kind
    return Opened(file.path, _ALIASES.get(inner, inner), raw, file.encoding, file.notes)


def _unzipped(file: Opened, known: Collection[str]) -> Opened:
    """The one file in an archive that can be read."""
    where = str(file.path)
    try:
        with zipfile.ZipFile(io.BytesIO(file.raw)) as archive:
            names = [info.filename for info in archive.infolist() if not _left_behind(info)]
            able = [name for name in names if Path(name).suffix.lower() in known]
            if len(able) != 1:
                raise InputError(_which(file.path, names, able, known))
            limit = room(file.raw)
            if archive.getinfo(able[0]).file_size > limit:
                raise too_large(file.path, limit)
            with archive.open(able[0]) as content:
                raw = content.read(limit + 1)
    except (
        zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError,
        zlib.error, lzma.LZMAError,
    ) as error:  # fmt: skip
        problem = f"an archive that cannot be unpacked: {error}"
        raise InputError(
            Fault(problem, "the whole file, without a password", where=where)
        ) from None
    if len(raw) > limit:
        raise too_large(file.path, limit)
    if len(names) > 1:
        file.notes.append(f"{file.path.name}: of {len(names)} files in it {able[0]} is read")
    return Opened(file.path, Path(able[0]).suffix.lower(), raw, file.encoding, file.notes)


def _left_behind(info: zipfile.ZipInfo) -> bool:
    """Folders, hidden files and what systems add."""
    parts = Path(info.filename).parts
    return info.is_dir() or any(p.startswith(".") or p == "__MACOSX" for p in parts)


def _which(path: Path, names: list[str], able: list[str], known: Collection[str]) -> Fault:
    folder = path.with_suffix("")
    unpack = f"unzip {quote(str(path))} -d {quote(str(folder))}"
    if not able:
        have = ", ".join(names[:8]) or "nothing"
        do = f"{unpack}, and name the folder" if names else ""
        return Fault(f"an archive of {have}", f"one of {', '.join(known)} in it", do, str(path))
    more = f" and {len(able) - _NAMED} more" if len(able) > _NAMED else ""
    tops = {Path(name).parts[0] for name in names}
    inside = folder / tops.pop() if len(tops) == 1 else folder
    return Fault(
        f"an archive of {len(able)} files: {', '.join(able[:_NAMED])}{more}",
        expected="one file, or once it is unpacked a folder of classes or of train and test",
        do=f"{unpack} && nshot check {quote(str(inside))}",
        where=str(path),
    )


@cache
def beginning_of_input(size: int) -> bytes:
    """The first `size` bytes of standard input, or all there are; what follows is read after it."""
    return sys.stdin.buffer.read(size)


@cache
def _standard_input() -> bytes:
    """All of standard input, which can be read once."""
    return beginning_of_input(BEGINNING) + sys.stdin.buffer.read()


def _address(path: Path) -> Fault:
    """A path swallows one of two slashes."""
    scheme, _, rest = str(path).partition(":")
    address = f"{scheme}://{rest.lstrip('/')}"
    name = path.name or "data.csv"
    return Fault(
        f"{address} is an address on the web",
        expected="a file on this machine",
        do=f"curl -fL -o {quote(name)} {quote(address)}",
    )


def _pickled(problem: str, kinds: str, where: str) -> Fault:
    return Fault(
        f"{problem}: it can run code when it is opened, so nshot does not open it",
        expected=f"one of {kinds}",
        do="write the rows as .jsonl: one JSON object per line",
        where=where,
    )
