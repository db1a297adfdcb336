"""From a body to inputs of a folder, and from its predictions to the answer that is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.types import Grammar, Image, Input, Prediction, Turn
from nshot.predictors.prompted import Manner
from nshot.use.wire.answerer import Answerer
from nshot.use.wire.bodies import (
    ChatBody,
    ClassifyBody,
    CompletionBody,
    ResponseFormat,
    Row,
    WritingBody,
)
from nshot.use.wire.frames import ChatFrame, Frame, TextFrame, usage
from nshot.use.wire.refusal import Refusal

Pictures: TypeAlias = Callable[[Sequence[str]], Sequence[Image]]
"""Makes pictures of ``data:`` addresses."""
PICTURE = "image"
"""The key of an input that is a picture."""
_ROLES: Mapping[str, Any] = {"developer": "system"}


class Plan(NamedTuple):
    """What a folder is to answer, in which manner, and what is made of its predictions."""

    answerer: Answerer
    inputs: list[Input]
    manner: Manner
    finish: Callable[[Sequence[Prediction]], dict[str, Any]]
    frame: Frame | None = None
    """Of a text that can be streamed."""

    @property
    def length(self) -> int:
        """Tokens at which a text ends; 0 where nothing is written."""
        writer = self.answerer.writer
        return 0 if writer is None else self.manner.max_tokens or writer.max_tokens


def chat(body: ChatBody, answerer: Answerer, id: str, most: int, pictures: Pictures) -> Plan:
    """The answer as the assistant's turn. Raises `Refusal`, `InputError`."""
    turns = [Turn(_ROLES.get(one.role, one.role), one.text) for one in body.messages]
    last = next((one for one in reversed(body.messages) if one.role == "user"), None)
    input = answerer.of_turns(turns, pictures(last.pictures if last else []))
    manner = _manner(answerer, body, body.max_completion_tokens or body.max_tokens, most)
    frame = ChatFrame(id, answerer.name)
    plan = Plan(
        answerer, [input], manner, lambda some: frame.whole(answerer, some, plan.length), frame
    )
    return plan


def completions(body: CompletionBody, answerer: Answerer, id: str, most: int) -> Plan:
    """The answer to each prompt, which is an input of the folder's task."""
    prompts = body.prompt if isinstance(body.prompt, list) else [body.prompt]
    inputs = [answerer.of_turns([Turn("user", prompt)]) for prompt in prompts]
    manner = _manner(answerer, body, body.max_tokens, most)
    frame = TextFrame(id, answerer.name)
    plan = Plan(
        answerer, inputs, manner, lambda some: frame.whole(answerer, some, plan.length), frame
    )
    return plan


def classify(body: ClassifyBody, answerer: Answerer, id: str, pictures: Pictures) -> Plan:
    """All that is known of the answer to each input, of any kind of task."""
    rows = body.input if isinstance(body.input, list) else [body.input]

    def finish(predictions: Sequence[Prediction]) -> dict[str, Any]:
        data = [{"index": i, **answerer.shown(one)} for i, one in enumerate(predictions)]
        frame = {"id": f"classify-{id}", "object": "list", "model": answerer.name}
        return {**frame, "data": data, "usage": usage(predictions)}

    return Plan(answerer, _inputs(answerer, rows, pictures), Manner(), finish)


def _inputs(answerer: Answerer, rows: Sequence[Row], pictures: Pictures) -> list[Input]:
    """The rows as inputs. Raises `InputError` with every row at fault."""
    sees = answerer.task.pictures
    images = iter(pictures([url for row in rows if (url := _picture(row))] if sees else []))
    inputs, faults = [], []
    for i, row in enumerate(rows):
        try:
            own = [next(images)] if sees and _picture(row) else []
            inputs.append(answerer.input(row, own))
        except InputError as error:
            faults += [Fault(f"input {i}: {one.found}", one.expected) for one in error.faults]
    if faults:
        raise InputError(faults[:8])
    return inputs


def _picture(row: Row) -> str:
    """The address that holds a row's picture; "" where it has none."""
    url = row.get(PICTURE) if isinstance(row, dict) else None
    return url if isinstance(url, str) else ""


def _manner(answerer: Answerer, body: WritingBody, max_tokens: int | None, most: int) -> Manner:
    """How a client wants it written; labels and what else is not written have no manner."""
    if max_tokens is not None and max_tokens > most:
        raise Refusal(400, f"max_tokens is {max_tokens}: {most} at most")
    grammar = _grammar(body.response_format)
    if answerer.writer is None:
        if grammar is not None:
            raise Refusal(400, f"'{answerer.name}' writes no texts: leave response_format out")
        return Manner()
    stops = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    stops = tuple(stop for stop in stops if stop)
    return Manner(max_tokens, body.temperature or None, body.seed, stops, grammar)


def _grammar(form: ResponseFormat | None) -> Grammar | None:
    """What a text is kept to. Raises `Refusal` for a form without its rule."""
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return Grammar("json_schema", '{"type": "object"}')
    if form.type == "json_schema" and form.json_schema is not None:
        return Grammar("json_schema", json.dumps(form.json_schema.schema_, ensure_ascii=False))
    if form.type == "regex" and form.regex:
        return Grammar("regex", form.regex)
    if form.type == "choices" and form.choices:
        return Grammar("choices", json.dumps(form.choices, ensure_ascii=False))
    raise Refusal(400, f"response_format of type {form.type} without its {form.type}")
