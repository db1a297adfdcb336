"""What the benchmark of rollouts makes of figures, and of what it was killed in."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

import rollouts
from nshot.core import machine
from nshot.methods.align.ppo import PPO
from rollouts import Ruled, Took, Work, measure, table, works, worth


def test_both_sides_are_given_the_same_work() -> None:
    grpo, ppo, second = works(24, 2, 30)
    assert (grpo.ours.prompts, grpo.ours.answers, grpo.ours.updates) == (2, 8, 3)
    assert isinstance(ppo.ours, PPO)
    assert isinstance(second.ours, PPO)
    assert ppo.ours.passes == (2, 2)


def test_the_table_says_what_was_missed() -> None:
    every = works(24, 2, 8)[:2]
    fast = {"TRL": [Took(4, 4, 2000)], "nshot": [Took(1, 1, 900)]}
    slow = {"TRL": [Took(3, 3, 2000), Took(1, 1, 2000)], "nshot": [Took(2, 1, 900)]}
    lines = table({every[0]: fast, every[1]: slow}).splitlines()
    assert "**4.00x**" in lines[2]
    assert "1.00x, missed" in lines[3]
    assert "2.00x" in lines[3], "by the time of the processor"
    assert "first 8 of its layers" in lines[-1]


def test_what_was_measured_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = works(24, 2, 8)
    for work in every[:2]:
        for side in rollouts.SIDES:
            name = f"{work.method}-{side}-0.json"
            plan = json.dumps([asdict(work), machine.identity()])
            (tmp_path / name).write_text(
                json.dumps({"plan": plan, "took": asdict(Took(1.0, 1.0, 1.0))})
            )
    called: list[list[str]] = []
    monkeypatch.setattr(rollouts.subprocess, "run", lambda command, **_: called.append(command))
    results = measure(every[:2], 1, tmp_path)
    assert not called
    assert all(results[work][side] == [Took(1.0, 1.0, 1.0)] for work in every[:2]
               for side in rollouts.SIDES)  # fmt: skip
    other = Work("grpo", 2, 8, 25, 2, 8)
    with pytest.raises(AttributeError):
        measure([other], 1, tmp_path)
    assert called, "another work is measured"


def test_the_rule_stands_for_a_reward_model() -> None:
    import torch

    ids = torch.tensor([[9, 9, 2, 4], [9, 9, 3, 4]])
    model = Ruled(2)
    scores = model.score(model.body(input_ids=ids).hidden_states[-1])
    assert scores.shape == (2, 4, 1)
    assert scores[:, -1, 0].tolist() == [worth([2, 4]), worth([3, 4])] == [1.0, 0.5]
