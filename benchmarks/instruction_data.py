"""Rows for the measurement of instruction tuning: kinds of requests, probes of form, five tasks."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core.types import Example, Input
from nshot.data.overlap import overlap
from table import read

FOLDERS = {"english": "alpaca", "korean": "koalpaca"}
SCRIPTS = {"english": "Latin", "korean": "Hangul"}
_KINDS = {
    "english": {
        "explain": r"^(explain|describe|what|why|how)\b",
        "write": r"^(write|create|generate|compose|design)\b",
        "list": r"^(list|name|suggest|give|provide)\b",
        "rewrite": r"^(rewrite|edit|paraphrase|convert|change|replace|translate)\b",
        "classify": r"^(classify|identify|categori[sz]e|sort|determine|find)\b",
    },
    "korean": {
        "explain": r"(설명|묘사|무엇|왜)",
        "write": r"(쓰|써|작성|만드|만들|생성)",
        "list": r"(나열|제시|제안|알려|추천)",
        "rewrite": r"(바꾸|바꿔|변환|수정|편집|번역|대체)",
        "classify": r"(분류|식별|찾|구별|판단)",
    },
}
UNSEEN = ("rewrite", "classify")
"""Kinds of requests that are never taught."""
LONGEST = {"english": 500, "korean": 150}
"""Characters of a row: about as many tokens of a tokenizer that has few Korean ones."""
TOKENS = {"english": 1, "korean": 2}
"""Tokens that an answer takes, and so what a row costs, in those of an English one, about."""
_LAST = 16
"""A Korean request says at its end what is wanted."""


@dataclass(frozen=True)
class Requests:
    """Rows to learn from, and rows to be asked of kinds that were taught and that were not."""

    train: tuple[Example, ...]
    seen: tuple[Example, ...]
    unseen: tuple[Example, ...]


def kind(instruction: str, language: str) -> str | None:
    """What kind of request it is, by its verb; None where none of the five fits."""
    text = instruction.strip().lower()
    text = text[-_LAST:] if language == "korean" else text
    found = (name for name, words in _KINDS[language].items() if re.search(words, text))
    return next(found, None)


def requests(data: Path, language: str, train: int, test: int) -> Requests:
    """`train` rows of the kinds that are taught, and `test` of each side; seeded.

    Rows of more than `LONGEST` characters are left out; so are train rows that overlap with those
    that are asked.
    """
    lines = read(data / FOLDERS[language] / "train.jsonl")
    parts: dict[bool, list[Example]] = {True: [], False: []}
    for i, line in enumerate(lines):
        size = len(line["instruction"]) + len(line["input"]) + len(line["output"])
        found = kind(line["instruction"], language)
        if found and size <= LONGEST[language] and line["output"].strip():
            parts[found not in UNSEEN].append(_example(f"{language}{i}", line))
    for part in parts.values():
        random.Random(f"instruction:{language}").shuffle(part)
    seen, unseen, rest = parts[True][:test], parts[False][:test], parts[True][test:]
    leaks = overlap(rest, [*seen, *unseen]).ids
    clean = [row for row in rest if row.id not in leaks]
    return Requests(tuple(clean[:train]), tuple(seen), tuple(unseen))


def _example(name: str, line: dict[str, str]) -> Example:
    fields = [("instruction", line["instruction"])]
    fields += [("input", line["input"])] if line["input"].strip() else []
    return Example(name, Input(tuple(fields)), (line["output"].strip(),))


# ------------------------------------------------------------------ probes of form


@dataclass(frozen=True)
class Probe:
    """A request for a form, and whether an answer has it."""

    text: str
    keeps: Callable[[str], bool]


_THINGS = {
    "english": ("an apple", "a car", "the sea", "a cat", "winter", "a book", "tea", "the moon"),
    "korean": ("사과", "자동차", "바다", "고양이", "겨울", "책", "차", "달"),
}
_ASKED = {
    "english": (
        "Answer only with a JSON object with the keys name and colour. Describe {0}.",
        "List three words about {0}, one on each line, and nothing else.",
    ),
    "korean": (
        "name과 colour를 키로 갖는 JSON 객체로만 답하세요. {0}을(를) 묘사하세요.",
        "{0}에 관한 단어 세 개를 한 줄에 하나씩만 쓰고 다른 것은 쓰지 마세요.",
    ),
}


def probes(language: str) -> dict[str, list[Probe]]:
    """Requests for JSON and for a list of three lines, about eight things each."""
    as_json, as_list = _ASKED[language]
    things = _THINGS[language]
    return {
        "json": [Probe(as_json.format(thing), _is_object) for thing in things],
        "list": [Probe(as_list.format(thing), _three_lines) for thing in things],
    }


def _is_object(answer: str) -> bool:
    try:
        found = json.loads(answer)
    except ValueError:
        return False
    return isinstance(found, dict) and {"name", "colour"} <= set(found)


def _three_lines(answer: str) -> bool:
    return len([line for line in answer.splitlines() if line.strip()]) == 3


# ------------------------------------------------------------------ five tasks

SEEN_TASKS = {
    "sst2": "Is this review positive or negative? Answer with one word.",
    "ag_news": "Is this news about World, Sports, Business or Sci/Tech? Answer with the topic.",
    "sms_spam": "Is this message spam or ham? Answer with one word.",
}
UNSEEN_TASKS = {
    "tweet_emotion": "Does this tweet show anger, joy, optimism or sadness? Answer with one word.",
    "nsmc": "이 영화평은 positive인가요, negative인가요? 한 단어로 답하세요.",
}


def labelled(data: Path, name: str, part: str, count: int, seed: int = 0) -> list[Example]:
    """`count` rows of a task as requests, its labels as answers, each label as often as others."""
    lines = [line for line in read(data / name / f"{part}.jsonl") if len(line["text"]) <= 300]
    random.Random(f"{name}:{part}:{seed}").shuffle(lines)
    by_label: dict[str, list[Example]] = {}
    asked = (SEEN_TASKS | UNSEEN_TASKS)[name]
    for i, line in enumerate(lines):
        fields = (("instruction", asked), ("input", line["text"]))
        row = Example(f"{name}:{part}:{i}", Input(fields), (str(line["label"]),))
        by_label.setdefault(row.label, []).append(row)
    turns = zip(*(rows for _, rows in sorted(by_label.items())), strict=False)
    return [row for turn in turns for row in turn][:count]


def mixed(parts: Sequence[Sequence[Example]]) -> tuple[Example, ...]:
    """The rows of several tasks, one of each in turn."""
    return tuple(row for turn in zip(*parts, strict=True) for row in turn)
