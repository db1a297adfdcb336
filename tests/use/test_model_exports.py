"""A language model leaves as a merged folder or as PEFT's, and answers there as it did here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import IA3Config, LoraConfig, PrefixTuningConfig, get_peft_model

from nshot.core.types import Delta, Example, Input, Label, ModelRef, Task
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import Calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.checks import write_checks
from nshot.predictors.constant import Constant
from nshot.predictors.folder import read
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import Format
from nshot.testing import check_export
from nshot.use.export import export_of
from nshot.use.exporting import export
from tiny import tiny_llama

FILMS = Task("films", "classify", (Label("positive"), Label("negative"), Label("neg")),
             field_names=(("title", "Title"), ("text", "Review")))  # fmt: skip
ECHO = Task("echo", "generate", answer_name="Answer")
CLOSE = 1e-4
CONFIGS: dict[str, Callable[[], object]] = {
    "lora": lambda: LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"]),
    "ia3": lambda: IA3Config(task_type="CAUSAL_LM", target_modules=["k_proj", "down_proj"],
                             feedforward_modules=["down_proj"]),
    "prefix": lambda: PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
}  # fmt: skip


def film(title: str, text: str) -> Input:
    return Input((("title", title), ("text", text)))


INPUTS = (
    film("Up", "a warm and funny film"),
    film("", "a dull\n\n and lifeless   film "),
    film("기생충", ""),
    film("Long", "funny " * 150),
)
DEMO = Example("d", film("Heat", "a fine cast"), ("positive",))


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture(scope="module")
def refs(models: HFModels, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelRef]:
    """The base, and the base with an adapter of each kind."""
    place = tmp_path_factory.mktemp("exports")
    base = ModelRef("hf", str(tiny_llama(place / "base", context=192)))
    refs = {"base": base}
    for kind, config in CONFIGS.items():
        with models.lend(base) as lent:
            torch.manual_seed(1)
            module = get_peft_model(lent.module, config())
            for parameter in module.parameters():
                if parameter.requires_grad:
                    parameter.data += 0.2 * torch.randn_like(parameter)
            module.save_pretrained(place / kind)
        refs[kind] = replace(base, deltas=(Delta("peft", str(place / kind)),))
    return refs


@pytest.mark.parametrize("format", ["plain", "instruction", "chat"])
@pytest.mark.parametrize(("form", "kind"), [("merged", "lora"), ("merged", "ia3"),
                                            ("merged", "base"), ("peft", "lora"),
                                            ("peft", "prefix"), ("onnx", "lora"),
                                            ("onnx", "ia3")])  # fmt: skip
def test_a_form_answers_as_the_folder_does(
    form: str, kind: str, format: Format, models: HFModels, refs: dict[str, ModelRef],
    tmp_path: Path,
) -> None:  # fmt: skip
    predictor: Predictor = Prompted(FILMS, models, refs[kind], format, (DEMO,), offsets=(0.2, 0, 1))
    if format == "plain":
        predictor = Calibrated(predictor, Calibration("temperature", 9, 1.7))
    predictor.save(tmp_path / "saved")
    inputs = INPUTS if format == "plain" else INPUTS[:3]
    check_export(export_of(form), tmp_path / "saved", models, tmp_path / "into", inputs, CLOSE)


def test_texts_are_written_alike(
    models: HFModels, refs: dict[str, ModelRef], tmp_path: Path
) -> None:
    inputs = [Input((("text", text),)) for text in ("a warm film", "my card", "")]
    for kind in ("base", "lora"):
        predictor = Prompted(ECHO, models, refs[kind], max_tokens=8)
        predictor.save(tmp_path / kind)
        for form in ("merged", "onnx"):
            into = tmp_path / f"{kind}-{form}"
            check_export(export_of(form), tmp_path / kind, models, into, inputs)


def test_the_command_counts_answers_that_differ(
    models: HFModels, refs: dict[str, ModelRef], tmp_path: Path
) -> None:
    predictor = Prompted(FILMS, models, refs["lora"])
    predictor.save(tmp_path / "saved")
    write_checks(tmp_path / "saved", predictor.predict, INPUTS)
    exported = export(tmp_path / "saved", "merged", tmp_path / "into", models)
    assert (exported.checks, exported.differences) == (4, [])
    lines = (tmp_path / "saved" / "check.jsonl").read_text().splitlines()
    row = {**json.loads(lines[0]), "answer": "neg", "scores": [-3.0, -3.0, -0.1]}
    (tmp_path / "saved" / "check.jsonl").write_text("\n".join([json.dumps(row), *lines[1:]]) + "\n")
    exported = export(tmp_path / "saved", "merged", tmp_path / "again", models)
    assert len(exported.differences) == 1


def test_what_a_form_cannot_hold_is_refused_with_what_it_takes(
    models: HFModels, refs: dict[str, ModelRef], tmp_path: Path
) -> None:
    def reason(form: str, predictor: Predictor, name: str) -> str:
        predictor.save(tmp_path / name)
        return export_of(form).why_not(read(tmp_path / name)) or ""

    prefix = Prompted(FILMS, models, refs["prefix"])
    assert "PREFIX_TUNING cannot be merged" in reason("merged", prefix, "a")
    assert "PREFIX_TUNING cannot be merged" in reason("onnx", prefix, "o")
    assert "no adapter" in reason("peft", Prompted(FILMS, models, refs["base"]), "b")
    constant = Constant(FILMS, (-1.0, -2.0, -3.0))
    assert "a predictor of kind constant: merged takes" in reason("merged", constant, "c")
    spans = Prompted(replace(ECHO, kind="spans", labels=(Label("x"),)), models, refs["lora"])
    assert "a task of kind spans" in reason("peft", spans, "d")
    small = replace(refs["lora"], quant="nf4")
    assert "four bits" in reason("merged", Prompted(FILMS, models, small), "e")
