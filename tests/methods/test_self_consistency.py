"""Several drawn answers and a vote: what is counted, what is equal, what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from nshot.core.errors import CannotAdapt
from nshot.core.types import Input, Label, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Rates
from nshot.methods.prompt.few_shot import FewShot
from nshot.methods.prompt.rationale import Rationale
from nshot.methods.prompt.self_consistency import SelfConsistency
from nshot.methods.trivial.majority import Majority
from nshot.predictors import load
from nshot.predictors.sampled_vote import SampledVote, commonest, shares
from toys import REMOTE, SCORER, TASK, Bench, ask, examples, shots

FILMS = Task("films", "classify", (Label("good"), Label("bad"), Label("보통")))
WRITES = replace(TASK, kind="generate", labels=())


@dataclass(frozen=True)
class Drawing:
    """Draws the answers that are given, one a seed."""

    task: Task
    answers: Sequence[Prediction]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        return self.sampled(inputs, 0.0, 0)

    def sampled(self, inputs: Sequence[Input], temperature: float, seed: int) -> list[Prediction]:
        return [self.answers[seed]] * len(inputs)


def drawn(*names: str) -> list[Prediction]:
    return [Prediction(name, tokens_in=10, tokens_out=2, money=0.5) for name in names]


def test_the_commonest_answer_wins_and_shares_are_probabilities() -> None:
    vote = SampledVote(Drawing(FILMS, drawn("bad", "good", "bad", "bad", "no label")), 5)
    (answer,) = vote.predict([ask("x")])
    assert answer.answer == "bad"
    # Four votes and one that is parted evenly: (1 + 1/3) / 5, (3 + 1/3) / 5, (1/3) / 5.
    np.testing.assert_allclose(np.exp(answer.scores), [4 / 15, 10 / 15, 1 / 15])
    assert (answer.tokens_in, answer.tokens_out, answer.money) == (50, 10, 2.5)


def test_of_equals_the_one_wins_that_the_model_holds_for_likelier() -> None:
    sure, unsure = np.log([0.3, 0.6, 0.1]), np.log([0.4, 0.35, 0.25])
    samples = [Prediction("good", tuple(unsure)), Prediction("bad", tuple(sure))]
    # The further vote is the mean of their probabilities: 0.35, 0.475, 0.175.
    np.testing.assert_allclose(shares(FILMS, samples), [1.35 / 3, 1.475 / 3, 0.175 / 3])
    impossible = Prediction("good", (0.0, -2000.0, -2000.0))
    assert (shares(FILMS, [impossible] * 3) > 0).all()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["12", "1,200 won", "1200", "13"], "1,200 won"),
        (["서울", "부산", "서울.", " 서울"], "서울"),
        (["Paris.", "paris", "London", "London is big"], "Paris."),
        (["", "", "yes"], "yes"),
        (["", ""], ""),
        (["a red bus", "the red bus came", "blue"], "a red bus"),
    ],
)
def test_what_is_equal_is_counted_together(answers: list[str], expected: str) -> None:
    assert commonest(answers) == expected


def test_samples_differ_and_are_the_same_again(tmp_path: Path) -> None:
    """The fake writer shuffles what it writes by its seed."""
    place = Bench(tmp_path, base=REMOTE)
    rows = tuple(replace(row, targets=("one two three four",)) for row in examples())
    method = SelfConsistency(of=FewShot(n=2), samples=4)
    vote = method.adapt(WRITES, Shots(rows), place)
    assert isinstance(vote, SampledVote)
    asked = [ask("card is late"), ask("환불 해 주세요")]
    one = [vote.inner.sampled(asked, 0.7, seed)[0].answer for seed in range(4)]
    assert len(set(one)) > 1
    assert vote.predict(asked)[0].answer in one
    vote.save(tmp_path / "saved")
    assert load(tmp_path / "saved", place.models).predict(asked) == vote.predict(asked)
    other = replace(place, seed=1)
    assert {*method.adapt(WRITES, Shots(rows), other).predict(asked)} != {*vote.predict(asked)}


def test_an_endpoint_that_only_writes_gets_probabilities(tmp_path: Path) -> None:
    vote = SelfConsistency(of=FewShot(n=6)).adapt(TASK, shots(), Bench(tmp_path, base=REMOTE))
    for answer in vote.predict([ask("refund my order"), ask("환불이 안 됩니다")]):
        assert sum(np.exp(answer.scores)) == pytest.approx(1.0)


def test_where_a_vote_would_only_estimate_what_is_known_it_says_so(tmp_path: Path) -> None:
    brief = Brief(
        task=TASK, labelled=12, unlabelled=0, per_label=4, test=100, tokens=10.0, longest=30,
        base=SCORER, abilities=frozenset({"score", "generate"}), context=2048, layers=4,
        encoder=None, rates=Rates(300.0, 100.0, 3000.0),
    )  # fmt: skip
    method = SelfConsistency(of=FewShot())
    assert "only estimate" in str(method.why_not(brief))
    assert method.why_not(replace(brief, abilities=frozenset({"generate"}))) is None
    assert SelfConsistency().why_not(brief) is None
    five, one = (m.use_forecast(brief) for m in (SelfConsistency(), Rationale()))
    assert five.seconds == pytest.approx(5 * one.seconds)
    assert (five.tokens_in, five.tokens_out) == (5 * one.tokens_in, 5 * one.tokens_out)
    with pytest.raises(CannotAdapt, match="draws no answers"):
        SelfConsistency(of=Majority()).adapt(TASK, shots(), Bench(tmp_path))


def test_it_is_called_by_what_draws() -> None:
    assert SelfConsistency().called == "self_consistency"
    written = TABLE.build({"method": "self_consistency", "of": {"method": "few_shot", "n": 4}})
    assert written == SelfConsistency(of=FewShot(n=4))
    assert written.called == "self_consistency:few_shot"
