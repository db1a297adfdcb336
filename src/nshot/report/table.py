"""The board as a table that sorts, and that becomes cards on a phone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nshot.report import charts
from nshot.report.markup import Markup, element, join
from nshot.report.numbers import Style, figure, finite, number, under
from nshot.report.rows import Row, listed, mapped, mark, marks


@dataclass(frozen=True)
class Column:
    """A column of figures: `key` in leaderboard.json, heading, how a figure is written.

    `share` is the key of what the figure is of a whole, shown small beside it where it is known.
    """

    key: str
    head: str
    style: Style
    tip: str
    share: str = ""


COLUMNS = (
    Column(
        "build_seconds", "Build", "seconds", "time to build, its search included, nothing cached"
    ),
    Column("use_seconds_per_1000", "Serve 1k", "seconds", "time to answer 1,000 inputs"),
    Column(
        "tokens_per_request", "Tokens", "tokens", "tokens its models read and write for a request"
    ),
    Column(
        "trained_params",
        "Trained",
        "count",
        "parameters trained, and their share of the language model's",
        "trained_share",
    ),
    Column("build_peak_bytes", "Memory", "bytes", "peak memory while building"),
    Column("disk_bytes", "Disk", "bytes", "size of the saved method"),
)


_JUDGED = "answers that the judge prefers to those of zero_shot; it does not decide"


def board_table(board: Mapping[str, Any], found: Sequence[Row]) -> Markup:
    """The measured rows, best score first."""
    scale = charts.marks_axis(marks(found))
    body = [_row(board, row, scale) for row in found]
    table = element(
        "table.board",
        element("caption.unseen", "All measured methods, best score first"),
        element("thead", _heads(board, scale), at={"role": "rowgroup"}),
        element("tbody", *body, at={"role": "rowgroup"}),
        at={"role": "table"},  # said again: on a phone the rows are laid out as cards
    )
    return element(
        "div.scroll.boardbox",
        table,
        at={"tabindex": "0", "role": "region", "aria-label": "The board"},
    )


def _heads(board: Mapping[str, Any], scale: charts.Axis) -> Markup:
    heads = [
        _head("Method", "the method's name", "ascending"),
        _head("Score, %", "mean score on the test inputs", "descending", "descending"),
        element(
            "th.scale",
            charts.scale_strip(scale),
            at={"scope": "col", "role": "columnheader", "aria-label": "Interval and draws"},
        ),
        *(
            _head(f"{name}, %", f"the metric {name}, which does not decide", "descending")
            for name in _also(board)
        ),
        *(_head(f"{name}, %", _JUDGED, "descending") for name in _judge(board)),
        _head("Rung", "family of the method", "ascending"),
        _head("Gap", "score on its own training examples minus score on test, points", "ascending"),
        *(_head(column.head, column.tip, "ascending") for column in COLUMNS),
        element("th", "Settings", at={"scope": "col", "role": "columnheader"}),
    ]
    return element("tr", *heads, at={"role": "row"})


def _head(words: str, tip: str, first: str, sorted_by: str = "none") -> Markup:
    button = element("button", words, at={"type": "button", "title": tip})
    said = {"scope": "col", "role": "columnheader", "aria-sort": sorted_by, "data-first": first}
    return element("th", button, at=said)


def _row(board: Mapping[str, Any], row: Row, scale: charts.Axis) -> Markup:
    drawn = mark(row)
    train = finite(row.data.get("train_score"))
    gap = train - row.score if train is not None and row.score is not None else None
    cells = [
        _cell("Method", _name(board, row), row.name, "th.method"),
        _cell("Score, %", _score(board, row), row.score, "td.num.score"),
        _cell("Interval", charts.whisker(drawn, scale) if drawn else "", None, "td.interval"),
        *(
            _cell(f"{name}, %", _further(board, row, name), _further_score(row, name), "td.num")
            for name in _also(board)
        ),
        *(_cell(f"{name}, %", _verdict(board, row), _won(row), "td.num") for name in _judge(board)),
        _cell("Rung", element("span.rung", str(row.data.get("rung") or "")), row.data.get("rung")),
        _cell("Train − test", figure(gap, "points"), gap, "td.num"),
        *(
            _cell(
                column.head,
                _figure(board, row, column),
                finite(row.data.get(column.key)),
                "td.num",
            )
            for column in COLUMNS
        ),
        _cell("Settings", _settings(row), None, "td.settings"),
    ]
    return element(f"tr.r-{row.role}", *cells, at={"role": "row", "data-name": row.name})


def _cell(label: str, content: str, sort: Any, name: str = "td") -> Markup:
    """A cell with what it sorts by; without a value it has none, and sorts last either way."""
    role = "rowheader" if name.startswith("th") else "cell"
    value = json.dumps(sort) if isinstance(sort, float) else sort
    said = {"role": role, "data-label": label, "data-sort": value}
    if role == "rowheader":
        said["scope"] = "row"
    return element(name, content, at=said)


def _name(board: Mapping[str, Any], row: Row) -> Markup:
    badges = []
    if row.role != "out":
        words = {"pick": "pick", "could": "could be best"}[row.role]
        badges.append(element(f"span.tag.t-{row.role}", words))
    if row.frontier:
        tip = "no cheaper method scores as high"
        badges.append(element("span.tag.t-frontier", "frontier", at={"title": tip}))
    beside = [
        element(
            "span.beside", f"{words}: ", number(board, under(f"{row.path}/beside", words), "score")
        )
        for words in mapped(row.data.get("beside"))
    ]
    return join(element("code", row.name), element("span.tags", *badges), *beside)


def _score(board: Mapping[str, Any], row: Row) -> Markup:
    score = element("b", number(board, f"{row.path}/score", "score"))
    return join(score, _interval(board, row.path, row.data))


def _interval(board: Mapping[str, Any], path: str, data: Mapping[str, Any]) -> Markup:
    if finite(data.get("low")) is None:
        return Markup("")
    low, high = (number(board, f"{path}/{end}", "score") for end in ("low", "high"))
    return join(" ", element("small", low, "–", high))


def _also(board: Mapping[str, Any]) -> Sequence[str]:
    """The metrics that are shown and do not decide."""
    return listed(mapped(board.get("task")).get("also"))


def _further(board: Mapping[str, Any], row: Row, name: str) -> Markup:
    path = under(f"{row.path}/also", name)
    data = mapped(mapped(row.data.get("also")).get(name))
    return join(number(board, f"{path}/score", "score"), _interval(board, path, data))


def _further_score(row: Row, name: str) -> float | None:
    return finite(mapped(mapped(row.data.get("also")).get(name)).get("score"))


def _judge(board: Mapping[str, Any]) -> Sequence[str]:
    """The heading of the judge's column, where one was named."""
    return ("Judge",) if mapped(mapped(board.get("task")).get("judge")) else ()


def _verdict(board: Mapping[str, Any], row: Row) -> Markup:
    path, data = f"{row.path}/judge", mapped(row.data.get("judge"))
    if data.get("reason"):
        return element("small", str(data["reason"]))
    return join(number(board, f"{path}/score", "score"), _interval(board, path, data))


def _won(row: Row) -> float | None:
    return finite(mapped(row.data.get("judge")).get("score"))


def _figure(board: Mapping[str, Any], row: Row, column: Column) -> Markup:
    figure = number(board, f"{row.path}/{column.key}", column.style)
    if finite(row.data.get(column.share)) is None:
        return figure
    return join(figure, " ", element("small", number(board, f"{row.path}/{column.share}", "share")))


def _settings(row: Row) -> Markup:
    settings, notes = mapped(row.data.get("settings")), listed(row.data.get("notes"))
    if not settings and not notes:
        return element("span.none", "no settings")
    count = f"{len(settings)} settings" if len(settings) != 1 else "1 setting"
    words = count if settings else "notes"
    if settings and notes:
        words += f" + {len(notes)} note{'s' if len(notes) > 1 else ''}"
    content = [dictionary(settings)] if settings else []
    content += [element("p.note", str(note)) for note in notes]
    return element("details", element("summary", words), *content)


def dictionary(facts: Mapping[str, Any]) -> Markup:
    """Names and values as a list of definitions."""
    pairs = [
        element("div", element("dt", str(key)), element("dd", value_text(value)))
        for key, value in facts.items()
    ]
    return element("dl.pairs-of", *pairs)


def settings_text(settings: Mapping[str, Any]) -> Markup:
    """Settings in one line: ``rank 16 · rate 0.0005``."""
    parts = [
        element("span", element("i", key), " ", value_text(value))
        for key, value in settings.items()
    ]
    return element("span.setting", *parts) if parts else element("span.none", "defaults")


def value_text(value: Any) -> str:
    """A value of a settings mapping as words."""
    if isinstance(value, str):
        return value
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)) and all(
        isinstance(one, (str, int, float)) for one in value
    ):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)
