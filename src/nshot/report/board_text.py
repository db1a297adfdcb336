"""The board and the advice as text: what a terminal shows at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nshot.board.break_even import sentences
from nshot.board.matching import in_words
from nshot.board.reliance import trust_words
from nshot.board.schema import Advice, Board, Estimate, JudgeCell, MoneyCell, Row, TaskSummary
from nshot.core.durations import duration
from nshot.report.headings import question, rows_answered, settings_of
from nshot.report.numbers import say
from nshot.report.terminal import text_table

_VERDICTS = {"settled": "Settled", "leaning": "Leaning", "cannot_tell": "Cannot tell"}


def result(board: Board, width: int | None = None) -> str:
    """The pick, which question is answered, the board, and the other reasons."""
    head, others = _split(board.advice)
    of = f"{question(board.task)}; {board.task.test:,} test rows:"
    standing = [f"  - {in_words(one)}" for one in board.matches]
    standing += [f"  - {one}" for one in sentences(board)]
    standing += [
        f"  - {row.name}: {one}" for row in _elsewhere_rows(board) for one in trust_words(row)
    ]
    if board.money is not None:
        standing.append(f"  - {money_words(board.money)}")
    table = board_table(board, width)
    return "\n".join([*head, "", of, "", table, "", *others, *standing]).rstrip()


def _elsewhere_rows(board: Board) -> list[Row]:
    """Those that ask a model elsewhere: what they answer is not seen from here."""
    return [row for row in board.contest if row.reliance is not None and row.reliance.repeat]


def money_words(cell: MoneyCell) -> str:
    """What a run has cost, beside what was forecast and what it may."""
    of = f"; it may cost {say(cell.limit, 'money')}" if cell.limit is not None else ""
    unit = cell.currency or "in money"
    return (
        f"{cell.requests:,} requests cost {say(cell.spent, 'money')} {unit}, of"
        f" {say(cell.forecast, 'money')} forecast at most{of}"
    )


def advice_lines(advice: Advice | None) -> str:
    """The pick's sentence, the verdict's, and the other reasons, one a line."""
    head, others = _split(advice)
    return "\n".join([*head, *others])


def _split(advice: Advice | None) -> tuple[list[str], list[str]]:
    """(the pick's sentence and the verdict's, the others as a list)."""
    if advice is None:
        return ["Nothing was measured."], []
    word = _VERDICTS[advice.verdict]
    verdict = next((one for one in advice.reasons if one.startswith(word)), f"{word}.")
    head = [*advice.reasons[:1], verdict]
    return head, [f"  - {one}" for one in advice.reasons if one not in head]


def board_table(board: Board, width: int | None = None) -> str:
    """The board as tables of text, best score first; the pick is marked with an arrow.

    Rows that a race put aside, rows without a measurement and the winner as delivered each have a
    table of their own under it.
    """
    rows = sorted(board.contest, key=lambda row: -(row.score or -1.0))
    whole = [row for row in rows if row.status == "ok"]
    aside = [row for row in rows if row.status == "aside"]
    missing = [row for row in rows if row.status not in ("ok", "aside")]
    parts = [_measured(whole, board, width)]
    parts += _part("put aside, which is not ruled out:", _asides(aside, board), width)
    parts += _part("not measured:", _missing(missing), width)
    parts += _part("as delivered:", _delivered(board.outside), width)
    return "\n\n".join(parts)


# ----------------------------------------------------------------------------------- the tables


def _measured(rows: Sequence[Row], board: Board, width: int | None) -> str:
    task = board.task
    judge = ("judge",) if task.judge else ()
    stand = ("rows", "settings") if task.question == 1 else ()
    named = ("", "method", "rung", "score", "95 % interval")
    headings = (*named, *task.also, *judge, *stand, "build", "1000 answers", "note")
    return text_table(
        [(heading, heading in ("score", "rows", "build")) for heading in headings],
        [_cells(row, board) for row in rows],
        width,
    )


def _cells(row: Row, board: Board) -> Sequence[str]:
    task = board.task
    further = [_estimate(row.also.get(metric)) for metric in task.also]
    further += [_judge(row.judge)] if task.judge else []
    stand = (rows_answered(row, task), settings_of(row)) if task.question == 1 else ()
    beside = "; ".join(f"{what} {100 * score:.1f}" for what, score in row.beside.items())
    return (
        _arrow(row, board.advice),
        row.name,
        row.rung,
        _score(row),
        _interval(row),
        *further,
        *stand,
        _seconds(row.build_seconds),
        _seconds(row.use_seconds_per_1000),
        "; ".join(
            part for part in (*_stopped(row, task), beside, *_elsewhere(row), _params(row)) if part
        ),
    )


def _elsewhere(row: Row) -> Iterator[str]:
    """What is to be known of answers that are made elsewhere."""
    if row.passed_on is not None:
        yield f"{100 * row.passed_on.value:.0f} % passed on"
    if row.money_per_1000:
        yield f"{say(row.money_per_1000, 'money')} a 1,000 in money"
    if row.spent_money:
        yield f"{say(row.spent_money, 'money')} spent"


def _stopped(row: Row, task: TaskSummary) -> Sequence[str]:
    """What is to be known of a row that did not come to the end."""
    return row.notes if (row.test_rows or task.test) < task.test else ()


def _part(
    title: str, table: tuple[Sequence[str], Sequence[Sequence[str]]], width: int | None
) -> Iterator[str]:
    """A table under its title, where it has rows."""
    headings, rows = table
    if rows:
        columns = [(heading, heading in ("score", "rows")) for heading in headings]
        yield f"{title}\n{text_table(columns, rows, width)}"


def _asides(rows: Sequence[Row], board: Board) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    headings = ("", "method", "score", "95 % interval", "rows", "settings", "why it stopped")
    return headings, [
        (
            _arrow(row, board.advice),
            row.name,
            _score(row),
            _interval(row),
            rows_answered(row, board.task) or "none",
            settings_of(row),
            (row.reason or "").removeprefix("put aside").lstrip(": "),
        )
        for row in rows
    ]


def _missing(rows: Sequence[Row]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    lines = [("", row.name, row.rung, f"{row.status}: {row.reason}") for row in rows]
    return ("", "method", "rung", "why"), lines


def _delivered(rows: Sequence[Row]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    lines = [
        ("", row.name, row.form, _score(row), _seconds(row.use_seconds_per_1000), _note(row))
        for row in rows
    ]
    return ("", "method", "form", "score", "1000 answers", "note"), lines


def _note(row: Row) -> str:
    """That it was fitted anew, where it was, and what else is to be known of it."""
    fitted = ("fitted anew with the settings of its row",) if row.form == "deployed" else ()
    return "; ".join((*fitted, *row.notes))


# ------------------------------------------------------------------------------------ the cells


def _arrow(row: Row, advice: Advice | None) -> str:
    if advice is None:
        return ""
    return "->" if row.name == advice.pick else " ~" if row.name in advice.could_be_best else ""


def _score(row: Row) -> str:
    return "-" if row.score is None else f"{100 * row.score:.1f}"


def _interval(row: Row) -> str:
    if row.low is None or row.high is None:
        return ""
    return f"{100 * row.low:.0f} - {100 * row.high:.0f}"


def _estimate(cell: Estimate | None) -> str:
    """A score, and its interval where there is one."""
    if cell is None or cell.score is None:
        return ""
    score = f"{100 * cell.score:.1f}"
    if cell.low is None or cell.high is None:
        return score
    return f"{score} ({100 * cell.low:.0f} - {100 * cell.high:.0f})"


def _judge(cell: JudgeCell | None) -> str:
    """What the judge says, or why it says nothing."""
    return cell.reason if cell and cell.reason else _estimate(cell)


def _params(row: Row) -> str:
    """Parameters trained, with their share of the language model's where they are part of it."""
    if not row.trained_params:
        return ""
    share = f" ({say(row.trained_share, 'share')})" if row.trained_share is not None else ""
    return f"trained {row.trained_params:,}{share}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 90 else duration(seconds)
