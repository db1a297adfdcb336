"""A vote of patterns: the mean of probabilities, by the labels' places, and one model on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from nshot.core.types import ModelRef, Prediction
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.pattern_vote import PatternVote, probabilities
from nshot.predictors.prompted import Prompted
from nshot.prompts.patterns import Pattern
from toys import QUESTIONS, SCORER, TASK, examples

PATTERNS = (Pattern(), Pattern(answer="의도", words=("카드", "돈", "환불 요청")))


def vote(*refs: ModelRef) -> PatternVote:
    views = [pattern.view(TASK, "plain") for pattern in PATTERNS]
    members = [
        Prompted(view.task, FakeModels(), ref, view.format,
                 tuple(view.example(TASK, e) for e in examples(1)))
        for view, ref in zip(views, refs, strict=True)
    ]  # fmt: skip
    return PatternVote(TASK, tuple(members))


def test_it_answers_with_the_tasks_own_labels_by_the_mean() -> None:
    predictor = vote(SCORER, SCORER)
    each = [np.exp([p.scores for p in m.predict(QUESTIONS)]) for m in predictor.members]
    answers = predictor.predict(QUESTIONS)
    mean = np.mean(each, axis=0)
    np.testing.assert_allclose(np.exp([p.scores for p in answers]), mean, rtol=1e-9)
    assert [p.answer for p in answers] == [TASK.label_names[i] for i in mean.argmax(axis=1)]
    assert predictor.predict([]) == []
    assert predictor.ref == SCORER


def test_saved_and_loaded_it_answers_the_same_and_names_each_model_once(tmp_path: Path) -> None:
    predictor = vote(SCORER, SCORER)
    predictor.save(tmp_path / "one")
    record = json.loads((tmp_path / "one" / "nshot.json").read_text(encoding="utf-8"))
    assert [m["model"] for m in record["settings"]["members"]] == [0, 0]
    assert len(record["settings"]["models"]) == 1
    assert "환불 요청" in str(record["settings"]["members"][1]["task"])
    assert load(tmp_path / "one", FakeModels()).predict(QUESTIONS) == predictor.predict(QUESTIONS)
    vote(SCORER, replace(SCORER, revision="2")).save(tmp_path / "two")
    record = json.loads((tmp_path / "two" / "nshot.json").read_text(encoding="utf-8"))
    assert [m["model"] for m in record["settings"]["members"]] == [0, 1]


def test_an_answer_without_scores_is_sure_and_none_is_no_vote() -> None:
    shares = probabilities(TASK, [Prediction("refund"), Prediction("")])
    np.testing.assert_allclose(shares, [[0, 1, 0], [1 / 3] * 3])
    impossible = Prediction("refund", (-1e9, 0.0, -1e9))
    assert probabilities(TASK, [impossible])[0].tolist() == [0, 1, 0]
