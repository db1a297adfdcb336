"""A file of inputs becomes a file of answers, block after block; killed, it goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import IO, Any, NamedTuple

from nshot.core.errors import Fault, InputError
from nshot.data.blocks import Block, Blocks, Row
from nshot.use.answers import fingerprint
from nshot.use.lines import NUMBERS, answer_column, beside
from nshot.use.offline.answering import Answering, Failure, Outcome, faults
from nshot.use.offline.changed import LastAnswers, key
from nshot.use.offline.forms import Form, form_of
from nshot.use.offline.state import Beside, Growing, State, sizes_of

EVERY = 1.0
"""Seconds of work that a kill may lose, beside the block that is being answered."""


class Progress(NamedTuple):
    """How far it is: rows done, and the share of the inputs that was read (None: unknown)."""

    rows: int
    share: float | None


@dataclass(frozen=True)
class Report:
    """What was written: `abstained` of the `answers` were held back; `unchanged` are kept ones.

    `resumed` rows were there from before a kill. `left_out` are columns that the first rows of
    the inputs do not have.
    """

    answers: int
    abstained: int
    failures: int
    unchanged: int = 0
    resumed: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Where the answers go, and who answers: `about` is all that they depend on but the inputs."""

    output: Path
    answering: Answering
    about: dict[str, Any]
    on_progress: Callable[[Progress], None] = lambda _: None
    every: float = EVERY


def about(folders: Mapping[str, Path], output: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the answers of a file depend on besides the inputs: folders by name, and options."""
    states = {name: fingerprint(place) for name, place in folders.items()}
    return {"folders": states, "suffix": output.suffix.lower(), "options": dict(options)}


def write_lines(blocks: Blocks, answering: Answering, stream: IO[str], where: str) -> None:
    """Lines of JSON as they come. Raises `InputError` with the rows of a block that fail."""
    for _, outcomes in answering.in_order((None, block.rows()) for block in blocks):
        if failures := [one for one in outcomes if isinstance(one, Failure)]:
            raise faults(failures, where)
        for line in outcomes:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def answer_file(blocks: Blocks, run: Run, only_changed: bool = False) -> Report:
    """Answer every row once, in order, and give the file its name when all are there.

    What is safely written stands beside it: killed at any moment, the same call goes on after it.
    Rows that fail are lines of a file of their own. With `only_changed` rows that the last run
    answered, asked the same, keep their answers. Raises `InputError` where what lies beside the
    output is of other folders, options or inputs, and `Locked` where another process writes it.
    """
    files, form = Beside(run.output), form_of(run.output)
    with files.held(), ExitStack() as stack:
        state = files.state(files.progress)
        if state and state.moves:
            files.finish(state)
            state = None
        if state and state.about != run.about:
            raise InputError(_others(files, "other folders, versions or options"))
        if state and state.rows and only_changed != (files.key_pieces.name in state.sizes):
            flag = "without" if only_changed else "with"
            raise InputError(_others(files, f"a command {flag} --only-changed"))
        work = _Work(blocks, run, files, form, state or State(run.about, cells=blocks.columns))
        if only_changed:
            work.last = _last(files, form, run)
            if work.last:
                stack.enter_context(closing(work.last))
        return work.done(only_changed)


def _last(files: Beside, form: Form, run: Run) -> LastAnswers | None:
    """The answers of the last run; None where there are none, or nothing names their inputs."""
    record = files.state(files.record)
    if record is None or not files.keys.is_file() or not run.output.is_file():
        return None
    if record.about != run.about:
        problem = "the last answers are of other folders, versions or options"
        do = "leave --only-changed away once: all rows are answered anew"
        raise InputError(Fault(problem, "the same as now", do, str(run.output)))
    return LastAnswers(files, form, record)


def _others(files: Beside, what: str) -> Fault:
    problem = f"unfinished answers of {what} are there"
    return Fault(problem, "the command that began them", files.cure, str(files.progress))


def chained(digest: str, block: Block, failures: Set[int]) -> str:
    """The name of all content so far, without that of rows that failed: it may be mended."""
    name = bytes.fromhex(digest)
    for number, content in block.contents():
        if number not in failures:
            name = hashlib.sha256(name + content).digest()
    return name.hex()


@dataclass(frozen=True)
class _Question:
    """A block that is asked: the `keys` of its rows, and the answers that are `known` by key.

    `share` is how much of the inputs was read by then.
    """

    block: Block
    rows: Sequence[Row]
    keys: Sequence[bytes]
    known: Mapping[bytes, dict[str, Any]]
    share: float | None


@dataclass
class _Work:
    """One run of `answer_file`."""

    blocks: Blocks
    run: Run
    files: Beside
    form: Form
    state: State
    last: LastAnswers | None = None
    unchanged: int = 0
    left_out: dict[str, None] = field(default_factory=dict)

    def done(self, keyed: bool) -> Report:
        """Go through all blocks from the first that is not done."""
        resumed, begun = self.state.rows, time.monotonic()
        with ExitStack() as stack:
            paths = [self.files.pieces, self.files.failure_pieces, *[self.files.key_pieces] * keyed]
            self.growing = [stack.enter_context(closing(self._growing(path))) for path in paths]
            try:
                for question, new in self.run.answering.in_order(self._questions(keyed)):
                    self._answer(question, new)
                    if time.monotonic() - begun >= self.run.every:
                        self._keep()
                        begun = time.monotonic()
                    self.run.on_progress(Progress(self.state.rows, question.share))
            except BaseException:
                if self.state.rows:
                    self._keep()
                else:
                    self.files.clear()
                raise
            self._keep()
        self.files.close(self.state, self.form.close(self.files.pieces), keyed)
        state = self.state
        return Report(
            state.answers, state.abstained, state.failures, self.unchanged, resumed,
            tuple(self.left_out),
        )  # fmt: skip

    def _growing(self, path: Path) -> Growing:
        return Growing(path, sizes_of(self.state).get(path.name, 0), self.files.cure)

    def _left(self) -> Iterator[Block]:
        """The blocks that are not done. Raises `InputError` where those before are others now."""
        state, digest, seen = self.state, "", 0
        failures = set(_numbers_in(self.files.failure_pieces)) if state.rows else set[int]()
        for block in self.blocks:
            if seen < state.rows:
                digest, seen = chained(digest, block, failures), seen + len(block.records)
                self.run.on_progress(Progress(seen, self.blocks.share()))
                if seen >= state.rows and (seen, digest) != (state.rows, state.digest):
                    break
                continue
            yield block
        if seen < state.rows or (state.rows and digest != state.digest):
            raise InputError(_others(self.files, "other inputs"))

    def _questions(self, keyed: bool) -> Iterator[tuple[_Question, Sequence[Row]]]:
        """The blocks that are left, and which of their rows are to be answered."""
        for block in self._left():
            rows = block.rows()
            keys = [key(row) if keyed else b"" for row in rows]
            known = self.last.get([one for one in keys if one]) if self.last else {}
            changed = [row for row, one in zip(rows, keys, strict=True) if one not in known]
            yield _Question(block, rows, keys, known, self.blocks.share()), changed

    def _answer(self, question: _Question, new: Sequence[Outcome]) -> None:
        """Append the block's answers and failures; rows that did not change keep their answer."""
        answers, lines, keys = iter(new), [], []
        failures: list[Failure] = []
        self.unchanged += len(question.rows) - len(new)
        for row, name in zip(question.rows, question.keys, strict=True):
            known = question.known.get(name)
            outcome = next(answers) if known is None else {"id": row.id, **known}
            if isinstance(outcome, Failure):
                failures.append(outcome)
            else:
                lines.append(table_line(row, outcome, self.state.cells, self.form.table))
                keys.append(name)
        numbers = {one.row.number for one in failures}
        digest = chained(self.state.digest, question.block, numbers)
        self._append(lines, failures, keys, len(question.block.records), digest)

    def _append(
        self,
        lines: Sequence[Mapping[str, Any]],
        failures: Sequence[Failure],
        keys: Sequence[bytes],
        rows: int,
        digest: str,
    ) -> None:
        """What `rows` rows gave; the state says so once it is appended."""
        state, head = self.state, b""
        columns = state.columns
        if columns is None and lines:
            columns = columns_of(lines, state.cells, self.run.answering, self.form)
            head = self.form.begin(columns)
        if self.form.table:
            names = (name for line in lines for name in line)
            self.left_out |= dict.fromkeys(name for name in names if name not in (columns or ()))
        self.growing[0].append(head + self.form.lines(lines, columns or ()))
        self.growing[1].append(b"".join(map(failure_line, failures)))
        for growing in self.growing[2:]:
            growing.append(b"".join(keys))
        held = answer_column("abstained", state.cells) if self.form.table else "abstained"
        self.state = replace(
            state,
            rows=state.rows + rows,
            digest=digest,
            columns=columns,
            answers=state.answers + len(lines),
            abstained=state.abstained + sum(is_abstained(line, held) for line in lines),
            failures=state.failures + len(failures),
            sizes={one.path.name: one.size for one in self.growing},
        )

    def _keep(self) -> None:
        for growing in self.growing:
            growing.sync()
        self.files.keep(self.state)


def table_line(
    row: Row, line: Mapping[str, Any], columns: Sequence[str], table: bool
) -> dict[str, Any]:
    """An answer as it is written: in a table beside the cells of its row."""
    if not table:
        return dict(line)
    if not columns:
        return {name: value for name, value in line.items() if name not in NUMBERS}
    return beside(row.cells, columns, line)


def columns_of(
    lines: Sequence[Mapping[str, Any]], cells: Sequence[str], answering: Answering, form: Form
) -> tuple[str, ...]:
    """The inputs' columns, then the answers' as the first lines have them."""
    own = cells if form.table else ()
    keys = (answer_column(name, own) for name in answering.keys)
    names = [*keys] or [name for line in lines for name in line]
    return tuple(dict.fromkeys([*own, *(name for name in names if name not in NUMBERS)]))


def failure_line(failure: Failure) -> bytes:
    """A failure as the side file has it."""
    return (json.dumps(failure.line(), ensure_ascii=False) + "\n").encode()


def is_abstained(line: Mapping[str, Any], name: str) -> bool:
    """Was the answer held back, as the key `name` says? In a table of texts that is a word."""
    return line.get(name) in (True, "true")


def _numbers_in(path: Path) -> Iterator[int]:
    """The numbers of the rows in a file of failures."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)["row"]


def failures_in(path: Path) -> set[int]:
    """The numbers of the rows in a file of failures. Raises `InputError` where there is none."""
    if not path.is_file():
        problem, expected = "no rows without an answer", "the file that predict wrote of them"
        do = f"nothing: all are answered, or {quote(str(path))} was moved"
        raise InputError(Fault(problem, expected, do, str(path)))
    return set(_numbers_in(path))
