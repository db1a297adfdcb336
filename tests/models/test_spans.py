"""Supervised are the words of the assistant and the end of each turn, whatever the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import CannotAdapt
from nshot.core.types import Turn
from nshot.models.hf.spans import Rendered, answered, apart, rendered
from nshot.models.hf.tokens import render
from tiny import CHAT, tiny_tokenizer

LLAMA3 = (
    "{{ '<|bot|>' }}{% for m in messages %}<|head|>{{ m['role'] }}<|/head|>\n\n"
    "{{ m['content'] | trim }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}"
)
GEMMA = (
    "{{ '<bos>' }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MISTRAL = (
    "{{ '<s>' }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %} {{ m['content'] }}</s> {% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
QWEN3 = (
    "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}"
    "{% set said = m['content'].split('</think>')[-1].lstrip('\n') %}"
    "{% set thought = m['content'].split('</think>')[0].split('<think>')[-1].strip('\n') if "
    "'</think>' in m['content'] else '' %}"
    "{% if loop.index0 > ns.last %}<think>\n{{ thought }}\n</think>\n\n{% endif %}{{ said }}"
    "{% else %}{{ m['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Family:
    template: str
    special: tuple[str, ...]
    end: str


FAMILIES = {
    "ChatML": Family(CHAT, (), "<|im_end|>"),
    "Llama 3": Family(LLAMA3, ("<|bot|>", "<|head|>", "<|/head|>", "<|eot|>"), "<|eot|>"),
    "Gemma": Family(GEMMA, ("<bos>", "<start_of_turn>", "<end_of_turn>"), "<end_of_turn>"),
    "Mistral": Family(MISTRAL, ("<s>", "</s>"), "</s>"),
    "Qwen 3": Family(QWEN3, (), "<|im_end|>"),
}
ASKS = (Turn("user", "who is there ?"),)
SAYS = (*ASKS, Turn("assistant", "a cat"))
TALK = (*SAYS, Turn("user", "and now ?"), Turn("assistant", "the cat , still ."))


def of(name: str) -> Any:
    tokenizer = tiny_tokenizer()
    family = FAMILIES[name]
    tokenizer.add_special_tokens({"additional_special_tokens": list(family.special)})
    tokenizer.chat_template = family.template
    return tokenizer


def spans(tokenizer: Any, row: Rendered) -> list[str]:
    """The text of each run of supervised tokens."""
    assert len(row.tokens) == len(row.supervised)
    runs: list[list[int]] = []
    for at, (token, taught) in enumerate(zip(*row, strict=True)):
        if taught and (at == 0 or not row.supervised[at - 1]):
            runs.append([])
        if taught:
            runs[-1].append(token)
    return [tokenizer.decode(run, clean_up_tokenization_spaces=False) for run in runs]


@pytest.mark.parametrize("name", ["ChatML", "Llama 3", "Gemma", "Mistral"])
def test_every_answer_and_its_end_is_taught_and_nothing_else(name: str) -> None:
    tokenizer = of(name)
    row = rendered(tokenizer, TALK)
    end, space = FAMILIES[name].end, " " * (name == "Mistral")
    assert spans(tokenizer, row) == [f"{space}a cat{end}", f"{space}the cat , still .{end}"]
    whole = tokenizer.apply_chat_template(
        [{"role": t.role, "content": t.text} for t in TALK], tokenize=False
    )
    assert tokenizer.decode(row.tokens, clean_up_tokenization_spaces=False) == whole
    (last,) = spans(tokenizer, answered(tokenizer, TALK))
    assert last == f"{space}the cat , still .{end}"


def test_the_same_answer_twice_and_an_answer_that_the_user_said_before() -> None:
    """What a search for the answer's text would get wrong."""
    tokenizer = of("ChatML")
    talk = (Turn("user", "yes"), Turn("assistant", "yes"), *SAYS[:1], Turn("assistant", "yes"))
    row = rendered(tokenizer, talk)
    assert spans(tokenizer, row) == ["yes<|im_end|>"] * 2
    assert row.supervised.index(True) > len(rendered(tokenizer, talk[:1]).tokens)


def test_a_template_that_drops_earlier_thoughts_is_named_and_taught_answer_by_answer() -> None:
    tokenizer = of("Qwen 3")
    tokenizer.name_or_path = "qwen-like"
    thinks = (*ASKS, Turn("assistant", "<think>\nhm\n</think>\n\na cat"), *TALK[2:])
    with pytest.raises(CannotAdapt, match=r"template of qwen-like .*otherwise.*<think>"):
        rendered(tokenizer, thinks)
    first, last = apart(tokenizer, thinks)
    assert spans(tokenizer, first) == ["<think>\nhm\n</think>\n\na cat<|im_end|>"]
    assert spans(tokenizer, last) == ["<think>\n\n</think>\n\nthe cat , still .<|im_end|>"]
    assert "hm" not in tokenizer.decode(last.tokens)
    assert len(apart(tokenizer, thinks[:2])) == 1


@pytest.mark.parametrize("name", ["Gemma", "Mistral"])
def test_a_system_turn_that_is_refused_goes_before_the_first_question(name: str) -> None:
    tokenizer = of(name)
    row = rendered(tokenizer, (Turn("system", "you are a cat"), *TALK))
    text = tokenizer.decode(row.tokens, clean_up_tokenization_spaces=False)
    assert "you are a cat\n\nwho is there ?" in text
    assert len(spans(tokenizer, row)) == 2


def test_a_template_without_an_end_token_teaches_all_it_writes() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    assert spans(tokenizer, rendered(tokenizer, SAYS)) == [" a cat\n\n"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{% set x = messages.append({'role': 'user', 'content': 'x'}) %}",
        "{{ cycler.__init__.__globals__.os.popen('true') }}",
    ],
)
def test_a_template_that_reaches_out_of_its_sandbox_is_refused(template: str) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(CannotAdapt, match="does not take these turns"):
        render(tokenizer, SAYS)
    with pytest.raises(CannotAdapt):
        apart(tokenizer, SAYS)


words = st.text(st.sampled_from("ab \n?:é가漢"), min_size=1, max_size=8).filter(str.strip)


@pytest.mark.parametrize("name", ["ChatML", "Llama 3", "Gemma", "Mistral"])
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.tuples(words, words), min_size=1, max_size=3))
def test_each_span_holds_its_answer_whatever_is_said(
    name: str, texts: list[tuple[str, str]]
) -> None:
    tokenizer = of(name)
    turns = [t for a, b in texts for t in (Turn("user", a), Turn("assistant", b))]
    found = spans(tokenizer, rendered(tokenizer, turns))
    assert len(found) == len(texts)
    for said, (_, answer) in zip(found, texts, strict=True):
        assert said.endswith(FAMILIES[name].end)
        assert answer.strip() == said.removesuffix(FAMILIES[name].end).strip()


CALLS = (*SAYS, Turn("tool", 'say "7"\nnow'), Turn("tool", "8"), Turn("assistant", "it is 7"))
DROPS = (
    "{% for m in messages %}{% if m['role'] == 'user' %}U{{ m['content'] }}<|im_end|>"
    "{% elif m['role'] == 'assistant' %}A{{ m['content'] }}<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}A{% endif %}"
)
DUMPS = CHAT.replace("{{ m['content'] }}", "{{ m['content'] | tojson }}")


@pytest.mark.parametrize(
    ("template", "written"),
    [
        (CHAT, '<|im_start|>tool\nsay "7"\nnow<|im_end|>\n<|im_start|>tool\n8<|im_end|>'),
        (DUMPS, '<|im_start|>tool\n"say \\"7\\"\\nnow"<|im_end|>'),
        (DROPS, 'U<tool_response>\nsay "7"\nnow\n</tool_response>\n<tool_response>\n8\n</tool'),
        (MISTRAL, '[INST] <tool_response>\nsay "7"\nnow\n</tool_response>'),
    ],
    ids=["has the role", "writes JSON", "drops the role", "refuses the role"],
)
def test_what_a_tool_answers_is_read_whatever_the_template(template: str, written: str) -> None:
    tokenizer = of("Mistral")
    tokenizer.chat_template = template
    assert written in render(tokenizer, CALLS, answering=False)[0]
    row = rendered(tokenizer, CALLS)
    said = "".join(spans(tokenizer, row))
    assert "it is 7" in said
    assert "now" not in said, "what a tool answers is not taught"


def test_turns_that_are_not_to_be_taught_are_read_only() -> None:
    for name in ("ChatML", "Qwen 3"):
        tokenizer = of(name)
        talk = (*ASKS, Turn("assistant", "a cat", taught=False), *TALK[2:])
        taught = [run for row in apart(tokenizer, talk) for run in spans(tokenizer, row)]
        assert len(taught) == 1, name
        assert "the cat , still ." in taught[0]
