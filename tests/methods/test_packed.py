"""`quantise` through bitsandbytes: 8 and 4 bits that torch answers with, on a CPU too."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lent import Lent
from safetensors.torch import load_file

from foreign import foreign
from full_disk import room
from nshot.bench.jobs.afresh import answer_afresh
from nshot.core.errors import CannotAdapt, DiskFull, InputError
from nshot.core.files import folder_bytes
from nshot.core.types import Example, Input, Label, ModelRef, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.use.gguf import write
from tiny import tiny_llama

bnb = pytest.importorskip("bitsandbytes")

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
INPUTS = [row.input for row in ROWS]
ZERO = {"method": "zero_shot", "calibration": "none", "format": "plain"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", width=64, context=256)
    return resolve(str(folder), "lm")


def quantise(of: Any, bits: str) -> Any:
    return TABLE.build({"method": "quantise", "of": of, "bits": bits})


def scores(answers: list[Prediction]) -> Any:
    return np.array([one.scores for one in answers])


def test_the_library_multiplies_in_eight_bits_on_a_cpu() -> None:
    """Rows of inputs and of weights over their largest number, in 127 steps (section 2.1)."""
    torch.manual_seed(0)
    weight, inputs = torch.randn(8, 32).half(), torch.randn(5, 32).half()
    layer = bnb.nn.Linear8bitLt(32, 8, bias=False, has_fp16_weights=False, threshold=0.0)
    layer.weight = bnb.nn.Int8Params(weight.clone(), requires_grad=False)
    ours = layer.eval().to("cpu")(inputs).float()

    def whole(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        largest = rows.float().abs().amax(1, keepdim=True)
        return (rows.float() * (127 / largest)).round(), largest / 127

    (x, x_step), (w, w_step) = whole(inputs), whole(weight)
    torch.testing.assert_close(ours, (x @ w.T) * x_step * w_step.T, rtol=2e-3, atol=2e-3)
    assert float((ours - inputs.float() @ weight.float().T).abs().max()) > 1e-3


@pytest.mark.parametrize("bits", ["int8", "nf4"])
def test_it_answers_near_and_the_same_afresh(bits: str, base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    known = scores(TABLE.build(ZERO).adapt(TASK, SHOTS, bench).predict(INPUTS))
    small = quantise(ZERO, bits).adapt(TASK, SHOTS, bench)
    ours = scores(small.predict(INPUTS))
    limit = np.abs(known).max() * (0.05 if bits == "int8" else 0.15)
    assert 0 < np.abs(ours - known).max() < limit
    alone = scores([small.predict([one])[0] for one in INPUTS])
    np.testing.assert_allclose(alone, ours, atol=1e-4)
    small.save(tmp_path / "saved")
    (file,) = (tmp_path / "saved").rglob("model*.safetensors")
    kept = load_file(file)
    assert "lm_head.weight" not in kept, "a tied embedding stands there once"
    kinds = {kept[name].dtype for name in kept if name.endswith("q_proj.weight")}
    assert kinds == {torch.int8 if bits == "int8" else torch.uint8}
    assert folder_bytes(tmp_path / "saved") < folder_bytes(Path(base.name))
    again = answer_afresh(tmp_path / "saved", TASK, ROWS)
    assert scores(list(again.predictions)).tobytes() == ours.tobytes()
    assert any(f"MB as {bits}" in note for note in bench.notes)
    with pytest.raises(InputError, match="packed already"):
        write(str(tmp_path / "saved"), "Q8_0", tmp_path / "file")


def test_only_the_weights_are_rounded(base: ModelRef, tmp_path: Path) -> None:
    """A layer is a product with the whole numbers of its file times their scales."""
    bench = Lent(open_models(), base, tmp_path / "job")
    small = quantise(ZERO, "int8").adapt(TASK, SHOTS, bench)
    name = "model.layers.0.mlp.down_proj"
    kept = load_file(next(Path(small.ref.deltas[0].folder).glob("*.safetensors")))
    weights = kept[f"{name}.weight"].float() * (kept[f"{name}.SCB"] / 127)[:, None]
    states = torch.randn(3, weights.shape[1], generator=torch.Generator().manual_seed(0))
    with bench.models.lend(small.ref) as lent, torch.no_grad():
        ours = lent.module.get_submodule(name)(states)
    torch.testing.assert_close(ours, states @ weights.T, rtol=1e-5, atol=1e-5)


def test_an_adapter_is_merged_before(base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    of = {"method": "adapter", "folder": str(foreign(Path(base.name), tmp_path / "lora"))}
    tuned = scores(TABLE.build(of).adapt(TASK, SHOTS, bench).predict(INPUTS))
    bare = scores(TABLE.build({"method": "zero_shot"}).adapt(TASK, SHOTS, bench).predict(INPUTS))
    ours = scores(quantise(of, "int8").adapt(TASK, SHOTS, bench).predict(INPUTS))
    assert np.abs(ours - tuned).mean() < 0.5 * np.abs(bare - tuned).mean()


def test_a_disk_that_fills_leaves_nothing(base: ModelRef, tmp_path: Path) -> None:
    """Of the folder, and of the model in float32 that is put there while it is packed."""
    whole = folder_bytes(Path(base.name))
    for size in (2_000, whole // 2):
        bench = Lent(open_models(), base, tmp_path / "job")
        with pytest.raises(DiskFull, match="no room to write it"), room(size):
            quantise(ZERO, "int8").adapt(TASK, SHOTS, bench)
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_asking_changes_nothing_of_it(base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    small = quantise(ZERO, "int8").adapt(TASK, SHOTS, bench)
    before = bench.models.fingerprint(small.ref)
    small.predict(INPUTS)
    assert bench.models.fingerprint(small.ref) == before


def test_what_is_missing_or_is_no_model_says_so(
    base: ModelRef, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    with pytest.raises(CannotAdapt, match=r"quantise\.bits=int8"):
        quantise({"method": "tfidf_lr"}, "nf4").adapt(TASK, SHOTS, bench)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else real(name)
    )
    with pytest.raises(CannotAdapt, match=re.escape("pip install 'nshot[quantise]'")):
        quantise(ZERO, "nf4").adapt(TASK, SHOTS, bench)
    assert not (tmp_path / "job" / "packed").exists()
