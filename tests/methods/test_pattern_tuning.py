"""Pattern tuning on a tiny random model: patterns in turn, together or apart, voted, delivered."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from lent import Lent
from taught import INPUTS, SHOTS, TASK, example

import nshot
from nshot.core.errors import CannotAdapt, DidNotLearn
from nshot.core.types import Example, Input, ModelRef
from nshot.methods.contract import Brief, Rates
from nshot.methods.finetune.pattern_tuning import PatternTuning, softened
from nshot.methods.spec import spec
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors import load
from nshot.predictors.pattern_vote import PatternVote
from nshot.predictors.prompted import Prompted
from nshot.prompts.patterns import Pattern
from tiny import tiny_llama

QUICK = {"learning_rate": 1e-2, "epochs": 12}
KOREAN = Pattern(answer="한마디로", words=("좋다", "아주 나쁘다"))


@dataclass
class Rooms(Lent):
    """Lends every nested method a folder of its own, as a run does."""

    def adapt(self, role, method, task, shots):
        return method.adapt(task, shots, replace(self, folder=self.folder / role))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("m") / "tiny", context=512)))


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(base, models, tmp_path) -> Rooms:
    return Rooms(models, base, tmp_path)


def right(predictor) -> list[bool]:
    answers = predictor.predict(INPUTS)
    return [one.answer == example(i).label for i, one in enumerate(answers)]


def test_two_patterns_on_one_adapter_vote_and_are_delivered_with_one_copy(bench, models, tmp_path):
    before = models.fingerprint(bench.base)
    method = PatternTuning(patterns=(Pattern(), KOREAN), demonstrations=1, **QUICK)
    vote = method.adapt(TASK, SHOTS, bench)
    assert models.fingerprint(bench.base) == before
    assert isinstance(vote, PatternVote)
    one, other = vote.members
    assert one.ref == other.ref
    assert [demo.label for demo in other.demos] != [demo.label for demo in one.demos]
    assert {demo.label for demo in other.demos} == {"좋다", "아주 나쁘다"}
    assert "한마디로: " in other.prompts(INPUTS)[0]
    vote.save(tmp_path / "saved")
    kept = list((tmp_path / "saved").rglob("adapter_model.safetensors"))
    assert len(kept) == 1
    again = load(tmp_path / "saved", HFModels()).predict(INPUTS)
    assert [a.scores for a in again] == [a.scores for a in vote.predict(INPUTS)]
    assert nshot.load(tmp_path / "saved").predict(INPUTS)[0].answer in TASK.label_names


def test_the_vote_is_the_mean_of_probabilities(bench):
    vote = PatternTuning(patterns=(Pattern(), KOREAN), **QUICK).adapt(TASK, SHOTS, bench)
    assert all(right(vote))
    each = [np.exp([p.scores for p in member.predict(INPUTS)]) for member in vote.members]
    mean = (each[0] + each[1]) / 2
    answers = vote.predict(INPUTS)
    np.testing.assert_allclose(np.exp([p.scores for p in answers]), mean, atol=1e-9)
    assert [p.answer for p in answers] == [TASK.label_names[i] for i in mean.argmax(1)]
    tokens = [m.predict(INPUTS[:1])[0].tokens_in for m in vote.members]
    assert answers[0].tokens_in == sum(tokens)


def test_apart_each_pattern_has_a_model_of_its_own(bench, tmp_path):
    method = PatternTuning(patterns=(Pattern(), KOREAN), together=False, **QUICK)
    vote = method.adapt(TASK, SHOTS, bench)
    assert len({member.ref.deltas[0].sha256 for member in vote.members}) == 2
    assert all(right(vote))
    vote.save(tmp_path / "saved")
    assert len(list((tmp_path / "saved").rglob("adapter_model.safetensors"))) == 2


def test_one_pattern_as_the_task_is_a_prompt_like_any_other(bench):
    predictor = PatternTuning(patterns=(Pattern(),), **QUICK).adapt(TASK, SHOTS, bench)
    assert isinstance(predictor, Prompted)
    assert predictor.task == TASK


@pytest.mark.parametrize("top_layers", [None, 1])
def test_any_part_learns_the_patterns(bench, top_layers):
    method = PatternTuning(learn="weights", top_layers=top_layers, learning_rate=3e-3, epochs=16)
    assert method.trains == "weights"
    vote = method.adapt(TASK, SHOTS, bench)
    assert vote.members[0].ref.deltas[0].kind == "weights"
    assert all(right(vote))


def test_unlabelled_rows_teach_one_model_what_the_patterns_answer(bench):
    texts = ["a warm film", "a dull film", "따뜻한 영화", "flat and bad"]
    unlabelled = tuple(Example(f"u{i}", Input((("text", t),))) for i, t in enumerate(texts))
    method = PatternTuning(patterns=(Pattern(), KOREAN), unlabelled=3, **QUICK)
    predictor = method.adapt(TASK, replace(SHOTS, unlabelled=unlabelled), bench)
    assert isinstance(predictor, Prompted), "the first pattern alone answers"
    assert all(right(predictor))
    assert "3 unlabelled rows taught" in " ".join(bench.notes)
    method.adapt(TASK, SHOTS, bench)
    assert "no unlabelled rows" in bench.notes[-1]


def test_soft_labels_are_the_square_roots_of_probabilities():
    """PET's temperature of 2: softmax(log p / 2) of 0.9 and 0.1 is 0.75 and 0.25."""
    np.testing.assert_allclose(softened(np.array([[0.9, 0.1]])), [[0.75, 0.25]])


def test_words_must_fit_the_labels_and_nothing_learned_is_a_failure(bench):
    for words, why in ((("좋다",), "words for 1 labels, the task has 2"),
                       (("good", "good"), "each needs its own")):  # fmt: skip
        method = PatternTuning(patterns=(Pattern(words=words),))
        with pytest.raises(CannotAdapt, match=why):
            method.adapt(TASK, SHOTS, bench)
        assert why in str(method.why_not(brief()))
    with pytest.raises(DidNotLearn):
        PatternTuning(learning_rate=0.0).adapt(TASK, SHOTS, bench)


def brief(**other) -> Brief:
    known = {
        "task": TASK, "labelled": 32, "unlabelled": 100, "per_label": 16, "test": 100, "tokens": 20,
        "longest": 60, "base": ModelRef("hf", "m"), "context": 512, "layers": 30, "encoder": None,
        "abilities": frozenset({"score", "generate", "train"}), "rates": Rates(300, 100, 3000),
    }  # fmt: skip
    return Brief(**{**known, **other})


def test_what_is_dearer_is_forecast_dearer():
    def seconds(**settings) -> float:
        return PatternTuning(**settings).forecast(brief()).seconds

    plain = seconds()
    assert plain < seconds(demonstrations=1) < seconds(demonstrations=2)
    assert 1.9 < seconds(together=False) / plain < 2.1
    assert seconds(unlabelled=50) > 1.5 * plain
    assert seconds(learn="weights", top_layers=4) < plain
    use = PatternTuning().use_forecast(brief()).seconds
    assert use > PatternTuning(patterns=(Pattern(),)).use_forecast(brief()).seconds
    short = PatternTuning().for_short_trial(brief(), plain / 4)
    assert short is not None
    assert short.forecast(brief()).seconds == pytest.approx(plain / 4, rel=0.3)
    assert "two labelled rows" in str(PatternTuning(demonstrations=1).why_not(brief(per_label=1)))


def test_the_rate_is_that_of_what_learns():
    assert PatternTuning().learning_rate == 1e-3
    assert PatternTuning(learn="weights").learning_rate == pytest.approx(1e-4)
    assert PatternTuning(learn="weights", learning_rate=3e-5).learning_rate == 3e-5
    assert "learning_rate" in PatternTuning().searched("classify")
    written = spec(PatternTuning(patterns=(KOREAN,)))["patterns"]
    assert written[0]["words"] == ["좋다", "아주 나쁘다"]
