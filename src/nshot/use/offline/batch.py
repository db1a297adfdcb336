"""Batch files in OpenAI's form: a request a line, and of each line its answer or what is wrong.

https://platform.openai.com/docs/guides/batch: ``custom_id``, ``method``, ``url`` and ``body`` go
in; ``custom_id``, ``response`` (``status_code``, ``request_id``, ``body``) and ``error`` come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nshot.core.errors import Fault, InputError
from nshot.core.types import Input, digest
from nshot.data.blocks import Block, Row
from nshot.data.blocks.rows import Record, cut
from nshot.data.files.json_rows import object_of
from nshot.use.offline.answering import Answering
from nshot.use.offline.forms import JsonLines
from nshot.use.wire.answerer import Answerer
from nshot.use.wire.direct import answer
from nshot.use.wire.refusal import Refusal

LINES, BYTES = 50_000, 200_000_000
"""What a batch file may have, as OpenAI's may."""
_LINE = "line"


class Request(NamedTuple):
    """A line that can be asked."""

    custom_id: str
    url: str
    body: Mapping[str, Any]


class Wrong(ValueError):
    """A line that cannot be asked: a `code` as OpenAI's files have it, and a sentence."""

    def __init__(self, code: str, message: str, custom_id: str | None = None) -> None:
        super().__init__(message)
        self.code, self.custom_id = code, custom_id


@dataclass
class BatchLines:
    """The lines of a batch file, as blocks. `first` is the first line of each ``custom_id``.

    Raises `InputError` for a file that is not there, has no line, or more than `LINES` or `BYTES`.
    """

    path: Path
    columns: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look through all lines, one after the other."""
        where = str(self.path)
        if not self.path.is_file():
            raise InputError(Fault("no such file", "a batch file, .jsonl", where=where))
        size = self.path.stat().st_size
        self.count = 0
        for record in self._records():
            self.count += 1
            try:
                self.first.setdefault(_request(record.content).custom_id, self.count)
            except Wrong as wrong:
                self.first.setdefault(wrong.custom_id or "", self.count)
        if not self.count:
            raise InputError(Fault("the file is empty", "a request a line", where=where))
        if self.count > LINES or size > BYTES:
            problem = f"{self.count:,} lines, {size / 1e6:,.0f} MB"
            expected = f"at most {LINES:,} lines and {BYTES // 10**6} MB"
            do = f"split -l {LINES // 2} {where} part-, and each part by itself"
            raise InputError(Fault(problem, expected, do, where))
        self._done = 0

    def _records(self) -> Iterator[Record]:
        with self.path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield Record(number, line)

    def __iter__(self) -> Iterator[Block]:
        return cut(self._records(), self._parse)

    def share(self) -> float:
        """Lines that were read, of all."""
        return self._done / self.count

    def _parse(self, block: Block) -> list[Row]:
        self._done = block.first - 1 + len(block.records)
        return [
            Row(number, f"line {record.place}", "", Input(((_LINE, record.content),)), {})
            for number, record in enumerate(block.records, block.first)
        ]


def _request(line: str) -> Request:
    """The request of a line. Raises `Wrong`."""
    try:
        line.encode()
        row = object_of(line)
    except ValueError as error:  # bytes that are no UTF-8 too
        raise Wrong("invalid_json_line", str(error)) from None
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        raise Wrong("missing_required_parameter", "no text 'custom_id'")
    if row.get("method") != "POST":
        raise Wrong("invalid_method", "'method' is not POST", custom_id)
    if not isinstance(row.get("url"), str):
        raise Wrong("missing_required_parameter", "no text 'url'", custom_id)
    if not isinstance(row.get("body"), dict):
        raise Wrong("missing_required_parameter", "no object 'body'", custom_id)
    return Request(custom_id, row["url"], row["body"])


def of_batch(lines: BatchLines, served: Mapping[str, Answerer]) -> Answering:
    """The answers to the lines of a batch file; `served` are folders by the names of models."""

    def answers(rows: Sequence[Row], _: Sequence[Input]) -> list[dict[str, Any]]:
        return [_answered(row, lines.first, served) for row in rows]

    return Answering(answers)


def _answered(row: Row, first: Mapping[str, int], served: Mapping[str, Answerer]) -> dict[str, Any]:
    """A line of the output: never an exception, never nothing."""
    line = row.input.fields[0][1] if row.input else ""
    name = digest(str(row.number), line)
    try:
        request = _request(line)
        if first[request.custom_id] != row.number:
            problem = f"line {first[request.custom_id]} has the same custom_id"
            raise Wrong("duplicate_custom_id", problem, request.custom_id)
    except Wrong as wrong:
        error = {"code": wrong.code, "message": f"{row.where}: {wrong}"}
        return _line(name, wrong.custom_id, None, error)
    try:
        status, body = 200, answer(request.url, request.body, served, name)
    except Refusal as refusal:
        status, body = refusal.status, refusal.body(request.url)
    response = {"status_code": status, "request_id": f"req_{name}", "body": body}
    return _line(name, request.custom_id, response, None)


def _line(
    name: str, custom_id: str | None, response: Mapping[str, Any] | None, error: Any
) -> dict[str, Any]:
    return {
        "id": f"batch_req_{name}",
        "custom_id": custom_id,
        "response": response,
        "error": error,
    }


def refused_in(path: Path) -> int:
    """How many lines of a finished file have no answer."""
    return sum(
        line["response"] is None or line["response"]["status_code"] != 200
        for line in JsonLines().read(path)
    )
