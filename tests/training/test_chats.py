"""Conversations as rows: every answer is taught, and what is too long is cut by one rule."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Task, Turn
from nshot.models.hf.tokens import render
from nshot.training.data.chats import Counts, conversation, encode, fitted
from tiny import tiny_tokenizer

TASK = Task("echo", "generate")
TOKENIZER = tiny_tokenizer()
DROPS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' and "
    "not loop.last %}(said){% else %}{{ m['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A template that writes earlier answers otherwise than the last."""


def asked(**fields: str) -> Example:
    return Example("e", Input(tuple(fields.items())), ("the answer",))


def chat(*texts: str, system: str = "") -> Example:
    """Turns of user and assistant; the last is the target."""
    turns = [Turn(("user", "assistant")[i % 2], text) for i, text in enumerate(texts[:-1])]
    head = [Turn("system", system)] if system else []
    return Example("c", Input(turns=(*head, *turns)), (texts[-1],))


def taught(row) -> str:
    return TOKENIZER.decode(row.targets)


def text(row) -> str:
    return TOKENIZER.decode(row.tokens)


def only(example: Example, limit: int = 500, task: Task = TASK):
    (row,), counts = encode(task, [example], TOKENIZER, limit)
    return row, counts


def test_instruction_and_input_are_one_question():
    turns = conversation(TASK, asked(instruction="Name the topic.", input="a film"))
    assert turns == (Turn("user", "Name the topic.\n\na film"), Turn("assistant", "the answer"))


def test_the_system_prompts_of_task_and_row_are_kept():
    task = Task("echo", "generate", system="Be brief.")
    row, _ = only(chat("who?", "me", system="Be kind."), task=task)
    assert text(row).startswith("<|im_start|>system\nBe brief.\nBe kind.<|im_end|>")
    assert only(asked(instruction="go"), task=task)[0].tokens[:9] == row.tokens[:9]


def test_what_is_asked_stands_before_what_is_taught():
    """Training and serving read the very same tokens."""
    example = chat("who?", "me", "and?", "you", system="Be kind.")
    row, _ = only(example)
    turns = conversation(TASK, example)
    prompt = TOKENIZER(render(TOKENIZER, turns[:-1])[0], add_special_tokens=False)["input_ids"]
    assert list(row.tokens[: len(prompt)]) == prompt


def test_every_answer_is_taught_with_its_end_and_nothing_else():
    row, counts = only(chat("who is there?", "me", "and now?", "still me"))
    assert taught(row) == "me<|im_end|>still me<|im_end|>"
    assert counts == Counts()
    assert [row.tokens[p + 1] for p in row.points[:-1]] == list(row.targets[:-1])
    assert row.points[-1] == len(row.tokens) - 1, "nothing behind the last answer is read"


def test_where_earlier_answers_are_rewritten_each_is_a_row():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = DROPS
    rows, _ = encode(TASK, [chat("who?", "me", "and?", "you")], tokenizer, 500)
    assert [taught(row) for row in rows] == ["me<|im_end|>", "you<|im_end|>"]
    assert len({row.id for row in rows}) == 2
    assert "(said)" in text(rows[1])


def test_a_long_chat_loses_its_oldest_exchanges_and_keeps_its_system_prompt():
    example = chat(*(f"{who} number {i}" for i in range(6) for who in ("question", "answer")),
                   system="Be kind.")  # fmt: skip
    whole, _ = only(example)
    row, counts = only(example, len(whole.tokens) - 20)
    assert counts == Counts(shortened=1)
    assert "Be kind." in text(row)
    assert "number 0" not in text(row)
    assert "question number 5" in text(row)
    assert text(row).count("question") == text(row).count("answer")
    assert len(row.tokens) > len(whole.tokens) - 20 - len(whole.tokens) // 4, "no more than it must"


def test_a_long_question_loses_its_beginning():
    row, counts = only(chat("first " + "word " * 100 + "end", "me", system="Be kind."), 60)
    assert counts == Counts(cut=1)
    assert "first" not in text(row)
    assert "word end<|im_end|>" in text(row)
    assert "Be kind." in text(row)
    assert taught(row) == "me<|im_end|>"
    assert 55 <= len(row.tokens) <= 60


def test_an_answer_too_long_is_left_out_and_all_is_counted():
    long, short = chat("go", "word " * 100), chat("go", "me")
    rows, counts = encode(TASK, [long, short, long], TOKENIZER, 60)
    assert len(rows) == 1
    assert counts.notes(60) == [
        "2 conversations longer than 60 tokens were left out, for their answer alone is longer"
    ]


WORDS = st.lists(st.sampled_from(["card", "영화", "a ", "\n", "?"]), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=8).filter(lambda x: len(x) % 2 == 0),
       st.integers(12, 90))  # fmt: skip
def test_no_row_is_longer_than_the_limit_and_the_last_answer_stays(texts, limit):
    turns = conversation(TASK, chat(*("".join(words) for words in texts)))
    found, lost = fitted(TOKENIZER, turns, limit)
    assert lost == "left_out" or TOKENIZER.decode(
        [t for t, is_taught in zip(*found[-1], strict=True) if is_taught]
    ).endswith(turns[-1].text + "<|im_end|>")
    assert all(len(one.tokens) <= limit for one in found)


def test_templates_are_rendered_in_the_immutable_sandbox():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ messages.append(1) }}"
    with pytest.raises((CannotAdapt, jinja2.exceptions.SecurityError)):
        encode(TASK, [asked(instruction="go")], tokenizer, 100)
    tokenizer.chat_template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises((CannotAdapt, jinja2.exceptions.SecurityError)):
        encode(TASK, [asked(instruction="go")], tokenizer, 100)


def test_without_a_template_nothing_is_taught():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(CannotAdapt, match="no chat template"):
        encode(TASK, [asked(instruction="go")], tokenizer, 100)
