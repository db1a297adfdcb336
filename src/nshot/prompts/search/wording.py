"""How a task may be worded otherwise: formats, names, instructions by rule, labels shown or not."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

from nshot.core.types import Input, Label, Prompt, Task
from nshot.data.scripts import script
from nshot.prompts.checks.names import better_name, usual_names
from nshot.prompts.render import Format, field_name, render

T = TypeVar("T")
Language: TypeAlias = Literal["English", "Korean"]
Shows: TypeAlias = Literal["described", "listed", "hidden"]
"""The labels of an instruction: with their descriptions, by name, or not at all."""

_FIELDS: Mapping[Language, tuple[str, ...]] = {
    "English": ("Text", "Sentence", "Message", "Review"),
    "Korean": ("글", "문장", "메시지", "리뷰"),
}
_ANSWERS: Mapping[Language, tuple[str, ...]] = {
    "English": ("Answer", "Category"),
    "Korean": ("답", "분류"),
}
_PADDING = re.compile(
    r"\b(?:please|kindly|carefully|your task is to|you have to|you should)\s+|부디\s*|반드시\s*",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。])\s+")
_OF_THE_FIELD = re.compile(r"\bof (?:the|this|each|a) (\w+)|\b(?:the|this) (\w+)[.?]?$", re.I)
_KOREAN_FIELD = re.compile(r"(?:^|\s)([가-힣]+?)(?:의|을|를) ")


@dataclass(frozen=True)
class Wording:
    """One way to ask: a task says it with `of`. `rule` names where the instruction comes from."""

    format: Format
    answer: str
    field_names: tuple[tuple[str, str], ...]
    rule: str
    instruction: str
    shows: Shows = "described"

    def of(self, task: Task) -> Task:
        """The task in these words."""
        labels = task.labels
        if self.shows != "described":
            labels = tuple(Label(label.name) for label in labels)
        return replace(
            task,
            answer_name=self.answer,
            field_names=self.field_names,
            instruction=self.instruction,
            labels=labels,
            parts=replace(task.parts, hides_labels=self.shows == "hidden"),
        )


def own(task: Task, format: Format) -> Wording:
    """The words that the task has."""
    return Wording(format, task.answer_name, task.field_names, "own", task.instruction)


@dataclass(frozen=True)
class _Names:
    """What answer and text are called, in one language."""

    language: Language
    answer: str
    field: str


@dataclass(frozen=True)
class Grid:
    """All wordings of a task that there are to try; `like` is any of its inputs."""

    task: Task
    like: Input
    formats: tuple[Format, ...]
    proposals: tuple[str, ...] = ()
    """Instructions that a model wrote."""

    def draw(self, count: int, seed: int) -> list[Wording]:
        """The task's own words in every format, then others: `count` that differ, each value about
        equally often."""
        rng = random.Random(f"wordings:{seed}")
        names, shows = _in_turn(rng, self._names()), _in_turn(rng, self._shows())
        formats, rules = _in_turn(rng, self.formats), _in_turn(rng, range(64))
        chosen = self._different([own(self.task, format) for format in self.formats])[:count]
        for _ in range(8 * count):
            if len(chosen) >= count:
                break
            known = next(names)
            texts = self._instructions(known)
            rule = list(texts)[next(rules) % len(texts)]
            one = Wording(
                next(formats), known.answer, self._named(known.field), rule, texts[rule],
                next(shows),
            )  # fmt: skip
            chosen = self._different([*chosen, one])
        return chosen

    def children(self, parents: Sequence[Wording], count: int, seed: int) -> list[Wording]:
        """Up to `count` wordings that have each part from one of the parents, and are none."""
        rng = random.Random(f"children:{seed}")
        family = self._different(parents)
        known = len(family)
        for _ in range(8 * count):
            if len(family) >= known + count or len(parents) < 2:
                break
            names, words = rng.choice(parents), rng.choice(parents)
            child = replace(
                words,
                format=rng.choice(parents).format,
                answer=names.answer,
                field_names=names.field_names,
                shows=rng.choice(parents).shows,
            )
            family = self._different([*family, child])
        return family[known:]

    def _different(self, wordings: Sequence[Wording]) -> list[Wording]:
        """Without those that ask as one before them does."""
        first: dict[Prompt, Wording] = {}
        for one in wordings:
            first.setdefault(render(one.of(self.task), one.format, self.like), one)
        return list(first.values())

    def _names(self) -> list[_Names]:
        """Pairs of names, each of one language, the text's own language twice as often."""
        main = language_of(self.task, self.like)
        other: Language = "Korean" if main == "English" else "English"
        pairs = [_Names(main, a, f) for a in self._answers(main) for f in self._fields(main)]
        return [*pairs, *pairs, *(_Names(other, a, f) for a in self._answers(other)[:2]
                                  for f in self._fields(other)[:2])]  # fmt: skip

    def _answers(self, language: Language) -> tuple[str, ...]:
        usual = usual_names(self.task)
        names: tuple[str, ...] = () if usual is None else (usual[language == "Korean"],)
        names += _ANSWERS[language] if self.task.has_labels else _ANSWERS[language][:1]
        if language == language_of(self.task, self.like):
            names = (self.task.answer_name, better_name(self.task), *names)
        return tuple(dict.fromkeys(names))

    def _fields(self, language: Language) -> tuple[str, ...]:
        """Names of the one text; "" where there are several, which keep theirs."""
        if len(self.like.fields) != 1:
            return ("",)
        if language != language_of(self.task, self.like):
            return _FIELDS[language]
        mentioned = _mentioned_field(self.task.instruction)
        first = field_name(self.task, self.like.fields[0][0])
        names = (first, mentioned, *_FIELDS[language]) if mentioned else (first, *_FIELDS[language])
        return tuple(dict.fromkeys(names))

    def _named(self, name: str) -> tuple[tuple[str, str], ...]:
        if not name:
            return self.task.field_names
        others = {k: v for k, v in self.task.field_names if k != self.like.fields[0][0]}
        return (*others.items(), (self.like.fields[0][0], name))

    def _shows(self) -> tuple[Shows, ...]:
        if not self.task.has_labels:
            return ("described",)
        some = any(label.description for label in self.task.labels)
        return ("described", "listed", "hidden") if some else ("described", "hidden")

    def _instructions(self, names: _Names) -> dict[str, str]:
        """By the rule that makes them, or the model's number."""
        texts = {f"proposal {k + 1}": text for k, text in enumerate(self.proposals)}
        if names.language == language_of(self.task, self.like):
            texts["own"] = self.task.instruction
            if (short := shortened(self.task.instruction)) != self.task.instruction:
                texts["short"] = short
        made = _korean(self.task, names) if names.language == "Korean" else _english(
            self.task, names
        )  # fmt: skip
        return {**texts, **made}


def language_of(task: Task, like: Input) -> Language:
    """Of the task's instruction, or of an input where it has none."""
    return "Korean" if script(task.instruction or like.text) == "Hangul" else "English"


def shortened(instruction: str) -> str:
    """Its first sentence, without padding, which begins with a capital."""
    first = _SENTENCE.split(instruction.strip())[0]
    plain = " ".join(_PADDING.sub("", first).split())
    return plain[:1].upper() + plain[1:]


def with_particle(noun: str, closed: str, opened: str) -> str:
    """A Korean noun with the particle that its last syllable takes: 글을, 메시지를."""
    last = ord(noun[-1]) - 0xAC00
    is_closed = 0 <= last < 11172 and last % 28 > 0
    return noun + (closed if is_closed else opened)


def _english(task: Task, names: _Names) -> dict[str, str]:
    answer, text = names.answer.lower(), (names.field or "text").lower()
    if not task.has_labels:
        end = " as a number" if task.kind == "number" else ""
        return {"imperative": f"Give the {answer} of the {text}{end}."} if end else {
            "imperative": f"Write the {answer}."
        }  # fmt: skip
    return {
        "imperative": f"Give the {answer} of the {text}.",
        "question": f"What is the {answer} of this {text}?",
        "read": f"Read the {text} and decide on its {answer}. Write the {answer} alone.",
    }


def _korean(task: Task, names: _Names) -> dict[str, str]:
    text, answer = names.field or "글", with_particle(names.answer, "을", "를")
    if not task.has_labels:
        end = " 숫자로" if task.kind == "number" else ""
        return {"imperative": f"{text}의 {answer}{end} 쓰세요."}
    return {
        "imperative": f"{text}의 {answer} 고르세요.",
        "question": f"이 {text}의 {with_particle(names.answer, '은', '는')} 무엇인가요?",
        "read": f"{with_particle(text, '을', '를')} 읽고 {answer} 판단하세요. "
        f"{names.answer}만 쓰세요.",
    }


def _mentioned_field(instruction: str) -> str:
    """What the instruction calls the text; "" where it does not."""
    if match := _OF_THE_FIELD.search(instruction.strip()):
        word = match[1] or match[2]
        return word[:1].upper() + word[1:]
    match = _KOREAN_FIELD.search(instruction)
    return match[1] if match else ""


def _in_turn(rng: random.Random, values: Sequence[T]) -> Iterator[T]:
    """All values in a random order, again and again in another."""
    while True:
        order = list(values)
        rng.shuffle(order)
        yield from order
