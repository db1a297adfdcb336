"""What the comparison with TRL makes of rows and figures; TRL itself is another environment's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from alignment_parity import Difference, apart, give, rows_of, sampled, split_left, table


def test_a_difference_over_the_goal_is_shown() -> None:
    near = Difference("dpo", "near", 0.5, 0.5 + 2e-6, 3e-6)
    far = Difference("grpo", "far", 0.5, 0.5, 2e-5)
    no_number = Difference("ppo", "lost", 0.5, float("nan"), 0.0)
    lines = table([near, far, no_number]).splitlines()[2:]
    assert [line.split("|")[-2].strip() for line in lines] == [
        "holds",
        "**differs**",
        "**differs**",
    ]
    assert "TRL 1.12.0" in lines[2]


def test_rows_come_out_of_padding_on_either_side() -> None:
    right = {
        "input_ids": torch.tensor([[5, 6, 7, 0], [5, 6, 7, 8]]),
        "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]),
        "completion_mask": torch.tensor([[0, 1, 1, 0], [0, 0, 0, 1]]),
    }
    assert rows_of(right) == [((5,), (6, 7)), ((5, 6, 7), (8,))]
    left = {
        "prompt_ids": torch.tensor([[0, 0, 5]]),
        "prompt_mask": torch.tensor([[0, 1, 1]]),
        "completion_ids": torch.tensor([[6, 1, 0]]),
        "completion_mask": torch.tensor([[1, 1, 0]]),
    }
    assert sampled(left) == [((0, 5), (6, 1))]
    assert split_left([0, 0, 5, 6, 7], 2) == ((5,), (6, 7))
    with pytest.raises(RuntimeError, match="padding was sampled"):
        split_left([0, 5, 6, 0], 2)


class Adapted(nn.Module):
    """Two matrices as PEFT names them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Module()])
        self.layers[0].lora_A = nn.ModuleDict({name: nn.Linear(2, 2, bias=False)})


def test_adapters_of_two_names_are_compared() -> None:
    one, other = Adapted("policy"), Adapted("default")
    assert apart(one, other, gradients=False) > 0
    give(one, other)
    assert apart(one, other, gradients=False) == 0
    with pytest.raises(RuntimeError, match="not of the same"):
        apart(one, nn.Linear(1, 1), gradients=False)
