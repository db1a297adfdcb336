"""One thread asks the models: what waits for the same model is asked together.

Requests come in on the event loop's side and are rows with a future. The worker takes the oldest,
waits a few milliseconds for others like it, and answers them at once. While a batch is computed the
next one gathers by itself. Texts that are streamed go on by a token between two batches, and so do
those of engines that can write several together: they begin when they come, whatever is under way.

What a model raises never ends the thread: whoever waited for it hears of it, nobody else.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from nshot.core.errors import NshotError
from nshot.use.serve.counters import Counters
from nshot.use.wire.refusal import busy, unavailable

T = TypeVar("T")
R = TypeVar("R")

ROWS = 64
"""Rows that a model is asked at once, where no single request has more."""
TEXTS = 32
"""Texts that are written together, where no single request has more."""
WINDOW = 0.003
"""Seconds for which the oldest request waits for others, when nothing is computed."""
_END = object()


@dataclass(frozen=True)
class Ask(Generic[T, R]):
    """How rows are answered; asks of one `key` may be answered together, by either's `compute`.

    `write` makes the text of a row token by token and returns its result; None: `compute` alone.
    """

    key: Hashable
    compute: Callable[[Sequence[T]], Sequence[R]]
    write: Callable[[T], Generator[Any, None, R]] | None = None


@dataclass(eq=False)
class _Waiting:
    """Rows of one request, since when and until when they may wait."""

    ask: Ask[Any, Any]
    rows: Sequence[Any]
    since: float
    until: float
    future: Future[list[Any]] = field(default_factory=Future)

    @property
    def is_given_up(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.cancelled() or time.monotonic() > self.until


@dataclass(eq=False)
class _Writing:
    """A request whose texts are on their way; a result is there when its iterator has ended."""

    waiting: _Waiting
    texts: dict[int, Generator[Any, None, Any]]
    results: dict[int, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Write no more of them."""
        for text in self.texts.values():
            text.close()


@dataclass(eq=False)
class Stream:
    """A text on its way: the worker puts pieces in, the request takes them out."""

    make: Callable[[], Iterator[Any]]
    loop: asyncio.AbstractEventLoop
    pieces: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    closed: bool = False
    iterator: Iterator[Any] | None = None

    async def __aiter__(self) -> Any:
        """The pieces; raises what the model raised."""
        while (piece := await self.pieces.get()) is not _END:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def close(self) -> None:
        """Nobody reads it any more: the worker goes no further."""
        self.closed = True

    def put(self, piece: Any) -> None:
        """Called by the worker."""
        try:
            self.loop.call_soon_threadsafe(self.pieces.put_nowait, piece)
        except RuntimeError:  # the loop has ended, and whoever read with it
            self.closed = True


class Batcher:
    """The queue and its thread. `queue` rows may wait, `streams` texts be on their way."""

    def __init__(self, queue: int, streams: int, counters: Counters) -> None:
        self._queue, self._streams_allowed = queue, streams
        self._counters = counters
        self._waiting: list[_Waiting] = []
        self._streams: list[Stream] = []
        self._writing: list[_Writing] = []
        self._wake = threading.Condition()
        self._closing = False
        counters.gauges["nshot_queue_rows"] = lambda: self.depth
        counters.gauges["nshot_streams"] = lambda: len(self._streams)
        counters.gauges["nshot_texts"] = lambda: sum(len(one.texts) for one in self._writing)
        self._thread = threading.Thread(target=self._work, name="nshot-models", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Rows that wait."""
        with self._wake:
            return sum(len(one.rows) for one in self._waiting)

    async def ask(self, ask: Ask[T, R], rows: Sequence[T], seconds: float) -> list[R]:
        """One result per row, in order. Given up when the caller is cancelled.

        Raises what the model raised, `Refusal` for a full queue, `TimeoutError` after `seconds`.
        """
        future = self._put(ask, rows, seconds)
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)

    def _put(self, ask: Ask[T, R], rows: Sequence[T], seconds: float) -> Future[list[R]]:
        now = time.monotonic()
        one = _Waiting(ask, rows, now, now + seconds)
        with self._wake:
            self._require_open()
            self._waiting = [other for other in self._waiting if not other.is_given_up]
            depth = sum(len(other.rows) for other in self._waiting)
            if depth and depth + len(rows) > self._queue:
                raise busy(f"{depth} inputs wait already: ask again in a moment")
            self._waiting.append(one)
            self._wake.notify()
        return one.future

    def stream(self, make: Callable[[], Iterator[Any]]) -> Stream:
        """A text in pieces, which the worker takes from the iterator that it makes."""
        stream = Stream(make, asyncio.get_running_loop())
        with self._wake:
            self._require_open()
            if len(self._streams) >= self._streams_allowed:
                raise busy(f"{len(self._streams)} texts are streamed already: ask again soon")
            self._streams.append(stream)
            self._wake.notify()
        return stream

    def close(self, seconds: float) -> None:
        """Take nothing more, finish what was accepted, within `seconds`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(seconds)

    def _require_open(self) -> None:
        if self._closing:
            raise unavailable("the server is stopping")

    def _work(self) -> None:
        while True:
            batch = self._next()
            if batch:
                self._answer(batch)
            for stream in list(self._streams):
                self._advance(stream)
            for writing in list(self._writing):
                self._write(writing)
            with self._wake:
                if self._closing and not (self._waiting or self._streams or self._writing):
                    return

    def _next(self) -> list[_Waiting]:
        """The oldest request and those like it; [] where a text goes first, or at an end."""
        with self._wake:
            self._begin_texts()
            while not (whole := [one for one in self._waiting if one.ask.write is None]):
                if self._streams or self._writing or self._closing:
                    return []
                self._wake.wait()
                self._begin_texts()
            oldest = whole[0]
            until = oldest.since + WINDOW
            while not (self._streams or self._writing) and self._alike(oldest) < ROWS:
                left = until - time.monotonic()
                if left <= 0 or self._closing:
                    break
                self._wake.wait(left)
            return self._take(oldest)

    def _begin_texts(self) -> None:
        """Let texts begin that can be written beside others, as many as there is room for."""
        left: list[_Waiting] = []
        for one in self._waiting:
            rows = sum(len(other.texts) for other in self._writing)
            if one.ask.write is None or (rows and rows + len(one.rows) > TEXTS):
                left.append(one)
            elif one.is_given_up:
                one.future.cancel()
            else:
                texts = {i: one.ask.write(row) for i, row in enumerate(one.rows)}
                self._writing.append(_Writing(one, texts))
        self._waiting = left

    def _write(self, one: _Writing) -> None:
        """The next token of each text of a request; where that fails it is asked by itself."""
        waiting = one.waiting
        try:
            for i, text in list(one.texts.items()):
                if waiting.is_given_up:
                    break
                try:
                    next(text)
                except StopIteration as end:
                    one.results[i] = end.value
                    del one.texts[i]
        except BaseException as error:
            self._end(one)
            self._note(error)
            if waiting.future.set_running_or_notify_cancel():
                self._answer([waiting])
            return
        if waiting.is_given_up:
            self._end(one)
            waiting.future.cancel()
        elif not one.texts:
            self._end(one)
            if waiting.future.set_running_or_notify_cancel():
                waiting.future.set_result([one.results[i] for i in range(len(waiting.rows))])

    def _end(self, one: _Writing) -> None:
        one.close()
        with self._wake:
            self._writing.remove(one)

    def _alike(self, oldest: _Waiting) -> int:
        return sum(len(one.rows) for one in self._waiting if one.ask.key == oldest.ask.key)

    def _take(self, oldest: _Waiting) -> list[_Waiting]:
        batch: list[_Waiting] = []
        left: list[_Waiting] = []
        rows = 0
        for one in self._waiting:
            if one.is_given_up:
                one.future.cancel()
            elif one.ask.key == oldest.ask.key and (not batch or rows + len(one.rows) <= ROWS):
                if one.future.set_running_or_notify_cancel():
                    batch.append(one)
                    rows += len(one.rows)
            else:
                left.append(one)
        self._waiting = left
        return batch

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Answer them together; where that fails, each by itself."""
        rows = [row for one in batch for row in one.rows]
        self._counters.add("nshot_batches_total")
        self._counters.add("nshot_batch_rows_total", len(rows))
        try:
            results = _computed(batch[0].ask.compute, rows)
        except BaseException as error:  # also what would end a thread: it must go on
            if len(batch) > 1:
                for one in batch:
                    self._answer([one])
                return
            self._note(error)
            batch[0].future.set_exception(_fit(error))
            return
        start = 0
        for one in batch:
            one.future.set_result(list(results[start : start + len(one.rows)]))
            start += len(one.rows)

    def _advance(self, stream: Stream) -> None:
        """The next piece of a stream, or its end."""
        piece: Any = _END
        try:
            if not stream.closed:
                stream.iterator = stream.iterator or stream.make()
                piece = next(stream.iterator, _END)
        except BaseException as error:
            self._note(error)
            stream.put(_fit(error))
        if piece is not _END:
            if piece != "":  # it has joined those that are written: there is nothing to send yet
                stream.put(piece)
            return
        if stream.iterator is not None:
            getattr(stream.iterator, "close", lambda: None)()
        stream.put(_END)
        with self._wake:
            self._streams.remove(stream)

    def _note(self, error: BaseException) -> None:
        """Say where a model failed, never on what: its message may hold the input."""
        if isinstance(error, NshotError):
            return
        self._counters.add("nshot_worker_errors_total")
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename}:{last.lineno}"
        sys.stderr.write(f"a model failed: {type(error).__name__} at {place}\n")


def _computed(compute: Callable[[Sequence[Any]], Sequence[Any]], rows: list[Any]) -> Sequence[Any]:
    """The results; where memory ends, of one half after the other."""
    try:
        return compute(rows)
    except (MemoryError, RuntimeError) as error:
        if len(rows) < 2 or not _is_memory(error):
            raise
    _release()
    half = len(rows) // 2
    return [*_computed(compute, rows[:half]), *_computed(compute, rows[half:])]


def _is_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "out of memory" in text or "not enough memory" in text


def _release() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _fit(error: BaseException) -> BaseException:
    """What a future may carry: asyncio takes no `StopIteration`, and must not see an exit."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"the worker met {type(error).__name__}")
