"""The GPU's benchmark where there is none: its arithmetic, and its steps on a tiny shape."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gpu
from gpu import GIB, ONE, SEVEN, SIXTY_FIVE, Load, Shape
from nshot.core import machine

TINY = Shape("tiny", 2, 64, 128, 4, 2, vocabulary=96)


def test_the_shapes_are_those_of_known_models() -> None:
    assert SIXTY_FIVE.parameters == 65_285_660_672
    assert SEVEN.parameters == 6_738_415_616
    assert ONE.parameters == 1_100_048_384


def test_a_model_of_a_shape_has_as_many_weights() -> None:
    model = gpu.build(TINY, "cpu", torch.float32, packed=False)
    assert sum(p.numel() for p in model.parameters()) == TINY.parameters
    assert len(model.model.layers) == 2


def test_qlora_of_65b_fits_where_its_paper_put_it() -> None:
    base = gpu.packed_bytes(SIXTY_FIVE)
    bits = 8 * (base - 2 * SIXTY_FIVE.rest) / SIXTY_FIVE.linear
    assert bits == pytest.approx(4.127, abs=1e-3), "4 + 0.127 bits a weight (QLoRA, section 3)"
    small = gpu.qlora_bytes(SIXTY_FIVE, Load(1, 512), 8)
    assert base < small < 48 * GIB
    assert gpu.qlora_bytes(SIXTY_FIVE, Load(8, 512), 8) > small


def test_flops_are_six_a_weight_and_token_and_four_where_it_is_frozen() -> None:
    load = Load(4, 128)
    full, lora = gpu.flops(SEVEN, load, None), gpu.flops(SEVEN, load, SEVEN.adapters(8))
    assert full == pytest.approx(6 * SEVEN.linear * load.tokens, rel=0.05)
    assert lora / full == pytest.approx(2 / 3, abs=0.02)
    assert SEVEN.adapters(8) == 19_988_480


def test_half_of_a_row_is_supervised() -> None:
    load = Load(3, 10)
    rows = load.made(96)
    assert [len(row.tokens) for row in rows] == [10] * 3
    assert sum(len(row.points) for row in rows) == load.supervised == 15


@pytest.mark.parametrize("name", ["lora", "qlora", "full"])
def test_a_tiny_shape_trains_through_the_loop(name: str) -> None:
    if name == "qlora":
        pytest.importorskip("bitsandbytes")
    load = Load(2, 16)
    found = gpu.measure(TINY, name, load, 4, "cpu")
    assert found.seconds > 0
    assert found.trained == (TINY.parameters if name == "full" else TINY.adapters(8))
    text = gpu.table([found], load, 1e12, "cpu")
    assert f"| {name} |" in text
    assert "65B" in text


def test_a_peak_is_known_by_the_name_of_the_device() -> None:
    assert gpu.known_peak("Some H100 PCIe") == 756e12
    assert gpu.known_peak("Some H100 80GB HBM3") == 989e12
    assert gpu.known_peak("nothing known") is None


@pytest.mark.skipif(machine.device() != "cpu", reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_ends_well() -> None:
    script = Path(gpu.__file__)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout == "no GPU that torch can use: nothing was measured\n"
