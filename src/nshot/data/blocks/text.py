"""The text of a large file, line by line, in the encoding that its beginning shows."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from nshot.core.errors import Fault, InputError
from nshot.data.files.encoding import encoding_of
from nshot.data.files.opened import BEGINNING, STANDARD_INPUT, beginning_of_input

HEAD = 1 << 20
"""Bytes of the beginning from which it is told how the rest is read."""
LONGEST = 64 << 20
"""Characters of one line: what has more is no file of rows."""


class Source:
    """The bytes of a file (``.gz`` unpacked), or of standard input, which is read once.

    `beginning` are the first `BEGINNING` bytes; with `is_whole` there are no more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packed = path.suffix.lower() == ".gz"
        self._below: IO[bytes] | None = None
        self._size = 0
        if str(path) == STANDARD_INPUT:
            self.beginning = beginning_of_input(BEGINNING)
        else:
            self._size = os.stat(path).st_size
            with self.open() as file:
                self.beginning = file.read(BEGINNING)
        self.is_whole = len(self.beginning) < BEGINNING

    @property
    def suffix(self) -> str:
        """The ending that says what it holds."""
        name = self.path.stem if self.packed else self.path.name
        return Path(name).suffix.lower()

    def open(self) -> IO[bytes]:
        """All bytes, from the first."""
        if str(self.path) == STANDARD_INPUT:
            return io.BufferedReader(_Joined(self.beginning, sys.stdin.buffer))
        self._below = self.path.open("rb")
        if not self.packed:
            return self._below
        return cast(IO[bytes], gzip.GzipFile(fileobj=self._below))

    def share(self) -> float | None:
        """How much was read, of the file's size; None of standard input."""
        if self._below is None:
            return None
        return 1.0 if self._below.closed else self._below.tell() / max(1, self._size)


class _Joined(io.RawIOBase):
    """Bytes that were read already, and what follows them."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self._first, self._rest = memoryview(first), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        part: bytes | memoryview = self._first[: len(buffer)] or self._rest.read(len(buffer))
        self._first = self._first[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class Text:
    """A source as lines. `head` are the first whole lines; `notes` say what was assumed.

    Bytes that are not of the encoding become lone surrogates: `sound` finds them.
    """

    def __init__(self, source: Source, encoding: str | None) -> None:
        self.source, self.path = source, source.path
        start = source.beginning[:HEAD]
        start = start if b"\n" in start else source.beginning
        end = start.rfind(b"\n") + 1 or len(start)
        end += start[end : end + 1] == b"\0"  # UTF-16, the low byte first
        self.encoding, self._mark, note = encoding_of(start[:end], self.path, encoding)
        self.notes = [note] if note else []
        self.head = start[self._mark : end].decode(self.encoding, "surrogateescape")

    def lines(self, newline: str) -> Iterator[str]:
        """Each line with its end; `newline` is "\\n", or "" for every kind of end.

        Raises `InputError` for a line that has no end in sight, and for gzip data that is broken.
        """
        number = 0
        try:
            with self.source.open() as file:
                file.read(self._mark)
                text = io.TextIOWrapper(file, self.encoding, "surrogateescape", newline)
                while line := text.readline(LONGEST):
                    number += 1
                    if len(line) == LONGEST:
                        raise InputError(
                            Fault(f"a line of more than {LONGEST >> 20} million characters",
                                  "a row a line", where=f"{self.path}, line {number}")
                        )  # fmt: skip
                    yield line
        except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
            problem = f"cannot be read beyond line {number}: {error}"
            raise InputError(Fault(problem, "the whole file", where=str(self.path))) from None

    def sound(self, text: str) -> str:
        """The text itself. Raises `ValueError` where bytes of it are not of the encoding."""
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError(f"bytes that are not {self.encoding}, as the rest is") from None
        return text
