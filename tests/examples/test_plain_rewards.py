"""The plain scripts that learn from rewards take the methods' losses, and leave safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from plain_scripts import PLAIN, lines, run

from nshot.training.data.answers import supervised
from nshot.training.forward import Whole
from nshot.training.objectives.grpo import Compared, GRPOLoss
from nshot.training.objectives.ppo import Judged, PPOLoss, estimates, token_rewards
from nshot.training.rollouts import ActorCritic, Judging, Likelihoods
from tiny import tiny_llama

QUICK = {
    "grpo": [("tokens=32", "tokens=4"), ("read(train), 40, 8", "read(train), 2, 3")],
    "ppo": [("tokens=32", "tokens=4"), ("read(train), 160", "read(train), 8"), ("k=32", "k=4")],
}


def ran(name: str, folder: Path, monkeypatch: Any) -> dict[str, Any]:
    """The names of the script after a few short answers."""
    base = tiny_llama(folder / "tiny")
    work = folder / "work"
    work.mkdir()
    lines(work / "prompts.jsonl", [{"prompt": "tea 1?"}, {"prompt": "차 두 잔?"}])
    script = (PLAIN / f"{name}.py").read_text(encoding="utf-8")
    for usual, short in QUICK[name]:
        assert script.count(usual) == 1, usual
        script = script.replace(usual, short)
    (work / f"{name}.py").write_text(script, encoding="utf-8")
    return run(monkeypatch, work, work / f"{name}.py", base, "prompts.jsonl", "prompts.jsonl")


@pytest.mark.parametrize("name", QUICK)
def test_a_script_learns_and_saves(name, tmp_path, monkeypatch, capsys):
    names = ran(name, tmp_path, monkeypatch)
    assert 0 <= float(capsys.readouterr().out.split("reward ")[1]) <= 1
    kept = [path.name for path in (tmp_path / "work").rglob("*.safetensors")]
    assert kept == ["adapter_model.safetensors"]
    assert [names["reward"](" word" * count) for count in (8, 12, 16, 40)] == [1, 0.5, 0, 0]


def logprobs(names: dict[str, Any], rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the tokens of the rows: under the policy, and under its reference."""
    model = Likelihoods(Whole(names["model"], "cpu"))
    with torch.no_grad():
        now = model.logprobs(rows)
        with names["model"].disable_adapter():
            return now, model.logprobs(rows)


def test_grpo_takes_the_loss_of_the_method(tmp_path, monkeypatch):
    names = ran("grpo", tmp_path, monkeypatch)
    (prompt, _), end = names["prompts"], names["tokenizer"].eos_token_id
    ids, own, _ = names["sampled"](prompt, 12)
    ids[0, -3] = end  # one ends early: what stands behind its end does not count
    own = (ids[:, -4:] == end).cumsum(1).cumsum(1) <= 1
    assert own[0].tolist() == [True, True, False, False]
    advantages = torch.linspace(-1, 2, 12)
    start = tuple(prompt[0].tolist())
    rows = [
        supervised(str(k), start, tuple(row[len(start) :][counts].tolist()))
        for k, (row, counts) in enumerate(zip(ids, own, strict=True))
    ]
    now, reference = logprobs(names, rows)
    lengths = own.sum(1).tolist()
    compared = [
        Compared(row.id, row, tuple(old.tolist()), tuple(ref.tolist()), float(advantage))
        for row, old, ref, advantage in zip(
            rows, now.split(lengths), reference.split(lengths), advantages, strict=True
        )
    ]
    with torch.no_grad():
        total = GRPOLoss().total(Likelihoods(Whole(names["model"], "cpu")), compared)
        ours = float(names["loss_of"](ids, own, advantages))
    assert ours == pytest.approx(float(total) / 12, abs=1e-5)


def test_ppo_takes_the_advantages_and_the_loss_of_the_method(tmp_path, monkeypatch):
    names = ran("ppo", tmp_path, monkeypatch)
    critic = ActorCritic(names["model"])
    with torch.no_grad():
        names["critic"].normal_(generator=torch.Generator().manual_seed(0))
        critic.value.weight.copy_(names["critic"][None, :-1])
        critic.value.bias.copy_(names["critic"][-1:])
    judging = Judging(critic, Whole(names["model"], "cpu"))
    prompt = names["prompts"][1]
    ids, start, old, values, advantages, returns = names["episode"](prompt)
    row = supervised("a", tuple(ids[0, :start].tolist()), tuple(ids[0, start:].tolist()))
    with torch.no_grad():
        now, expected = judging.judge([row])
    assert old.tolist() == pytest.approx(now.tolist(), abs=1e-5)
    assert values.tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    _, reference = logprobs(names, [row])
    text = names["tokenizer"].decode(ids[0, start:], skip_special_tokens=True)
    rewards = token_rewards(names["reward"](text), now, reference, 0.05)
    mine = estimates(rewards, expected, 1.0, 0.95)
    assert advantages.tolist() == pytest.approx(mine.advantages.tolist(), abs=1e-5)
    assert returns.tolist() == pytest.approx(mine.returns.tolist(), abs=1e-5)
    moved = (old + torch.tensor([0.5, -0.5, 0.1, 0.0])[: len(old)], values + 1)  # beyond the clips
    each = (tuple(one.tolist()) for one in (*moved, advantages, returns))
    with torch.no_grad():
        total = PPOLoss().total(judging, [Judged("a", row, *each)])
        ours = names["loss_of"](ids, start, *moved, advantages, returns)
    assert float(ours) == pytest.approx(float(total), abs=1e-4)
