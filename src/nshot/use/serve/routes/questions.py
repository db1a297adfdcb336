"""``POST /v1/systemone`` and ``/v1/decisions``: typed questions, in the two forms there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field
from starlette.responses import Response

from nshot.core.serial import dumps
from nshot.use.serve.deciding import NO, YES, Decision, Question, decide
from nshot.use.serve.exchange import Exchange, answer
from nshot.use.wire.bodies import Body
from nshot.use.wire.refusal import Refusal

Free: TypeAlias = str | dict[str, Any] | list[Any]
"""A text, or any JSON that stands for one."""
MOST_OPTIONS, MOST_LEVELS = 255, 10
UNNAMED = "jev-latest"
"""What clients of ``/v1/systemone`` send who name no model: the first folder that is served."""


class NoulCriteria(BaseModel):
    """What a yes means, and what a no."""

    true: Free | None = None
    false: Free | None = None


class Noul(BaseModel):
    """How probable is a yes?"""

    type: Literal["noul"]
    instructions: Free | None = None
    criteria: NoulCriteria | None = None


class Choice(BaseModel):
    """Which of the options?"""

    type: Literal["choice"]
    instructions: Free | None = None
    criteria: Annotated[dict[str, Free | None], Field(min_length=2, max_length=MOST_OPTIONS)]


class Score(BaseModel):
    """Which of the levels, low to high?"""

    type: Literal["score"]
    instructions: Free | None = None
    criteria: Annotated[list[Free], Field(min_length=2, max_length=MOST_LEVELS)]


Typed = Annotated[Noul | Choice | Score, Field(discriminator="type")]


class SystemOneBody(Body):
    """``POST /v1/systemone``."""

    state: Free
    questions: Annotated[dict[str, Typed], Field(min_length=1, max_length=64)]
    assets: dict[str, Any] | None = None


async def systemone(exchange: Exchange) -> Response:
    """An answer to each question, by its id."""
    body = await exchange.body(SystemOneBody)
    if body.assets:
        raise Refusal(422, "assets are not read here: ask a folder of pictures by /v1/classify")
    questions = [_question(one) for one in body.questions.values()]
    served = exchange.service.shelf.all
    unnamed = body.model == UNNAMED and UNNAMED not in served
    model = next(iter(served)) if unnamed else body.model
    decisions = await _decided(exchange, model, body.state, questions)
    answers = {
        key: _systemone(question, decision)
        for key, question, decision in zip(body.questions, questions, decisions, strict=True)
    }
    tokens = _tokens(decisions)
    return answer({"model": model, "answers": answers, "usage": tokens})


def _question(one: Noul | Choice | Score) -> Question:
    instructions = _text(one.instructions)
    if isinstance(one, Noul):
        criteria = one.criteria or NoulCriteria()
        either = (_text(criteria.true) or None, _text(criteria.false) or None)
        return Question("noul", instructions, (YES, NO), either)
    if isinstance(one, Choice):
        meanings = tuple(_text(text) or None for text in one.criteria.values())
        return Question("choice", instructions, tuple(one.criteria), meanings)
    levels = tuple(map(_text, one.criteria))
    return Question("score", instructions, _unique(levels), (None,) * len(levels))


def _systemone(question: Question, decision: Decision) -> dict[str, Any]:
    shares = decision.probabilities.tolist()
    if question.kind == "noul":
        return {"type": "noul", "noul": shares[0]}
    if question.kind == "choice":
        return {
            "type": "choice",
            "choice": question.options[decision.best],
            "confidence": decision.choice_confidence,
            "probabilities": dict(zip(question.options, shares, strict=True)),
        }
    return {
        "type": "score",
        "score": decision.expected,
        "confidence": decision.score_confidence,
        "legend": {str(i): name for i, name in enumerate(question.options)},
        "probabilities": {str(i): share for i, share in enumerate(shares)},
    }


# ------------------------------------------------------------------------------ /v1/decisions


class InputText(BaseModel):
    """A piece of what is decided on."""

    type: Literal["input_text"]
    text: str


class UserMessage(BaseModel):
    """A message of what is decided on."""

    role: Literal["user"]
    content: str | list[InputText]

    @property
    def text(self) -> str:
        """Its pieces, a line each."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class Predicate(BaseModel):
    """How probable is a yes?"""

    type: Literal["predicate"]
    instructions: str
    name: str | None = None


class Value(BaseModel):
    """An option."""

    value: str | bool
    description: str | None = None


class ListedChoice(BaseModel):
    """Which of the options?"""

    type: Literal["choice"]
    instructions: str
    choices: Annotated[list[Value], Field(min_length=2, max_length=MOST_OPTIONS)]
    name: str | None = None


class Level(BaseModel):
    """A level of a score."""

    label: str
    description: str | None = None


class ListedScore(BaseModel):
    """Which of the levels, low to high?"""

    type: Literal["score"]
    instructions: str
    levels: Annotated[list[Level], Field(min_length=2, max_length=MOST_LEVELS)]
    name: str | None = None


Listed = Annotated[Predicate | ListedChoice | ListedScore, Field(discriminator="type")]


class DecisionsBody(Body):
    """``POST /v1/decisions``."""

    input: str | Annotated[list[UserMessage], Field(min_length=1)]
    questions: Annotated[list[Listed], Field(min_length=1, max_length=64)]


async def decisions(exchange: Exchange) -> Response:
    """An answer to each question, in order."""
    body = await exchange.body(DecisionsBody)
    parts = [body.input] if isinstance(body.input, str) else [one.text for one in body.input]
    questions = [_listed(one) for one in body.questions]
    made = await _decided(exchange, body.model, "\n".join(parts), questions)
    answers = [
        {"type": one.type, "name": one.name, **_answered(one, decision)}
        for one, decision in zip(body.questions, made, strict=True)
    ]
    tokens = _tokens(made)
    total = {"total_tokens": sum(tokens.values())}
    return answer({"model": body.model, "answers": answers, "usage": tokens | total})


def _listed(one: Predicate | ListedChoice | ListedScore) -> Question:
    if isinstance(one, Predicate):
        return Question("noul", one.instructions, (YES, NO), (None, None))
    if isinstance(one, ListedChoice):
        meanings = tuple(option.description for option in one.choices)
        return Question("choice", one.instructions, _names(one.choices), meanings)
    levels = _unique([level.label for level in one.levels])
    return Question("score", one.instructions, levels, tuple(x.description for x in one.levels))


def _names(options: Sequence[Value]) -> tuple[str, ...]:
    """A name for each option: the text "true" and the value true are two."""
    texts = {option.value for option in options if isinstance(option.value, str)}
    names = []
    for option in options:
        value = option.value
        name = value if isinstance(value, str) else dumps(value)
        names.append(name if isinstance(value, str) or name not in texts else f"{name} (a value)")
    return _unique(names)


def _answered(one: Predicate | ListedChoice | ListedScore, decision: Decision) -> dict[str, Any]:
    shares = decision.probabilities.tolist()
    if isinstance(one, Predicate):
        return {"probability": shares[0]}
    if isinstance(one, ListedChoice):
        values = [option.value for option in one.choices]
        return {
            "choice": values[decision.best],
            "confidence": decision.choice_confidence,
            "probabilities": [
                {"value": value, "probability": share}
                for value, share in zip(values, shares, strict=True)
            ],
        }
    return {
        "score": decision.expected,
        "confidence": decision.score_confidence,
        "probabilities": [
            {"value": i, "label": level.label, "probability": share}
            for i, (level, share) in enumerate(zip(one.levels, shares, strict=True))
        ],
    }


# ------------------------------------------------------------------------------ both


async def _decided(
    exchange: Exchange, model: str, state: Any, questions: Sequence[Question]
) -> list[Decision]:
    """The decisions, side by side: equal questions of several requests are asked together."""
    service = exchange.service
    named = service.shelf[model]
    asks = [decide(service, named, state, one, exchange.holder) for one in questions]
    return list(await asyncio.gather(*asks))


def _tokens(decisions: Sequence[Decision]) -> dict[str, int]:
    return {
        "input_tokens": sum(one.tokens_in for one in decisions),
        "output_tokens": sum(one.tokens_out for one in decisions),
    }


def _text(value: Free | None) -> str:
    return value if isinstance(value, str) else "" if value is None else dumps(value)


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """The names. Raises `Refusal` where two are the same, or one is empty."""
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise Refusal(422, "two answers of one question are the same, or one is empty")
    return tuple(names)
