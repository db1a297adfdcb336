"""Patterns: what they change of a prompt, what they leave, and which words fit no task."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nshot.core.types import Example, Input, Label, Task
from nshot.prompts.patterns import Pattern
from nshot.prompts.render import label_answers, render

TASK = Task(
    "films", "classify", (Label("negative", "blames it"), Label("very_positive")),
    instruction="What does the review feel?", field_names=(("text", "Review"),),
    answer_name="Sentiment",
)  # fmt: skip
ROW = Example("r", Input((("text", "재미있다"),)), ("very_positive",))


def test_a_pattern_without_settings_is_the_task_itself() -> None:
    view = Pattern().view(TASK, "instruction")
    assert view == (TASK, "instruction")
    assert view.example(TASK, ROW) == ROW


def test_its_cloze_and_its_words_stand_in_the_prompt_and_in_demonstrations() -> None:
    pattern = Pattern(format="plain", answer="한마디로", words=("나쁘다", "아주 좋다"))
    view = pattern.view(TASK, "chat")
    shown = view.example(TASK, ROW)
    assert render(view.task, view.format, ROW.input, [shown]) == (
        "Review: 재미있다\n한마디로: 아주 좋다\n\nReview: 재미있다\n한마디로:"
    )
    assert label_answers(view.task, view.format) == (" 나쁘다", " 아주 좋다")
    assert view.task.labels[0].description == "blames it"


def test_its_instruction_is_asked() -> None:
    view = Pattern(format="instruction", instruction="리뷰의 감정은?").view(TASK, "plain")
    text = render(view.task, view.format, ROW.input)
    assert text.startswith("리뷰의 감정은?\n")
    assert "What does" not in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("one",), "words for 1 labels, the task has 2"),
        (("same", "same"), "each needs its own"),
        (("good", " "), "each needs its own"),
        ((), None),
        (("bad", "good"), None),
    ],
)
def test_words_are_one_for_each_label(words: tuple[str, ...], why: str | None) -> None:
    reason = Pattern(words=words).why_not(TASK)
    assert (reason is None) == (why is None)
    assert why is None or why in str(reason)


def test_what_no_pattern_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="verbaliser"):
        Pattern.model_validate({"verbaliser": ["bad", "good"]})
