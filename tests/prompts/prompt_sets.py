"""Thirty clean prompts and thirty with a planted fault each, English and Korean, as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prompt_bases import BASES, Base, Rows

Pair = list[str]


@dataclass
class Case:
    """What becomes a task file and its two data files."""

    task: dict[str, Any]
    rows: list[Pair] = field(default_factory=list)
    test: list[Pair] = field(default_factory=list)

    @property
    def prompt(self) -> dict[str, Any]:
        """The task's ``prompt:``."""
        prompt: dict[str, Any] = self.task["prompt"]
        return prompt

    def write(self, folder: Path) -> Path:
        """The files, and the path of the task file."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("train", self.rows), ("test", self.test)):
            lines = [json.dumps({"text": t, "answer": a}, ensure_ascii=False) for t, a in rows]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        path = folder / "task.yaml"
        path.write_text(json.dumps(self.task, ensure_ascii=False, indent=1), encoding="utf-8")
        return path


def _short(base: Base) -> Case:
    """The instruction alone, with words for the text and the answer."""
    task = {
        "kind": "classify",
        "instruction": base.instruction,
        "labels": list(base.descriptions),
        "data": {"train": "train.jsonl", "test": "test.jsonl", "text": "text", "label": "answer"},
        "prompt": {"answer": base.answer, "fields": {"text": base.field}},
    }
    return Case(task, _listed(base.rows), _listed(base.test))


def _told(base: Base) -> Case:
    """With a persona, a context and a constraint."""
    case = _short(base)
    case.prompt.update(persona=base.persona, context=base.context, constraints=[base.constraint])
    return case


def _fenced(base: Base) -> Case:
    """With described labels, an output format and delimiters."""
    case = _short(base)
    case.task["labels"] = [
        {"name": name, "description": text} for name, text in base.descriptions.items()
    ]
    case.prompt.update(output_format=base.output_format, delimiter="tags")
    return case


def _listed(rows: Rows) -> list[Pair]:
    return [list(pair) for pair in rows]


DESIGNS: dict[str, Callable[[Base], Case]] = {"short": _short, "told": _told, "fenced": _fenced}
CLEAN: dict[str, Case] = {
    f"{name}, {design}": make(base)
    for name, base in BASES.items()
    for design, make in DESIGNS.items()
}


@dataclass(frozen=True)
class Planted:
    """A fault: where it is planted, under which heading it is to be reported, and by what words."""

    case: str
    heading: str
    words: str
    plant: Callable[[Case], object]

    def made(self) -> Case:
        """The prompt with the fault."""
        case = deepcopy(CLEAN[self.case])
        self.plant(case)
        return case


def _renamed(case: Case, names: dict[str, str]) -> None:
    """Labels by other names, in the task and in the rows."""
    labels = case.task["labels"]
    case.task["labels"] = [
        {**one, "name": names.get(one["name"], one["name"])}
        if isinstance(one, dict) else names.get(one, one) for one in labels
    ]  # fmt: skip
    for rows in (case.rows, case.test):
        rows[:] = [[text, names.get(label, label)] for text, label in rows]


def _described(case: Case, text: str) -> None:
    for label in case.task["labels"]:
        label["description"] = text


def _each(case: Case, change: Callable[[str, str], str], every: int = 1) -> None:
    """Change the text of every so-many-th row, by text and label."""
    case.rows[:] = [
        [change(text, label) if at % every == 0 else text, label]
        for at, (text, label) in enumerate(case.rows)
    ]


def _of(case: Case, label: str, change: Callable[[str], str]) -> None:
    case.rows[:] = [[change(t) if one == label else t, one] for t, one in case.rows]


def _thinned(case: Case, label: str) -> None:
    """One row of a label is left."""
    first = next(row for row in case.rows if row[1] == label)
    case.rows[:] = [row for row in case.rows if row[1] != label or row is first]


PLANTED: dict[str, Planted] = {
    "no instruction": Planted(
        "films, short", "clear", "no instruction", lambda c: c.task.pop("instruction")
    ),
    "two requests": Planted(
        "tickets, told", "clear", "second request",
        lambda c: c.task.update(instruction=c.task["instruction"] + " Then summarize the message."),
    ),
    "두 가지 부탁": Planted(
        "문의, short", "clear", "second request",
        lambda c: c.task.update(instruction=c.task["instruction"] + " 그 이유도 설명하세요."),
    ),
    "a place to fill in": Planted(
        "headlines, told", "clear", "nobody filled in",
        lambda c: c.prompt.update(context="Headlines come from {name of the paper}."),
    ),
    "채우지 않은 자리": Planted(
        "기사, told", "clear", "nobody filled in",
        lambda c: c.prompt.update(context="제목은 [신문사 이름 입력]에서 가져왔습니다."),
    ),
    "open words": Planted(
        "moods, told", "clear", "leaves open",
        lambda c: c.prompt.update(constraints=["Mind irony, slang, etc."]),
    ),
    "열린 말": Planted(
        "상품평, told", "clear", "leaves open",
        lambda c: c.prompt.update(constraints=["배송 이야기는 적당히 빼고 봅니다."]),
    ),
    "a label that is not named": Planted(
        "영화, short", "clear", "but not",
        lambda c: c.task.update(instruction="감상평이 긍정적인지 부정적인지 고르세요."),
    ),
    "names of no labels": Planted(
        "films, told", "clear", "no label of the task",
        lambda c: c.task.update(instruction="Is the review 'good' or 'bad'?"),
    ),
    "labels that look alike": Planted(
        "tickets, short", "clear", "told apart",
        lambda c: _renamed(c, {"refund": "order issue 1", "delivery": "order issue 2"}),
    ),
    "labels that say nothing": Planted(
        "mails, short", "clear", "say nothing",
        lambda c: _renamed(c, {"high": "class 1", "low": "class 2"}),
    ),
    "the same description": Planted(
        "메일, fenced", "clear", "same description", lambda c: _described(c, "메일의 급한 정도")
    ),
    "an answer without a name": Planted(
        "films, fenced", "clear", "which says nothing", lambda c: c.prompt.update(answer="Label")
    ),
    "이름 없는 답": Planted(
        "기사, short", "clear", "which says nothing", lambda c: c.prompt.update(answer="라벨")
    ),
    "a delimiter inside a text": Planted(
        "headlines, fenced", "clear", "where a text ends",
        lambda c: c.rows.__setitem__(3, ["Record falls </headline> in the rain", "sports"]),
    ),
    "a text that begins the next example": Planted(
        "문의, short", "clear", "where a text ends",
        lambda c: c.rows.__setitem__(0, ["옷이 작아요\n용건: 배송", "환불"]),
    ),
    "said twice": Planted(
        "mails, told", "concise", "says again",
        lambda c: c.prompt.update(context=c.prompt["context"] + " " + c.task["instruction"]),
    ),
    "padding": Planted(
        "moods, short", "concise", "say nothing",
        lambda c: c.task.update(
            instruction="Please note that it is very important to tell the writer's real emotion."
        ),
    ),
    "군더더기": Planted(
        "상품평, short", "concise", "say nothing",
        lambda c: c.task.update(
            instruction="제발 상품평이 칭찬인지 불만인지 꼭 좀 판단해 주세요. 감사합니다."
        ),
    ),
    "descriptions that do not fit": Planted(
        "tickets, fenced", "concise", "leaves all of them out",
        lambda c: c.task["labels"][0].update(description="money is to come back, " * 100),
    ),
    "labels in two cases": Planted(
        "headlines, short", "consistent", "differ in case",
        lambda c: _renamed(c, {"science": "Science"}),
    ),
    "두 글자로 쓴 레이블": Planted(
        "영화, told", "consistent", "differ in script",
        lambda c: _renamed(c, {"중립적": "neutral"}),
    ),
    "one text, two labels": Planted(
        "메일, short", "consistent", "two labels",
        lambda c: c.rows.append([c.rows[0][0], "낮음"]),
    ),
    "some rows with a name": Planted(
        "films, short", "consistent", "begin with a name",
        lambda c: _each(c, lambda text, _: f"Review: {text}", every=4),
    ),
    "a format of another kind": Planted(
        "기사, fenced", "consistent", "a label alone",
        lambda c: c.prompt.update(output_format="답은 JSON으로 씁니다."),
    ),
    "parts in two languages": Planted(
        "영화, fenced", "consistent", "several languages",
        lambda c: c.prompt.update(persona="You are a film critic."),
    ),
    "a label with one row": Planted(
        "moods, fenced", "diverse", "has 1 row",
        lambda c: _thinned(c, "fear"),
    ),
    "nearly the same rows": Planted(
        "상품평, fenced", "diverse", "nearly repeat",
        lambda c: c.rows.extend([[c.rows[0][0] + "!!", "칭찬"], [c.rows[1][0] + " 정말", "불만"]]),
    ),
    "one opening": Planted(
        "mails, fenced", "diverse", "begin with",
        lambda c: _of(c, "high", lambda text: f"Dear team, {text}"),
    ),
    "examples of another language": Planted(
        "문의, told", "relevant", "letters",
        lambda c: c.rows.__setitem__(slice(0, 2), [
            ["Where is my parcel, it left on Monday", "배송"],
            ["I would like my money back", "환불"]]),
    ),
}  # fmt: skip
"""Beside these, what the test rows give away (`LEAKS`)."""
LEAKS: dict[str, Planted] = {
    "a test row in the context": Planted(
        "tickets, told", "relevant", "text of a test row",
        lambda c: c.prompt.update(context=f"A customer wrote: {c.test[0][0]}"),
    ),
    "texts that end with their label": Planted(
        "영화, short", "relevant", "own label",
        lambda c: _each(c, lambda text, label: f"{text} -> {label}"),
    ),
    "examples much longer than the inputs": Planted(
        "films, short", "relevant", "times longer",
        lambda c: _each(c, lambda text, _: f"{text}, {text.lower()[::-1]}, as ever. " * 2),
    ),
}  # fmt: skip
