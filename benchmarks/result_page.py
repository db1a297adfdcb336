"""A result page of the docs from a run's folder: ``python benchmarks/result_page.py RUN NAME``.

NAME is the page without its ending (``docs/results/sst2``). Writes NAME-board.svg, NAME-cost.svg
and NAME-curve.svg, and in NAME.md the block between the two markers; what was written by hand
around them stays. A page that is not there yet is begun.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nshot.report import charts
from nshot.report.numbers import Style, at, finite, say
from nshot.report.rows import Row, delivered, listed, mapped, marks, measured, missing, series

START = "<!-- generated -->"
END = "<!-- end of generated -->"
COLUMNS: tuple[tuple[str, str, Style], ...] = (
    ("build_seconds", "build", "seconds"),
    ("use_seconds_per_1000", "serve 1,000", "seconds"),
    ("tokens_per_request", "tokens", "tokens"),
    ("trained_params", "trained", "count"),
    ("disk_bytes", "disk", "bytes"),
)


def block(board: Mapping[str, Any], details: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The generated part of the page; `pictures` are file names by what they show."""
    advice, task = mapped(board.get("advice")), mapped(board.get("task"))
    found = measured(board)
    parts = [
        f"**Pick: `{advice.get('pick')}`** ({str(advice.get('verdict')).replace('_', ' ')}), "
        f"{task.get('metric')} {_interval(board, '/advice/corrected_')} % on new inputs.",
        "\n".join(f"- {_plain(reason)}" for reason in listed(advice.get("reasons"))),
        _table(board, found),
        "◆ pick, ● could still be the best, ○ ruled out. Score in percent with its 95 % interval; "
        "gap: train minus test, points.",
        *(f"![{words}]({file})" for words, file in pictures.items()),
        _missing(board),
        _delivered(board),
        _run(board, details),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(board: Mapping[str, Any], found: list[Row]) -> str:
    further = listed(mapped(board.get("task")).get("also"))
    heads = ["", "method", "rung", "score", *map(str, further), "gap"]
    heads += [head for _, head, _ in COLUMNS]
    lines = [_line(heads), _line(["---"] * 3 + ["--:"] * (len(heads) - 3))]
    for row in found:
        train = finite(row.data.get("train_score"))
        gap = train - row.score if train is not None and row.score is not None else None
        shape = {"pick": "◆", "could": "●", "out": "○"}[row.role]
        costs = [say(finite(row.data.get(key)), style) for key, _, style in COLUMNS]
        score = _interval(board, f"{row.path}/")
        also = [_interval(board, f"{row.path}/also/{metric}/") for metric in further]
        name, rung = f"`{row.name}`", str(row.data.get("rung"))
        lines.append(_line([shape, name, rung, score, *also, say(gap, "points"), *costs]))
    return "\n".join(lines)


def _interval(board: Mapping[str, Any], stem: str) -> str:
    score, low, high = (finite(at(board, f"{stem}{end}")) for end in ("score", "low", "high"))
    if low is None or high is None:
        return say(score, "score")
    return f"{say(score, 'score')} ({say(low, 'score')}–{say(high, 'score')})"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _plain(text: Any) -> str:
    """A sentence of the board as Markdown that shows it as it is."""
    kept = str(text).replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;")
    return kept.replace("*", "\\*").replace("_", "\\_")


def _missing(board: Mapping[str, Any]) -> str:
    lines = [
        f"- `{row.name}` {row.data.get('status')}: {_plain(row.data.get('reason'))}"
        for row in missing(board)
    ]
    return "\n".join(["Not measured:", "", *lines]) if lines else ""


def _delivered(board: Mapping[str, Any]) -> str:
    return "\n".join(
        f"Measured again, {row.data.get('form')}: `{row.name}` "
        f"{_interval(board, f'{row.path}/')} %."
        for row in delivered(board)
        if row.score is not None
    )


def _run(board: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    machine = mapped(details.get("machine"))
    versions = ", ".join(f"{k} {v}" for k, v in mapped(machine.get("versions")).items())
    task = mapped(board.get("task"))
    seconds = finite(details.get("elapsed_seconds"))
    return "\n".join(
        [
            "```",
            _portable(str(details.get("command", ""))),
            "```",
            "",
            f"{task.get('test')} test rows, {task.get('seeds')} draws, split fingerprint "
            f"`{board.get('fingerprint')}`; "
            f"{say(seconds, 'seconds')} on {machine.get('processor')}, "
            f"{machine.get('threads')} threads, {machine.get('device')} {machine.get('dtype')}, "
            f"Python {machine.get('python')}, {versions}.",
        ]
    )


def _portable(command: str) -> str:
    """The command with the data's place of this machine said as ``$NSHOT_DATA``."""
    place = os.environ.get("NSHOT_DATA")
    for folder in (place, str(Path(place).resolve())) if place else ():
        command = command.replace(folder.rstrip("/"), "$NSHOT_DATA")
    return command


def drawings(board: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """(what it shows, SVG) by the ending of the file's name; an empty chart is left out."""
    found = measured(board)
    name = str(mapped(board.get("task")).get("name"))
    if not marks(found):
        return {}
    serve = "time to answer 1,000 inputs"
    lines = series(found)
    drawn = {
        "board": (f"{name}: the board", charts.board(marks(found), f"{name}: the board")),
        "cost": (
            f"{name}: score against {serve}",
            charts.scatter(marks(found), f"{name}: score against {serve}", serve, 680, 440),
        ),
    }
    if lines:
        drawn["curve"] = (f"{name}: score over shots", charts.curves(lines, f"{name}: shots"))
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
    board = json.loads((run / "leaderboard.json").read_text(encoding="utf-8"))
    details = json.loads((run / "details.json").read_text(encoding="utf-8"))
    page = name.parent / f"{name.name}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    pictures = {}
    for ending, (words, svg) in drawings(board).items():
        file = name.parent / f"{name.name}-{ending}.svg"
        _replace(file, svg)
        pictures[words] = file.name
    old = page.read_text(encoding="utf-8") if page.exists() else f"# {board['task']['name']}\n"
    _replace(page, put(old, block(board, details, pictures)))


def _replace(file: Path, text: str) -> None:
    passing = file.with_name(f".{file.name}.{os.getpid()}")
    passing.write_text(text, encoding="utf-8")
    os.replace(passing, file)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    write(Path(sys.argv[1]), Path(sys.argv[2]))
