"""Does the answer look as the task said it must?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Grammar, Prediction, Task
from nshot.metrics.formats import NOT_JSON, parsed
from nshot.metrics.metric import Mean

Keeps: TypeAlias = Callable[[str], bool]


class KeepsFormat(Mean):
    """1 where the whole answer has the task's ``answer_format``; whether it is right is not asked.

    Raises `InputError` for a task without one, and for a JSON schema without jsonschema installed.
    """

    def __init__(self, task: Task) -> None:
        if task.answer_format is None:
            problem = "the metric 'keeps_format' needs an answer_format in the task file"
            raise InputError(Fault(problem, do="answer_format: {regex: '[0-9]+'}"))
        self._keeps = keeper(task.answer_format)

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,)."""
        return (float(self._keeps(prediction.answer)),)


def keeper(grammar: Grammar) -> Keeps:
    """Tells whether an answer has a form.

    Raises `InputError` for a JSON schema that is none, and without jsonschema installed.
    """
    if grammar.kind == "choices":
        return frozenset(grammar.choices).__contains__
    if grammar.kind == "json_schema":
        return _schema(grammar)
    expression = re.compile(grammar.text)
    return lambda answer: expression.fullmatch(answer) is not None


def _schema(grammar: Grammar) -> Keeps:
    """Nothing is fetched: what the schema refers to must stand in it."""
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from referencing import Registry
    except ImportError:
        problem = "answers cannot be held to a JSON schema: jsonschema is not installed"
        raise InputError(Fault(problem, do="pip install 'nshot[constrain]'")) from None
    schema = parsed(grammar.text)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InputError(Fault(f"not a JSON schema: {error.message}")) from None
    if lost := _lost(schema):
        problem = f"the schema refers to what is not in it: {', '.join(lost)}"
        raise InputError(Fault(problem, do="write it out under $defs: {$ref: '#/$defs/NAME'}"))
    validator = Draft202012Validator(schema, registry=Registry())

    def keeps(answer: str) -> bool:
        value = parsed(answer)
        return value is not NOT_JSON and bool(validator.is_valid(value))

    return keeps


def _lost(schema: Any) -> list[str]:
    """The references of a schema that lead nowhere in it."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    lost = []
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            lost.append(reference)
    return lost


def _references(part: Any) -> Iterator[str]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        yield part["$ref"]
    for one in inner:
        yield from _references(one)
