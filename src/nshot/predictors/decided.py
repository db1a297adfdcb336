"""Asks a model typed questions: which label, which level, or of each label whether it applies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core.label_sets import joined
from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Input, Label, ModelRef, Prediction, Task
from nshot.data.scripts import script
from nshot.models.base import Decides, Floats, Models, Question, Reply, TypedRequest
from nshot.predictors.folder import Saved, ref_from_json, ref_to_json, write
from nshot.prompts.render import field_name

CHOICES, LEVELS = 255, 10
"""Options of a choice and levels of a scale that both formats take, at most."""
FINALISTS = 5
"""Of each group of labels so many go into the second question, where one cannot hold them all."""
LEAST = 1e-9
"""A probability of nothing, so that its logarithm is a number."""
_OTHER_WORDS = {
    "Latin": ("Read the text, then answer. {}", "A text fits here if this is true of it: {}"),
    "Hangul": ("글을 읽고 답하세요. {}", "이런 글이면 여기에 맞습니다: {}"),
}
"""By script, what an instruction and a label's description are put into: it changes neither."""
_HEADINGS = {
    "Latin": ("Solved examples:", "To be decided:"),
    "Hangul": ("풀이된 예:", "판단할 글:"),
}
"""By script of a text, what stands above the examples and above the text."""


@dataclass(frozen=True)
class Decided:
    """The answers of a model that decides, with the probabilities that it gives.

    Levels in order are asked as a scale, a positive label of two as yes or no, several labels as
    yes or no each in one request, anything else as a choice among the labels with their
    descriptions. More labels than a choice takes are asked in two stages: in groups, then among the
    likeliest of each. `order` are the labels' places in the order in which they are offered, () as
    the task has them. Prices are for a million tokens read and written;
    without them those of a run count. What the model refuses is
    the answer "" without scores.
    """

    task: Task
    models: Models
    ref: ModelRef
    instruction: str = ""
    price_in: float = 0.0
    price_out: float = 0.0
    order: tuple[int, ...] = ()
    demos: tuple[Example, ...] = ()
    """Solved examples that stand before each text."""
    described: bool = True
    """Do the labels' descriptions go with them?"""
    other_words: bool = False
    """Do the instruction and the descriptions come in other words that say the same?"""
    again: int = 0
    """Another number asks anew what was answered before (`nshot.models.base.Decides`)."""

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Equal texts are asked once. Scores are log-probabilities; of several labels, each."""
        model = self.models.open(self.ref)
        texts = list(dict.fromkeys(self._text(input) for input in inputs))
        replies = model.decide([TypedRequest(text, self.questions) for text in texts], self.again)
        answers = dict(zip(texts, self._answers(model, texts, replies), strict=True))
        return [answers[self._text(input)] for input in inputs]

    def requests(self, inputs: Sequence[Input]) -> list[TypedRequest]:
        """What is asked of each input; in two stages with about what the second will be."""
        texts = [self._text(input) for input in inputs]
        first = [TypedRequest(text, self.questions) for text in texts]
        if not self.two_stages:
            return first
        finals = range(FINALISTS * len(self.questions))
        last = Question("choice", self._request, self._options(finals))
        return [*first, *(TypedRequest(text, (last,)) for text in texts)]

    @property
    def two_stages(self) -> bool:
        """Has the task more labels than one question holds?"""
        return self.task.kind != "multilabel" and len(self.questions) > 1

    @property
    def questions(self) -> tuple[Question, ...]:
        """What is asked of each text at once."""
        task = self.task
        if task.kind == "multilabel":
            return tuple(self._applies(i) for i in range(len(task.labels)))
        if task.positive is not None and len(task.labels) == 2:
            return (self._is_positive(),)
        places = self._places
        if task.kind == "score" and len(places) <= LEVELS:
            return (Question("levels", self._request, self._options(range(len(places)))),)
        groups = -(-len(places) // CHOICES)
        return tuple(
            Question("choice", self._request, self._options(places[start::groups]))
            for start in range(groups)
        )

    @property
    def _places(self) -> Sequence[int]:
        return self.order or range(len(self.task.labels))

    @property
    def _request(self) -> str:
        task = self.task
        text = (
            self.instruction or task.instruction or f"What is the {task.answer_name} of this text?"
        )
        return _reworded(text, 0) if self.other_words else text

    def _options(self, places: Sequence[int]) -> tuple[tuple[str, str], ...]:
        """Names as they stand in the data, and what they mean: where nobody says, their words."""
        labels = [self.task.labels[i] for i in places]
        if not self.described:
            return tuple((one.name, "") for one in labels)
        return tuple((one.name, self._meaning(one)) for one in labels)

    def _meaning(self, label: Label) -> str:
        """What a label means: as its task says, or where nobody says its words."""
        if label.description:
            return _reworded(label.description, 1) if self.other_words else label.description
        return label.words if label.words != label.name else ""

    def _applies(self, place: int) -> Question:
        name, meaning = self._options([place])[0]
        text = f"{self._request} Does '{name}' apply?"
        return Question("yes_no", text, (("yes", meaning), ("no", "")))

    @property
    def _yes(self) -> int:
        """The place of the label that is asked about: the positive one, or the first in `order`."""
        names = self.task.label_names
        return self.order[0] if self.order else names.index(self.task.positive or names[0])

    def _is_positive(self) -> Question:
        """One label is yes; the other says what no is."""
        yes = self._yes
        options = self._options([yes, 1 - yes])
        words = [f"{word}: {meaning}" if meaning else word for word, meaning in options]
        text = f"{self._request} Is it '{options[0][0]}'?"
        return Question("yes_no", text, (("yes", words[0]), ("no", words[1])))

    def _text(self, input: Input) -> str:
        """The text of the input, behind the examples where there are some."""
        if not self.demos:
            return self._fields(input)
        answer = self.task.answer_name
        shown = [
            f"{self._fields(one.input)}\n{answer}: {self._solution(one)}" for one in self.demos
        ]
        text = self._fields(input)
        before, after = _HEADINGS.get(script(text), _HEADINGS["Latin"])
        return "\n\n".join([before, *shown, after, text])

    def _fields(self, input: Input) -> str:
        """The one text; of several fields each under its name."""
        if len(input.fields) < 2:
            return input.text
        return "\n".join(f"{field_name(self.task, name)}: {text}" for name, text in input.fields)

    def _solution(self, example: Example) -> str:
        if self.task.kind == "multilabel":
            return joined(self.task, example.targets)
        return example.label

    # ---------------------------------------------------------------------------------- answers

    def _answers(
        self, model: Decides, texts: Sequence[str], replies: Sequence[Reply]
    ) -> list[Prediction]:
        if not self.two_stages:
            return [self._prediction(self._row(reply), [reply]) for reply in replies]
        finals = [self._final(reply) for reply in replies]
        open_ = [i for i, places in enumerate(finals) if places]
        requests = [
            TypedRequest(texts[i], (Question("choice", self._request, self._options(finals[i])),))
            for i in open_
        ]
        second = dict(zip(open_, model.decide(requests, self.again), strict=True))
        answers = []
        for i, reply in enumerate(replies):
            both = [reply, second[i]] if i in second else [reply]
            row = self._of_places(finals[i], second[i].probabilities[0]) if i in second else None
            answers.append(self._prediction(row, both))
        return answers

    def _final(self, reply: Reply) -> list[int]:
        """The places of the labels that go into the second question; none where one is refused."""
        places, groups = self._places, len(reply.probabilities)
        if not all(reply.probabilities):
            return []
        kept = []
        for start, row in enumerate(reply.probabilities):
            best = np.argsort(-np.array(row), kind="stable")[:FINALISTS]
            kept += [places[start::groups][i] for i in best.tolist()]
        return sorted(kept)

    def _row(self, reply: Reply) -> Floats | None:
        """(labels,) probabilities in the task's order; None where a question was refused."""
        if not all(reply.probabilities):
            return None
        if self.task.kind == "multilabel":
            return np.array([yes for yes, _ in reply.probabilities])
        (row,) = reply.probabilities
        if self.questions[0].kind == "yes_no":
            return self._of_places([self._yes, 1 - self._yes], row)
        levels = self.questions[0].kind == "levels"
        return self._of_places(range(len(row)) if levels else self._places, row)

    def _of_places(self, places: Sequence[int], row: Sequence[float]) -> Floats | None:
        if not row:
            return None
        values = np.zeros(len(self.task.labels))
        values[list(places)] = row
        return values

    def _prediction(self, row: Floats | None, replies: Sequence[Reply]) -> Prediction:
        tokens_in = sum(reply.tokens_in for reply in replies)
        tokens_out = sum(reply.tokens_out for reply in replies)
        own = (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6
        bare = Prediction(
            "",
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            seconds=sum(reply.seconds for reply in replies),
            money=own or sum(reply.money for reply in replies),
        )
        if row is None:
            return bare
        kept = np.maximum(row, LEAST)
        names = self.task.label_names
        if self.task.kind == "multilabel":
            applying = {name for name, p in zip(names, row, strict=True) if p >= 0.5}
            scores = tuple(np.log(np.minimum(kept, 1 - LEAST)).tolist())
            return replace(bare, answer=joined(self.task, applying), scores=scores)
        scores = tuple(np.log(kept / kept.sum()).tolist())
        return replace(bare, answer=names[int(np.argmax(scores))], scores=scores)

    def anew(self) -> Decided:
        """It, asking again what was answered before."""
        return replace(self, again=self.again + 1)

    def in_reverse(self) -> Decided | None:
        """It, with the options in reverse; of several labels, levels or two stages None."""
        if self.task.kind == "multilabel" or self.two_stages or self.questions[0].kind == "levels":
            return None
        yes = self.questions[0].kind == "yes_no"
        order = (1 - self._yes, self._yes) if yes else tuple(reversed(self._places))
        return replace(self, order=order)

    def in_other_words(self) -> Decided:
        """It, with an instruction and meanings that say the same in other words."""
        return replace(self, other_words=True)

    def save(self, folder: Path) -> None:
        """One JSON file; the model stays where it is."""
        settings: dict[str, Any] = {
            "ref": ref_to_json(self.ref, folder),
            "instruction": self.instruction,
            "price_in": self.price_in,
            "price_out": self.price_out,
            "order": list(self.order),
            "described": self.described,
            "demos": [to_data(demo) for demo in self.demos],
        }
        write(folder, "decided", self.task, settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Decided:
        """The predictor that `save` wrote."""
        s = saved.settings
        ref = ref_from_json(s["ref"], saved.folder)
        demos = tuple(from_data(Example, demo) for demo in s.get("demos", ()))
        return cls(saved.task, models, ref, s["instruction"], s["price_in"], s["price_out"],
                   tuple(s["order"]), demos, s.get("described", True))  # fmt: skip


def _reworded(text: str, which: int) -> str:
    """In a frame of the text's language: `which` 0 for an instruction, 1 for a description."""
    frames = _OTHER_WORDS.get(script(text), _OTHER_WORDS["Latin"])
    return frames[which].format(text)
