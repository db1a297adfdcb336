"""Rows that failed, answered once more and put where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.data.blocks import Block, Blocks, Row
from nshot.use.lines import answer_column
from nshot.use.offline.answering import Failure, Outcome
from nshot.use.offline.changed import key
from nshot.use.offline.forms import form_of
from nshot.use.offline.run import (
    Progress,
    Report,
    Run,
    chained,
    columns_of,
    failure_line,
    failures_in,
    is_abstained,
    table_line,
)
from nshot.use.offline.state import Beside, Growing, State


def retry_failures(blocks: Blocks, run: Run) -> Report:
    """Answer the rows of the file of failures again; all others keep the answer that they have.

    Killed, nothing has happened. Raises `InputError` where nothing failed, where the answers are
    of other folders or options, and where a row that has its answer is another now.
    """
    files, form = Beside(run.output), form_of(run.output)
    with files.held():
        unfinished = files.state(files.progress)
        if unfinished and unfinished.moves:
            files.finish(unfinished)
        elif unfinished:
            do = "the command again without --retry-failed: it goes on to the end"
            problem = "the answers are not whole yet"
            raise InputError(Fault(problem, "a file of answers", do, str(files.progress)))
        failures, record = failures_in(files.failures), files.state(files.record)
        if record is None or record.about != run.about:
            do = "leave --retry-failed away: all rows are answered anew"
            problem = "the answers are of other folders, versions or options"
            raise InputError(Fault(problem, "the same as now", do, str(run.output)))
        keyed = files.keys.is_file()
        with ExitStack() as stack:
            paths = [files.pieces, files.failure_pieces, *[files.key_pieces] * keyed]
            growing = [stack.enter_context(closing(Growing(p, 0, files.cure))) for p in paths]
            old = form.read(run.output)
            if record.columns is not None:
                growing[0].append(form.begin(record.columns))
            state = _merged(blocks, run, record, failures, old, growing)
            for one in growing:
                one.sync()
        files.close(state, form.close(files.pieces), keyed)
    return Report(state.answers, state.abstained, state.failures)


def _merged(
    blocks: Blocks,
    run: Run,
    record: State,
    numbers: set[int],
    old: Iterator[dict[str, Any]],
    growing: Sequence[Growing],
) -> State:
    """Write the old answers, between them the new ones, block after block."""
    form, digest, before = form_of(run.output), "", ""
    held = answer_column("abstained", record.cells) if form.table else "abstained"
    state = replace(record, answers=0, failures=0, abstained=0, moves=(), leftovers=())
    for (block, rows, share), new in run.answering.in_order(_questions(blocks, numbers)):
        before = chained(before, block, numbers)
        outcomes = _outcomes(rows, new, run, record, numbers, old)
        lines = [one for one in outcomes if not isinstance(one, Failure)]
        failures = [one for one in outcomes if isinstance(one, Failure)]
        if state.columns is None and lines:  # every row had failed
            state = replace(state, columns=columns_of(lines, state.cells, run.answering, form))
            growing[0].append(form.begin(state.columns or ()))
        growing[0].append(form.lines(lines, state.columns or ()))
        growing[1].append(b"".join(map(failure_line, failures)))
        for one in growing[2:]:
            answers = zip(rows, outcomes, strict=True)
            one.append(b"".join(key(row) for row, o in answers if not isinstance(o, Failure)))
        digest = chained(digest, block, {one.row.number for one in failures})
        state = replace(
            state,
            digest=digest,
            answers=state.answers + len(lines),
            failures=state.failures + len(failures),
            abstained=state.abstained + sum(is_abstained(line, held) for line in lines),
        )
        run.on_progress(Progress(_end(block), share))
    if before != record.digest or next(old, None) is not None:
        raise _others(run)
    return state


def _questions(
    blocks: Blocks, numbers: Set[int]
) -> Iterator[tuple[tuple[Block, list[Row], float | None], list[Row]]]:
    """Each block, its rows and how much was read by then; which rows are asked again."""
    for block in blocks:
        rows = block.rows()
        yield (block, rows, blocks.share()), [row for row in rows if row.number in numbers]


def _end(block: Block) -> int:
    return block.first - 1 + len(block.records)


def _outcomes(
    rows: Sequence[Row],
    new: Sequence[Outcome],
    run: Run,
    record: State,
    numbers: Set[int],
    old: Iterator[dict[str, Any]],
) -> list[Outcome]:
    answers, table = iter(new), form_of(run.output).table
    outcomes: list[Outcome] = []
    for row in rows:
        if row.number not in numbers:
            line = next(old, None)
            if line is None:
                raise _others(run)
            outcomes.append(line)
            continue
        outcome = next(answers)
        if isinstance(outcome, dict):
            outcome = table_line(row, outcome, record.cells, table)
        outcomes.append(outcome)
    return outcomes


def _others(run: Run) -> InputError:
    problem = "the inputs are not those that were answered: a row that has its answer is another"
    do = "leave --retry-failed away: all rows are answered anew"
    return InputError(Fault(problem, "only rows that failed may be mended", do, str(run.output)))
