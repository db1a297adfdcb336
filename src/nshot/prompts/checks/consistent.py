"""Consistent: labels, examples and parts are written in one manner."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from nshot.core.types import Example
from nshot.data.same import sameness
from nshot.data.scripts import script
from nshot.prompts.checks.draft import Draft, Finding
from nshot.prompts.checks.wording import listed, personas, plural
from nshot.prompts.render import field_name

_PREFIX = re.compile(r"^\s*([^\W\d][\w ]{0,20})\s*[:：]\s+\S")
_PREFIX_WORDS = (
    "text input review sentence question q query message comment title tweet document example "
    "문장 리뷰 질문 텍스트 입력 댓글 제목 메시지 예시 본문 문의"
)
_PREFIXES = frozenset(_PREFIX_WORDS.split())
_OTHER_FORMS = re.compile(
    r"(?<![a-z])(?:json|xml|yaml|csv|markdown|html|table|bullet(?: point)?s?|full sentence|"
    r"paragraph|essay)(?![a-z])|"
    r"표로|문단|완전한 문장|목록으로",
    re.IGNORECASE,
)
_JSON = re.compile(r"(?<![a-z])json(?![a-z])", re.IGNORECASE)
_ONE_SENTENCE = re.compile(r"\b(?:one|a single) sentence\b|한 문장", re.IGNORECASE)
_LEAST, _MOST = 0.05, 0.45
"""Shares of rows between which a manner of writing is that of some and not of most."""


def consistent(draft: Draft) -> Iterator[Finding]:
    """Everything under this heading."""
    yield from _labels(draft)
    yield from _contradictions(draft)
    yield from _manners(draft)
    yield from _answers(draft)
    yield from _parts(draft)


def _labels(draft: Draft) -> Iterator[Finding]:
    """Case, separators and script are those of all labels."""
    names = draft.task.label_names
    looks: dict[str, Callable[[str], str | None]] = {
        "case": _case,
        "separators between words": _separator,
        "script": _script,
    }
    for what, look in looks.items():
        kinds: dict[str, list[str]] = {}
        for name in names:
            if (kind := look(name)) is not None:
                kinds.setdefault(kind, []).append(name)
        if len(kinds) > 1:
            rare = min(kinds.values(), key=len)
            yield Finding(
                "consistent",
                f"labels differ in {what}: {listed(rare)} among {listed(names)}",
                "write all of them alike",
                draft.where("labels"),
            )


def _case(name: str) -> str | None:
    letters = [c for c in name if c.isalpha() and c.lower() != c.upper()]
    if len(letters) < 2:
        return None
    if all(c.isupper() for c in letters):
        return "upper"
    return "first" if letters[0].isupper() else "lower"


def _separator(name: str) -> str | None:
    kinds = {c for c in name if c in "_- "}
    return kinds.pop() if len(kinds) == 1 else None


def _script(name: str) -> str | None:
    kind = script(name)
    return None if kind in ("other", "mixed") else kind


def _contradictions(draft: Draft) -> Iterator[Finding]:
    """No text stands with two labels."""
    if not draft.task.labels or draft.task.kind in ("multilabel", "spans"):
        return
    seen: dict[str, Example] = {}
    for row in draft.rows:
        other = seen.setdefault(sameness(replace(row.input, answers=())), row)
        if other.targets != row.targets:
            yield Finding(
                "consistent",
                f"one text with two labels, '{other.label}' and '{row.label}':"
                f" '{row.input.text[:60]}'",
                f"decide, and mend {draft.row(other)} or this one",
                draft.row(row),
            )
            return


def _manners(draft: Draft) -> Iterator[Finding]:
    """What some inputs have, all have: a name in front, quotes, capitals, markup."""
    rows = [row for row in draft.rows if row.input.fields]
    if not rows:
        return
    fields = {field_name(draft.task, name).casefold() for name, _ in rows[0].input.fields}
    manners: dict[str, Callable[[str], bool]] = {
        "begin with a name and a colon": lambda text: _has_prefix(text, fields),
        "stand in quotes": lambda text: bool(re.fullmatch(r"\s*([\"'“「]).{3,}[\"'”」]\s*", text)),
        "are in capitals": lambda text: len(text) > 12 and text.isupper(),
        "hold markup": lambda text: bool(re.search(r"<\w+ ?/?>|</\w+>|&\w{2,6};", text)),
        "begin with a number or a bullet": lambda text: bool(
            re.match(r"\s*(?:\d{1,3}[.)]|[-*•])\s+\S", text)
        ),
    }
    for what, has in manners.items():
        hits = [row for row in rows if has(row.input.fields[0][1])]
        if len(hits) >= 2 and _LEAST * len(rows) <= len(hits) <= (1 - _LEAST) * len(rows):
            yield Finding(
                "consistent",
                f"{len(hits)} of {plural(len(rows), 'text')} {what}, the others do not",
                "write all rows in one form",
                draft.row(hits[0]),
            )


def _has_prefix(text: str, fields: set[str]) -> bool:
    match = _PREFIX.match(text)
    return match is not None and match[1].casefold().strip() in _PREFIXES | fields


def _answers(draft: Draft) -> Iterator[Finding]:
    """Written answers end and begin alike, and are what the output format says."""
    form = draft.parts.get("output_format", "")
    if draft.task.labels and draft.task.kind != "spans" and (match := _OTHER_FORMS.search(form)):
        yield Finding(
            "consistent",
            f"output_format wants '{match[0]}', and an answer is a label alone",
            "output_format: Write the label alone.",
            draft.where("output_format"),
        )
    if draft.task.kind != "generate":
        return
    answers = [row.targets[0] for row in draft.rows if row.targets]
    looks: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("end with a full stop", lambda text: text.rstrip().endswith((".", "。", "!", "?"))),
        ("begin with a capital", lambda text: text[:1].isupper()),
    )
    for what, has in looks:
        able = (
            [a for a in answers if a[:1].lower() != a[:1].upper()] if "capital" in what else answers
        )
        hits = sum(map(has, able))
        rarer = min(hits, len(able) - hits)
        if rarer >= 2 and rarer >= 0.15 * len(able):
            yield Finding(
                "consistent",
                f"{hits} of {plural(len(able), 'answer')} {what}, the others do not",
                "write all answers in one form",
                draft.row(draft.rows[0]),
            )
    yield from _form_of_answers(draft, form, answers)


def _form_of_answers(draft: Draft, form: str, answers: Sequence[str]) -> Iterator[Finding]:
    wrong = None
    if _JSON.search(form):
        wrong = next((one for one in answers if not _is_json(one)), None)
    elif _ONE_SENTENCE.search(form):
        wrong = next((a for a in answers if len(re.findall(r"[.!?。](?:\s+\S)", a)) > 0), None)
    if wrong is not None:
        yield Finding(
            "consistent",
            f"output_format says '{form}', and an example answers '{wrong[:60]}'",
            "mend the examples, or the format",
            draft.where("output_format"),
        )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parts(draft: Draft) -> Iterator[Finding]:
    """The parts are in one language, and one person answers."""
    scripts = {
        part: kind
        for part, text in draft.parts.items()
        if len(text) > 8 and (kind := script(text)) in ("Latin", "Hangul", "Kana", "Cyrillic")
    }
    counts = Counter(scripts.values())
    if len(counts) > 1:
        rare = counts.most_common()[-1][0]
        part = next(name for name, kind in scripts.items() if kind == rare)
        yield Finding(
            "consistent",
            f"the parts are in several languages: {part} in {rare}",
            "write all parts in the language of the inputs",
            draft.where(part),
        )
    roles = {part: personas(draft.parts.get(part, "")) for part in ("system", "persona")}
    if sum(roles.values()) > 1:
        part = "persona" if roles["persona"] else "system"
        yield Finding(
            "consistent",
            f"{sum(roles.values())} persons answer in one prompt",
            "keep one",
            draft.where(part),
        )
