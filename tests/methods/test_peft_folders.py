"""Every adapter that PEFT knows, in the hands of a program that knows nothing of nshot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lent import Lent
from taught import INPUTS, SHOTS, TASK, quick, trained

from nshot.models.hf import HFModels
from nshot.predictors.features import HiddenStates
from nshot.predictors.label_head import LabelHead
from nshot.predictors.prompted import Prompted
from nshot.predictors.prompts import label_answers, render
from nshot.types import ModelRef
from tiny import tiny_llama

METHODS = trained(["peft"])
MERGE = {"ia3", "lora", "qlora", "lora_head"}
"""What can be merged into the weights; soft prompts and gated attention cannot."""


def asked(predictor: Any, models: HFModels) -> tuple[ModelRef, list[list[float]]]:
    """The model that answers, and its log-probabilities of the answers or labels."""
    if isinstance(predictor, LabelHead):
        assert isinstance(predictor.source, HiddenStates)
        return predictor.source.ref, [list(p.scores) for p in predictor.predict(INPUTS)]
    assert isinstance(predictor, Prompted)
    prompts = [render(TASK, "plain", one) for one in INPUTS]
    answers = [label_answers(TASK, "plain")] * len(prompts)
    told = models.open(predictor.ref).logprobs(prompts, answers)
    return predictor.ref, [score.logprobs.tolist() for score in told]


@pytest.fixture(scope="module")
def adapted(tmp_path_factory) -> dict[str, tuple[ModelRef, list[list[float]]]]:
    """Every method of the rung adapted, by name; those whose delta is no PEFT folder left out."""
    root = tmp_path_factory.mktemp("folders")
    base = ModelRef("hf", str(tiny_llama(root / "tiny", width=64, context=512)))
    models = HFModels()
    found = {}
    for name in METHODS:
        predictor = quick(name).adapt(TASK, SHOTS, Lent(models, base, root / name))
        ref, scores = asked(predictor, models)
        if ref.deltas[-1].kind == "peft":
            found[name] = (ref, scores)
    return found


@pytest.fixture(scope="module")
def elsewhere(adapted) -> dict[str, dict[str, list[list[float]]]]:
    """What the other program says, all folders in one process."""
    questions = [
        {
            "name": name,
            "base": ref.name,
            "quant": ref.quant,
            "adapter": ref.deltas[-1].folder,
            "prompts": [render(TASK, "plain", one) for one in INPUTS],
            "answers": label_answers(TASK, "plain"),
        }
        for name, (ref, _) in adapted.items()
    ]
    program = [sys.executable, str(Path(__file__).with_name("plain_peft.py"))]
    done = subprocess.run(
        program, input=json.dumps(questions), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["nshot"] is False
    return said["answers"]


def test_what_is_no_peft_folder_is_known(adapted):
    assert set(METHODS) - set(adapted) == {"bitfit", "bottleneck"} & set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_plain_peft_answers_as_we_do(name, adapted, elsewhere):
    if name not in adapted:
        pytest.skip(f"{name} writes no PEFT folder")
    np.testing.assert_allclose(elsewhere[name]["scores"], adapted[name][1], atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_the_folder_holds_pefts_two_files(name, adapted):
    if name not in adapted:
        pytest.skip(f"{name} writes no PEFT folder")
    folder = Path(adapted[name][0].deltas[-1].folder)
    files = {path.name for path in folder.iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    assert str(folder.parents[1]) not in (folder / "adapter_config.json").read_text()


@pytest.mark.parametrize("name", METHODS)
def test_merged_it_answers_as_unmerged(name, adapted, elsewhere):
    """An adapter of a quantised base is merged into the unquantised one."""
    if name not in adapted:
        pytest.skip(f"{name} writes no PEFT folder")
    said = elsewhere[name]
    assert ("merged" in said) == (name in MERGE)
    if name in MERGE:
        np.testing.assert_allclose(said["merged"], said["whole"], atol=1e-3)
