"""A quantised model answers as the one it was made of, as saved and as loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lent import Lent

from foreign import foreign
from full_disk import room
from nshot.bench.jobs.afresh import answer_afresh
from nshot.core.errors import CannotAdapt, DiskFull, InputError, RunFailed
from nshot.core.types import Example, Input, Label, ModelRef, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Method, Rates
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.llamacpp import llama_api
from nshot.predictors import load
from nshot.predictors.calibrated import Calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

TASK = Task(
    "films", "classify", (Label("good"), Label("really bad")),
    field_names=(("text", "Review"),), answer_name="Sentiment",
)  # fmt: skip
TEXTS = ["warm and funny", "지루하고 길다 😀", "a waste of 120 minutes", ""]
ROWS = tuple(
    Example(f"{i}", Input((("text", text),)), (TASK.label_names[i % 2],))
    for i, text in enumerate(TEXTS)
)
SHOTS = Shots(ROWS)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", width=64, context=256)
    return resolve(str(folder), "lm")


def quantise(of: Any, bits: str = "F16") -> Method:
    return TABLE.build({"method": "quantise", "of": of, "bits": bits})


def scores(answers: list[Prediction]) -> Any:
    return np.array([one.scores for one in answers])


def test_it_answers_as_before_and_alone_in_a_new_process(base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    of = {"method": "few_shot", "calibration": "none"}
    before = TABLE.build(of).adapt(TASK, SHOTS, bench)
    after = quantise(of).adapt(TASK, SHOTS, bench)
    inputs = [row.input for row in ROWS]
    known, ours = scores(before.predict(inputs)), scores(after.predict(inputs))
    np.testing.assert_allclose(ours, known, atol=0.05)
    after.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "delta-0" / "model.gguf").is_file()
    answered = answer_afresh(tmp_path / "saved", TASK, ROWS)
    assert scores(list(answered.predictions)).tobytes() == ours.tobytes(), "the same bytes"
    assert answered.ids == tuple(row.id for row in ROWS)
    assert answered.use.seconds > 0
    assert any("MB as F16" in note for note in bench.notes)


def test_an_adapter_is_merged_before(base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    of = {"method": "adapter", "folder": str(foreign(Path(base.name), tmp_path / "lora"))}
    tuned = TABLE.build(of).adapt(TASK, SHOTS, bench)
    bare = TABLE.build({"method": "zero_shot"}).adapt(TASK, SHOTS, bench)
    inputs = [row.input for row in ROWS]
    ours = scores(quantise(of).adapt(TASK, SHOTS, bench).predict(inputs))
    known, other = scores(tuned.predict(inputs)), scores(bare.predict(inputs))
    np.testing.assert_allclose(ours, known, atol=0.1)
    assert np.abs(known - other).max() > 0.2, "the adapter says something else than the base"


def test_scores_stay_calibrated_and_texts_end_as_they_did(base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    inside = TABLE.build({"method": "zero_shot"}).adapt(TASK, SHOTS, bench)
    Calibrated(inside, Calibration("temperature", temperature=3.0)).save(tmp_path / "before")
    of = {"method": "from_folder", "folder": str(tmp_path / "before")}
    after = quantise(of).adapt(TASK, SHOTS, bench)
    assert isinstance(after, Calibrated)
    assert after.calibration.temperature == 3.0
    prompted = after.predictor
    assert isinstance(prompted, Prompted)
    assert prompted.tuned is False, "a file is no sign of training"
    after.save(tmp_path / "after")
    again = load(tmp_path / "after", open_models())
    assert isinstance(again, Calibrated)
    assert again.predictor.tuned is False  # type: ignore[attr-defined]


def test_what_is_no_plain_model_is_refused(base: ModelRef, tmp_path: Path) -> None:
    from peft import PromptTuningConfig

    bench = Lent(open_models(), base, tmp_path)
    with pytest.raises(CannotAdapt, match="answers with Constant, not by asking a model"):
        quantise({"method": "majority"}).adapt(TASK, SHOTS, bench)
    soft = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    of = {"method": "adapter", "folder": str(foreign(Path(base.name), tmp_path / "soft", soft))}
    with pytest.raises(CannotAdapt, match="PROMPT_TUNING cannot be merged"):
        quantise(of).adapt(TASK, SHOTS, bench)


def test_a_disk_that_fills_ends_the_job_and_leaves_nothing(base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path)
    for size in (500, 20_000):
        with pytest.raises(DiskFull, match=r"model\.gguf.*no room to write it"), room(size):
            quantise({"method": "zero_shot", "calibration": "none"}, "Q8_0").adapt(
                TASK, SHOTS, bench
            )
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_bits_that_the_scheme_lacks_are_named() -> None:
    with pytest.raises(InputError, match="Q8_0"):
        quantise({"method": "zero_shot"}, "Q3_K")


def test_where_it_cannot_work_it_says_so(base: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    def why(ref: ModelRef, architecture: str = "llama", of: str = "zero_shot") -> str | None:
        can = open_models().open(base).facts.can
        brief = Brief(
            TASK, 4, 0, 2, 4, 9.0, 20, ref, can, 256, 2, None, Rates(100, 30, 100),
            architecture=architecture,
        )  # fmt: skip
        return quantise({"method": of}).why_not(brief)

    assert why(base) is None
    assert "llamacpp's" in str(why(ModelRef("llamacpp", "m.gguf")))
    assert "not gpt2" in str(why(base, "gpt2"))
    assert "needs an encoder" in str(why(base, of="linear_probe"))
    monkeypatch.setattr(llama_api, "_file", lambda: None)
    assert "pip install 'nshot[llamacpp]'" in str(why(base))


def test_a_folder_that_cannot_be_asked_ends_the_job(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="new process"):
        answer_afresh(tmp_path, TASK, ROWS)
