"""The page and the sentences of an alignment, from plain values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nshot.board.alignment import Alignment, Answer, Bounded, Change, Judgement, Step, Written
from nshot.report.align_page import render, sentences

HALF = Bounded(0.5, 0.4, 0.6)
JUDGEMENT = Judgement(150, Bounded(0.62, 0.55, 0.69), HALF, HALF, Bounded(0.23, 0.21, 0.25))
BEFORE = Written((Answer("no", 2, -0.4, -0.2),), Bounded(-0.4, -0.5, -0.3), 2.0, 0.9)
AFTER = Written((Answer("<b>yes</b> 네", 5, 0.3, 0.1),), Bounded(0.3, 0.2, 0.4), 5.0, 0.8)
ROUNDS = {"reward": (-0.4, 0.1), "kl": (0.0, 2.0), "length": (2.0, 5.0), "repetition": (0.0, 0.0)}
WHOLE = Alignment(
    name="chat",
    command="nshot align chat.yaml",
    model="smollm2",
    policy="ppo",
    seed=0,
    steps=(
        Step("reward", "reward", "ok", rows=300, seconds=60.0, parameters=4000),
        Step("policy", "ppo", "ok", rows=300, rounds=ROUNDS, settings={"updates": 2}),
    ),
    prompts=("차 있어요?",),
    reward=JUDGEMENT,
    before=BEFORE,
    after=AFTER,
    change=Change(
        Bounded(0.7, 0.5, 0.9),
        Bounded(0.8, 0.7, 0.9),
        Bounded(0.3, 0.1, 0.5),
        Bounded(0.6, 0.5, 0.7),
    ),
)


def test_the_page_has_all_parts_and_escapes_what_a_model_wrote() -> None:
    page = render(WHOLE)
    assert "&lt;b&gt;yes&lt;/b&gt; 네" in page
    assert "<b>yes" not in page
    for part in ("curves", "answers", "reward", "steps"):
        assert f'id="{part}"' in page
    assert "<script" not in page
    assert page.count("KL over updates") == 1
    nothing = render(Alignment("chat", "", "m", "ppo", 0, (), ()))
    assert 'id="answers"' not in nothing


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (Bounded(0.3, 0.1, 0.5), "Both say that the answers got better."),
        (Bounded(0.1, -0.1, 0.3), "It confirms no gain."),
        (Bounded(-0.3, -0.5, -0.1), "learned to please the first one"),
    ],
)
def test_what_the_second_reward_model_says_is_said(second: Bounded, words: str) -> None:
    change = replace(WHOLE.change, second=second)  # type: ignore[type-var]
    first, other, *_ = sentences(replace(WHOLE, change=change))
    assert first.startswith("The policy's answers earn +0.70 (+0.50 to +0.90) more")
    assert words in other


@pytest.mark.parametrize(("count", "is_said"), [(4, False), (5, False), (6, True), (20, True)])
def test_one_answer_to_many_prompts_is_said(count: int, is_said: bool) -> None:
    def written(same: int) -> Written:
        texts = ["미안해요.  "] * same + [f"네, {i}번이요." for i in range(20 - same)]
        return replace(AFTER, answers=tuple(Answer(text, 4, 0.3, 0.1) for text in texts))

    lines = sentences(replace(WHOLE, before=written(2), after=written(count)))
    words = f"But {count} of 20 prompts get the same answer, “미안해요.”, where 2 at most did"
    assert any(line.startswith(words) for line in lines) == is_said
    again = sentences(replace(WHOLE, before=written(count), after=written(count)))
    assert not any("the same answer" in line for line in again)


def test_no_gain_a_coin_and_a_failure_are_said() -> None:
    change = Change(Bounded(0.1, -0.1, 0.3), HALF)
    coin = replace(JUDGEMENT, accuracy=HALF)
    lines = sentences(replace(WHOLE, change=change, reward=coin))
    assert lines[0].startswith("No gain is shown")
    assert "could be a coin's" in lines[-1]
    failed = Step("policy", "ppo", "failed", "did not learn: at first 0.1")
    lines = sentences(replace(WHOLE, steps=(failed,), change=None, after=None))
    assert lines[0] == "policy (ppo): did not learn: at first 0.1"
