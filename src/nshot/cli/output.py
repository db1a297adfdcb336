"""What several verbs print: notes, progress, paths."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nshot.report.terminal import Bars, Lines
    from nshot.use.ready import Ready


def note(notes: Iterable[str]) -> None:
    """What was guessed or left out, on standard error."""
    for one in notes:
        sys.stderr.write(f"note: {one}\n")


@contextmanager
def display() -> Iterator[Bars | Lines]:
    """Bars or lines, taken off the screen at the end."""
    from nshot.report import terminal

    shown = terminal.display()
    try:
        yield shown
    finally:
        shown.close()


def command() -> str:
    """The command as it was typed."""
    return shlex.join(["nshot", *sys.argv[1:]])


def short(path: Path) -> str:
    """A path as one would type it from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def kept(model: Ready) -> str:
    """How many answers a cache had."""
    cached = model.cached
    if cached is None:
        return ""
    return f"{cached.misses:,} answers computed, {cached.hits:,} kept from before"
