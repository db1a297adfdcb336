from __future__ import annotations

from dataclasses import replace

import pytest

from nshot.core.types import Delimiter, Input, Label, Parts, Task, Turn
from nshot.prompts.parts import instruction, instruction_parts
from nshot.prompts.render import first_answer, render
from toys import TASK, ask, examples

FULL = Parts(
    persona="You work at a bank.",
    context="Customers write in a chat.",
    constraints=("A card that was lost is no refund.", "Read all of it."),
    output_format="Write the intent alone.",
)


def test_every_part_stands_in_its_place() -> None:
    task = replace(TASK, instruction="What does the customer want?", parts=FULL)
    assert instruction(task).splitlines()[:3] == [
        "You work at a bank.",
        "Customers write in a chat.",
        "What does the customer want?",
    ]
    assert instruction(task).splitlines()[-3:] == [
        "- A card that was lost is no refund.",
        "- Read all of it.",
        "Write the intent alone.",
    ]
    assert [part.name for part in instruction_parts(task)] == [
        "persona", "context", "instruction", "labels", "constraints", "output_format",
    ]  # fmt: skip


def test_a_task_without_parts_reads_as_it_always_did() -> None:
    assert [part.name for part in instruction_parts(TASK)] == ["instruction", "labels"]


def test_in_a_chat_the_parts_are_the_systems() -> None:
    turns = render(replace(TASK, parts=FULL), "chat", ask("where is it"))
    assert isinstance(turns[0], Turn)
    assert turns[0].text.startswith("You work at a bank.\n")
    assert turns[1] == Turn("user", "where is it")


def test_an_input_that_asks_by_itself_hears_the_parts_and_no_request() -> None:
    task = Task("chat", "generate", parts=Parts(persona="You are a librarian."))
    turns = render(task, "chat", Input(fields=(("instruction", "Name a poet."),)))
    assert turns == (Turn("system", "You are a librarian."), Turn("user", "Name a poet."))


@pytest.mark.parametrize(
    ("delimiter", "line"),
    [
        ("none", "Query: where is it"),
        ("quotes", 'Query: """\nwhere is it\n"""'),
        ("hashes", "Query: ###\nwhere is it\n###"),
        ("tags", "<query>\nwhere is it\n</query>"),
    ],
)
def test_a_delimiter_stands_around_the_input_and_the_demonstrations(
    delimiter: Delimiter, line: str
) -> None:
    task = replace(TASK, parts=Parts(delimiter=delimiter))
    demos = examples(1)[:1]
    assert render(task, "plain", ask("where is it")) == f"{line}\nIntent:"
    shown = line.replace("where is it", "where is my card")
    assert render(task, "plain", ask("where is it"), demos) == (
        f"{shown}\nIntent: card arrival\n\n{line}\nIntent:"
    )


def test_a_bare_text_of_a_chat_is_fenced_without_its_name() -> None:
    task = replace(TASK, parts=Parts(delimiter="quotes"))
    assert render(task, "chat", ask(" where is it "))[-1] == Turn("user", '"""\nwhere is it\n"""')


def test_what_a_model_goes_on_to_invent_is_cut_at_the_fence_too() -> None:
    task = Task(
        "titles", "generate", field_names=(("text", "Text"),), parts=Parts(delimiter="tags")
    )
    text = "A title\n<text>\nanother text\n</text>"
    assert first_answer(task, "plain", ask("x"), text) == "A title"
    assert first_answer(replace(task, parts=Parts()), "plain", ask("x"), "A\nText: b") == "A"


def test_two_labels_with_the_same_words_keep_their_names() -> None:
    task = Task("t", "classify", (Label("a_b"), Label("a-b")))
    assert instruction(task).endswith("Answer with one of: a_b, a-b.")
