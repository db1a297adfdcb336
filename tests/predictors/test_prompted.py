from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from nshot.core.errors import CannotAdapt
from nshot.core.types import Input, ModelRef, Prompt, Task
from nshot.models.base import AnswerScores, Completion, Decoding, LanguageModel, PrefixState
from nshot.models.fake.fake_engine import FakeLanguageModel, FakeModels
from nshot.predictors.features import Encoded
from nshot.predictors.prompted import (
    Prompted,
    Retrieval,
    batch_offsets,
    content_free,
    content_free_offsets,
)
from nshot.predictors.ranker import Ranker
from toys import ENCODER, QUESTIONS, REMOTE, SCORER, TASK, ask, examples

MODELS = FakeModels()


class _Counting(FakeLanguageModel):
    """Keeps what it was asked; writes a fixed text if one is given."""

    def __init__(self, ref: ModelRef, asked: list[Prompt], text: str) -> None:
        super().__init__(ref)
        self.asked, self.text = asked, text
        self.how: Decoding | None = None

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        self.asked.extend(prompts)
        return super().logprobs(prompts, answers, prefix)

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        self.asked.extend(prompts)
        self.how = how
        return [Completion(self.text, 5, 2, True) for _ in prompts]


@dataclass
class _Models(FakeModels):
    text: str = ""
    asked: list[Prompt] = field(default_factory=list)
    model: _Counting | None = None

    def open(self, ref: ModelRef) -> LanguageModel:
        self.model = _Counting(ref, self.asked, self.text)
        return self.model


def test_content_free_offsets_are_the_log_of_the_mean_probability() -> None:
    logprobs = np.log([[0.2, 0.6], [0.1, 0.1]])  # Normalised: (.25, .75) and (.5, .5).
    np.testing.assert_allclose(content_free_offsets(logprobs), np.log([0.375, 0.625]))


def test_batch_offsets_are_the_mean_log_probability() -> None:
    logprobs = np.log([[0.2, 0.6], [0.1, 0.1]])
    expected = [np.log(0.25 * 0.5) / 2, np.log(0.75 * 0.5) / 2]
    np.testing.assert_allclose(batch_offsets(logprobs), expected)


@pytest.mark.parametrize("how", ["content_free", "batch"])
def test_calibrated_scores_are_divided_by_what_was_measured(how: str) -> None:
    plain = Prompted(TASK, MODELS, SCORER)
    unlabelled = QUESTIONS[:4]
    if how == "batch":
        asked = np.array([p.scores for p in plain.predict(unlabelled)])
        prior = np.exp(asked.mean(axis=0))
    else:
        asked = np.array([p.scores for p in plain.predict(content_free(unlabelled[0]))])
        prior = np.exp(asked).mean(axis=0)
    calibrated = plain.calibrate(how, unlabelled)  # type: ignore[arg-type]
    raw = np.exp([p.scores for p in plain.predict(QUESTIONS)]) / prior
    ours = np.exp([p.scores for p in calibrated.predict(QUESTIONS)])
    np.testing.assert_allclose(ours, raw / raw.sum(axis=1, keepdims=True))
    assert calibrated.calibrate("none", ()) == plain


def test_batch_calibration_needs_an_input() -> None:
    with pytest.raises(CannotAdapt):
        Prompted(TASK, MODELS, SCORER).calibrate("batch", ())


def test_content_free_keeps_the_fields_names() -> None:
    pair = Input(fields=(("a", "x"), ("b", "y")))
    assert content_free(pair)[0].fields == (("a", "N/A"), ("b", "N/A"))


def test_equal_prompts_are_scored_once() -> None:
    models = _Models()
    answers = Prompted(TASK, models, SCORER).predict([ask("a"), ask("b"), ask("a")])
    assert len(models.asked) == 2
    assert answers[0] == answers[2]


def test_retrieved_examples_stand_nearest_last_and_their_vote_beside() -> None:
    pool = examples(4)
    encoder = Encoded(MODELS, ENCODER)
    vectors = encoder.read([example.input for example in pool]).matrix
    shown = Retrieval(encoder, pool, vectors, 2)
    predictor = Prompted(TASK, MODELS, SCORER, retrieval=shown)
    (demos,) = shown.nearest([ask("환불 해 주세요")])
    assert demos[-1].input.text == "환불 해 주세요"
    (prompt,) = predictor.prompts([ask("환불 해 주세요")])
    assert str(prompt).count("Query:") == 3
    (vote,) = predictor.beside.values()
    assert vote.predict([ask("환불 해 주세요")])[0].answer == "환불"
    assert Prompted(TASK, MODELS, SCORER, demos=pool).beside == {}


@pytest.mark.parametrize(
    ("text", "answer"), [("Refund.\nQuery: and", "refund"), ("I cannot say", "")]
)
def test_a_model_that_cannot_score_writes_the_label(text: str, answer: str) -> None:
    models = _Models(text=text)
    (prediction,) = Prompted(TASK, models, REMOTE).predict([ask("x")])
    assert (prediction.answer, prediction.scores) == (answer, ())
    assert (prediction.tokens_in, prediction.tokens_out) == (5, 2)
    assert models.model is not None
    assert models.model.how == Decoding(max_tokens=4, stop=("\n",))


def test_calibration_of_a_model_that_cannot_score_changes_nothing() -> None:
    remote = Prompted(TASK, MODELS, REMOTE)
    assert remote.calibrate("batch", QUESTIONS) == remote


def test_a_written_text_ends_before_the_next_demonstration() -> None:
    models = _Models(text=" short\nText: another")
    task = Task("sum", "generate")
    (prediction,) = Prompted(task, models, SCORER, max_tokens=7).predict([ask("x")])
    assert prediction.answer == "short"
    assert models.model is not None
    assert models.model.how == Decoding(max_tokens=7, stop=("\n\n",))


def test_offsets_belong_to_the_labels_in_order() -> None:
    sure = replace(Prompted(TASK, MODELS, SCORER), offsets=(0.0, -50.0, 0.0))
    assert {p.answer for p in sure.predict(QUESTIONS)} == {"refund"}


def test_a_ranker_scores_each_answer_by_its_length_or_not() -> None:
    task = Task("pairs", "rank")
    rows = [Input(fields=(("text", "the cat sat"),), answers=("dog", "the cat sat", "cat"))]
    (raw,) = Ranker(task, MODELS, SCORER, per_byte=False).predict(rows)
    (even,) = Ranker(task, MODELS, SCORER).predict(rows)
    assert raw.answer == "the cat sat"
    np.testing.assert_allclose(even.scores, np.array(raw.scores) / [3, 11, 3])
