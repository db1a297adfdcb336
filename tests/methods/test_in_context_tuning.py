"""In-context tuning on a tiny random model: it learns other tasks, and shows its own shots."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lent import Lent
from taught import INPUTS, SHOTS, TASK

from nshot.core.errors import CannotAdapt, DidNotLearn
from nshot.core.types import Example, Input, ModelRef
from nshot.methods.contract import Brief, Rates
from nshot.methods.finetune.in_context_tuning import InContextTuning
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama

WORDS = {"spam": "free money 공짜", "mail": "dear friend 친구"}
BACKGROUND = tuple(
    Example(f"{label}{i}", Input((("text", f"{text} {i}"),)), (label,), group="task mails")
    for label, text in WORDS.items()
    for i in range(5)
)
TOGETHER = replace(SHOTS, background=BACKGROUND)
QUICK = {"learning_rate": 1e-2, "episodes": 80, "n": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("m") / "tiny", context=512)))


@pytest.fixture
def bench(base, tmp_path) -> Lent:
    return Lent(HFModels(), base, tmp_path)


def test_it_learns_the_others_and_answers_behind_its_own_shots(bench, tmp_path):
    before = bench.models.fingerprint(bench.base)
    method = InContextTuning(**QUICK)
    predictor = method.adapt(TASK, TOGETHER, bench)
    assert bench.models.fingerprint(bench.base) == before
    assert isinstance(predictor, Prompted)
    assert {demo.id for demo in predictor.demos} <= {row.id for row in SHOTS.labelled}
    assert [demo.label for demo in predictor.demos] != [predictor.demos[0].label] * 2
    data = method.data(TASK, TOGETHER, 0)
    fit, bare = (data.fit(bench.models, ref) for ref in (predictor.ref, bench.base))
    assert fit.nll < bare.nll - 1
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", HFModels()).predict(INPUTS)
    assert [p.scores for p in again] == [p.scores for p in predictor.predict(INPUTS)]


def test_what_is_learned_depends_on_no_row_of_the_task(bench, tmp_path):
    """The shots are shown and no more: other shots, the same adapter."""
    method = InContextTuning(**{**QUICK, "episodes": 16})
    one = method.adapt(TASK, TOGETHER, bench)
    other = replace(TOGETHER, labelled=SHOTS.labelled[4:])
    again = method.adapt(TASK, other, replace(bench, folder=tmp_path / "again"))
    assert one.ref.deltas[0].sha256 == again.ref.deltas[0].sha256
    assert one.demos != again.demos


def test_all_weights_may_learn_it(bench):
    method = InContextTuning(learn="weights", learning_rate=3e-3, episodes=40, n=2)
    assert method.trains == "weights"
    predictor = method.adapt(TASK, TOGETHER, bench)
    assert predictor.ref.deltas[0].kind == "weights"


def test_without_other_tasks_it_says_what_to_write(bench):
    with pytest.raises(CannotAdapt, match=r"data: \{background: \[other/task.yaml"):
        InContextTuning().adapt(TASK, SHOTS, bench)
    with pytest.raises(DidNotLearn):
        InContextTuning(**{**QUICK, "learning_rate": 0.0}).adapt(TASK, TOGETHER, bench)


def test_what_it_costs_is_forecast():
    brief = Brief(
        task=TASK, labelled=32, unlabelled=0, per_label=16, test=100, tokens=20, longest=60,
        base=ModelRef("hf", "m"), abilities=frozenset({"score", "train", "generate"}), context=512,
        layers=30, encoder=None, rates=Rates(300, 100, 3000), background=500,
    )  # fmt: skip
    assert InContextTuning().why_not(brief) is None
    assert "other tasks" in str(InContextTuning().why_not(replace(brief, background=0)))
    four, eight = (InContextTuning(n=n).forecast(brief).seconds for n in (4, 8))
    assert 1.5 < eight / four < 2
    assert InContextTuning(n=8).use_forecast(brief).seconds > 0
    short = InContextTuning().for_short_trial(brief, four / 4)
    assert short.max_steps < InContextTuning().schedule(0).steps(240)
