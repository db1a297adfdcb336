"""Answers in a format: whatever is finished has it, and the model chooses among what is allowed."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Grammar, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.hf.generate import ends
from nshot.models.hf.grammar import compiled, fault
from tiny import tiny_llama

pytest.importorskip("llguidance", reason="pip install 'nshot[constrain]'")

FEW = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PROMPTS = ["Review: a warm film\nSentiment:", "카드가 언제 와요?\n의도:"]
LABELS = ["긍정", "부정", "중립 아님", "중립", "card", "card arrival", 'a "b"', "카드 도착 😀"]


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny_llama(tmp_path_factory.mktemp("lm"), context=512)
    return open_models().open(ModelRef("hf", str(folder)))


def choices(*texts: str, lead: str = "") -> Grammar:
    return Grammar("choices", json.dumps(texts), lead)


# Small expressions that are read alike here and there, with what they match.
atoms = st.sampled_from(
    ["a", "[0-9]", "[가-힣]", r"\d", "x/y", r"\.", "(긍정|부정)", "[^\\n]", "é"]
)
pieces = st.tuples(atoms, st.sampled_from(["", "?", "{1,3}", "{2}"])).map(
    lambda p: f"({p[0]}){p[1]}"
)
expressions = st.lists(pieces, min_size=1, max_size=4).map("".join)
leads = st.sampled_from(["", " "])


@FEW
@given(expression=expressions, lead=leads, seed=st.integers(0, 9), hot=st.sampled_from([0.0, 1.5]))
def test_a_finished_text_matches_its_expression(
    lm: Any, expression: str, lead: str, seed: int, hot: float
) -> None:
    how = Decoding(40, hot, seed, grammar=Grammar("regex", expression, lead))
    for said in lm.generate(PROMPTS, how):
        assert said.finished, "no expression here is longer than that"
        assert said.text.startswith(lead)
        # The grammar's Unicode may be newer: what this Python does not know is no digit to it.
        if not any(unicodedata.category(char) == "Cn" for char in said.text):
            assert re.fullmatch(expression, said.text[len(lead) :])


leaves = st.sampled_from(
    [
        {"type": "integer", "minimum": 0, "maximum": 99},
        {"type": "boolean"},
        {"enum": ["긍정", "부정", 'b "c"']},
        {"type": "string", "maxLength": 4},
        {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
    ]
)


def object_of(parts: list[Any]) -> dict[str, Any]:
    named = {f"k{i}": part for i, part in enumerate(parts)}
    return {
        "type": "object", "properties": named, "required": list(named),
        "additionalProperties": False,
    }  # fmt: skip


def fits(value: Any, schema: Any) -> bool:
    """The few kinds of schema above, said once more in Python."""
    if "enum" in schema:
        return value in schema["enum"]
    if schema["type"] == "object":
        parts = schema["properties"]
        return value.keys() == parts.keys() and all(fits(value[k], parts[k]) for k in parts)
    if schema["type"] == "array":
        return len(value) <= 2 and all(isinstance(one, bool) for one in value)
    kind = {"integer": int, "boolean": bool, "string": str}[schema["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return False
    return 0 <= value <= 99 if kind is int else kind is bool or len(value) <= 4


@FEW
@given(
    schema=st.lists(leaves, min_size=1, max_size=3).map(object_of),
    lead=leads,
    hot=st.sampled_from([0.0, 1.5]),
)
def test_a_finished_text_parses_against_its_schema(
    lm: Any, schema: dict[str, Any], lead: str, hot: float
) -> None:
    grammar = Grammar("json_schema", json.dumps(schema, ensure_ascii=False), lead)
    for said in lm.generate(PROMPTS, Decoding(160, hot, grammar=grammar)):
        assert said.finished
        assert said.text.startswith(lead)
        assert fits(json.loads(said.text), schema)
        assert "\n" not in said.text


@FEW
@given(
    texts=st.lists(st.sampled_from(LABELS), min_size=1, unique=True),
    lead=leads,
    seed=st.integers(0, 3),
)
def test_a_choice_is_one_of_them(lm: Any, texts: list[str], lead: str, seed: int) -> None:
    for hot in (0.0, 2.0):
        how = Decoding(64, hot, seed, grammar=choices(*texts, lead=lead))
        for said in lm.generate(PROMPTS, how):
            assert said.finished
            assert said.text.removeprefix(lead) in texts


def best_first(lm: Any, prompt: str, texts: list[str]) -> str:
    """Token by token, the likeliest that some text can still be written with; by other means."""
    tokenizer, module = lm._base.tokenizer, lm._base.module
    ids = tokenizer(prompt)["input_ids"]
    pieces = [raw(tokenizer, [token]) for token in range(len(tokenizer))]
    said: list[int] = []
    while True:
        with torch.no_grad():
            row = module(input_ids=torch.tensor([ids + said])).logits[0, -1]
        done = tokenizer.decode(said)
        start = raw(tokenizer, said)
        allowed = [
            token
            for token, piece in enumerate(pieces[2:], 2)
            if any(text.encode().startswith(start + piece) for text in texts)
        ]
        free = int(row.argmax())
        if done in texts and (free not in allowed or not allowed):
            return done
        said.append(max(allowed, key=lambda token: float(row[token])))


def raw(tokenizer: Any, tokens: list[int]) -> bytes:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    back = {letter: byte for byte, letter in bytes_to_unicode().items()}
    pieces = tokenizer.convert_ids_to_tokens(tokens)
    return bytes(back[letter] for piece in pieces for letter in piece if letter in back)


@pytest.mark.parametrize("prompt", [PROMPTS[1], "card"])
@pytest.mark.parametrize("texts", [LABELS, ["card", "card arrival"], ["부정", "부자"]])
def test_the_choice_is_the_best_continuation_token_by_token(
    lm: Any, prompt: str, texts: list[str]
) -> None:
    (said,) = lm.generate([prompt], Decoding(64, grammar=choices(*texts)))
    assert said.text == best_first(lm, prompt or lm._base.tokenizer.bos_token, texts)


def test_an_end_is_allowed_only_where_the_form_is_complete(lm: Any) -> None:
    tokenizer = lm._base.tokenizer
    end = ends(lm._base.module, tokenizer)
    place = compiled(Grammar("regex", "[0-9]{2,3}"), tokenizer, end).start()
    expected = [False, False, True]
    for digit, complete in zip("180", expected, strict=True):
        assert place.complete == complete
        for token in end:
            assert place.allows(token) == bool(place.mask(len(tokenizer))[token]) == complete
        (number,) = tokenizer(digit)["input_ids"]
        over = place.take(number)
    assert over
    assert not place.allows(10**6), "a model may have more rows than its tokenizer has tokens"
    assert not compiled(Grammar("regex", "a"), tokenizer, end).start().mask(9999)[9000:].any()


def test_what_no_longer_fits_ends_a_complete_text(lm: Any) -> None:
    """Else a number would go on and on: in a plain prompt nothing makes an end token likely."""
    (free,) = lm.generate(PROMPTS[:1], Decoding(max_tokens=2))
    head = lm._base.tokenizer.decode(lm._base.tokenizer(free.text)["input_ids"][:1])
    grammar = Grammar("regex", f"{re.escape(head)}([0-9]+)?")
    (said,) = lm.generate(PROMPTS[:1], Decoding(max_tokens=40, grammar=grammar))
    assert (said.text, said.finished) == (head, True)


def test_a_length_that_is_too_short_for_any_answer_is_told_before_anything_is_written(
    lm: Any,
) -> None:
    how = Decoding(3, grammar=Grammar("regex", "[0-9]{9}"))
    with pytest.raises(CannotAdapt, match=r"3 tokens are too few .* takes [4-9]; raise max_tokens"):
        lm.generate(PROMPTS, how)


def test_stop_strings_cut_all_the_same(lm: Any) -> None:
    how = Decoding(40, stop=("5",), grammar=Grammar("regex", "1234567"))
    assert {(said.text, said.finished) for said in lm.generate(PROMPTS, how)} == {("1234", True)}


@pytest.mark.parametrize(
    ("grammar", "words"),
    [
        (Grammar("regex", "[0-9"), "unclosed character class"),
        (Grammar("regex", "(?=a)b"), "look-ahead"),
        (Grammar("json_schema", '{"type": "objct"}'), "objct"),
    ],
)
def test_a_form_that_cannot_be_read_is_said(lm: Any, grammar: Grammar, words: str) -> None:
    found = fault(grammar)
    assert found is not None
    assert words in found.found
    with pytest.raises(InputError, match=words):
        lm.generate(PROMPTS, Decoding(grammar=grammar))
    assert fault(Grammar("regex", "^a/b$")) is None


def test_without_the_library_the_cure_is_said(lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    assert "constrain" not in lm.facts.can
    assert fault(Grammar("regex", "[0-9")) is None
    with pytest.raises(InputError, match=r"pip install 'nshot\[constrain\]'"):
        lm.generate(PROMPTS, Decoding(grammar=Grammar("regex", "a")))


def test_it_is_imported_when_it_is_needed(tmp_path: Path) -> None:
    import subprocess

    program = "import sys, nshot.models.hf.generate; sys.exit('llguidance' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path).returncode == 0
