"""Answers held back below a threshold: given with the call, or kept with the folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import nshot
from nshot.core.errors import InputError
from nshot.core.types import Example, ModelRef, Prediction, Task
from nshot.methods.fewshot.nearest_mean import NearestMean
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors.calibrated import calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.prompted import Prompted
from nshot.use.abstaining import FILE, held_back, keep_threshold, kept_threshold, probability
from nshot.use.extending import extend
from nshot.use.ready import ready
from toys import REMOTE, TASK, Bench, ask, shots

ASKED = ["where is my card", "환불 해 주세요", "?", "돈"]
MODELS = FakeModels()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    predictor = NearestMean().adapt(TASK, shots(), Bench(tmp_path))
    calibrated(predictor, Calibration("temperature", 100, 1.2)).save(tmp_path / "winner")
    return tmp_path / "winner"


def test_what_is_less_probable_is_held_back_and_keeps_its_scores(folder: Path) -> None:
    everything = ready(folder, MODELS).predict(ASKED)
    threshold = sorted(probability(TASK, one) for one in everything)[2]
    some = ready(folder, MODELS, threshold).predict(ASKED)
    for whole, one in zip(everything, some, strict=True):
        if probability(TASK, whole) >= threshold:
            assert one == whole
        else:
            assert one == replace(whole, answer="", abstained=True)
    assert [one.abstained for one in some].count(True) == 2
    assert not any(one.abstained for one in everything)


def test_the_folder_keeps_a_threshold_that_a_call_overrides(folder: Path) -> None:
    assert kept_threshold(folder) is None
    keep_threshold(folder, 1.0)
    assert json.loads((folder / FILE).read_text()) == {"abstain_below": 1.0}
    assert ready(folder, MODELS).abstain_below == 1.0
    assert all(one.abstained for one in ready(folder, MODELS).predict(ASKED))
    assert not any(one.abstained for one in ready(folder, MODELS, 0).predict(ASKED))
    assert ready(folder, MODELS, 0.25).abstain_below == 0.25
    assert ready(folder, MODELS).check() == [], "the check is of the answers as delivered"


def test_each_of_several_folders_keeps_its_own(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    NearestMean().adapt(TASK, shots(), Bench(tmp_path)).save(other)
    keep_threshold(other, 1.0)
    names = {"a": folder, "b": other}
    both = nshot.load(names, MODELS)
    assert both.abstain_below == {"a": 0.0, "b": 1.0}
    assert [one.abstained for one in both.predict(ASKED[:2], ["a", "b"])] == [False, True]
    for_all = nshot.load(names, MODELS, abstain_below=0)
    assert not any(one.abstained for one in for_all.predict(ASKED[:2], ["a", "b"]))


def test_classes_that_come_later_leave_the_threshold(folder: Path, tmp_path: Path) -> None:
    keep_threshold(folder, 0.6)
    grown = extend(folder, [Example("n", ask("환율은 얼마예요"), ("환율",))], MODELS)
    grown.save(tmp_path / "grown")
    assert ready(tmp_path / "grown", MODELS).abstain_below == 0.6


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(folder: Path, threshold: float) -> None:
    with pytest.raises(InputError, match="a probability, from 0 to 1"):
        ready(folder, MODELS, threshold)


@pytest.mark.parametrize("body", ["{", "[]", '{"abstain_below": "half"}', '{"abstain_below": 2}'])
def test_a_broken_file_is_refused(folder: Path, body: str) -> None:
    (folder / FILE).write_text(body)
    with pytest.raises(InputError, match=FILE):
        ready(folder, MODELS)


def test_answers_without_probabilities_cannot_be_held_back(tmp_path: Path) -> None:
    Prompted(TASK, MODELS, REMOTE).save(tmp_path / "written")
    assert ready(tmp_path / "written", MODELS).predict(ASKED)
    with pytest.raises(InputError, match="4 of 4 answers have no probabilities"):
        ready(tmp_path / "written", MODELS, 0.5).predict(ASKED)
    task = Task("t", "generate")
    Prompted(task, MODELS, ModelRef("fake", "scorer")).save(tmp_path / "text")
    with pytest.raises(InputError, match="a task of kind generate has no probabilities"):
        ready(tmp_path / "text", MODELS, 0.5)
    assert ready(tmp_path / "text", MODELS, 0).predict(["a"])


def test_the_probability_of_the_threshold_itself_is_enough() -> None:
    even = Prediction("refund", (-1.0986122886681098,) * 3)
    (one,) = held_back(TASK, [even], probability(TASK, even))
    assert one == even
