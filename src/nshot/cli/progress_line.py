"""One line on a terminal: rows done, rows a second, time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from nshot.core.durations import duration

if TYPE_CHECKING:
    from nshot.use.offline import Progress

_EVERY = 0.5
_CLEAR = "\r\033[K"


class ProgressLine:
    """Written over as it goes, on standard error where that is a terminal; gone at the end."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._first: Progress | None = None
        self._last = 0.0

    def show(self, progress: Progress) -> None:
        """Twice a second at most."""
        now = time.monotonic()
        self._first = self._first or progress
        if now - self._last >= _EVERY and sys.stderr.isatty():
            self._last = now
            sys.stderr.write(f"{_CLEAR}{in_words(self._first, progress, now - self._begun)}")
            sys.stderr.flush()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._last:
            sys.stderr.write(_CLEAR)


def in_words(first: Progress, now: Progress, seconds: float) -> str:
    """``12,000 rows, 1,500 a second, 3 min left``; `first` is where it began `seconds` ago."""
    parts = [f"{now.rows:,} rows"]
    if seconds > 0 and now.rows > first.rows:
        parts.append(f"{(now.rows - first.rows) / seconds:,.0f} a second")
    if now.share is not None and first.share is not None and now.share > first.share:
        left = seconds * (1 - now.share) / (now.share - first.share)
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)
