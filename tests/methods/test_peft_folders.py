"""Every adapter that PEFT knows, in the hands of a program that knows nothing of nshot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from lent import Lent
from taught import INPUTS, SHOTS, TASK, quick, trained

from nshot.core.types import ModelRef
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.features import HiddenStates
from nshot.predictors.label_head import LabelHead
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import label_answers, render
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


def adapted(root: Path) -> dict[str, tuple[ModelRef, list[list[float]]]]:
    """Every method of the rung adapted, by name; those whose delta is no PEFT folder left out."""
    base = ModelRef("hf", str(tiny_llama(root / "tiny", width=64, context=512)))
    models = HFModels()
    found = {}
    for name in METHODS:
        predictor = quick(name).adapt(TASK, SHOTS, Lent(models, base, root / name))
        ref, scores = asked(predictor, models)
        if ref.deltas[-1].kind == "peft":
            found[name] = (ref, scores)
    return found


def elsewhere(refs: dict[str, ModelRef]) -> dict[str, dict[str, list[list[float]]]]:
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
        for name, ref in refs.items()
    ]
    program = [sys.executable, str(Path(__file__).with_name("plain_peft.py"))]
    done = subprocess.run(
        program, input=json.dumps(questions), capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["nshot"] is False
    return said["answers"]


def check_folder(folder: Path, root: Path) -> None:
    """PEFT's two files, and no path of this machine in them."""
    files = {path.name for path in folder.iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}, folder
    assert str(root) not in (folder / "adapter_config.json").read_text(), folder


def test_plain_peft_opens_every_folder_and_answers_as_we_do_merged_or_not(tmp_path):
    """One test, since the methods and the other program are costly to bring up twice."""
    found = adapted(tmp_path)
    assert set(METHODS) - set(found) == {"bitfit", "bottleneck"}, "which write no PEFT folder"
    for ref, _ in found.values():
        check_folder(Path(ref.deltas[-1].folder), tmp_path)
    told = elsewhere({name: ref for name, (ref, _) in found.items()})
    for name, (_, scores) in found.items():
        said = told[name]
        np.testing.assert_allclose(said["scores"], scores, atol=1e-4, err_msg=name)
        assert ("merged" in said) == (name in MERGE), name
        if "merged" in said:
            np.testing.assert_allclose(said["merged"], said["whole"], atol=1e-3, err_msg=name)
