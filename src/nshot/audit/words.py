"""Results of audits as text: lines for a terminal, a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nshot.audit.contract import AuditResult, Cell, Finding, Sheet, Unit

_MOST = 8
"""Findings without alarm that a terminal shows of an audit."""


def figure(value: float, unit: Unit) -> str:
    """``12.3 %``, ``+4.0 points``, ``7``."""
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "points":
        return f"{100 * value:+.1f} points"
    return f"{value:g}" if unit == "count" else f"{value:.3f}"


def interval(one: Finding) -> str:
    """The figure with its 95 % interval; "" where there is none."""
    if one.value is None:
        return ""
    if one.low is None or one.high is None:
        return figure(one.value, one.unit)
    low, high = (figure(end, one.unit).removesuffix(" points").removesuffix(" %")
                 for end in (one.low, one.high))  # fmt: skip
    return f"{figure(one.value, one.unit)} ({low} to {high})"


def sentence(one: Finding) -> str:
    """What it says, with its figures."""
    figures = interval(one)
    return one.sentence + (f": {figures}" if figures else "")


def terminal(results: Sequence[AuditResult]) -> str:
    """What a terminal shows: of each audit its summary and its alarms, then some of the others."""
    return "\n\n".join("\n".join(_lines(result)) for result in results)


def _lines(result: AuditResult) -> Iterator[str]:
    if result.reason:
        yield f"{result.audit}: not run: {result.reason}"
        return
    yield f"{result.audit}: {result.summary}"
    quiet = [one for one in result.findings if not one.alarm]
    for one in (*result.alarms, *quiet[:_MOST]):
        yield f"  {'!' if one.alarm else '-'} {sentence(one)}"
    if len(quiet) > _MOST:
        yield f"  - {len(quiet) - _MOST} more, none of them an alarm"
    for note in result.notes:
        yield f"  note: {note}"


def tables(results: Sequence[AuditResult]) -> str:
    """The tables of the results, as Markdown."""
    return "\n\n".join(_table(sheet) for result in results for sheet in result.sheets)


def markdown(subject: str, results: Sequence[AuditResult], notes: Sequence[str]) -> str:
    """The whole page."""
    parts = [f"# Audit of {subject}"]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    for result in results:
        parts += _part(result)
    return "\n\n".join(parts) + "\n"


def _part(result: AuditResult) -> Iterator[str]:
    yield f"## {result.audit}"
    if result.reason:
        yield f"Not run: {result.reason}."
        return
    yield result.summary
    if result.findings:
        yield "\n".join(_item(one) for one in result.findings)
    for sheet in result.sheets:
        yield _table(sheet)
    if result.notes:
        yield "\n".join(f"- Note: {note}" for note in result.notes)
    if result.conclude:
        yield f"*{result.conclude}*"


def _item(one: Finding) -> str:
    text = sentence(one)
    text = f"**{text}**" if one.alarm else text
    return f"- {text}" + (f" (rows {', '.join(one.rows)})" if one.rows else "")


def _table(sheet: Sheet) -> str:
    lines = [f"**{sheet.title}**", "", _line(sheet.heads), "|" + "---|" * len(sheet.heads)]
    lines += [
        _line([cell_words(cell, head) for cell, head in zip(line, sheet.heads, strict=True)])
        for line in sheet.lines
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def cell_words(cell: Cell, head: str) -> str:
    """A cell of a table: under a heading that ends in ``%`` a fraction in percent."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{100 * cell:.1f}" if head.endswith("%") else f"{cell:.3g}"
    return str(cell)
