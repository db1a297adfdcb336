"""What train and test share, and in which script a text is."""

from __future__ import annotations

import pytest

from nshot.core.types import Example, Input, Turn
from nshot.data.overlap import overlap
from nshot.data.scripts import script
from nshot.data.summary import summary

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


def row(name: str, text: str, answer: str = "x") -> Example:
    return Example(name, Input((("text", text),)), (answer,))


def test_the_same_input_is_found_whatever_its_case_and_marks() -> None:
    found = overlap([row("a", "Who is there?"), row("b", "who else")], [row("t", "who  is there")])
    assert found.same == (("a", "t"),)
    assert found.near == ()
    assert found.ids == {"a"}


def test_thirteen_words_in_a_row_are_near_and_twelve_are_not() -> None:
    test = [row("t", f"before {LONG} after")]
    train = [row("a", f"so: {LONG.title()}!"), row("b", LONG.removesuffix(" thirteen"))]
    assert overlap(train, test).near == (("a", "t"),)
    assert overlap(train, test, run=12).ids == {"a", "b"}


def test_an_answer_that_gives_a_test_text_away_is_near() -> None:
    assert overlap([row("a", "short", LONG)], [row("t", LONG + " more")]).near == (("a", "t"),)


def test_the_wording_of_a_task_is_no_leak() -> None:
    def asked(name: str, what: str) -> Example:
        return row(name, f"{LONG} {what}")

    test = [asked(f"t{i}", f"number {i}") for i in range(20)]
    assert overlap([asked("a", "something new")], test).ids == frozenset()
    assert overlap([asked("a", "NUMBER 3")], test).same == (("a", "t3"),)


def test_a_system_prompt_is_no_leak() -> None:
    def chat(name: str, text: str) -> Example:
        return Example(name, Input(turns=(Turn("system", LONG), Turn("user", text))), ("x",))

    assert overlap([chat("a", "one thing")], [chat("t", "another")]).ids == frozenset()


def test_texts_without_spaces_are_cut_into_characters() -> None:
    text = "今天天气很好我们一起去公园散步吧"
    assert overlap([row("a", "他说" + text)], [row("t", text)]).near == (("a", "t"),)
    assert overlap([row("a", text[:12])], [row("t", text)]).ids == frozenset()


def test_nothing_is_shared_with_nothing() -> None:
    assert overlap([], [row("t", LONG)]) == overlap([row("a", LONG)], [])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hello there", "Latin"), ("안녕하세요 여러분 BTS", "Hangul"), ("漢字だけではない", "Kana"),
        ("今天天气很好", "Han"), ("привет, мир", "Cyrillic"), ("hello 안녕하세요", "mixed"),
        ("1 + 1 = 2", "other"), ("", "other"), ("Ünïcödé", "Latin"),
    ],
)  # fmt: skip
def test_scripts(text: str, name: str) -> None:
    assert script(text) == name


def test_a_summary_counts_turns_copies_and_system_prompts() -> None:
    talk = (Turn("system", "s"), Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"))
    rows = [
        Example("1", Input(turns=talk), ("d",)),
        Example("2", Input(turns=talk), ("d",)),
        Example("3", Input(turns=talk), ("other",)),
        Example("4", Input((("prompt", "안녕"),), answers=("네", "아니요")), (), (0.0, 1.0)),
    ]
    seen = summary(rows)
    assert seen.roles == {"system": 3, "user": 7, "assistant": 7}
    assert (seen.systems, seen.with_system, seen.several) == (1, 3, 3)
    assert (seen.repeats, seen.copies) == (2, 1)
    assert seen.scripts == {"Latin": 3, "Hangul": 1}
