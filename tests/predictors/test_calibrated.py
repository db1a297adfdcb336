"""A predictor around another: the same answers, other probabilities; it nests and grows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nshot.core.errors import InputError
from nshot.core.serial import to_data
from nshot.core.types import Example
from nshot.methods.contract import Method
from nshot.methods.fewshot.knn import KNN
from nshot.methods.fewshot.nearest_mean import NearestMean
from nshot.methods.prompt.retrieved_shots import RetrievedShots
from nshot.methods.prompt.zero_shot import ZeroShot
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import INNER, Calibrated, bare, calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.prompted import Prompted
from nshot.testing.contracts import check_predictor
from toys import QUESTIONS, REMOTE, TASK, Bench, ask, shots

WARM = Calibration("temperature", 120, 1.7, thresholds=((0.9, 0.62),))
STEPS = Calibration("isotonic", 400, 0.8, ((0.4, 0.35), (0.6, 0.5), (0.95, 0.9)))
METHODS: list[Callable[[], Method]] = [KNN, NearestMean, TfIdfLR, ZeroShot]


@pytest.mark.parametrize("calibration", [WARM, STEPS])
@pytest.mark.parametrize("method", METHODS)
def test_it_keeps_the_contract_and_the_answers(
    method: Callable[[], Method], calibration: Calibration, tmp_path: Path
) -> None:
    inner = method().adapt(TASK, shots(), Bench(tmp_path))
    predictor = calibrated(inner, calibration)
    check_predictor(predictor, TASK, FakeModels(), tmp_path / "saved", QUESTIONS)
    before, after = inner.predict(QUESTIONS), predictor.predict(QUESTIONS)
    assert [one.answer for one in after] == [one.answer for one in before]
    assert [one.scores for one in after] != [one.scores for one in before]
    sums = np.exp([one.scores for one in after]).sum(axis=1)
    assert sums == pytest.approx(np.ones(len(QUESTIONS)))


def test_saved_and_loaded_the_scores_are_the_same_bytes(tmp_path: Path) -> None:
    inner = TfIdfLR().adapt(TASK, shots(), Bench(tmp_path))
    twice = calibrated(calibrated(inner, STEPS), to_data(WARM))
    twice.save(tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / "moved")
    again = load(tmp_path / "moved", FakeModels())
    assert again.predict(QUESTIONS) == twice.predict(QUESTIONS)
    assert isinstance(again, Calibrated)
    assert again.calibration == WARM
    assert isinstance(again.predictor, Calibrated)
    assert again.predictor.calibration == STEPS
    files = {one.name for one in (tmp_path / "moved").rglob("*") if one.is_file()}
    assert files == {"nshot.json", "arrays.safetensors"}
    assert bare(twice) is inner


def test_a_folder_without_the_predictor_inside_is_refused(tmp_path: Path) -> None:
    calibrated(TfIdfLR().adapt(TASK, shots(), Bench(tmp_path)), WARM).save(tmp_path / "saved")
    shutil.rmtree(tmp_path / "saved" / INNER)
    with pytest.raises(InputError, match="no folder predictor"):
        load(tmp_path / "saved", FakeModels())


def test_nothing_to_calibrate_by_gives_the_predictor_back(tmp_path: Path) -> None:
    inner = NearestMean().adapt(TASK, shots(), Bench(tmp_path))
    assert calibrated(inner, None) is inner
    assert calibrated(inner, to_data(Calibration(reason="too few"))) is inner


def test_answers_without_scores_are_left_as_they_are() -> None:
    written = Prompted(TASK, FakeModels(), REMOTE)
    assert calibrated(written, WARM).predict(QUESTIONS) == written.predict(QUESTIONS)
    assert {one.scores for one in written.predict(QUESTIONS)} == {()}


def test_classes_that_come_later_keep_the_temperature_alone(tmp_path: Path) -> None:
    inner = NearestMean().adapt(TASK, shots(), Bench(tmp_path))
    fresh = [Example("n", ask("환율은 얼마예요"), ("환율",))]
    grown = calibrated(inner, STEPS).extend(fresh)  # type: ignore[attr-defined]
    assert grown.task.label_names == (*TASK.label_names, "환율")
    kept = grown.calibration
    assert (kept.kind, kept.temperature, kept.knots) == ("temperature", 0.8, ())
    assert len(grown.predict(QUESTIONS)[0].scores) == len(TASK.labels) + 1
    fixed = calibrated(TfIdfLR().adapt(TASK, shots(), Bench(tmp_path)), WARM)
    with pytest.raises(InputError, match="cannot learn classes later"):
        fixed.extend(fresh)  # type: ignore[attr-defined]


def test_what_is_measured_beside_stays_beside(tmp_path: Path) -> None:
    asked: Predictor = RetrievedShots().adapt(TASK, shots(), Bench(tmp_path))
    assert calibrated(asked, WARM).beside.keys() == asked.beside.keys() != set()  # type: ignore[attr-defined]
    plain = NearestMean().adapt(TASK, shots(), Bench(tmp_path))
    assert calibrated(plain, WARM).beside == {}  # type: ignore[attr-defined]
