"""The content of a file of the user's: what it is, before it is read as that."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.core.files import UNSAFE

_MAGIC = (
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x93NUMPY", "a numpy array"),
)


def content(path: Path, known: Collection[str]) -> bytes:
    """The content of a file. Raises `InputError`: absent, empty, pickled, of no known kind."""
    suffix, where = path.suffix.lower(), str(path)
    kinds = ", ".join(known)
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*") if p.suffix in known)[:8]
        have = f"{path.parent} has {', '.join(near)}" if near else ""
        raise InputError(Fault("no such file", expected=f"one of {kinds}", do=have, where=where))
    if suffix in UNSAFE:
        raise InputError(_pickled(f"a {suffix} file is, or may hold, a pickle", kinds, where))
    with path.open("rb") as file:
        head = file.read(8)
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if kind == "a pickle":
        raise InputError(_pickled("this is a pickle", kinds, where))
    if suffix not in known:
        problem = (
            f"no reader for '{suffix}' files" if suffix else "a file name without an extension"
        )
        raise InputError(Fault(problem, expected=f"one of {kinds}", where=where))
    if kind:
        raise InputError(Fault(f"this is {kind}", expected=f"text of kind {suffix}", where=where))
    if not head:
        raise InputError(Fault("the file is empty", expected="a row for each example", where=where))
    return path.read_bytes()


def _pickled(problem: str, kinds: str, where: str) -> Fault:
    return Fault(
        f"{problem}: it can run code when it is opened, so nshot does not open it",
        expected=f"one of {kinds}",
        do="write the rows as .jsonl: one JSON object per line",
        where=where,
    )
