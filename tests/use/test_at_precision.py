"""Yes or no at a stated precision: the threshold is of validation rows, kept with the folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nshot.core.errors import InputError
from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.predictors.calibrated import Calibrated
from nshot.predictors.calibration import Calibration, calibration_of
from nshot.predictors.constant import Constant
from nshot.use.abstaining import probability
from nshot.use.at_precision import answered_at, threshold_of
from nshot.use.many import load

TASK = Task("mails", "classify", (Label("ham"), Label("spam")), positive="spam")
HERE = Path("folder")


def scored(spam: float) -> Prediction:
    scores = tuple(np.log([1 - spam, spam]).tolist())
    return Prediction("spam" if spam > 0.5 else "ham", scores)


def validation(count: int = 400) -> list[tuple[Example, Prediction]]:
    """Spam is as frequent among rows of a probability as that probability says."""
    rng = np.random.default_rng(0)
    rows = []
    for i, p in enumerate(rng.uniform(0.02, 0.98, count)):
        label = "spam" if rng.random() < p else "ham"
        rows.append((Example(str(i), Input((("text", str(i)),)), (label,)), scored(float(p))))
    return rows


def predictor(calibration: Calibration) -> Calibrated:
    return Calibrated(Constant(TASK, (0.0, 0.0)), calibration)


def test_over_the_threshold_validation_rows_have_that_precision() -> None:
    rows = validation()
    fitted = calibration_of(TASK, rows)
    assert fitted is not None
    assert from_data(Calibration, to_data(fitted)) == fitted
    threshold = threshold_of(predictor(fitted), 0.9, HERE)
    answers = answered_at(TASK, fitted.of(TASK, [one for _, one in rows]), threshold)
    right = [row.label == "spam" for (row, _), a in zip(rows, answers, strict=True)
             if a.answer == "spam"]  # fmt: skip
    assert len(right) >= 20
    assert np.mean(right) >= 0.9
    assert threshold > 0.5


def test_the_next_higher_precision_that_is_kept_is_taken() -> None:
    kept = predictor(Calibration("temperature", 100, precisions=((0.9, 0.6), (0.95, 0.7))))
    assert threshold_of(kept, 0.9, HERE) == 0.6
    assert threshold_of(kept, 0.92, HERE) == 0.7
    with pytest.raises(InputError, match=r"reached: 0\.9, 0\.95"):
        threshold_of(kept, 0.99, HERE)


@pytest.mark.parametrize("precision", [0.0, 1.0, 95.0])
def test_a_precision_is_a_share(precision: float) -> None:
    with pytest.raises(InputError, match="a share"):
        threshold_of(predictor(Calibration()), precision, HERE)


def test_without_a_positive_label_or_a_threshold_it_is_refused() -> None:
    plain = Task("mails", "classify", TASK.labels)
    with pytest.raises(InputError, match="task without a positive label"):
        threshold_of(Constant(plain, (0.0, 0.0)), 0.9, HERE)
    with pytest.raises(InputError, match="reached: none"):
        threshold_of(Constant(TASK, (0.0, 0.0)), 0.9, HERE)


def test_answers_change_scores_stay_and_the_probability_is_the_answers() -> None:
    high, middle, low = answered_at(TASK, [scored(0.9), scored(0.6), scored(0.2)], 0.7)
    assert [high.answer, middle.answer, low.answer] == ["spam", "ham", "ham"]
    assert middle.scores == scored(0.6).scores
    assert probability(TASK, middle) == pytest.approx(0.4)
    bare = Prediction("spam")
    assert answered_at(TASK, [bare], 0.7) == [bare]


def delivered(place: Path, threshold: float) -> Path:
    """A folder whose positive label always has the probability 0.6."""
    inner = Constant(TASK, tuple(np.log([0.4, 0.6]).tolist()))
    Calibrated(inner, Calibration(precisions=((0.9, threshold),))).save(place)
    return place


def test_from_python_one_folder_or_several_answer_at_a_precision(tmp_path: Path) -> None:
    low, high = delivered(tmp_path / "low", 0.5), delivered(tmp_path / "high", 0.7)
    assert load(low).predict(["a"])[0].answer == "spam"
    assert load(high, at_precision=0.9).predict(["a"])[0].answer == "ham"
    both = load([low, high], at_precision=0.9)
    answers = both.predict(["a", "b"], under=["low", "high"])
    assert [one.answer for one in answers] == ["spam", "ham"]
    with pytest.raises(InputError, match=r"0\.99"):
        load([low, high], at_precision=0.99)
    with pytest.raises(InputError, match="one or the other"):
        load(low, abstain_below=0.5, at_precision=0.9)
