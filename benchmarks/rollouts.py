"""A step of grpo and of ppo beside TRL's, on the same work, with the memory of each.

    .bench/venv/bin/python benchmarks/rollouts.py [--repeats 3] [--steps 2] [--tokens 24]
                                                  [--runs runs/rollouts] [--write]

GRPO is TRL 1.16's trainer, PPO that of TRL 1.12.0, the last that has one. A step is all of it:
answers are sampled to some prompts, rewarded by one rule, read by the reference, learned from.
Both sides have the same model, adapter, prompts, number and length of answers, batches, optimiser
steps, precision, thread; no answer may end early. TRL runs in its fastest setting on a CPU: without
gradient checkpointing, its whole batch at once, and for PPO with the critic that nshot has, a head
on the policy's own state, and with that rule in place of a reward model. In its usual setting
(`ppo, a value model`) the critic is a second model, which learns whole.

Each run is a process of its own, in turn; the first step of each is not timed. A run that was
killed goes on: what was measured lies in `--runs`.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import peers
from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.types import Example, Input
from nshot.methods.align.exploring import Exploring
from nshot.methods.align.grpo import GRPO
from nshot.methods.align.ppo import PPO
from nshot.models import open_models
from nshot.models.base import Decoding, LentModel
from nshot.models.catalog import resolve
from table import ROOT, data_folder, line, read, write

RUNS = ROOT / "runs" / "rollouts"
MARK = "measured:"
"""Before what a process prints of its result."""
GOAL = 2.0
WHOLE = 30
"""Layers of the model."""
LENGTHS = (48, 112)
"""Tokens of the prompts."""


@dataclass(frozen=True)
class Work:
    """What a step does: some answers of so many `tokens` to each of some prompts."""

    method: str
    prompts: int
    answers: int
    tokens: int
    steps: int
    layers: int

    @property
    def ours(self) -> Exploring:
        """The method."""
        shape = {"prompts": self.prompts, "answers": self.answers, "max_tokens": self.tokens}
        known = {"updates": self.steps + 1, "format": "plain", "warmup": 0.0, "kl_budget": None}
        return PPO(**shape, **known) if self.method.startswith("ppo") else GRPO(**shape, **known)


@dataclass(frozen=True)
class Took:
    """A step: seconds, seconds of the processor, medians of a process; its peak in MB."""

    seconds: float
    work: float
    peak: float


def works(tokens: int, steps: int, layers: int) -> list[Work]:
    """What is measured."""
    return [
        Work("grpo", 2, 8, tokens, steps, layers),
        Work("ppo", 8, 1, tokens, steps, layers),
        Work("ppo, a value model", 8, 1, tokens, steps, layers),
    ]


@contextmanager
def lent_model(work: Work) -> Iterator[LentModel]:
    """The embedded model, or its first layers."""
    with open_models().lend(resolve(None, "lm")) as lent:
        body = lent.module.model
        body.layers = body.layers[: work.layers]
        lent.module.config.num_hidden_layers = work.layers
        yield lent


def prompts(tokenizer: Any, count: int) -> list[str]:
    """Talks of hh-rlhf (harmless) that wait for an answer."""
    rows = read(data_folder() / "hh_rlhf_harmless" / "train.jsonl")
    texts = dict.fromkeys(row["prompt"] for row in rows)
    low, high = LENGTHS
    fitting = (text for text in texts if low <= len(tokenizer(text)["input_ids"]) <= high)
    return [next(fitting) for _ in range(count)]


def worth(tokens: Sequence[int]) -> float:
    """The rule: the share of even tokens."""
    return sum(token % 2 == 0 for token in tokens) / len(tokens)


class Clock:
    """When each step was over: both clocks."""

    def __init__(self) -> None:
        self.ended: list[tuple[float, float]] = []

    def step(self) -> None:
        """One is over."""
        self.ended.append((time.perf_counter(), time.process_time()))

    def took(self, every: int = 1) -> Took:
        """Medians of the steps behind the first; a step is `every` reports."""
        ends = self.ended[every - 1 :: every]
        seconds, work = (
            statistics.median(after[i] - before[i] for before, after in pairwise(ends))
            for i in range(2)
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Took(seconds, work, peak)


# -------------------------------------------------------------------------------------- nshot


def ours(work: Work) -> Took:
    """The method's own rounds, without its look at the answers before and after."""
    from nshot.models.hf import generate
    from nshot.training.forward import reader
    from nshot.training.loop import Stage, optimise_stages
    from nshot.training.rollouts import probe
    from nshot.training.rounds import Explorer, Learner, Limits, Plan, Rounds

    method, clock = work.ours, Clock()
    generate.ends = lambda module, tokenizer: frozenset()  # no answer ends early
    with lent_model(work) as lent:
        policy = lent.add("policy", method.config(lent), 0)
        asked = prompts(lent.tokenizer, work.prompts)
        examples = [Example(str(i), Input((("text", one),)), ("",)) for i, one in enumerate(asked)]
        reads = reader(policy, probe(lent, asked), None, lent.device)
        how = Decoding(work.tokens, method.temperature, 0)
        explorer = Explorer(
            lent, policy, reads, examples, asked, rule(lent), how, states=method.has_critic
        )
        plan = Plan(method.updates, work.prompts, work.answers, *method.passes, 0)
        learner = Learner(method.inner(policy), method.updates, method.coefficient)
        model = method.model(learner, reads)
        rounds = Rounds(
            plan, explorer, learner, Limits(), identity="",
            rows=lambda answers: method.rows(learner, model, answers),
            keep=lambda: None,
        )  # fmt: skip
        stage = Stage(learner, lambda: model, rounds, method.objective(), method._schedule(plan))
        optimise_stages([stage], device=lent.device, progress=lambda *_: clock.step())
        lengths = {len(row.row.points) for row in rounds._rows}
        if lengths != {work.tokens}:
            raise RuntimeError(f"answers of {lengths} tokens")
        return clock.took(plan.steps)


def rule(lent: LentModel) -> Callable[[Sequence[Example], Sequence[str]], list[float]]:
    """The rule, of texts."""

    def rewards(examples: Sequence[Example], texts: Sequence[str]) -> list[float]:
        return [worth(lent.tokenizer(text)["input_ids"] or [1]) for text in texts]

    return rewards


# -------------------------------------------------------------------------------------- theirs


def settings(work: Work, folder: str, rate: float) -> dict[str, Any]:
    """What TRL's trainers are told."""
    return {
        "output_dir": folder, "use_cpu": True, "bf16": False, "gradient_checkpointing": False,
        "per_device_train_batch_size": work.prompts * work.answers, "learning_rate": rate,
        "report_to": "none", "save_strategy": "no", "logging_strategy": "no",
        "disable_tqdm": True, "seed": 0, "max_grad_norm": 1.0,
    }  # fmt: skip


def watcher(clock: Clock) -> Any:
    """Tells the clock of a trainer's steps."""
    from transformers import TrainerCallback

    class Steps(TrainerCallback):
        """Steps of the trainer."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    return Steps()


def grpo(work: Work) -> Took:
    """TRL's GRPOTrainer."""
    package, clock = peers.trl_alignment(), Clock()
    method = work.ours

    def rewards(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        if {len(tokens) for tokens in completion_ids} != {work.tokens}:
            raise RuntimeError("an answer has ended early")
        return [worth(tokens) for tokens in completion_ids]

    with lent_model(work) as lent, tempfile.TemporaryDirectory() as folder:
        asked = prompts(lent.tokenizer, work.prompts)
        trainer = package.GRPOTrainer(
            model=lent.module,
            reward_funcs=rewards,
            args=package.GRPOConfig(
                **settings(work, folder, method.learning_rate), max_steps=work.steps + 1,
                beta=method.kl, epsilon=method.clip, loss_type="grpo", num_generations=work.answers,
                max_completion_length=work.tokens, temperature=method.temperature,
                generation_kwargs={"min_new_tokens": work.tokens},
            ),
            train_dataset=package.Dataset.from_list([{"prompt": one} for one in asked]),
            processing_class=lent.tokenizer,
            peft_config=method.config(lent),
            callbacks=[watcher(clock)],
        )  # fmt: skip
        trainer.train()
        return clock.took()


class Ruled(nn.Module):
    """The rule in the place of a reward model: a body that passes token ids on, a score of them."""

    base_model_prefix = "body"

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.body, self.tokens = Ids(), tokens

    def score(self, ids: Tensor) -> Tensor:
        """(rows, length, 1): the rule of a row's last tokens, at every position."""
        values = [worth(row[-self.tokens :]) for row in ids.tolist()]
        return torch.tensor(values)[:, None, None].expand(*ids.shape, 1)


class Ids(nn.Module):
    """A body whose states are the token ids."""

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        from types import SimpleNamespace

        return SimpleNamespace(hidden_states=[input_ids])


def ppo(work: Work) -> Took:
    """TRL's PPOTrainer."""
    from peft import get_peft_model
    from transformers import AutoModelForSequenceClassification

    from alignment_parity import Critic

    package, clock = peers.trl_ppo(), Clock()
    method = work.ours
    assert isinstance(method, PPO)
    with lent_model(work) as lent, tempfile.TemporaryDirectory() as folder:
        tokenizer = lent.tokenizer
        tokenizer.padding_side = "left"
        asked = [
            {"input_ids": tokenizer(one)["input_ids"]} for one in prompts(tokenizer, work.prompts)
        ]
        policy = get_peft_model(lent.module, method.config(lent))
        value = Critic(lent.module.model, nn.Linear(lent.module.config.hidden_size, 1))
        if work.method != "ppo":
            config = copy.deepcopy(lent.module.config)
            config.num_labels = 1
            value = AutoModelForSequenceClassification.from_config(config)
        trainer = package.PPOTrainer(
            args=package.PPOConfig(
                **settings(work, folder, method.learning_rate),
                total_episodes=work.prompts * (work.steps + 1), num_mini_batches=method.batches,
                num_ppo_epochs=method.epochs, kl_coef=method.kl, response_length=work.tokens,
                temperature=method.temperature, num_sample_generations=0,
            ),
            processing_class=tokenizer,
            model=policy,
            ref_model=None,
            reward_model=Ruled(work.tokens),
            value_model=value,
            train_dataset=package.Dataset.from_list(asked),
            callbacks=[watcher(clock)],
        )  # fmt: skip
        trainer.train()
        return clock.took()


# ----------------------------------------------------------------------------------------- all

SIDES: dict[str, Callable[[Work], Took]] = {
    "nshot": ours,
    "TRL": lambda work: grpo(work) if work.method == "grpo" else ppo(work),
}


def measured(side: str, work: Work, repeat: int, runs: Path) -> Took:
    """What a step took, in a process of its own; from its file where it was measured already."""
    name = f"{work.method.replace(', a ', '-').replace(' ', '-')}-{side}-{repeat}"
    file, plan = runs / f"{name}.json", json.dumps([asdict(work), machine.identity()])
    if file.exists():
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["plan"] == plan:
            return Took(**record["took"])
    command = [sys.executable, __file__, "--one", json.dumps([side, asdict(work)])]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    results = [text for text in done.stdout.splitlines() if text.startswith(MARK)]
    if done.returncode or not results:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    took = Took(**json.loads(results[0].removeprefix(MARK)))
    write_atomic(file, json.dumps({"plan": plan, "took": asdict(took)}))
    print(f"{time.strftime('%H:%M:%S')} {name}: {took.seconds:.1f} s a step, "
          f"{took.work:.1f} of the processor, {took.peak:.0f} MB", flush=True)  # fmt: skip
    return took


def measure(every: Sequence[Work], repeats: int, runs: Path) -> dict[Work, dict[str, list[Took]]]:
    """All, in turn; which side begins changes from repeat to repeat."""
    runs.mkdir(parents=True, exist_ok=True)
    results: dict[Work, dict[str, list[Took]]] = {work: {s: [] for s in SIDES} for work in every}
    for repeat in range(repeats):
        for work in every:
            for side in [*SIDES][:: 1 if repeat % 2 == 0 else -1]:
                same = (
                    replace(work, method="ppo")
                    if side == "nshot" and "ppo" in work.method
                    else work
                )
                results[work][side].append(measured(side, same, repeat, runs))
    return results


def middle(some: Sequence[Took]) -> Took:
    """Medians."""
    return Took(*(statistics.median(getattr(one, name) for one in some)
                  for name in ("seconds", "work", "peak")))  # fmt: skip


def table(results: Mapping[Work, Mapping[str, Sequence[Took]]]) -> str:
    """All of it, as Markdown."""
    lines = [
        line("step", "TRL, s", "nshot, s", f"as fast (goal {GOAL:g}x)", "by CPU time",
             "TRL, peak MB", "nshot, peak MB"),
        "|---|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for work, both in results.items():
        peer, own = middle(both["TRL"]), middle(both["nshot"])
        ratio = peer.seconds / own.seconds
        lines.append(
            line(
                f"{work.method} (TRL {'1.16' if work.method == 'grpo' else '1.12.0'})",
                f"{peer.seconds:.1f}", f"{own.seconds:.1f}",
                f"**{ratio:.2f}x**" if ratio >= GOAL else f"{ratio:.2f}x, missed",
                f"{peer.work / own.work:.2f}x", f"{peer.peak:.0f}", f"{own.peak:.0f}",
            )
        )  # fmt: skip
    first, second = list(results)[:2]
    low, high = LENGTHS
    whole = first.layers == WHOLE
    model = "SmolLM2-135M-Instruct" + ("" if whole else f", the first {first.layers} of its layers")
    how = (
        f"{model}, float32 on {machine.device()}, {machine.threads()} thread(s), "
        f"LoRA of rank 8 on every linear layer; prompts of {low} to {high} tokens. grpo: "
        f"{first.prompts} prompts, {first.answers} answers each, one optimiser step; ppo: "
        f"{second.prompts} prompts, an answer each, two epochs of two batches; every answer has "
        f"{first.tokens} tokens. Medians of {first.steps} step(s) and of "
        f"{len(results[first]['nshot'])} process(es) each, in turn."
    )
    return "\n".join([*lines, "", how])


def main() -> None:
    """Measure what is not there yet, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="timed in each process")
    parser.add_argument(
        "--layers", type=int, default=WHOLE, help="of the model's 30, from the first"
    )
    parser.add_argument("--tokens", type=int, default=24, help="of every answer")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where what was measured is kept")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    parser.add_argument("--count", type=int, default=3, help="how many of the three are measured")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(machine.threads())
    if given.one:
        warnings.simplefilter("ignore")
        side, work = json.loads(given.one)
        print(MARK + json.dumps(asdict(SIDES[side](Work(**work)))))
        return
    every = works(given.tokens, given.steps, given.layers)[: given.count]
    results = measure(every, given.repeats, given.runs.resolve())
    text = table(results)
    print(text)
    if given.write:
        write("rollouts.py", text)


if __name__ == "__main__":
    main()
