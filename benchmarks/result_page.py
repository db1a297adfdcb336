"""A result page of the docs from a run's folder: ``python benchmarks/result_page.py RUN NAME``.

NAME is the page without its ending (``docs/results/sst2``). Writes NAME-board.svg, NAME-cost.svg
and NAME-curve.svg, and in NAME.md the block between the two markers; what was written by hand
around them stays. A page that is not there yet is begun.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from nshot.board.schema import Board, Details, Estimate, Row
from nshot.core.files import write_atomic
from nshot.report import charts
from nshot.report.headings import question, rows_answered
from nshot.report.numbers import Style, say
from nshot.report.views import asides, contest, marks, missing, series

START = "<!-- generated -->"
END = "<!-- end of generated -->"
COLUMNS: tuple[tuple[str, str, Style], ...] = (
    ("build_seconds", "build", "seconds"),
    ("use_seconds_per_1000", "serve 1,000", "seconds"),
    ("tokens_per_request", "tokens", "tokens"),
    ("trained_params", "trained", "count"),
    ("disk_bytes", "disk", "bytes"),
)


def block(board: Board, details: Details, pictures: Mapping[str, str]) -> str:
    """The generated part of the page; `pictures` are file names by what they show."""
    advice = board.advice
    if advice is None:
        raise SystemExit("nothing was measured: there is no page to make")
    corrected = Estimate(
        score=advice.corrected_score, low=advice.corrected_low, high=advice.corrected_high
    )
    parts = [
        f"**Pick: `{advice.pick}`** ({advice.verdict.replace('_', ' ')}), "
        f"{board.task.metric} {_interval(corrected)} % on new inputs.",
        "\n".join(f"- {_plain(reason)}" for reason in advice.reasons),
        _table(board),
        "◆ pick, ● could still be the best, ○ ruled out, □ put aside. Score in percent with its "
        "95 % interval; gap: train minus test, points.",
        *(f"![{words}]({file})" for words, file in pictures.items()),
        _asides(board),
        _missing(board),
        _delivered(board),
        _run(board, details),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(board: Board) -> str:
    heads = ["", "method", "rung", "score", *board.task.also, "gap"]
    heads += [head for _, head, _ in COLUMNS]
    lines = [_line(heads), _line(["---"] * 3 + ["--:"] * (len(heads) - 3))]
    for view in contest(board):
        row = view.row
        shape = {"pick": "◆", "could": "●", "out": "○"}[view.role]
        costs = [say(getattr(row, key), style) for key, _, style in COLUMNS]
        also = [_interval(row.also.get(metric, Estimate())) for metric in board.task.also]
        gap = say(view.gap, "points")
        lines.append(_line([shape, f"`{row.name}`", row.rung, _interval(row), *also, gap, *costs]))
    return "\n".join(lines)


def _interval(of: Estimate | Row) -> str:
    if of.low is None or of.high is None:
        return say(of.score, "score")
    return f"{say(of.score, 'score')} ({say(of.low, 'score')}–{say(of.high, 'score')})"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _plain(text: str) -> str:
    """A sentence of the board as Markdown that shows it as it is."""
    kept = text.replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;")
    return kept.replace("*", "\\*").replace("_", "\\_")


def _asides(board: Board) -> str:
    """What a race put aside: its score on the rows that it answered, and why it stopped."""
    lines = [
        f"- `{view.name}`{' ' * bool(view.row.test_rows)}{rows_answered(view.row, board.task)}"
        f"{f': {_interval(view.row)} %' if view.row.score is not None else ''};"
        f" {_plain(view.row.reason or '')}"
        for view in asides(board)
    ]
    return "\n".join(["Put aside, which is not ruled out:", "", *lines]) if lines else ""


def _missing(board: Board) -> str:
    lines = [
        f"- `{view.name}` {view.row.status}: {_plain(view.row.reason or '')}"
        for view in missing(board)
    ]
    return "\n".join(["Not measured:", "", *lines]) if lines else ""


def _delivered(board: Board) -> str:
    return "\n".join(
        f"Measured again, {row.form}: `{row.name}` {_interval(row)} %."
        for row in board.outside
        if row.score is not None
    )


def _run(board: Board, details: Details) -> str:
    machine, task = details.machine, board.task
    versions = ", ".join(f"{package} {version}" for package, version in machine.versions.items())
    return "\n".join(
        [
            "```",
            _portable(details.command),
            "```",
            "",
            f"{task.test} test rows; {question(task)}; split fingerprint "
            f"`{board.fingerprint}`; "
            f"{say(details.elapsed_seconds, 'seconds')} on {machine.processor}, "
            f"{machine.threads} threads, {machine.device} {machine.dtype}, "
            f"Python {machine.python}, {versions}.",
        ]
    )


def _portable(command: str) -> str:
    """The command with the data's place of this machine said as ``$NSHOT_DATA``."""
    place = os.environ.get("NSHOT_DATA")
    for folder in (place, str(Path(place).resolve())) if place else ():
        command = command.replace(folder.rstrip("/"), "$NSHOT_DATA")
    return command


def drawings(board: Board) -> dict[str, tuple[str, str]]:
    """(what it shows, SVG) by the ending of the file's name; an empty chart is left out."""
    drawn_rows, name = [*contest(board), *asides(board)], board.task.name
    if not marks(drawn_rows):
        return {}
    serve = "time to answer 1,000 inputs"
    lines = series(drawn_rows)
    drawn = {
        "board": (f"{name}: the board", charts.board(marks(drawn_rows), f"{name}: the board")),
        "cost": (
            f"{name}: score against {serve}",
            charts.scatter(marks(drawn_rows), f"{name}: score against {serve}", serve, 680, 440),
        ),
    }
    if lines:
        drawn["curve"] = (
            f"{name}: score over what was learned from",
            charts.curves(lines, f"{name}: sizes"),
        )
    return {key: (words, charts.standalone(svg)) for key, (words, svg) in drawn.items() if svg}


def put(page: str, generated: str) -> str:
    """`page` with what stands between the markers replaced; they are added where absent."""
    body = f"{START}\n\n{generated}\n\n{END}"
    if START not in page:
        return f"{page.rstrip()}\n\n{body}\n"
    before, rest = page.split(START, 1)
    if END not in rest:
        raise SystemExit(f"the page has {START!r} but no {END!r} after it: put it back")
    return f"{before}{body}{rest.split(END, 1)[1]}"


def write(run: Path, name: Path) -> None:
    """The page and its pictures."""
    board, details = Board.read(run), Details.read(run)
    page = name.parent / f"{name.name}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    pictures = {}
    for ending, (words, svg) in drawings(board).items():
        file = name.parent / f"{name.name}-{ending}.svg"
        write_atomic(file, svg)
        pictures[words] = file.name
    old = page.read_text(encoding="utf-8") if page.exists() else f"# {board.task.name}\n"
    write_atomic(page, put(old, block(board, details, pictures)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    write(Path(sys.argv[1]), Path(sys.argv[2]))
