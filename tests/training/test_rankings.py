"""Ranked answers as rows: who is compared with whom, what is cut, what is left out and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, ModelRef, Task
from nshot.models.base import Lent, with_answer
from nshot.models.hf.hf_engine import HFModels
from nshot.models.hf.tokens import encode_whole
from nshot.prompts.render import render
from nshot.training.data.rankings import Comparison, RewardRows, answers, comparisons, ends
from tiny import tiny_llama, tiny_tokenizer

TASK = Task("talk", "rank", answer_name="Answer")


def example(texts: tuple[str, ...], grades: tuple[float, ...], prompt: str = "why?") -> Example:
    return Example("e", Input((("prompt", prompt),), answers=texts), grades=grades)


def lesson(read, examples, limit=128, format="chat", ties=False):
    lent = Lent(ModelRef("hf", "tiny"), None, tiny_tokenizer(), "cpu")
    return read(RewardRows(TASK, format, tuple(examples), limit, ties), lent, 128)


def test_all_pairs_of_a_prompt_are_compared_the_better_first():
    assert comparisons((2.0, 3.0, 2.0)) == [
        Comparison(1, 0, 1.0, 1.0),
        Comparison(1, 2, 1.0, 1.0),
    ]
    assert Comparison(0, 2, 0.5, 0.0) in comparisons((2.0, 3.0, 2.0), ties=True)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9))
def test_nine_answers_have_thirty_six_pairs_less_the_ties(grades):
    pairs = comparisons([float(g) for g in grades])
    ties = comparisons([float(g) for g in grades], ties=True)
    assert len(ties) == len(grades) * (len(grades) - 1) // 2
    assert pairs == [pair for pair in ties if pair.difference > 0]
    assert all(grades[pair.first] - grades[pair.second] == pair.difference for pair in ties)


def test_a_reward_is_read_off_the_last_token_of_what_is_read_when_it_is_asked():
    one = example(("yes, sure", "no"), (1.0, 0.0))
    tokenizer = tiny_tokenizer()
    (ranking,) = lesson(ends, [one]).rows
    prompt = render(TASK, "chat", one.input)
    whole = encode_whole(tokenizer, [with_answer(prompt, answer) for answer in one.input.answers])
    assert [row.tokens for row in ranking.rows] == whole
    assert [row.points for row in ranking.rows] == [(len(tokens) - 1,) for tokens in whole]
    assert tokenizer.decode(whole[1]).endswith("<|im_start|>assistant\nno<|im_end|>\n")
    assert ranking.comparisons == (Comparison(0, 1, 1.0, 1.0),)


def test_hidden_states_of_a_conversation_are_those_at_its_end(tmp_path: Path):
    models, ref = HFModels(), ModelRef("hf", str(tiny_llama(tmp_path / "tiny")))
    one = example(("yes, sure", "no"), (1.0, 0.0))
    prompt = with_answer(render(TASK, "chat", one.input), "no")
    (tokens,) = encode_whole(tiny_tokenizer(), [prompt])
    states = models.open(ref).hidden([prompt], [2])
    with models.lend(ref) as lent, torch.no_grad():
        out = lent.module.model(input_ids=torch.tensor([tokens])).last_hidden_state
    np.testing.assert_allclose(states.last[0, 0], out[0, -1].numpy(), atol=1e-5)


def test_an_answer_is_taught_with_the_token_that_ends_it():
    (ranking,) = lesson(answers, [example(("yes", "no"), (0.0, 1.0))]).rows
    end = tiny_tokenizer().convert_tokens_to_ids("<|im_end|>")
    assert [row.targets[-1] for row in ranking.rows] == [end, end]
    for row in ranking.rows:  # every target stands behind its point
        assert row.points == tuple(range(len(row.tokens) - len(row.targets), len(row.tokens)))
        assert row.targets[:-1] == row.tokens[row.points[0] + 1 :]


def test_a_long_prompt_loses_its_beginning_and_the_answers_stay():
    one = example(("yes, sure", "no"), (1.0, 0.0), prompt="x" * 300 + " the end?")
    out = lesson(answers, [one], limit=48)
    (ranking,) = out.rows
    assert out.notes == ("1 prompts lost their beginning: with an answer longer than 48 tokens",)
    assert max(len(row.tokens) + 1 for row in ranking.rows) == 48
    text = tiny_tokenizer().decode(ranking.rows[0].tokens)
    assert text.endswith("the end?<|im_end|>\n<|im_start|>assistant\nyes, sure")
    assert ranking.rows[0].tokens[0] == ranking.rows[1].tokens[0] == 0, "the start token stays"


def test_pairs_that_are_equal_or_become_equal_when_cut_are_left_out_and_counted():
    long = "a" * 200
    rows = [
        example(("same", "same "), (1.0, 0.0)),
        example((long + " end", long + " other"), (1.0, 0.0)),
        example(("one", "two"), (1.0, 1.0)),
        example(("good", "bad"), (1.0, 0.0)),
    ]
    for read in (ends, answers):
        out = lesson(read, rows, limit=64)
        assert len(out.rows) == 1
        assert out.notes == (
            "1 comparisons of two equal answers were left out",
            "1 comparisons of answers that are equal when cut to 64 tokens were left out",
            "1 rows without two answers of different grades were left out",
            "1 prompts lost their beginning: with an answer longer than 64 tokens",
            "2 answers lost their end: alone longer than 64 tokens",
        )


def test_an_answer_that_was_cut_is_not_taught_to_end():
    one = example(("a" * 200, "no"), (1.0, 0.0))
    (ranking,) = lesson(answers, [one], limit=64).rows
    end = tiny_tokenizer().convert_tokens_to_ids("<|im_end|>")
    assert ranking.rows[0].targets[-1] != end
    assert ranking.rows[1].targets[-1] == end


def test_rows_of_which_none_can_be_compared_are_refused():
    with pytest.raises(CannotAdapt, match="1 comparisons of two equal answers"):
        lesson(ends, [example(("same", "same"), (1.0, 0.0))])


def test_the_length_of_a_ranking_counts_what_its_answers_share_once():
    (ranking,) = lesson(ends, [example(("yes", "no"), (1.0, 0.0))]).rows
    first, second = (row.tokens for row in ranking.rows)
    tree = {tokens[:k] for tokens in (first, second) for k in range(1, len(tokens) + 1)}
    assert ranking.length == len(tree)
