"""Two answers to one question and which of them is better, as the tables of arenas write it."""

from __future__ import annotations

from nshot.data.table import Row, cell_text

_PAIRS = (
    ("response_a", "response_b"), ("answer_a", "answer_b"), ("completion_a", "completion_b"),
    ("output_a", "output_b"), ("output_1", "output_2"), ("response_1", "response_2"),
    ("answer_1", "answer_2"), ("human_ref_a", "human_ref_b"), ("completion_1", "completion_2"),
)  # fmt: skip
"""Names of the columns of the two answers, in lower case."""
_BETTER = ("response_j", "answer_j"), ("response_k", "answer_k")
"""The better answer and the worse one (Stack Exchange pairs)."""
_CHOSEN = (
    "chosen_response", "accepted", "preferred", "win", "winner_response", "preferred_output"
), (
    "rejected_response", "rejected", "dispreferred", "lose", "loser_response",
    "non_preferred_output",
)  # fmt: skip
_VERDICTS = ("winner", "preference", "preferred", "labels", "label", "choice", "better")
_FIRST = frozenset({"a", "1", "model_a", "response_a", "output_1", "first", "left", "answer_a"})
_SECOND = frozenset({"b", "2", "model_b", "response_b", "output_2", "second", "right", "answer_b"})
_LEVEL = frozenset({"tie", "both", "tie (bothbad)", "equal", "same", "none", "neither", "draw"})
_ASKED = ("prompt", "instruction", "question", "query", "history", "input", "post")
DUEL_NAMES = frozenset({*(n for pair in (*_PAIRS, *_BETTER, *_CHOSEN) for n in pair), *_VERDICTS})
"""Columns that may be of use."""


def as_pair(row: Row) -> Row | None:
    """The row with ``prompt``, ``chosen`` and ``rejected``; None where it is no such row.

    Where the two are level, both are the same text: a row without preference.
    """
    names = {str(name).casefold(): name for name in row}
    question = next((names[name] for name in _ASKED if name in names), None)
    if question is None or {"chosen", "answers"} & names.keys():
        return None
    chosen = _side_by_side(row, names) or _judged(row, names)
    if chosen is None:
        return None
    rest: Row = {key: row[key] for key in ("system", "tools") if key in row}
    beside = {"input": row[names["input"]]} if question != "input" and "input" in names else {}
    prompt = row[question]
    if isinstance(prompt, dict) and isinstance(prompt.get("messages"), list):
        prompt = prompt["messages"]
    return {**rest, **beside, "prompt": prompt, "chosen": chosen[0], "rejected": chosen[1]}


def _side_by_side(row: Row, names: dict[str, str]) -> tuple[object, object] | None:
    """The better answer in one column, the worse in another."""
    for better, worse in (_BETTER, _CHOSEN):
        for first, second in zip(better, worse, strict=True):
            if first in names and second in names:
                return row[names[first]], row[names[second]]
    return None


def _judged(row: Row, names: dict[str, str]) -> tuple[object, object] | None:
    """Two answers, and a column that says which is better."""
    pair = next(((a, b) for a, b in _PAIRS if a in names and b in names), None)
    verdict = next((names[name] for name in _VERDICTS if name in names), None)
    if pair is None or verdict is None:
        return None
    first, second = (row[names[name]] for name in pair)
    word = (cell_text(row[verdict]) or "").strip().casefold()
    if pair[0] == "human_ref_a" and word in ("0", "1"):
        return (first, second) if word == "1" else (second, first)
    if word in _FIRST:
        return first, second
    if word in _SECOND:
        return second, first
    return (first, first) if word in _LEVEL else None
