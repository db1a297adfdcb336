"""Files and folders: read with a fault that says what to do, written whole or not at all."""

from __future__ import annotations

import codecs
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from nshot.core.errors import DiskFull, Fault, InputError, in_words

UNSAFE = frozenset({".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".npy", ".npz", ".ckpt"})
"""Endings of files that are, or may hold, a pickle: reading one can run code."""


@contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[Path]:
    """A name beside `path` to write to, which takes the place of `path` at the end of the block.

    With `sync` the content is on the disk before that, so that a power cut leaves the old file or
    the new one; without, that holds for a killed process only. Raises `DiskFull` where there is no
    room for it: the old file stays, and nothing of the new one.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield draft
            if sync:
                with draft.open("rb") as file:
                    os.fsync(file.fileno())
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_IN_TEXT = re.compile(r"\(os error (\d+)\)|^\d+ requested and \d+ written$")
"""How Rust's libraries (safetensors) and numpy say it, without the error's number."""


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Raise `DiskFull` for what any library raises where a disk or a quota has no room."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DiskFull) or not _is_full(error):
            raise
        reason = in_words(error) if isinstance(error, OSError) else str(error)
        fault = Fault(
            f"no room to write it: {reason}",
            f"more than the {_free(path) / 1e6:,.0f} MB that are free, or a larger quota",
            "free some space there and type the same again: what was finished is kept",
            str(path),
        )
        raise DiskFull(str(fault)) from error


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    match = _FULL_IN_TEXT.search(str(error))
    return match is not None and (match[1] is None or int(match[1]) in _FULL)


def _free(path: Path) -> int:
    """Bytes free on the disk where `path` is to lie."""
    return shutil.disk_usage(next(p for p in path.absolute().parents if p.exists())).free


def write_atomic(path: Path, content: str | bytes, sync: bool = True) -> None:
    """Write a file (texts in UTF-8) that is either the old one or the new one; see `replacing`."""
    with replacing(path, sync) as draft:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def write_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Fill a new folder and put it in place of `folder`: no half-written folder bears the name.

    Raises `DiskFull` where there is no room for it: the old folder stays.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with room_for(folder):
            draft.mkdir(parents=True)
            fill(draft)
            if folder.exists():
                os.replace(folder, old)
            os.replace(draft, folder)
    finally:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


RECORD = "nshot.json"
"""The file that makes a folder one of a predictor; it is written last."""


STAY = "stay.json"
"""In the place of `RECORD` where a run's pick is a system that stands already: no model is made."""


def unsafe_files(folder: Path) -> list[str]:
    """The names of files in a folder that can run code when they are read."""
    return sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in UNSAFE)


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of a folder's files: what names a delta's content."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def hold(descriptor: int, seconds: float = 2.0) -> bool:
    """Lock an open file for this process; False where another still holds it after `seconds`.

    The worker of a killed process dies a moment after it.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def link(path: Path, copy: Path) -> None:
    """The file under a second name, without its bytes a second time where the disk can do that."""
    try:
        os.link(path, copy)
    except OSError:
        shutil.copyfile(path, copy)


def unique_ends(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """The shortest end of each path, given in its parts, that no other has; else all of it."""
    names = []
    for path in paths:
        others = [other for other in paths if other != path]
        lengths = range(1, len(path))
        unique = (n for n in lengths if all(other[-n:] != path[-n:] for other in others))
        names.append(Path(*path[-next(unique, len(path)) :]).as_posix())
    return names


def sizes_in(folder: Path) -> dict[str, int]:
    """Bytes of each file under a folder, by its path in it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def decode(raw: bytes, path: Path) -> str:
    """The text of a user's file: UTF-8, a byte order mark is skipped.

    Raises `InputError` naming the offset and line of the first bad byte, and how to convert.
    """
    mark = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
    try:
        return raw[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = mark + error.start
        line = raw.count(b"\n", 0, offset) + 1
        encoding = _likely_encoding(raw)
        fixed = path.with_name(f"{path.stem}.utf8{path.suffix}")
        raise InputError(
            Fault(
                f"byte 0x{raw[offset]:02x} at offset {offset} is not UTF-8",
                expected="a file in UTF-8",
                do=f"iconv -f {encoding} -t UTF-8 {quote(str(path))} > {quote(str(fixed))}",
                where=f"{path}, line {line}",
            )
        ) from None


def _likely_encoding(raw: bytes) -> str:
    """A guess for the command: UTF-16 by its mark, CP949 when it reads as Hangul."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16"
    try:
        wide = [c for c in raw.decode("cp949") if ord(c) > 127]
    except UnicodeDecodeError:
        return "WINDOWS-1252"
    hangul = sum("가" <= c <= "힣" for c in wide)
    return "CP949" if hangul >= 0.8 * len(wide) else "WINDOWS-1252"
