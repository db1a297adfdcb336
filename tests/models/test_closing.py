"""A form is closed in time: what is written is complete, or it is told why."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.core.errors import CannotAdapt
from nshot.core.types import Grammar, ModelRef
from nshot.models import open_models
from nshot.models.base import Completion, Decoding
from nshot.models.hf.closing import literals
from nshot.models.hf.generate import ends
from nshot.models.hf.grammar import compiled
from tiny import tiny_llama

pytest.importorskip("llguidance", reason="pip install 'nshot[constrain]'")
jsonschema = pytest.importorskip("jsonschema")

SOME = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PROMPT = "카드가 언제 와요?\n의도:"
LABELS = ["긍정", "부정", "중립 아님", "중립", "card", "card arrival", 'a "b"', "카드 도착 😀"]


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny_llama(tmp_path_factory.mktemp("lm"), context=512)
    return open_models().open(ModelRef("hf", str(folder)))


def shortest(lm: Any, grammar: Grammar) -> int:
    """Tokens of the way that closes a form before anything is written."""
    tokenizer = lm._base.tokenizer
    made = compiled(grammar, tokenizer, ends(lm._base.module, tokenizer))
    way = made.start().closed([], 200)
    assert way is not None, "a way is found"
    made.require(len(way))
    return len(way)


def written(lm: Any, grammar: Grammar, more: int, seed: int) -> Completion:
    least = shortest(lm, grammar)
    how = Decoding(least + more, 1.5, seed, grammar=grammar)
    (one,) = lm.generate([PROMPT], how)
    assert one.tokens_out <= least + more
    assert one.finished
    if more % 4 == 0:
        assert "".join(lm.stream(PROMPT, how)) == one.text
    return one


atoms = st.sampled_from(["a", "[0-9]", "[가-힣]", "x/y", r"\\.", "(긍정|부정)", "[^\\n]", "é"])
pieces = st.tuples(atoms, st.sampled_from(["", "?", "*", "+", "{1,3}", "{2}", "{4,}"])).map(
    lambda p: f"({p[0]}){p[1]}"
)
expressions = st.lists(pieces, min_size=1, max_size=4).map("".join)
budgets = {"more": st.integers(0, 12), "seed": st.integers(0, 9)}


@SOME
@given(expression=expressions, lead=st.sampled_from(["", " "]), **budgets)
def test_an_expression(lm: Any, expression: str, lead: str, more: int, seed: int) -> None:
    one = written(lm, Grammar("regex", expression, lead), more, seed)
    assert one.text.startswith(lead)
    assert re.fullmatch(expression, one.text[len(lead) :]), (expression, one.text)


@pytest.mark.parametrize(("expression", "whole"), [("(a)?", True), ("a*", True), (None, False)])
def test_no_token_at_all_is_whole_where_the_form_allows_an_empty_text(
    lm: Any, expression: str | None, whole: bool
) -> None:
    grammar = None if expression is None else Grammar("regex", expression)
    how = Decoding(0, grammar=grammar)
    (one,) = lm.generate([PROMPT], how)
    assert (one.text, one.tokens_out, one.finished) == ("", 0, whole)
    assert "".join(lm.stream(PROMPT, how)) == ""
    with pytest.raises(CannotAdapt, match="too few"):
        lm.generate([PROMPT], Decoding(0, grammar=Grammar("regex", "a+")))


@SOME
@given(texts=st.lists(st.sampled_from(LABELS), min_size=1, unique=True), **budgets)
def test_a_choice(lm: Any, texts: list[str], more: int, seed: int) -> None:
    grammar = Grammar("choices", json.dumps(texts))
    assert written(lm, grammar, more, seed).text in texts
    fewest = min(lm.count(texts))
    assert shortest(lm, grammar) <= fewest, "as few as the tokenizer needs for the shortest"


leaves = st.sampled_from([
    {"type": "integer"},
    {"type": "number", "minimum": 0},
    {"type": "boolean"},
    {"enum": ["긍정", "부정", 'b "c"']},
    {"type": "string"},
    {"type": "string", "minLength": 3},
    {"type": "array", "items": {"type": "boolean"}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2},
])  # fmt: skip
names = st.lists(st.sampled_from(["label", "왜", "a b"]), min_size=1, unique=True)
schemas = names.flatmap(
    lambda keys: st.tuples(*[leaves] * len(keys)).map(
        lambda values: {
            "type": "object",
            "properties": dict(zip(keys, values, strict=True)),
            "required": keys[:2],
            "additionalProperties": False,
        }
    )
)


@SOME
@given(schema=schemas, **budgets)
def test_a_schema(lm: Any, schema: dict[str, Any], more: int, seed: int) -> None:
    one = written(lm, Grammar("json_schema", json.dumps(schema)), more, seed)
    jsonschema.validate(json.loads(one.text), schema)


def test_a_marker_behind_free_text_is_found(lm: Any) -> None:
    grammar = Grammar("regex", r"[^\n]*\n?#### (답은 )?-?[0-9]+\.")
    assert set(literals(grammar)) >= {b"#### ", "답은 ".encode()}
    for budget in (16, 20, 40):
        (one,) = lm.generate([PROMPT], Decoding(budget, 1.5, 3, grammar=grammar))
        assert re.fullmatch(grammar.text, one.text), one.text


def test_a_form_without_an_end_is_closed_and_says_so(lm: Any) -> None:
    grammar = Grammar("json_schema", '{"type": "object", "properties": {"why": {"type": "string"}},'
                      ' "required": ["why"], "additionalProperties": false}')  # fmt: skip
    for seed in range(4):
        (one,) = lm.generate([PROMPT], Decoding(40, 1.5, seed, grammar=grammar))
        assert set(json.loads(one.text)) == {"why"}
        assert one.closed, "no end comes by chance among so many tokens"
        (longer,) = lm.generate([PROMPT], Decoding(60, 1.5, seed, grammar=grammar))
        assert longer.text.startswith(one.text[:-2].rstrip("\\")[:20]), "until then as it would be"


def test_what_the_model_ends_itself_is_not_closed(lm: Any) -> None:
    (one,) = lm.generate([PROMPT], Decoding(40, grammar=Grammar("regex", "[0-9]{2}")))
    assert one.finished
    assert not one.closed
