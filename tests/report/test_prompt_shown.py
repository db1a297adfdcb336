"""`nshot prompt show` and `nshot prompt diff`: the parts, their tokens, and what differs."""

from __future__ import annotations

from dataclasses import replace

from nshot.core.types import Parts
from nshot.prompts.rationales import ENGLISH, KOREAN, Solution
from nshot.prompts.render import render
from nshot.report.prompt_shown import Reasoned, Shown, difference, shown
from nshot.report.reader import Reader
from tiny import tiny_tokenizer
from toys import TASK, ask, examples

WORDS = Reader("nobody")
FULL = replace(TASK, instruction="Name the intent.", parts=Parts(persona="You work at a bank."))


def test_every_part_has_its_line_and_the_prompt_stands_below() -> None:
    prompt = Shown(FULL, "instruction", ask("where is it"), examples(1)[:2])
    text = shown(prompt, WORDS)
    lines = [line.split() for line in text.split("\n\n")[0].splitlines()[2:]]
    assert [line[0] for line in lines] == [
        "persona", "instruction", "labels", "demonstrations", "input", "all",
    ]  # fmt: skip
    assert lines[0][-1] == "5"
    assert text.endswith(str(render(FULL, "instruction", ask("where is it"), prompt.demos)))


def test_tokens_and_their_share_of_the_context() -> None:
    reader = Reader("tiny", tiny_tokenizer(), 100)
    prompt = Shown(FULL, "instruction", ask("where is it"))
    (count,) = reader.count([prompt.whole])
    assert f"{count:8}{float(count):10.1f} %" in shown(prompt, reader)


def test_a_plain_prompt_says_what_it_leaves_out() -> None:
    text = shown(Shown(FULL, "plain", ask("where is it")), WORDS)
    assert "leaves out persona, instruction" in text
    silent = replace(TASK, instruction="")
    assert "leaves out" not in shown(Shown(silent, "plain", ask("where is it")), WORDS)


def test_two_prompts_differ_in_the_parts_that_differ() -> None:
    first = Shown(FULL, "instruction", ask("where is it"))
    other = replace(FULL, parts=Parts(persona="You are a teller."))
    second = replace(first, task=other)
    assert difference(first, first, ("a", "b"), WORDS) == []
    assert difference(first, second, ("a", "b"), WORDS) == [
        "persona: 5 -> 4 words",
        "  -You work at a bank.",
        "  +You are a teller.",
    ]
    turned = difference(first, replace(first, format="plain"), ("a", "b"), WORDS)
    assert turned[0] == "format: instruction -> plain"


def test_of_a_rationale_both_prompts_stand_below() -> None:
    solutions = (Solution(examples(1)[0], "It asks for money."),)
    prompt = Reasoned(FULL, "plain", ask("카드가 안 왔어요"), (), KOREAN, solutions, 64)
    first, second = shown(prompt, WORDS).split("then, with up to 64 tokens that it wrote:")
    assert "demonstrations (1)" in first
    assert first.count("풀이: 차근차근 생각해 봅시다. It asks for money.") == 1
    assert first.rstrip().endswith("풀이: 차근차근 생각해 봅시다.")
    answer = str(render(FULL, "plain", ask("카드가 안 왔어요"))).splitlines()[-1]
    assert second.endswith(f"풀이: 차근차근 생각해 봅시다. ...\n{answer}")
    changed = difference(prompt, replace(prompt, wording=ENGLISH), ("a", "b"), WORDS)
    assert "  +Rationale: Let's think step by step." in changed
