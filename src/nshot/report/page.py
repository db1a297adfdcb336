"""The board and its details -> one HTML page that needs nothing else and asks no network.

The page's order is the reader's: the pick and why, the board, how the race went, what scores cost,
what more labels would bring, where the pick errs and where the best differ, what the search tried,
what is not there, and all one needs to doubt it.
Each part is a template in ``templates/``; everything in them is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nshot.audit.carrying_out import AuditReport
from nshot.audit.words import cell_words, interval
from nshot.board.break_even import sentences
from nshot.board.matching import in_words
from nshot.board.schema import (
    Advice,
    Board,
    BreakEven,
    Confusion,
    Crossing,
    Details,
    Machine,
    Mistake,
    ReliabilityBin,
    TaskSummary,
    Trial,
)
from nshot.report import charts
from nshot.report.headings import question, rows_answered, settings_of
from nshot.report.numbers import Style, figure, number, say, under
from nshot.report.svg import join, writable
from nshot.report.views import (
    Cost,
    View,
    asides,
    contest,
    lanes,
    losses,
    marks,
    missing,
    outside,
    rounds,
    series,
    stands,
)

_PARTS = (
    ("board", "Board"),
    ("race", "Race"),
    ("delivered", "As delivered"),
    ("cost", "Cost"),
    ("break_even", "Break-even"),
    ("shots", "More labels"),
    ("losses", "Losses"),
    ("rounds", "Policies"),
    ("positive", "Yes or no"),
    ("calibration", "Calibration"),
    ("reliance", "Reliance"),
    ("confusion", "Confusion"),
    ("labels", "Labels"),
    ("lengths", "Length"),
    ("pictures", "Pictures"),
    ("mistakes", "Mistakes"),
    ("disagree", "Differences"),
    ("audit", "Audit"),
    ("search", "Search"),
    ("missing", "Not measured"),
    ("doubt", "Doubt"),
)
_VERDICTS = {
    "settled": (
        "Settled",
        "What doubt is left is smaller than the difference you asked to see.",
    ),
    "leaning": ("Leaning", "The best buy as measured; another method could still be better."),
    "cannot_tell": (
        "Cannot tell",
        "Too little was measured to tell the methods apart. The pick is a sensible start, no more.",
    ),
}
_MODES = {
    "file": "a test file of its own",
    "holdout": "rows held out of the data",
    "folds": "repeated stratified folds of the data",
}
_FACTS: tuple[tuple[str, str, Style], ...] = (
    ("build_seconds", "to build", "seconds"),
    ("use_seconds_per_1000", "to answer 1,000", "seconds"),
    ("tokens_per_request", "tokens a request", "tokens"),
    ("trained_params", "trained parameters", "count"),
    ("disk_bytes", "on disk", "bytes"),
)
_COSTS: tuple[tuple[str, str, Cost], ...] = (
    ("Cost to serve", "time to answer 1,000 inputs", "use_seconds_per_1000"),
    ("Cost to build", "time to build, search included", "build_seconds"),
    ("Paid for answers", "money for 1,000 answers", "money_per_1000"),
)
_AT_THE_TOP = {"pick", "reasons", "verdict", "corrected_score", "corrected_low", "corrected_high",
               "versus_pick"}  # fmt: skip
_MOST_PAIRS = 10


class Column(NamedTuple):
    """A column of figures: `key` of a row, heading, how a figure is written, what it is."""

    key: str
    head: str
    style: Style
    tip: str


_COLUMNS = (
    Column("build_seconds", "Build", "seconds",
           "time to build, its search included, nothing cached"),
    Column("use_seconds_per_1000", "Serve 1k", "seconds", "time to answer 1,000 inputs"),
    Column("tokens_per_request", "Tokens", "tokens",
           "tokens its models read and write for a request"),
    Column("trained_params", "Trained", "count",
           "parameters trained, and their share of the language model's"),
    Column("build_peak_bytes", "Memory", "bytes", "peak memory while building"),
    Column("disk_bytes", "Disk", "bytes", "size of the saved method"),
)  # fmt: skip


_MONEY = Column("money_per_1000", "Money 1k", "money", "what 1,000 answers cost in money")


def _columns(board: Board) -> tuple[Column, ...]:
    """With money where something is paid."""
    paid = any(row.money_per_1000 for row in board.rows)
    return (*_COLUMNS[:2], _MONEY, *_COLUMNS[2:]) if paid else _COLUMNS


def render(board: Board, details: Details, audit: AuditReport | None = None) -> str:
    """The page of a run, with the `audit` of its winner; a part without content is left out."""
    advice, stopped = board.advice, asides(board)
    rows = contest(board)
    everyone = [*rows, *stopped]
    pick = next((view for view in everyone if view.role == "pick"), None)
    context = {
        "board": board,
        "columns": _columns(board),
        "standing": [*map(in_words, board.matches), *sentences(board)],
        "task": board.task,
        "advice": advice,
        "audit": audit,
        "details": details,
        "pick": pick,
        "contest": rows,
        "asides": stopped,
        "lanes": lanes(board, details.race) if details.race else [],
        "stands": stands(details.race, advice) if details.race else None,
        **_first_of(board.task),
        "outside": outside(board),
        "missing": missing(board),
        "number": partial(number, board),
        "change_of": partial(_change, {view.name: view for view in everyone}),
        "scale": charts.marks_axis(marks(everyone)),
        "expected": advice and _expected(advice),
        "verdict": advice and _VERDICTS[advice.verdict],
        "mistakes": _in_reading_order(details.mistakes),
        "decision": _decision(advice, board.task) if advice else {},
        "machine": _machine(details.machine),
        "run": _run(details),
        "notes": [
            *board.task.notes,
            *(f"{v.name}: {note}" for v in everyone for note in v.row.notes),
        ],
    }
    templates = environment()
    bodies = [
        (name, words, templates.get_template(f"{name}.html").render(context).strip())
        for name, words in _PARTS
    ]
    parts = [(name, words, Markup(body)) for name, words, body in bodies if body]
    return writable(templates.get_template("page.html").render(context, parts=parts))


@cache
def environment() -> Environment:
    """The templates, and what they may call; everything in them is escaped."""
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("nshot.report"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    script = _asset("report.js")
    environment.globals.update(
        bins_of=_bins,
        cell_words=cell_words,
        interval=interval,
        charts=charts,
        confused=_confused,
        costed=_costed,
        crossings=_crossings,
        facts=_FACTS,
        figure=figure,
        losses=losses,
        marks=marks,
        modes=_MODES,
        policy=_policy(script),
        question=question,
        rounds=rounds,
        rows_answered=rows_answered,
        settings_of=settings_of,
        say=say,
        scored=_scored,
        script=script,
        series=series,
        style=_asset("report.css"),
        under=under,
    )
    environment.filters.update(breakable=_breakable, known=_known, words=_words)
    return environment


def _asset(name: str) -> Markup:
    return Markup(files("nshot.report").joinpath(name).read_text(encoding="utf-8"))


def _policy(script: str) -> str:
    """Lets only this page's own script run, and lets nothing be fetched."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'"
    )


def _breakable(name: str) -> Markup:
    """A name that may break after its underscores, for narrow screens."""
    return Markup("_<wbr>").join(join(part) for part in name.split("_"))


def _known(facts: Mapping[str, object]) -> dict[str, object]:
    """The facts that say something."""
    return {key: value for key, value in facts.items() if value not in (None, "", (), [], {})}


def _words(value: object) -> str:
    """A value of a settings mapping as words."""
    if isinstance(value, str):
        return value
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)) and all(isinstance(v, (str, int, float)) for v in value):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)


def _expected(advice: Advice) -> charts.Mark:
    """The pick's corrected score and interval."""
    ends = advice.corrected_low, advice.corrected_high
    return charts.Mark(advice.pick, "pick", advice.corrected_score, *ends)


def _change(rows: Mapping[str, View], delivered: View) -> float | None:
    """The score as delivered minus that of the row it was made from."""
    parent = rows.get(delivered.row.parent or delivered.name)
    if parent is None or parent.row.score is None or delivered.row.score is None:
        return None
    return delivered.row.score - parent.row.score


def _costed(rows: Sequence[View]) -> list[tuple[str, str, list[charts.Mark], Style]]:
    """(title, what the cost is, marks, how it is said) of the costs that were measured."""
    return [
        (title, words, marks(rows, key), "money" if key == "money_per_1000" else "seconds")
        for title, words, key in _COSTS
        if any(getattr(view.row, key) is not None for view in rows)
    ]


def _crossings(pair: BreakEven) -> list[tuple[str, Crossing, Callable[[float], str]]]:
    """(title, the two lines, how an amount is said) of time, and of money where it is known."""
    seconds = ("Time", pair.seconds, partial(say, style="seconds"))
    if pair.money is None:
        return [seconds]
    return [seconds, ("Money", pair.money, partial(say, style="money"))]


def _scored(trials: Sequence[Trial]) -> list[tuple[float, bool]]:
    return [(trial.score, trial.chosen) for trial in trials if trial.score is not None]


def _bins(bins: Sequence[ReliabilityBin]) -> list[charts.Bin]:
    return [
        charts.Bin(one.rows, one.probability, one.right.value, one.right.low, one.right.high)
        for one in bins
    ]


def _confused(of: Confusion) -> list[tuple[str, str, int, int]]:
    """(expected, answer, count, rows of that label) of the pairs most often confused."""
    wrong = sorted(
        (-count, sum(line), expected, answer)
        for expected, line in zip(of.labels, of.counts, strict=True)
        for answer, count in zip(of.answers, line, strict=True)
        if count and answer != expected
    )
    return [(expected, answer, -count, total) for count, total, expected, answer in wrong][
        :_MOST_PAIRS
    ]


def _in_reading_order(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Written answers by rising point; others by falling score (negative for a log-likelihood)."""
    if mistakes and mistakes[0].point is not None:
        return sorted(mistakes, key=lambda one: one.point or 0.0)
    return sorted(mistakes, key=lambda one: (one.score is None, -(one.score or 0.0)))


def _first_of(task: TaskSummary) -> dict[str, str]:
    """How parts that show one of several draws or repeats say so; nothing where there is one."""
    what = "draw of the shots" if task.question == 2 else "repeat of the folds"
    if task.question == 1 and task.seeds == 1:
        return {"first": "", "on_first": "", "small_dots": ""}
    one = what.split()[0]
    return {
        "first": f"First {one}. ",
        "on_first": f" on the first {one}",
        "small_dots": f"; small dots: one for each {what}",
    }


def _decision(advice: Advice, task: TaskSummary) -> dict[str, object]:
    """What the advice says beyond what stands at the top of the page."""
    of_draws = {"draws", "more_draws_settle", "confirmed"} if task.question == 1 else set()
    facts = advice.model_dump(exclude=_AT_THE_TOP | of_draws | {"wish"})
    return {"wish": advice.wish.prefer, **{key.replace("_", " "): facts[key] for key in facts}}


def _machine(machine: Machine) -> dict[str, object]:
    facts = machine.model_dump(exclude={"memory_bytes", "versions"})
    memory = None if machine.memory_bytes is None else say(machine.memory_bytes, "bytes")
    return {**facts, "memory": memory, **machine.versions}


def _run(details: Details) -> dict[str, object]:
    took = details.elapsed_seconds
    return {
        "started": _moment(details.started),
        "finished": _moment(details.finished),
        "took": None if took is None else say(took, "seconds"),
    }


def _moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as a date and time in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
