"""Relevant: the examples are of what will come, and give nothing away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from nshot.core.types import Example
from nshot.data.same import fold, sameness
from nshot.data.scripts import script
from nshot.prompts.checks.draft import Draft, Finding
from nshot.prompts.checks.wording import plural
from nshot.prompts.parts import label_words

_SCRIPTS = 0.5
"""Share of the examples in a script in which the inputs are not."""
_STRAY = 0.15
"""Share of the examples up to which those of a script that no input has are strays."""
_TIMES = 3.0
"""How many times longer or shorter the examples are than the inputs."""
_LEAST_TEXT = 16
"""Characters from which a test text inside the prompt is no chance."""
_TAILS = 2
"""Texts that end with their label, from which that is no chance."""


def relevant(draft: Draft) -> Iterator[Finding]:
    """Everything under this heading."""
    yield from _scripts(draft)
    yield from _lengths(draft)
    yield from _test_rows(draft)
    yield from _own_labels(draft)


def _scripts(draft: Draft) -> Iterator[Finding]:
    """Examples and inputs are in the same language, as far as letters tell."""
    ours, theirs = (_shares(rows) for rows in (draft.rows, draft.met))
    if not theirs:
        ours_only = {kind: share for kind, share in ours.items() if share <= _STRAY}
        strays = ours_only if max(ours.values(), default=0) >= 1 - _STRAY else {}
    else:
        strays = {kind: share for kind, share in ours.items() if not theirs.get(kind)}
        strays |= {k: s for k, s in ours.items() if s - theirs.get(k, 0) >= _SCRIPTS}
    if strays:
        kind = max(strays, key=lambda one: strays[one])
        rows = [row for row in draft.rows if script(row.input.text) == kind]
        yield Finding(
            "relevant",
            f"{len(rows)} of {plural(len(draft.rows), 'example')} are in {kind} letters, "
            + ("which few inputs are" if theirs else "the others are not"),
            "show examples of what will come",
            draft.row(rows[0]),
        )


def _shares(rows: Sequence[Example]) -> dict[str, float]:
    kinds = Counter(
        kind for row in rows if (kind := script(row.input.text)) not in ("other", "mixed")
    )
    return {kind: count / kinds.total() for kind, count in kinds.items()}


def _lengths(draft: Draft) -> Iterator[Finding]:
    """Examples are as long as the inputs."""
    if len(draft.met) < 5 or not draft.rows:
        return
    ours, theirs = (median(len(r.input.text) for r in rows) for rows in (draft.rows, draft.met))
    if max(ours, theirs) >= _TIMES * max(1, min(ours, theirs)):
        longer = "longer" if ours > theirs else "shorter"
        times = max(ours, theirs) / max(1, min(ours, theirs))
        yield Finding(
            "relevant",
            f"the examples are {times:.0f} times {longer} than the inputs"
            f" ({ours:.0f} and {theirs:.0f} characters)",
            "show examples of what will come",
            draft.row(draft.rows[0]),
        )


def _test_rows(draft: Draft) -> Iterator[Finding]:
    """Nothing of a test row stands in the prompt or among the examples."""
    every = [(part, fold(text)) for part, text in draft.parts.items()]
    every += [("labels", fold(label.description or "")) for label in draft.task.labels]
    for row in draft.test:
        text = fold(row.input.text)
        part = next((p for p, own in every if len(text) >= _LEAST_TEXT and text in own), None)
        if part is not None:
            yield Finding(
                "relevant",
                f"{part} holds the text of a test row: '{row.input.text[:60]}'",
                "take it out: what the prompt has seen measures nothing",
                draft.where(part),
            )
            return
    known = {sameness(row.input): row for row in draft.rows}
    copies = [row for row in draft.test if sameness(row.input) in known]
    if copies:
        yield Finding(
            "relevant",
            f"{plural(len(copies), 'test row')} stand among the examples:"
            f" '{copies[0].input.text[:60]}'",
            "take them out of one of the two files",
            draft.row(known[sameness(copies[0].input)]),
        )


def _own_labels(draft: Draft) -> Iterator[Finding]:
    """No text ends with its own label behind a mark."""
    if not draft.task.has_labels:
        return
    words = dict(zip(draft.task.label_names, label_words(draft.task), strict=True))
    tails = [row for row in (*draft.rows, *draft.test) if _ends_with(row, words)]
    if len(tails) >= _TAILS:
        yield Finding(
            "relevant",
            f"{plural(len(tails), 'text')} end with their own label: '{tails[0].input.text[-50:]}'",
            "cut it off: an input will not bring its answer",
            draft.row(tails[0]),
        )


def _ends_with(row: Example, words: dict[str, str]) -> bool:
    if not row.targets:
        return False
    names = "|".join(re.escape(one) for one in {row.label, words.get(row.label, row.label)})
    mark = r"(?:->|=>|→|//|\||[(\[#:/])\s*"
    return bool(re.search(rf"{mark}(?:{names})\W*$", row.input.text, re.IGNORECASE))
