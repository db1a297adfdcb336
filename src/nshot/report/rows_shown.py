"""Rows of a file as nshot understood them, and as a model reads them: ``nshot data show``."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example
from nshot.data.loading import Loaded
from nshot.data.overlap import RULE, overlap
from nshot.data.same import shown
from nshot.data.summary import Summary, best_answer, spoken, summary
from nshot.models.hf.control import controls
from nshot.models.hf.spans import Rendered, apart
from nshot.models.hf.tokens import encode, render
from nshot.report.reader import Reader

_BAR = 40
_LONG, _HEAD, _TAIL = 900, 600, 250
"""Characters: a longer stretch of a row is shown by its beginning and its end."""
_PAIRS = 3
_NO_SIGN = "\N{REPLACEMENT CHARACTER}"


def understood(loaded: Loaded, reader: Reader, rows: int, colour: bool) -> str:
    """All that can be said of the rows: counts, copies, overlap, lengths, and some rendered."""
    lines = [f"format {loaded.format}, kind {loaded.task.kind}: {len(loaded.train)} rows"]
    lines += [f"note: {note}" for note in loaded.notes]
    lines += _counts(summary(loaded.train))
    lines += _spelling(loaded.train, reader)
    if loaded.test is not None:
        lines += _overlap(loaded.train, loaded.test)
    lines += ["", *_lengths(loaded.train, reader), ""]
    if rows:
        lines += _rendered(loaded.train[:rows], reader, colour)
    return "\n".join(lines)


def _counts(seen: Summary) -> list[str]:
    turns = ", ".join(f"{count} {role}" for role, count in sorted(seen.roles.items()))
    scripts = ", ".join(
        f"{name} {_share(count, seen.rows)}" for name, count in seen.scripts.most_common()
    )
    return [
        f"turns: {turns}; {_share(seen.several, seen.rows)} of the rows have several questions",
        f"system prompts: {seen.systems} different, in {seen.with_system} rows",
        f"languages, by script: {scripts}",
        f"duplicates: {seen.repeats} rows ask what an earlier row asks, {seen.copies} of them with "
        "the same answer (case, space and punctuation aside)",
    ]


def _spelling(rows: Sequence[Example], reader: Reader) -> list[str]:
    """That texts spell control tokens, and what becomes of that."""
    if reader.tokenizer is None:
        return []
    spells = controls(reader.tokenizer).spells
    count = sum(any(spells(turn.text) for turn in spoken(row)) for row in rows)
    sentence = f"{count} rows spell control tokens of {reader.name}: read as text, no turn begins"
    return [f"note: {sentence} or ends there"] if count else []


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _overlap(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    overlaps = overlap(train, test)
    rows = {row.id: row for row in train}
    lines = [
        f"overlap with {len(test)} test rows: {len(overlaps.same)} train rows the same, "
        f"{len(overlaps.near)} near ({RULE})"
    ]
    for word, pairs in (("same", overlaps.same), ("near", overlaps.near)):
        lines += [f"  {word}: {name} {shown(rows[name])} ~ {at}" for name, at in pairs[:_PAIRS]]
    return [*map(_plain, lines)]


def _lengths(rows: Sequence[Example], reader: Reader) -> list[str]:
    """A histogram, its bins doubling."""
    lengths, refused = _measured(rows, reader)
    unit = "tokens" if reader.tokenizer is not None else "characters"
    by = "the chat template of " * reader.chats + reader.name
    lines = [f"length in {unit}, by {by}:"]
    if lengths:
        lines[0] += f" median {statistics.median(lengths):.0f}, longest {max(lengths)}"
        bins = Counter(max(4, math.ceil(math.log2(max(1, length)))) for length in lengths)
        most = max(bins.values())
        for power in range(min(bins), max(bins) + 1):
            bar = "#" * math.ceil(_BAR * bins[power] / most)
            lines.append(f"  up to {2**power:7}  {bins[power]:7}  {bar}".rstrip())
    if reader.context:
        over = sum(length > reader.context for length in lengths)
        lines.append(f"  {over} rows exceed the context of {reader.context} tokens")
    lines += [f"  {count} rows are refused: {why}" for why, count in refused.items()]
    return lines


def _measured(rows: Sequence[Example], reader: Reader) -> tuple[list[int], Counter[str]]:
    """The length of each row that the template takes, and how many it refuses with what words."""
    texts: list[tuple[str, bool]] = []
    refused: Counter[str] = Counter()
    for row in rows:
        turns = spoken(row)
        try:
            plain = "\n".join(turn.text for turn in turns)
            text = render(reader.tokenizer, turns, answering=False) if reader.chats else None
            texts.append(text or _whole(plain, reader))
        except CannotAdapt as error:
            refused[str(error)] += 1
    if reader.tokenizer is None:
        return [len(text) for text, _ in texts], refused
    return [len(tokens) for tokens in encode(reader.tokenizer, texts)], refused


def _whole(text: str, reader: Reader) -> tuple[str, bool]:
    return (text, True) if reader.tokenizer is None else render(reader.tokenizer, text)


def _rendered(rows: Sequence[Example], reader: Reader, colour: bool) -> list[str]:
    marks = "in green" if colour else "between [[ and ]]"
    way = "through the chat template" if reader.chats else "as text: there is no chat template"
    lines = [f"the first {len(rows)} rows, {way}; what is taught stands {marks}"]
    for row in rows:
        lines.append(f"--- {_plain(row.id)}")
        try:
            parts = apart(reader.tokenizer, spoken(row)) if reader.chats else ()
        except CannotAdapt as error:
            lines.append(f"refused: {error}")
            continue
        lines += [_marked(reader.tokenizer, part, colour) for part in parts] or [
            _as_text(row, colour)
        ]
        if len(parts) > 1:
            lines.append("(a row for each answer: the template writes earlier answers otherwise)")
    return lines


def _marked(tokenizer: Any, part: Rendered, colour: bool) -> str:
    parts = []
    for taught, run in groupby(zip(*part, strict=True), key=lambda pair: bool(pair[1])):
        text = tokenizer.decode([token for token, _ in run], clean_up_tokenization_spaces=False)
        parts.append(_taught(text, colour) if taught else _short(_plain(text)))
    return "".join(parts).rstrip("\n")


def _as_text(row: Example, colour: bool) -> str:
    question = "\n".join(turn.text for turn in spoken(row)[: -1 if best_answer(row) else None])
    return f"{_short(_plain(question))}\n{_taught(best_answer(row), colour)}"


def _taught(text: str, colour: bool) -> str:
    text = _short(_plain(text))
    return f"\x1b[32m{text}\x1b[0m" if colour else f"[[{text}]]"


def _short(text: str) -> str:
    if len(text) <= _LONG:
        return text
    left = len(text) - _HEAD - _TAIL
    return f"{text[:_HEAD]} ... {left} characters ... {text[-_TAIL:]}"


def _plain(text: str) -> str:
    """Without characters that would move the cursor or change the colours of a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else _NO_SIGN for c in text)
