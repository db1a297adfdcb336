"""What must not change in a translation comes through it, or its loss is noticed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.synthesis.languages import language
from nshot.synthesis.masking import Kept, lost, mask, restore
from nshot.synthesis.soundness import nothing_to_translate, reasons_against

KO = language("ko")
PIECES = st.sampled_from(
    ["{name}", "<tag>", "%s", "`x = 1`", "```\ncode 3\n```", "https://a.b/c?d=1", "42", "3.14", "⟦",
     "⟧", "⟦0⟧", "⟦1|7⟧", " ", "\n", "word", "한글", "`", "<", "{", "%", "|"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map("".join))


@given(TEXTS)
def test_any_text_comes_back(text: str) -> None:
    masked = mask(text)
    assert restore(masked.text, masked.parts) == text
    assert lost(masked, text) == []


@given(TEXTS)
def test_no_digit_stands_outside_a_mark(text: str) -> None:
    assert not re.search(r"\d", re.sub(r"⟦\d+(\|[^⟦⟧]*)?⟧", "", mask(text).text))


def test_what_is_masked() -> None:
    text = (
        "Use `a+b` and ```py\nx = 1\n``` for {name}, {{it}}, <b>, </b>, %s, %(n)d, ${p}, see "
        "https://x.org/a(b)?q=1, write to me@x.org; 1,200.5 of 30% by 2024-01-05."
    )
    assert mask(text).parts == (
        Kept("code", "`a+b`"), Kept("code", "```py\nx = 1\n```"), Kept("placeholder", "{name}"),
        Kept("placeholder", "{{it}}"), Kept("placeholder", "<b>"), Kept("placeholder", "</b>"),
        Kept("placeholder", "%s"), Kept("placeholder", "%(n)d"), Kept("placeholder", "${p}"),
        Kept("address", "https://x.org/a(b)?q=1"), Kept("address", "me@x.org"),
        Kept("number", "1,200.5"), Kept("number", "30"), Kept("number", "2024-01-05"),
    )  # fmt: skip


def test_plain_comparisons_and_shares_are_no_placeholders() -> None:
    assert [part.kind for part in mask("if a < b and c > d, 5 % of {} or 100% done").parts] == [
        "number", "placeholder", "number",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "translation", "kinds"),
    [
        ("Greet {name} now", "지금 {name}에게 인사하세요", []),
        ("Greet {name} now", "지금 이름에게 인사하세요", ["placeholder lost or changed"]),
        ("Explain <b> and %s", "<b>와 %d를 설명하세요", ["placeholder lost or changed"]),
        ("Run `ls -l` here", "여기서 `ls`를 실행하세요", ["code lost or changed"]),
        ("Run `ls -l` here", "여기서 `ls -l`를 실행하세요", []),
        ("Add 12 and 30", "12와 13을 더하세요", ["number lost or changed"]),
        ("Add 5 and 5", "5를 더하세요", ["number lost or changed"]),
        ("Name one month of 1984", "1984년의 한 달을 말하세요", []),
        ("See https://a.org/b for help", "도움말은 a.org를 보세요", ["address lost or changed"]),
        ("Say hello", "  ", ["empty"]),
        ("Say hello", "say  Hello", ["untranslated"]),
        ("Say hello to them", "Dites bonjour à tous", ["untranslated"]),
        ("Explain TensorFlow", "TensorFlow를 설명하세요", []),
        ("Sort:\n- red\n- blue\n- green", "정렬:\n- 빨강\n- 파랑", ["lines lost or added"] * 2),
        ("One line.\nTwo lines.", "한 줄. 두 줄.", ["lines lost or added"]),
        ("Describe the long way home " * 8, "집", ["absurd length"]),
        ("Hi", "안녕하세요 " * 30, ["absurd length"]),
        ("Say ok", "좋아요 ⟦7⟧", ["a mark that stands for nothing"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_translation(source: str, translation: str, kinds: list[str]) -> None:
    assert [reason.kind for reason in reasons_against(source, translation, KO)] == kinds


def test_what_has_no_words_is_not_translated() -> None:
    assert nothing_to_translate("2 + 2 = {x}?")
    assert not nothing_to_translate("2 plus 2")
