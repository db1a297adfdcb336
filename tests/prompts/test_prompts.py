from __future__ import annotations

from dataclasses import replace

import pytest

from nshot.core.types import Example, Input, Label, Task, Turn
from nshot.prompts.parts import instruction, label_words
from nshot.prompts.render import (
    answer_text,
    first_answer,
    label_answers,
    parse_label,
    render,
    terminator,
)
from toys import TASK, ask, examples


def test_plain_is_fields_then_the_answers_name() -> None:
    assert render(TASK, "plain", ask("where is it")) == "Query: where is it\nIntent:"


def test_several_fields_are_several_lines_in_their_order() -> None:
    task = Task("nli", "classify", (Label("yes"), Label("no")))
    pair = Input(fields=(("premise", "It rains."), ("second_text", "It is\n\n\nwet. ")))
    assert render(task, "plain", pair) == "Premise: It rains.\nSecond text: It is\nwet.\nLabel:"


def test_demonstrations_stand_before_a_blank_line_with_their_labels_words() -> None:
    demos = examples(1)[:2]
    assert render(TASK, "plain", ask("x"), demos) == (
        "Query: where is my card\nIntent: card arrival\n\n"
        "Query: i want a refund\nIntent: refund\n\n"
        "Query: x\nIntent:"
    )


def test_instruction_comes_first_and_describes_the_labels() -> None:
    prompt = render(TASK, "instruction", ask("x"))
    assert prompt == (
        "Which intent does the message have?\nAnswer with one of:\n"
        "- card arrival: a card that has not come\n- refund: money wanted back\n- 환불\n\n"
        "Query: x\nIntent:"
    )


def test_descriptions_that_do_not_fit_are_left_out() -> None:
    many = tuple(Label(f"intent_{i}", "words " * 20) for i in range(77))
    assert instruction(replace(TASK, labels=many)).endswith("intent 75, intent 76.")


def test_chat_shows_demonstrations_as_turns() -> None:
    task = replace(TASK, system="Be brief.")
    turns = render(task, "chat", ask("x"), examples(1)[:1])
    assert isinstance(turns, tuple)
    assert [turn.role for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[0].text.startswith("Be brief.\nWhich intent")
    assert [turn.text for turn in turns[1:]] == ["where is my card", "card arrival", "x"]


def test_a_dialogue_to_go_on_with_stays_a_dialogue() -> None:
    task = Task("talk", "generate")
    turns = (Turn("system", "You are kind."), Turn("user", "hi"))
    assert render(task, "chat", Input(turns=turns)) == turns
    assert render(task, "plain", Input(turns=turns)).startswith("System: You are kind.\nUser: hi\n")


def test_a_generate_demonstration_shows_its_first_reference() -> None:
    task = Task("sum", "generate", answer_name="Summary")
    demo = Example("1", ask("long"), ("short", "brief"))
    assert render(task, "plain", ask("x"), [demo]) == (
        "Text: long\nSummary: short\n\nText: x\nSummary:"
    )


def test_labels_end_only_where_one_begins_another() -> None:
    assert terminator(TASK) == ""
    assert label_answers(TASK, "plain") == (" card arrival", " refund", " 환불")
    nested = replace(TASK, labels=(Label("card"), Label("card_arrival")))
    assert label_answers(nested, "plain") == (" card\n", " card arrival\n")
    assert label_answers(nested, "chat") == ("card\n", "card arrival\n")
    assert answer_text("yes", "instruction") == " yes"


def test_labels_with_the_same_words_keep_their_names() -> None:
    task = replace(TASK, labels=(Label("not_spam"), Label("not-spam"), Label("spam")))
    assert label_words(task) == ("not_spam", "not-spam", "spam")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("card arrival", "card_arrival"),
        (" Card_Arrival.", "card_arrival"),
        ("The intent is refund, not card arrival", "refund"),
        ("환불입니다", "환불"),
        ("refunded", None),
        ("no idea", None),
        ("", None),
    ],
)
def test_a_written_answer_names_a_label_or_none(text: str, label: str | None) -> None:
    assert parse_label(TASK, text) == label


def test_the_longest_of_two_labels_at_one_place_is_meant() -> None:
    nested = replace(TASK, labels=(Label("card"), Label("card_arrival")))
    assert parse_label(nested, "it is card arrival") == "card_arrival"


def test_a_written_answer_ends_before_an_invented_demonstration() -> None:
    task = Task("sum", "generate")
    assert first_answer(task, "plain", ask("x"), " good\nText: more\nLabel: y") == "good"
    assert first_answer(task, "chat", ask("x"), "a\nText: b") == "a\nText: b"


def test_instruction_data_stand_for_themselves_in_a_chat_but_a_label_is_asked_for() -> None:
    asked = Input((("instruction", "Name the topic."), ("input", "a film")))
    write = Task("w", "generate", system="Be brief.")
    assert render(write, "chat", asked) == (
        Turn("system", "Be brief."),
        Turn("user", "Name the topic.\n\na film"),
    )
    told = render(replace(write, instruction="Write it in verse."), "chat", asked)
    assert told[0].text == "Be brief.\nWrite it in verse."
    label = Task("c", "classify", (Label("good"), Label("bad")))
    system, user = render(label, "chat", asked)
    assert "good, bad" in system.text
    assert user.text == "Instruction: Name the topic.\nInput: a film"
