"""What is trained on the grid of a file is, bit for bit, what the file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lent import Lent, resumed
from test_contract import ASKED, SHOTS, TASK

from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef
from nshot.methods.compress.qat import QAT
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.hf.merged import merged
from nshot.models.llamacpp.grid import on_grid
from nshot.predictors.prompted import Prompted
from nshot.training.straight_through import matrices, read_on_grid
from nshot.use.gguf import FILE, write
from tiny import tiny_llama

gguf = pytest.importorskip("gguf")
LEARNS = {"low_rank": 1e-2, "weights": 5e-3}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = tmp_path_factory.mktemp("qat") / "tiny"
    return resolve(str(tiny_llama(folder, context=512)), "lm")


@pytest.mark.parametrize("bits", ["Q8_0", "Q5_0", "Q4_0"])
def test_the_grid_is_that_of_the_file_and_its_numbers_stay(bits: Any) -> None:
    """Of gguf's quantiser, on weights of all sizes, with blocks of zeros and of one number."""
    kind = getattr(gguf.GGMLQuantizationType, bits)
    draw = np.random.default_rng(0)
    weights = draw.standard_normal((60, 96)).astype(np.float32)
    weights *= 10.0 ** draw.uniform(-6, 2, (60, 1)).astype(np.float32)
    weights[0], weights[1], weights[2, 5] = 0, 0.25, -3e4
    ours = on_grid(torch.from_numpy(weights), bits)
    theirs = gguf.quants.dequantize(gguf.quants.quantize(weights, kind), kind)
    assert np.array_equal(ours.numpy(), theirs)
    assert torch.equal(on_grid(ours, bits), ours)
    again = gguf.quants.dequantize(gguf.quants.quantize(ours.numpy(), kind), kind)
    assert np.array_equal(again, ours.numpy())


@pytest.mark.parametrize("learn", list(LEARNS))
def test_the_file_holds_the_very_weights_that_were_trained(
    learn: Any, base: ModelRef, tmp_path: Path
) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    before = bench.models.fingerprint(base)
    method = QAT(learn=learn, learning_rate=LEARNS[learn], epochs=12)
    predictor = method.adapt(TASK, SHOTS, bench)
    assert isinstance(predictor, Prompted)
    assert bench.models.fingerprint(base) == before, "the base is as it was"
    assert "nshot gguf DIR --bits Q4_0" in bench.notes[-1]
    predictor.save(tmp_path / "saved")
    one = write(str(tmp_path / "saved"), "Q4_0", tmp_path / "file")
    assert one.furthest < 1e-5, "the file is the model that was trained"
    module, _ = merged(predictor.ref)
    ours = {name: p.detach().numpy() for name, p in module.named_parameters()}
    kept = {
        t.name: gguf.quants.dequantize(t.data, t.tensor_type)
        for t in gguf.GGUFReader(tmp_path / "file" / FILE).tensors
    }
    for theirs, name in (
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight"),
        ("blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj.weight"),
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
        ("output_norm.weight", "model.norm.weight"),
    ):
        assert np.array_equal(kept[theirs].reshape(ours[name].shape), ours[name]), name
    bare, _ = merged(base)
    moved = dict(bare.named_parameters())["model.layers.1.mlp.down_proj.weight"]
    untaught = on_grid(moved, "Q4_0").numpy()
    assert not np.array_equal(untaught, ours["model.layers.1.mlp.down_proj.weight"])


def test_the_gradient_passes_the_rounding(base: ModelRef) -> None:
    """That of the rounded weights, taken for that of the weights themselves."""
    module, _ = merged(base)
    rounded, _ = merged(base)
    with torch.no_grad():
        for _, matrix in matrices(rounded):
            matrix.weight.copy_(on_grid(matrix.weight, "Q4_0"))
    read_on_grid(module, "Q4_0")
    tokens = torch.tensor([[5, 9, 30, 41, 7]])
    ours, right = (one(tokens, labels=tokens).loss for one in (module, rounded))
    assert torch.equal(ours, right)
    ours.backward()
    right.backward()
    for name, p in module.named_parameters():
        torch.testing.assert_close(p.grad, dict(rounded.named_parameters())[name].grad)


def test_killed_and_taken_up_it_is_the_same(base: ModelRef, tmp_path: Path) -> None:
    method = QAT(learning_rate=1e-2, epochs=6)
    whole = method.adapt(TASK, SHOTS, Lent(open_models(), base, tmp_path / "whole"))
    bench = Lent(open_models(), base, tmp_path / "killed")
    assert resumed(method, TASK, SHOTS, bench, 5).predict(ASKED) == whole.predict(ASKED)


def test_a_model_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    narrow = tiny_llama(tmp_path / "narrow", width=48)
    bench = Lent(open_models(), resolve(str(narrow), "lm"), tmp_path / "job")
    with pytest.raises(CannotAdapt, match="rows of 48 weights, no multiple of 32"):
        QAT().adapt(TASK, SHOTS, bench)
