"""OpenAI's Decisions: ``POST /v1/decisions``, whose questions and answers are lists.

Written after the types of openai-python: predicate, choice and score, and a refusal in the place of
an answer. A predicate has no criteria: what yes and no mean stands in its instructions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nshot.models.base import Models, Question, TypedRequest
from nshot.models.decisions.decider import Deciders, Refused
from nshot.models.openai.endpoint import KEYS


class Decisions:
    """See `nshot.models.decisions.decider.Format`."""

    path = "decisions"
    keys: Sequence[str] = KEYS

    def body(self, model: str, request: TypedRequest) -> dict[str, Any]:
        """The request as JSON."""
        questions = [_question(f"q{i}", one) for i, one in enumerate(request.questions)]
        return {"model": model, "input": request.text, "questions": questions}

    def answers(self, body: Mapping[str, Any], request: TypedRequest) -> Sequence[Any]:
        """They come in the order of the questions."""
        answers = body["answers"]
        if not isinstance(answers, list):
            raise TypeError("answers are no list")
        return answers

    def probabilities(self, answer: Any, question: Question) -> Mapping[str, Any]:
        """Of a predicate that of yes; of the others a list of values with theirs."""
        if answer.get("type") == "refusal":
            raise Refused(str(answer.get("refusal") or answer.get("message") or "refused"))
        names = [name for name, _ in question.options]
        if question.kind == "yes_no":
            return {names[0]: answer["probability"], names[1]: 1 - answer["probability"]}
        pairs = [(one["value"], one["probability"]) for one in answer["probabilities"]]
        if question.kind == "levels":
            levels = dict(enumerate(names))
            return {levels[value]: probability for value, probability in pairs}
        return {str(value): probability for value, probability in pairs}


def _question(name: str, question: Question) -> dict[str, Any]:
    described = [{"description": meaning} if meaning else {} for _, meaning in question.options]
    names = [option for option, _ in question.options]
    if question.kind == "yes_no":
        means = [
            f"{word}: {meaning}."
            for word, (_, meaning) in zip(("Yes", "No"), question.options, strict=True)
            if meaning
        ]
        text = " ".join([question.instruction, *means])
        return {"type": "predicate", "instructions": text, "name": name}
    if question.kind == "levels":
        levels = [{"label": one, **more} for one, more in zip(names, described, strict=True)]
        return {"type": "score", "instructions": question.instruction, "levels": levels,
                "name": name}  # fmt: skip
    choices = [{"value": one, **more} for one, more in zip(names, described, strict=True)]
    return {"type": "choice", "instructions": question.instruction, "choices": choices,
            "name": name}  # fmt: skip


def engine() -> Models:
    """`Models` over addresses that speak it."""
    return Deciders(Decisions())
