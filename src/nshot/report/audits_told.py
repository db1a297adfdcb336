"""What audits measured, as a section of a card."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nshot.audit.carrying_out import AuditReport
from nshot.audit.words import interval

_MOST = 10
"""Alarms that a card shows of an audit: the page of the audit has all."""


def audit_lines(report: AuditReport | None, names: Collection[str]) -> Iterator[str]:
    """The section: of each audit of these names its summary and alarms; all audits where ().

    Without a report it says that nobody looked, and by which command one does.
    """
    results = [one for one in report.results if not names or one.audit in names] if report else []
    yield "## Audits"
    if not results:
        yield "Not audited: `nshot audit RUN` looks at what the scores do not show."
        return
    lines = []
    for result in results:
        if result.reason:
            lines.append(f"- {result.audit}: not looked at: {result.reason}")
            continue
        lines.append(f"- {result.audit}: {result.summary}")
        for one in result.alarms[:_MOST]:
            figures = interval(one)
            lines.append(f"  - **{one.sentence}**" + (f": {figures}" if figures else ""))
        if (rest := len(result.alarms) - _MOST) > 0:
            lines.append(f"  - {rest} more in audit.md")
    yield "\n".join(lines)
    yield "Intervals are 95 %; an alarm is more than luck at 5 % over all questions of its audit."
