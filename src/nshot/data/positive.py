"""Yes or no: which of two labels is the one that is looked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from nshot.core.errors import Fault, nearest
from nshot.core.types import Task

# fmt: off
_POSITIVE = frozenset((
    "yes", "y", "true", "t", "1", "positive", "pos", "spam", "phishing", "fraud", "toxic", "hate",
    "hateful", "offensive", "abusive", "relevant", "defect", "defective", "anomaly", "abnormal",
    "urgent", "sarcastic", "entailment", "duplicate", "clickbait", "fake", "churn",
    "긍정", "예", "네", "참", "양성", "맞음", "있음", "스팸", "혐오", "사기", "이상", "불량",
))
# fmt: on
_ONE, _NOT_ONE = "1", frozenset({"0", "-1"})


def guessed_positive(names: Sequence[str]) -> str | None:
    """The positive one of two labels by their names; None where they do not tell, or are not two.

    Of numbers 1 is, beside 0 or -1.
    """
    if len(names) != 2:
        return None
    plain = {name: _plain(name) for name in names}
    candidates = [name for name in names if plain[name] in _POSITIVE]
    if len(candidates) != 1:
        return None
    (other,) = set(names) - set(candidates)
    if plain[candidates[0]] == _ONE and plain[other] not in _NOT_ONE:
        return None
    return candidates[0]


def positive_fault(task: Task, label: str, where: str) -> Fault | None:
    """Why `label` cannot be the positive one of the task."""
    names = task.label_names
    if task.kind != "classify" or len(names) != 2:
        has = f"{len(names)} labels" if names else "no labels"
        problem = f"a positive label, '{label}', for a task of kind {task.kind} with {has}"
        return Fault(problem, "kind classify with two labels", "leave it out", where)
    if label not in names:
        problem = f"no label '{label}' to be the positive one"
        return Fault(problem, f"one of: {', '.join(names)}", nearest(label, names), where)
    return None


def _plain(name: str) -> str:
    return re.sub(r"\.0$", "", unicodedata.normalize("NFKC", name).casefold().strip())
