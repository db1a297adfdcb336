"""leaderboard.json and details.json -> one HTML page that needs nothing else and asks no network.

The page's order is the reader's: the pick and why, the board, what scores cost, what more shots
did, where the pick errs, what the search tried, what is not there, and all one needs to doubt it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from nshot.report import charts
from nshot.report.markup import Markup, element, join
from nshot.report.numbers import Style, figure, finite, number, say, under
from nshot.report.pictures import section_of
from nshot.report.rows import (
    Row,
    delivered,
    listed,
    losses,
    mapped,
    marks,
    measured,
    missing,
    series,
)
from nshot.report.table import board_table, dictionary, settings_text

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
_FIRST_REASONS = 5
_FIRST_MISTAKES = 24
_FIRST_PAIRS = 10


def render(board: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """The page of a run.

    `board` is leaderboard.json (docs/leaderboard.md), `details` is details.json: machine, command,
    seeds, fold_plan, confusion, pictures, mistakes, log, times. What is absent from either is left
    out.
    """
    sections = [
        ("board", "Board", _board(board)),
        ("delivered", "As delivered", _delivered(board)),
        ("cost", "Cost", _cost(board)),
        ("shots", "Shots", _shots(board)),
        ("losses", "Losses", _losses(board)),
        ("confusion", "Confusion", _confusion(board, details)),
        ("pictures", "Pictures", _pictures(details)),
        ("mistakes", "Mistakes", _mistakes(board, details)),
        ("search", "Search", _search(board)),
        ("missing", "Not measured", _missing(board)),
        ("doubt", "Doubt", _doubt(board, details)),
    ]
    present = [(name, words, body) for name, words, body in sections if body]
    links = [element("a", words, at={"href": f"#{name}"}) for name, words, _ in present]
    body = element(
        "body",
        element("a.skip", "To the board", at={"href": "#board"}),
        _masthead(board),
        element("nav", *links, at={"aria-label": "Parts of this page"}),
        element("main", _verdict(board), *(body for _, _, body in present)),
        element("script", Markup(_asset("report.js"))),
    )
    page = element("html", _head(board), body, at={"lang": "en"})
    return f"<!doctype html>\n{page}\n"


def _asset(name: str) -> str:
    return files("nshot.report").joinpath(name).read_text(encoding="utf-8")


def _head(board: Mapping[str, Any]) -> Markup:
    """The head. The policy lets only this page's own script run, and lets nothing be fetched."""
    script = hashlib.sha256(_asset("report.js").encode()).digest()
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{base64.b64encode(script).decode()}'"
    )
    viewport = "width=device-width, initial-scale=1"
    return element(
        "head",
        element("meta", at={"charset": "utf-8"}),
        element("meta", at={"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", at={"name": "viewport", "content": viewport}),
        element("meta", at={"name": "color-scheme", "content": "light dark"}),
        element("link", at={"rel": "icon", "href": "data:,"}),
        element("title", f"{_task(board).get('name') or 'task'} · nshot report"),
        element("style", Markup(_asset("report.css"))),
    )


def _task(board: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapped(board.get("task"))


def _masthead(board: Mapping[str, Any]) -> Markup:
    task = _task(board)
    facts: list[Markup] = [element("span", str(task.get("kind", "")))]
    if listed(task.get("labels")):
        facts.append(element("span", f"{len(task['labels'])} labels"))
    for key, words in (
        ("train", " rows to learn from"),
        ("test", " test rows"),
        ("seeds", " draws"),
    ):
        facts.append(element("span", number(board, f"/task/{key}", "tokens"), words))
    if shots := listed(task.get("shots")):
        facts.append(element("span", "shots " + ", ".join(map(str, shots))))
    return element(
        "header.masthead",
        element("p.mark", "nshot"),
        element("p.task", str(task.get("name") or "unnamed task")),
        element("p.facts", *facts),
    )


def _pick(board: Mapping[str, Any]) -> str:
    return str(mapped(board.get("advice")).get("pick"))


def _section(name: str, title: str, lede: str, *content: str) -> Markup:
    head = element("header", element("h2", title), element("p", lede))
    return element("section", head, *content, at={"id": name})


def _verdict(board: Mapping[str, Any]) -> Markup:
    advice = mapped(board.get("advice"))
    pick = next((row for row in measured(board) if row.role == "pick"), None)
    if advice.get("pick") is None or pick is None:
        return element(
            "section.verdict.v-none",
            element("h1", "Nothing was measured"),
            _reasons(listed(advice.get("reasons"))),
            element(
                "p",
                "No method has a score; the reasons stand under ",
                element("a", "Not measured", at={"href": "#missing"}),
                ".",
            ),
        )
    badge, meaning = _VERDICTS.get(str(advice.get("verdict")), ("No verdict", ""))
    words = element(
        "div.words",
        element("p.badge", badge),
        element("h1", element("span", "Use "), element("code", _breakable(pick.name))),
        element("p.meaning", meaning),
        _reasons(listed(advice.get("reasons"))[:_FIRST_REASONS]),
    )
    return element(
        f"section.verdict.v-{advice.get('verdict')}",
        words,
        element("div.evidence", _corrected(board), _contest(board, pick), _facts(board, pick)),
        _reasons(listed(advice.get("reasons"))[_FIRST_REASONS:]),
        at={"id": "pick"},
    )


def _breakable(name: str) -> Markup:
    """A name that may break after its underscores, for narrow screens."""
    return join(
        *(join(part, Markup("_<wbr>")) for part in name.split("_")[:-1]), name.split("_")[-1]
    )


def _reasons(reasons: Sequence[Any]) -> Markup:
    items = [element("li", str(reason)) for reason in reasons]
    return element("ul.reasons", *items) if items else Markup("")


def _corrected(board: Mapping[str, Any]) -> Markup:
    metric = str(_task(board).get("metric", "score")).replace("_", " ")
    low, high = (number(board, f"/advice/corrected_{end}", "score") for end in ("low", "high"))
    return element(
        "div.corrected",
        element("p.big", number(board, "/advice/corrected_score", "score"), element("small", "%")),
        element(
            "p.what",
            element("strong", f"{metric} to expect on new inputs"),
            element("span", "95 % interval ", low, " to ", high),
            element("span", "already lowered by what winning a contest flatters"),
        ),
    )


def _contest(board: Mapping[str, Any], pick: Row) -> Markup:
    """Every method's score on one line, and under it the corrected interval of the pick."""
    found, advice = marks(measured(board)), mapped(board.get("advice"))
    score, low, high = (finite(advice.get(f"corrected_{end}")) for end in ("score", "low", "high"))
    if len(found) < 2 or score is None:
        return Markup("")
    expected = charts.Mark(pick.name, "pick", score, low, high)
    wide = element("div.wide", charts.strip(found, expected))
    narrow = element("div.narrow", charts.strip(found, expected, width=320))
    words = "Every method as measured; under the axis, what to expect of the pick."
    return element("figure.contest", wide, narrow, element("figcaption", words, _legend()))


def _legend() -> Markup:
    keys = (("pick", "pick"), ("could", "could be best"), ("out", "ruled out"))
    return element(
        "span.legend",
        *(element("span.key", element(f"i.k-{role}"), words) for role, words in keys),
    )


def _facts(board: Mapping[str, Any], pick: Row) -> Markup:
    shown: tuple[tuple[str, str, Style], ...] = (
        ("build_seconds", "to build", "seconds"),
        ("use_seconds_per_1000", "to answer 1,000", "seconds"),
        ("tokens_per_request", "tokens a request", "tokens"),
        ("trained_params", "trained parameters", "count"),
        ("disk_bytes", "on disk", "bytes"),
    )
    pairs = [
        element(
            "div", element("dt", words), element("dd", number(board, f"{pick.path}/{key}", style))
        )
        for key, words, style in shown
    ]
    return element("dl.facts", *pairs)


def _board(board: Mapping[str, Any]) -> Markup:
    found = measured(board)
    lede = (
        "Every method answered the same test inputs. Line: the 95 % interval; large mark: the mean "
        "score; small dots: one for each draw of the shots. Click a heading to sort."
    )
    if not found:
        return _section("board", "The board", "No method has been measured.")
    return _section("board", "The board", lede, _legend(), board_table(board, found))


def _delivered(board: Mapping[str, Any]) -> Markup:
    found = delivered(board)
    if not found:
        return Markup("")
    heads = (
        "Delivered as",
        "Score, %",
        "Against its measurement",
        "Answer 1,000",
        "On disk",
        "Note",
    )
    body = []
    by_name = {row.name: row for row in measured(board)}
    for row in found:
        parent = by_name.get(str(row.data.get("parent") or row.name))
        known = row.score is not None and parent is not None and parent.score is not None
        change = (row.score or 0.0) - (parent.score or 0.0) if known and parent else None
        notes = [str(row.data.get("reason") or ""), *map(str, listed(row.data.get("notes")))]
        cells = (
            join(element("code", row.name), " ", str(row.data.get("form"))),
            _with_interval(board, row),
            join(figure(change, "points"), " points" if change is not None else ""),
            number(board, f"{row.path}/use_seconds_per_1000", "seconds"),
            number(board, f"{row.path}/disk_bytes", "bytes"),
            " ".join(note for note in notes if note),
        )
        body.append(element("tr", *(element("td", cell) for cell in cells)))
    lede = (
        "The pick, fitted again with its settings on all labelled rows, and measured as it is "
        "handed over. It took no part in the choice."
    )
    table = _table("The winner as delivered", heads, body)
    return _section("delivered", "The winner as delivered", lede, table)


def _with_interval(board: Mapping[str, Any], row: Row) -> Markup:
    score, low, high = (
        number(board, f"{row.path}/{key}", "score") for key in ("score", "low", "high")
    )
    if finite(row.data.get("low")) is None:
        return score
    return join(score, " ", element("small", "(", low, " to ", high, ")"))


def _table(caption: str, heads: Sequence[str], body: Sequence[Markup]) -> Markup:
    row = element("tr", *(element("th", head, at={"scope": "col"}) for head in heads))
    table = element(
        "table.plain",
        element("caption.unseen", caption),
        element("thead", row),
        element("tbody", *body),
    )
    return element(
        "div.scroll", table, at={"tabindex": "0", "role": "region", "aria-label": caption}
    )


def _cost(board: Mapping[str, Any]) -> Markup:
    found = measured(board)
    figures = []
    for key, title, words in (
        ("use_seconds_per_1000", "Cost to serve", "time to answer 1,000 inputs"),
        ("build_seconds", "Cost to build", "time to build, search included"),
    ):
        shown = marks(found, key)
        wide = charts.scatter(shown, f"Score against {words}", words)
        narrow = charts.scatter(shown, f"Score against {words}", words, width=340, height=380)
        if wide:
            drawn = join(element("div.wide", wide), element("div.narrow", narrow))
            figures.append(element("figure", element("h3", title), drawn))
    if not figures:
        return Markup("")
    lede = (
        "Up is better, left is cheaper. The dashed steps join the methods that no cheaper one "
        "reaches (ringed): everything under the steps costs more and scores less. Time is on a "
        "logarithmic scale."
    )
    return _section("cost", "What a score costs", lede, _legend(), element("div.pair", *figures))


def _shots(board: Mapping[str, Any]) -> Markup:
    lines = series([*measured(board), *missing(board)])
    if not lines:
        return Markup("")
    scale = charts.curves_axis(lines)
    panels = [element("div.panel", charts.curve_panel(line, lines, scale)) for line in lines]
    lede = (
        "Score, in percent, over examples of each label; all other methods in grey behind. "
        "The same test inputs at every size. What still rises would gain from more training labels."
    )
    return _section("shots", "What more shots did", lede, element("div.panels", *panels))


def _losses(board: Mapping[str, Any]) -> Markup:
    lines = losses([*measured(board), *delivered(board)])
    if not lines:
        return Markup("")
    panels = [element("div.panel", charts.loss_panel(line)) for line in lines]
    lede = (
        "Loss over training steps, in nats for each token that is taught, first draw. Grey: the "
        "rows a step learned from. Coloured, with dots: shots that were only watched; where that "
        "line rises while the grey one falls, the method learns by heart. Scales differ."
    )
    return _section("losses", "How the loss fell", lede, element("div.panels", *panels))


def _confusion(board: Mapping[str, Any], details: Mapping[str, Any]) -> Markup:
    found = mapped(details.get("confusion"))
    labels = [str(label) for label in listed(found.get("labels"))]
    answers = [str(answer) for answer in listed(found.get("answers"))] or labels
    counts = [[int(count) for count in line] for line in listed(found.get("counts"))]
    if not labels or not any(map(any, counts)):
        return Markup("")
    title = f"Confusion of {_pick(board)} on the test inputs"
    drawn = charts.confusion(labels, counts, title, answers)
    said = {"tabindex": "0", "role": "region", "aria-label": "Confusion matrix"}
    box = element("div.scroll.matrix", drawn, at=said)
    lede = (
        "First draw. Rows: what was expected. Columns: what was answered. The diagonal is right; "
        "a cell's strength is its share of the row."
    )
    layout = "div.confusing.large" if len(labels) > 12 else "div.confusing"
    content = element(layout, box, _pairs(labels, answers, counts))
    return _section("confusion", "What the pick confuses", lede, content)


def _pairs(labels: Sequence[str], answers: Sequence[str], counts: charts.Counts) -> Markup:
    wrong = sorted(
        (-count, sum(line), expected, answer)
        for expected, line in zip(labels, counts, strict=True)
        for answer, count in zip(answers, line, strict=True)
        if count and answer != expected
    )
    if not wrong:
        return element("p", "It confused nothing on these test inputs.")
    items = []
    for count, total, expected, answer in wrong[:_FIRST_PAIRS]:
        words = join(element("b", expected), " answered as ", element("b", answer))
        where = {"href": "#mistakes", "data-expected": expected, "data-answer": answer}
        share = element("span", f" {-count} of {total}")
        items.append(element("li", element("a", words, at=where), share))
    return element("div.pairs", element("h3", "Most confused"), element("ol", *items))


def _pictures(details: Mapping[str, Any]) -> Markup:
    found = section_of(details)
    return _section("pictures", "The pictures", found[0], *found[1]) if found else Markup("")


def _mistakes(board: Mapping[str, Any], details: Mapping[str, Any]) -> Markup:
    found = [mapped(one) for one in listed(details.get("mistakes"))]
    if not found:
        return Markup("")
    written = finite(found[0].get("point")) is not None
    found.sort(key=_worst_first if written else _surest_first)
    items = [_mistake(one) for one in found]
    shown = [element("ol.mistakes", *items[:_FIRST_MISTAKES])]
    if rest := items[_FIRST_MISTAKES:]:
        more = element("ol.mistakes", *rest, at={"start": _FIRST_MISTAKES + 1})
        shown.append(element("details.more", element("summary", f"The other {len(rest)}"), more))
    search = element(
        "p.find",
        element("label", "Search ", at={"for": "find"}),
        element("input", at={"id": "find", "type": "search", "placeholder": "text, label or id"}),
        element("output", f"{len(found)} shown", at={"for": "find", "id": "found"}),
    )
    if written:
        lede = (
            f"What {_pick(board)} wrote on the first draw where it fell short of the full score, "
            "the lowest first. Read some from both ends before you trust the metric."
        )
        return _section("mistakes", "What the pick wrote", lede, search, *shown)
    lede = (
        f"Test inputs that {_pick(board)} got wrong on the first draw, the highest score first. "
        "Read them before you trust the numbers: some labels may be wrong."
    )
    return _section("mistakes", "What the pick gets wrong", lede, search, *shown)


def _worst_first(one: Mapping[str, Any]) -> float:
    return finite(one.get("point")) or 0.0


def _surest_first(one: Mapping[str, Any]) -> tuple[bool, float]:
    """By falling score, which may be a negative log-likelihood; without one last."""
    score = finite(one.get("score"))
    return (score is None, -(score or 0.0))


def _mistake(one: Mapping[str, Any]) -> Markup:
    expected, answer = str(one.get("expected", "")), str(one.get("answer", ""))
    score, point = finite(one.get("score")), finite(one.get("point"))
    return element(
        "li",
        element("p.text", str(one.get("text", "")), at={"dir": "auto"}),
        element(
            "p.said",
            element("span.expected", "expected ", element("b", expected)),
            element("span.answer", "answered ", element("b", answer)),
            element("span", f"{say(point, 'score')} %") if point is not None else "",
            element("span", f"score {score:.3g}") if score is not None else "",
            element("span.id", str(one.get("id", ""))),
        ),
        at={"data-expected": expected, "data-answer": answer},
    )


def _search(board: Mapping[str, Any]) -> Markup:
    blocks = []
    for row in measured(board):
        tried = [mapped(one) for one in listed(row.data.get("trials"))]
        if tried:
            blocks.append(_tried(board, row, tried))
    if not blocks:
        return Markup("")
    lede = (
        "Settings were searched on folds of the shots, never on test inputs. Scores here are those "
        "of the folds, so they are not comparable with the board."
    )
    return _section("search", "What the search tried", lede, element("div.tried", *blocks))


def _tried(board: Mapping[str, Any], row: Row, tried: Sequence[Mapping[str, Any]]) -> Markup:
    known = [
        (score, bool(one.get("chosen")))
        for one in tried
        if (score := finite(one.get("score"))) is not None
    ]
    drawn = (
        charts.trials(known, charts.axis([score for score, _ in known])) if known else Markup("")
    )
    low, high = min(known, default=(None,))[0], max(known, default=(None,))[0]
    spread = f"{say(low, 'score')} to {say(high, 'score')} %" if known else "no score"
    summary = element(
        "summary",
        element("code", row.name),
        element("span", f"{len(tried)} tried"),
        drawn,
        element("span", spread),
    )
    body = [
        element(
            "tr.chosen" if one.get("chosen") else "tr",
            element("td", settings_text(mapped(one.get("settings")))),
            element("td.num", number(board, f"{row.path}/trials/{i}/score", "score")),
            element(
                "td",
                " ".join(
                    filter(
                        None, ("chosen" if one.get("chosen") else "", str(one.get("note") or ""))
                    )
                ),
            ),
        )
        for i, one in enumerate(tried)
    ]
    heads = ("Settings", "Score on folds, %", "")
    return element("details", summary, _table(f"Settings tried for {row.name}", heads, body))


def _missing(board: Mapping[str, Any]) -> Markup:
    found = missing(board)
    if not found:
        return Markup("")
    body = [
        element(
            "tr",
            element("td", element("code", row.name)),
            element(
                "td",
                element(f"span.status.s-{row.data.get('status')}", str(row.data.get("status"))),
            ),
            element("td", str(row.data.get("reason") or "no reason was given")),
            element("td", number(board, f"{row.path}/forecast_seconds", "seconds")),
        )
        for row in found
    ]
    table = _table("Methods without a score", ("Method", "Status", "Why", "Forecast"), body)
    lede = "Not measured is not bad: these methods took no part in the choice."
    return _section("missing", "What was not measured", lede, table)


def _doubt(board: Mapping[str, Any], details: Mapping[str, Any]) -> Markup:
    lede = "How these numbers came about, and what to hold against them."
    blocks = [
        _block("The task", _task_facts(board)),
        _block("The test", _test_facts(board, details)),
        _block("The decision", _decision_facts(board)),
        _block("The machine", _machine_facts(details)),
        _block("The models", mapped(details.get("models"))),
        _block("The run", _run_facts(details)),
    ]
    notes = [str(note) for note in listed(_task(board).get("notes"))]
    notes += [
        f"{row.name}: {note}" for row in measured(board) for note in listed(row.data.get("notes"))
    ]
    extra = [_chosen(board), _versus(board), _labels(board), _log(details)]
    if notes:
        items = element("ul", *(element("li", note) for note in notes))
        blocks.append(element("div.block.notes", element("h3", "Notes"), items))
    if command := details.get("command"):
        shown = command if isinstance(command, str) else shlex.join(map(str, listed(command)))
        extra.insert(0, element("div.command", element("h3", "The command"), element("pre", shown)))
    return _section(
        "doubt", "Everything needed to doubt it", lede, element("div.blocks", *blocks), *extra
    )


def _block(title: str, facts: Mapping[str, Any]) -> Markup:
    facts = {key: value for key, value in facts.items() if value not in (None, "", [], {})}
    if not facts:
        return Markup("")
    return element("div.block", element("h3", title), dictionary(facts))


def _task_facts(board: Mapping[str, Any]) -> dict[str, Any]:
    task = _task(board)
    return {
        "name": task.get("name"),
        "kind": task.get("kind"),
        "metric": task.get("metric"),
        "labels": len(listed(task.get("labels"))) or None,
        "shots of each label": task.get("shots"),
        "draws": task.get("seeds"),
    }


def _test_facts(board: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    task = _task(board)
    return {
        "measured on": _MODES.get(str(task.get("mode")), task.get("mode")),
        "test rows": task.get("test"),
        "rows to learn from": task.get("train"),
        "fold plan": details.get("fold_plan"),
        "seeds": details.get("seeds"),
        "fingerprint of the split": board.get("fingerprint"),
    }


def _decision_facts(board: Mapping[str, Any]) -> dict[str, Any]:
    """What the advice says beyond what stands at the top of the page."""
    told = {
        "pick",
        "reasons",
        "verdict",
        "corrected_score",
        "corrected_low",
        "corrected_high",
        "versus_pick",
    }
    advice = mapped(board.get("advice"))
    return {key.replace("_", " "): value for key, value in advice.items() if key not in told}


def _machine_facts(details: Mapping[str, Any]) -> dict[str, Any]:
    machine = dict(mapped(details.get("machine")))
    versions = mapped(machine.pop("versions", None))
    memory = finite(machine.pop("memory_bytes", None))
    if memory is not None:
        machine["memory"] = say(memory, "bytes")
    return {**machine, **versions}


def _run_facts(details: Mapping[str, Any]) -> dict[str, Any]:
    elapsed = finite(details.get("elapsed_seconds"))
    return {
        "started": _moment(details.get("started")),
        "finished": _moment(details.get("finished")),
        "took": say(elapsed, "seconds") if elapsed is not None else None,
    }


def _moment(when: Any) -> Any:
    """Seconds since 1970 as a date and time in UTC; anything else as it is."""
    seconds = finite(when)
    if seconds is None:
        return when
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _chosen(board: Mapping[str, Any]) -> Markup:
    """The settings of every row once more, for paper, where the board leaves them out."""
    body = [
        element(
            "tr",
            element("td", element("code", row.name)),
            element("td", settings_text(mapped(row.data.get("settings")))),
        )
        for row in measured(board)
    ]
    if not body:
        return Markup("")
    table = _table("Settings of every method", ("Method", "Settings"), body)
    return element("details", element("summary", "Settings of every method"), table)


def _versus(board: Mapping[str, Any]) -> Markup:
    """How far each method is from the pick, and how far it could be."""
    path, gaps = "/advice/versus_pick", mapped(mapped(board.get("advice")).get("versus_pick"))
    if not gaps:
        return Markup("")
    body = []
    for name in gaps:
        ends = (
            number(board, f"{under(path, name)}/{end}", "points")
            for end in ("score", "low", "high")
        )
        body.append(
            element(
                "tr", element("td", element("code", name)), *(element("td", end) for end in ends)
            )
        )
    heads = ("Method", "Measured against the pick, points", "Could be, from", "to")
    table = _table("Each method against the pick", heads, body)
    return element("details", element("summary", "Each method against the pick"), table)


def _labels(board: Mapping[str, Any]) -> Markup:
    labels = [mapped(one) for one in listed(_task(board).get("labels"))]
    if not labels:
        return Markup("")
    facts = {str(one.get("name")): one.get("description") or "no description" for one in labels}
    return element("details", element("summary", f"The {len(labels)} labels"), dictionary(facts))


def _log(details: Mapping[str, Any]) -> Markup:
    log = details.get("log")
    if not log:
        return Markup("")
    lines = (
        log
        if isinstance(log, str)
        else "\n".join(
            one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
            for one in listed(log)
        )
    )
    return element("details", element("summary", "The log of the run"), element("pre", lines))
