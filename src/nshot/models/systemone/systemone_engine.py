"""System One: ``POST /v1/systemone``, whose questions and answers are mappings.

Written after typesafe-sdk: noul (a probability of yes), choice and score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nshot.models.base import Models, Question, TypedRequest
from nshot.models.decisions.decider import Deciders, Refused

KEYS = ("NSHOT_API_KEY", "TYPESAFE_API_KEY")
"""Where a key is looked for: one of another vendor is sent to nobody else."""


class SystemOne:
    """See `nshot.models.decisions.decider.Format`."""

    path = "systemone"
    keys: Sequence[str] = KEYS

    def body(self, model: str, request: TypedRequest) -> dict[str, Any]:
        """The request as JSON."""
        questions = {f"q{i}": _question(one) for i, one in enumerate(request.questions)}
        return {"model": model, "state": request.text, "questions": questions}

    def answers(self, body: Mapping[str, Any], request: TypedRequest) -> Sequence[Any]:
        """By the names of the questions."""
        return [body["answers"][f"q{i}"] for i in range(len(request.questions))]

    def probabilities(self, answer: Any, question: Question) -> Mapping[str, Any]:
        """Of a noul that of yes; of the others a mapping, a score's by the number of the level."""
        if answer.get("type") == "refusal":
            raise Refused(str(answer.get("refusal") or answer.get("message") or "refused"))
        names = [name for name, _ in question.options]
        if question.kind == "yes_no":
            return {names[0]: answer["noul"], names[1]: 1 - answer["noul"]}
        given: Mapping[str, Any] = answer["probabilities"]
        if question.kind == "levels":
            levels = {str(i): name for i, name in enumerate(names)}
            return {levels[level]: probability for level, probability in given.items()}
        return dict(given)


def _question(question: Question) -> dict[str, Any]:
    meanings = {name: meaning or None for name, meaning in question.options}
    if question.kind == "choice":
        return {"type": "choice", "instructions": question.instruction, "criteria": meanings}
    if question.kind == "levels":
        levels = [f"{name}: {meaning}" if meaning else name for name, meaning in question.options]
        return {"type": "score", "instructions": question.instruction, "criteria": levels}
    words = zip(("true", "false"), question.options, strict=True)
    criteria = {word: meaning for word, (_, meaning) in words if meaning}
    more = {"criteria": criteria} if criteria else {}
    return {"type": "noul", "instructions": question.instruction, **more}


def engine() -> Models:
    """`Models` over addresses that speak it."""
    return Deciders(SystemOne())
