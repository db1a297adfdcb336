"""Spans as a language model writes them, and where they are looked up."""

from __future__ import annotations

import json

import pytest

from nshot.core.spans import Span, spans_of, written
from nshot.core.types import Example, Input, Label, Task
from nshot.predictors.prompted import Prompted
from nshot.prompts.parts import instruction
from nshot.prompts.render import render
from nshot.prompts.span_lists import located, span_grammar, span_list

TASK = Task(
    "places", "spans", (Label("LOC", "a place"), Label("PER")),
    field_names=(("text", "Text"),), answer_name="Spans",
)  # fmt: skip
TEXT = "Ann met Annika in York, New York"
SPANS = [Span(0, 3, "PER"), Span(8, 14, "PER"), Span(18, 22, "LOC"), Span(24, 32, "LOC")]


def test_what_a_demonstration_shows_is_read_back() -> None:
    assert located(TASK, TEXT, span_list(TEXT, SPANS)) == SPANS


def items(*pairs: tuple[str, str]) -> str:
    return json.dumps([{"label": label, "text": text} for label, text in pairs])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (items(("LOC", "York"), ("LOC", "York")), [(18, 22, "LOC"), (28, 32, "LOC")]),
        (items(("LOC", "New York"), ("PER", "Ann")), [(0, 3, "PER"), (24, 32, "LOC")]),
        (items(("PER", "Ann"), ("PER", "Ann")), [(0, 3, "PER"), (8, 11, "PER")]),
        (items(("PER", "Annika"), ("PER", "nnik")), [(8, 14, "PER")]),
        (items(("PER", "Bob"), ("ORG", "York"), ("LOC", " ")), []),
        (items(("PER", "Ann"))[:-1] + ', {"label": "LOC", "te', [(0, 3, "PER")]),
        ('Sure! {"label": "PER", "text": "Ann"} is one.', [(0, 3, "PER")]),
        ('[{"label": 3, "text": "Ann"}, {"text": "Ann"}, {nonsense}]', []),
        ("", []),
    ],
)
def test_pieces_are_looked_up_in_order_and_what_stands_nowhere_is_left_out(
    answer: str, expected: list[tuple[int, int, str]]
) -> None:
    assert located(TASK, TEXT, answer) == [Span(*one) for one in expected]


def test_a_prompt_lists_labels_with_their_descriptions() -> None:
    request = instruction(TASK)
    assert "as JSON" in request
    assert "- LOC: a place\n- PER" in request


def test_a_demonstration_shows_labels_and_texts_without_offsets() -> None:
    demo = Example("x", Input((("text", TEXT),)), (written(TEXT, SPANS[:1]),))
    prompt = render(TASK, "plain", Input((("text", "Bob"),)), [demo])
    assert prompt == (
        f'Text: {TEXT}\nSpans: [{{"label": "PER", "text": "Ann"}}]\n\nText: Bob\nSpans:'
    )


def test_the_grammar_takes_lists_of_known_labels_only() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(span_grammar(TASK, " ").text)
    jsonschema.validate(json.loads(span_list(TEXT, SPANS)), schema)
    for wrong in ('[{"label": "ORG", "text": "x"}]', '[{"label": "LOC", "text": ""}]', "{}"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(wrong), schema)


def test_a_model_that_writes_is_heard_as_spans() -> None:
    from nshot.models.base import Completion
    from nshot.models.catalog import resolve
    from nshot.models.fake.fake_engine import FakeModels

    predictor = Prompted(TASK, FakeModels(), resolve("fake:scorer", "lm"))
    completion = Completion(items(("LOC", "York")), 3, 4, True)
    prediction = predictor._heard(Input((("text", TEXT),)), completion)
    assert spans_of(prediction.answer) == (Span(18, 22, "LOC"),)
    assert (prediction.tokens_in, prediction.tokens_out) == (3, 4)
