"""What is taught is what is asked: rows and their points; the figures before and after."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nshot.core.errors import CannotAdapt, DidNotLearn
from nshot.core.types import Example, Input, Label, Task
from nshot.models.hf.tokens import rows as scored_rows
from nshot.prompts.render import label_answers, render
from nshot.training.data.answers import encode, supervised
from nshot.training.learned import Fit, fit, require_learned
from nshot.training.objectives.nll import AnswerTokens
from tiny import tiny_tokenizer

TASK = Task("film", "classify", (Label("good"), Label("good_enough"), Label("bad")))
WRITE = Task("echo", "generate")


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def example(text: str, target: str) -> Example:
    return Example(f"{text}/{target}", Input((("text", text),)), (target,))


def test_the_points_are_where_the_answer_is_said():
    row = supervised("r", (5, 6, 7), (8, 9))
    assert row.tokens == (5, 6, 7, 8)
    assert [row.tokens[point] for point in row.points] == [7, 8]
    assert row.targets == (8, 9)


@pytest.mark.parametrize("format", ["plain", "instruction", "chat"])
@pytest.mark.parametrize("label", TASK.label_names)
def test_a_label_is_taught_as_the_tokens_that_are_scored(tokenizer, format, label):
    asked = example("a fine film: 영화", label)
    (row,), cut = encode(TASK, format, [asked], tokenizer, 500)
    (scored,) = scored_rows(
        tokenizer, [render(TASK, format, asked.input)], [label_answers(TASK, format)], 500
    )
    right = scored.answers[TASK.label_names.index(label)]
    assert cut == 0
    assert row.targets == right
    assert row.tokens == (*scored.context, *right[:-1])
    assert tokenizer.eos_token_id not in row.targets


def test_a_written_answer_ends_in_the_end_token(tokenizer):
    (row,), _ = encode(WRITE, "plain", [example("say", "the card")], tokenizer, 500)
    assert row.targets[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(row.targets[:-1]) == " the card"


def test_a_long_prompt_loses_its_beginning_and_is_counted(tokenizer):
    examples = [example("start " + "word " * 100 + "end", "bad"), example("short", "bad")]
    rows, cut = encode(TASK, "plain", examples, tokenizer, 40)
    assert cut == 1
    assert len(rows[0].tokens) < 40
    text = tokenizer.decode(rows[0].tokens)
    assert "start" not in text
    assert "end\nLabel: bad" in text
    assert rows[0].targets == rows[1].targets


def test_an_answer_as_long_as_the_context_is_refused(tokenizer):
    with pytest.raises(CannotAdapt, match="as long as the model's context"):
        encode(WRITE, "plain", [example("say", "word " * 60)], tokenizer, 40)


class Scripted:
    """A model that gives the k-th label of every prompt the log-likelihood `likes[k]`."""

    def __init__(self, likes):
        self.likes = likes
        self.asked = 0

    def logprobs(self, prompts, answers, prefix=None):
        from nshot.models.base import AnswerScores

        self.asked += len(prompts)
        return [AnswerScores(np.array(self.likes[: len(given)]), 3) for given in answers]


def test_fit_is_the_nll_among_the_labels_and_the_accuracy():
    examples = [example(f"t{i}", ("good", "bad")[i % 2]) for i in range(4)]
    found = fit(Scripted([-1.0, -1.0, -1.0 + math.log(2)]), TASK, "plain", examples)
    assert found.accuracy == 0.5
    assert found.nll == pytest.approx(-(math.log(1 / 4) + math.log(1 / 2)) / 2)


def test_fit_of_a_written_answer_is_its_nll():
    found = fit(Scripted([-7.0]), WRITE, "plain", [example("a", "b")])
    assert found == Fit(7.0, None)


def test_fit_looks_at_no_more_than_some_rows():
    model = Scripted([-1.0, -2.0, -3.0])
    fit(model, TASK, "plain", [example(f"t{i}", "bad") for i in range(1000)])
    assert 50 <= model.asked <= 64


@pytest.mark.parametrize(
    ("after", "learned"),
    [
        (Fit(1.0, 0.5), False),
        (Fit(1.00001, 0.5), False),
        (Fit(2.0, 0.4), False),
        (Fit(0.9, 0.5), True),
        (Fit(0.9, 0.4), True),
        (Fit(1.1, 0.6), True),
    ],
)
def test_learned_is_a_lower_loss_or_a_higher_accuracy(after, learned):
    before = Fit(1.0, 0.5)
    if learned:
        require_learned(before, after)
    else:
        with pytest.raises(DidNotLearn, match=r"began at loss 1\.000 and accuracy 0\.50"):
            require_learned(before, after)


class Logits:
    """A reader that gives the logits it was made with."""

    def __init__(self, logits):
        self.given = logits

    def logits(self, rows):
        return self.given


def test_labels_compete_at_their_first_token_and_the_vocabulary_after_it():
    import torch

    torch.manual_seed(0)
    logits = torch.randn(4, 10, requires_grad=True)
    rows = [supervised("a", (1,), (2, 3), (2, 5)), supervised("b", (1,), (4, 6))]
    found = AnswerTokens().total(Logits(logits), rows)
    among = logits[0, [2, 5]].log_softmax(0)[0]
    whole = logits[1:].log_softmax(-1)
    torch.testing.assert_close(found, -(among + whole[0, 3] + whole[1, 4] + whole[2, 6]))
    found.backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[0].nonzero().flatten().tolist() == [2, 5]


def test_the_choices_are_the_first_tokens_of_the_labels(tokenizer):
    task = Task("film", "classify", (Label("good"), Label("bad"), Label("good_enough")))
    rows, _ = encode(task, "chat", [example("a", "bad"), example("b", "good")], tokenizer, 200)
    assert {row.choices for row in rows} == {tuple(sorted({row.targets[0] for row in rows}))}
    (written,), _ = encode(WRITE, "plain", [example("say", "the card")], tokenizer, 200)
    assert written.choices == ()
