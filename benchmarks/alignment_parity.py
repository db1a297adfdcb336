"""The losses of dpo, reward, grpo and ppo against TRL's: equal to 1e-5, and so are the gradients.

    .bench/venv/bin/python benchmarks/alignment_parity.py [--write]

TRL's own trainers make the batch and compute the loss; nshot is given the same token ids, the same
weights and the same rewards. The model is a random Llama of two layers with a LoRA adapter that is
no longer at its start. DPO, the reward model and GRPO are TRL 1.16's. PPO is TRL 1.12.0's, the last
with a PPOTrainer, whose loss stands within its `train`: it takes six steps there, and as many here.
It has a folder of its own, and so a process of its own: `benchmarks/peers.py` says why.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

import peers
from nshot.core.types import ModelRef
from nshot.methods.align.dpo import DPO
from nshot.methods.align.grpo import GRPO
from nshot.methods.align.ppo import PPO
from nshot.methods.align.reward import Reward
from nshot.models import open_models
from nshot.nets.reward_head import RewardLogits
from nshot.training.data.answers import supervised
from nshot.training.data.rankings import Comparison, Ranking, Rankings, answer_logprobs
from nshot.training.forward import Reader, reader
from nshot.training.rollouts import Likelihoods, Rollout, logprobs
from nshot.training.rounds import Answers, Learner, evaluating
from nshot.training.rows import Row
from table import line, write

GOAL = 1e-5
PAIRS = [
    ("w9 w11 w40 w12 w9", " w30 w31 w32", " w33"),
    ("w7 w8", " w20 w21 w22 w23 w24 w25", " w20 w21 w26 w27"),
    ("w50 w51 w52 w53 w54 w55 w56", " w10", " w11 w12 w13 w14 w15"),
]
"""Prompts, each with a better and a worse answer."""
PPO_MARK = "ppo:"
"""Before what the process of PPO prints of its result."""


@dataclass(frozen=True)
class Difference:
    """A loss by both, and the largest difference of its gradient's entries; of weights, for PPO."""

    name: str
    setting: str
    theirs: float
    ours: float
    gradient: float

    @property
    def largest(self) -> float:
        """Of the loss and of its gradient."""
        return max(abs(self.theirs - self.ours), self.gradient)


@contextmanager
def both() -> Iterator[SimpleNamespace]:
    """The folder of the tiny model; what nshot lends of it, with an adapter called `policy`."""
    with tempfile.TemporaryDirectory() as folder:
        path = tiny_model(Path(folder) / "model")
        with open_models().lend(ModelRef("hf", str(path))) as lent:
            module = lent.add("policy", adapter(), 0)
            shaken(module)
            yield SimpleNamespace(path=path, scratch=Path(folder) / "out", lent=lent, module=module)


def tiny_model(folder: Path) -> Path:
    """A random Llama that knows 62 words, the padding and the end."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {"<pad>": 0, "<end>": 1} | {f"w{i}": i for i in range(2, 64)}
    core = Tokenizer(models.WordLevel(words, unk_token="<end>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="<end>", model_max_length=128
    ).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
        initializer_range=0.2, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def adapter(**more: Any) -> Any:
    """LoRA on every linear layer, the same for both."""
    from peft import LoraConfig

    return LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", bias="none", **more)


def shaken(module: nn.Module, by: float = 0.05, seed: int = 0) -> None:
    """Move the adapter: another policy than its reference, and than the one before."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            if "lora_" in name:
                p += torch.empty_like(p).normal_(0, by, generator=generator)


def learning(module: nn.Module) -> dict[str, nn.Parameter]:
    """LoRA's parameters by names that do not say what the adapter is called."""
    return {
        name.split("layers.")[-1].replace(".policy.", ".").replace(".default.", "."): p
        for name, p in module.named_parameters()
        if "lora_" in name
    }


def give(source: nn.Module, target: nn.Module) -> None:
    """Copy the adapter of one to the other."""
    mine = learning(source)
    with torch.no_grad():
        for name, p in learning(target).items():
            p.copy_(mine[name])


def apart(one: nn.Module, other: nn.Module, gradients: bool = True) -> float:
    """The largest difference between the adapters' gradients, or between the adapters."""
    mine, theirs = learning(one), learning(other)
    if mine.keys() != theirs.keys() or not mine:
        raise RuntimeError("the two adapters are not of the same matrices")
    pairs = [(p.grad, theirs[n].grad) if gradients else (p, theirs[n]) for n, p in mine.items()]
    return max(float((a - b).abs().max()) for a, b in pairs if a is not None and b is not None)


def measured(name: str, setting: str, here: SimpleNamespace, theirs: Tensor, model: Any,
             objective: Any, rows: Sequence[Any]) -> Difference:  # fmt: skip
    """Both losses differentiated: theirs is there, ours is the objective's of the rows."""
    here.peer.zero_grad()
    here.module.zero_grad()
    theirs.backward()
    ours = objective.total(model, rows) / objective.weight(rows)
    ours.backward()
    apart_by = apart(here.module, here.peer)
    return Difference(name, setting, theirs.item(), ours.item(), apart_by)


def quietly(folder: Path) -> dict[str, Any]:
    """What every one of TRL's trainers is told: this machine, full precision, nothing kept."""
    return {
        "output_dir": str(folder), "use_cpu": True, "bf16": False, "gradient_checkpointing": False,
        "report_to": "none", "save_strategy": "no", "logging_strategy": "no",
        "disable_tqdm": True, "seed": 0, "per_device_train_batch_size": len(PAIRS),
    }  # fmt: skip


def causal(path: Path) -> Any:
    """The tiny model, for a peer."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)


# -------------------------------------------------------------------------------- preferences


def rows_of(batch: dict[str, Tensor]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(prompt, answer) of each row of a batch that TRL padded on the right."""
    made = []
    for tokens, seen, answer in zip(
        batch["input_ids"], batch["attention_mask"], batch["completion_mask"], strict=True
    ):
        length, written = int(seen.sum()), int(answer.sum())
        whole = tuple(tokens[:length].tolist())
        made.append((whole[: length - written], whole[length - written :]))
    return made


def dpo(setting: str, method: DPO, one_by_one: bool = False, **theirs: Any) -> Difference:
    """The DPO loss of pairs; `one_by_one` is for a loss of TRL that sorts the pairs of a batch."""
    package = peers.trl_alignment()
    with both() as here:
        rows = [dict(zip(("prompt", "chosen", "rejected"), pair, strict=True)) for pair in PAIRS]
        trainer = package.DPOTrainer(
            model=causal(here.path),
            args=package.DPOConfig(beta=method.beta, **quietly(here.scratch), **theirs),
            train_dataset=package.Dataset.from_list(rows),
            processing_class=here.lent.tokenizer,
            peft_config=adapter(task_type="CAUSAL_LM"),
        )
        here.peer = trainer.model
        give(here.module, here.peer)
        batch = next(iter(trainer.get_train_dataloader()))
        parts = [slice(None)]
        if one_by_one:
            parts = [slice(i, None, len(PAIRS)) for i in range(len(PAIRS))]
        losses = [
            trainer.compute_loss(here.peer, {k: v[part] for k, v in batch.items()})
            for part in parts
        ]
        answers = rows_of(batch)
        pairs = zip(answers[: len(PAIRS)], answers[len(PAIRS) :], strict=True)
        every = [
            Ranking(
                str(i),
                tuple(supervised(f"{i}/{k}", *one) for k, one in enumerate(pair)),
                (Comparison(0, 1),),
            )
            for i, pair in enumerate(pairs)
        ]
        model = Rankings(reads(here, [row for one in every for row in one.rows]))
        with torch.no_grad(), here.lent.use():
            known = [answer_logprobs(model.logits([one])[0], one).tolist() for one in every]
        ranked = [
            Ranking(one.id, one.rows, one.comparisons, tuple(reference))
            for one, reference in zip(every, known, strict=True)
        ]
        loss = torch.stack(losses).mean()
        return measured("dpo", setting, here, loss, model, method.objective(), ranked)


def reads(here: SimpleNamespace, rows: Sequence[Row]) -> Reader:
    """The product's own way to read these rows."""
    return reader(here.module, rows, None, "cpu")


def reward(margin: float) -> Difference:
    """The pair loss of a reward model, with the margins of a column or without."""
    from transformers import AutoModelForSequenceClassification

    package = peers.trl_alignment()
    method = Reward(margin=margin)
    grades = [0.5, 1.0, 2.0]
    with both() as here:
        module = RewardLogits(here.module)
        nn.init.normal_(module.head.weight, 0, 0.2, torch.Generator().manual_seed(1))
        rows = [
            {"chosen": prompt + better, "rejected": prompt + worse}
            | ({"margin": margin * grade} if margin else {})
            for (prompt, better, worse), grade in zip(PAIRS, grades, strict=True)
        ]
        trainer = package.RewardTrainer(
            model=AutoModelForSequenceClassification.from_pretrained(
                here.path, num_labels=1, dtype=torch.float32
            ),
            args=package.RewardConfig(**quietly(here.scratch)),
            train_dataset=package.Dataset.from_list(rows),
            processing_class=here.lent.tokenizer,
            peft_config=adapter(task_type="SEQ_CLS", modules_to_save=["score"]),
        )
        here.peer = trainer.model
        give(here.module, here.peer)
        (score,) = (p for n, p in here.peer.named_parameters() if "score.modules_to_save" in n)
        with torch.no_grad():
            score.copy_(module.head.weight)
        batch = next(iter(trainer.get_train_dataloader()))
        order = batch["margin"].tolist() if margin else [0.0] * len(PAIRS)
        loss = trainer.compute_loss(here.peer, dict(batch))
        answers = [
            tuple(tokens[: int(seen.sum())].tolist())
            for tokens, seen in zip(batch["input_ids"], batch["attention_mask"], strict=True)
        ]
        ends = [Row(str(i), a, (len(a) - 1,), (0,)) for i, a in enumerate(answers)]
        ranked = [
            Ranking(
                str(i),
                (ends[i], ends[len(PAIRS) + i]),
                (Comparison(0, 1, difference=wanted / (margin or 1)),),
            )
            for i, wanted in enumerate(order)
        ]
        model = Rankings(reader(module, ends, None, "cpu"))
        made = measured(
            "reward", f"margin {margin:g}", here, loss, model, method.objective(), ranked
        )
        head = float((module.head.weight.grad - score.grad).abs().max())
        return replace(made, gradient=max(made.gradient, head))


# ------------------------------------------------------------------------------- exploration


def grpo(setting: str, method: GRPO, **theirs: Any) -> Difference:
    """The loss of answers that TRL sampled, at a policy that has moved since.

    TRL weighs the divergence by the ratio of probabilities unless it is told not to; the paper's
    equation 3 does not.
    """
    package = peers.trl_alignment()
    prompts, group = [pair[0] for pair in PAIRS], method.answers

    def worth(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        return [float(sum(tokens) % 7) for tokens in completion_ids]

    with both() as here:
        given = quietly(here.scratch) | {"per_device_train_batch_size": group * len(prompts)}
        trainer = package.GRPOTrainer(
            model=causal(here.path),
            reward_funcs=worth,
            args=package.GRPOConfig(
                beta=method.kl, epsilon=method.clip, temperature=method.temperature,
                num_generations=group, num_iterations=2, max_completion_length=24,
                use_bias_correction_kl=False,
                **theirs, **given,
            ),
            train_dataset=package.Dataset.from_list([{"prompt": one} for one in prompts]),
            processing_class=here.lent.tokenizer,
            peft_config=adapter(task_type="CAUSAL_LM"),
        )  # fmt: skip
        here.peer = trainer.model.train()
        give(here.module, here.peer)
        trainer.current_gradient_accumulation_steps = 1
        asked = [{"prompt": one} for one in prompts for _ in range(group)]
        batch = trainer._generate_and_score_completions(asked)
        written = sampled(batch)
        if not any(one[1][-1] == 1 for one in written):
            raise RuntimeError("no answer has ended: the case says nothing of ends")
        answers = as_answers(here, written, worth([one[1] for one in written]), group, method)
        rows = method.rows(Learner(here.module, 1, 0.0), None, answers)
        advantages = torch.tensor([row.advantage for row in rows])
        torch.testing.assert_close(advantages, batch["advantages"], rtol=GOAL, atol=GOAL)
        shaken(here.module, seed=1)
        give(here.module, here.peer)
        loss = trainer.compute_loss(here.peer, batch)
        model = method.model(Learner(here.module, 1, 0.0), reads(here, [r.row for r in rows]))
        return measured("grpo", setting, here, loss, model, method.objective(), rows)


def sampled(batch: dict[str, Tensor]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(prompt, answer) of rows whose prompts TRL padded on the left, the answers on the right."""
    names = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
    return [
        (tuple(prompt[before.bool()].tolist()), tuple(answer[after.bool()].tolist()))
        for prompt, before, answer, after in zip(*(batch[name] for name in names), strict=True)
    ]


def as_answers(
    here: SimpleNamespace,
    written: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    rewards: Sequence[float],
    group: int,
    method: Any,
) -> Answers:
    """What the peer sampled, as a round of nshot's would hold it."""
    rows = [supervised(str(i), *one) for i, one in enumerate(written)]
    model = Likelihoods(reads(here, rows), method.temperature)
    with evaluating(here.module):
        old = logprobs(model, rows)
        with here.lent.use():
            reference = logprobs(model, rows)
    texts = [
        Rollout(i // group, row, tuple(own.tolist()), "", True, states(here.module, row))
        for i, (row, own) in enumerate(zip(rows, old, strict=True))
    ]
    return Answers(texts, rewards, reference)


@torch.no_grad()
def states(module: Any, row: Row) -> Tensor:
    """What the head reads at the points of a row, by an ordinary pass."""
    out = module(input_ids=torch.tensor([row.tokens]), output_hidden_states=True)
    read: Tensor = out.hidden_states[-1][0, list(row.points)]
    return read


def ppo() -> Difference:
    """Six steps of PPOTrainer, three times over four answers in two batches, and six of nshot's.

    The critic of both is a linear head on the policy's own state, which it does not shape: TRL
    takes it for a value model whose body is the policy's. Both are optimised by gradient descent
    without moments, so that equal gradients stay equal weights. Answers have all the same length:
    TRL gives the score of one that ends earlier to the position after its end.
    """
    import numpy as np
    from peft import get_peft_model
    from transformers import AutoModelForSequenceClassification

    package = peers.trl_ppo()
    method = PPO(kl=0.2, discount=0.9, decay=0.8, temperature=0.7, clip=0.1, value_clip=0.1,
                 epochs=3, batches=2, prompts=4)  # fmt: skip
    rate, count = 0.05, method.prompts
    with both() as here:
        inner = method.inner(here.module)
        nn.init.normal_(inner.value.weight, generator=torch.Generator().manual_seed(1))
        peer = get_peft_model(causal(here.path), adapter(task_type="CAUSAL_LM"))
        give(here.module, peer)
        critic = Critic(peer.get_base_model().model, inner.value)
        trained = [*learning(peer).values(), *critic.score.parameters()]
        optimiser = torch.optim.SGD(trained, lr=rate)
        prompts = [{"input_ids": here.lent.tokenizer(pair[0])["input_ids"]} for pair in PAIRS]
        tokenizer = here.lent.tokenizer
        tokenizer.padding_side = "left"
        trainer = package.PPOTrainer(
            args=package.PPOConfig(
                **quietly(here.scratch) | {"per_device_train_batch_size": count},
                total_episodes=count, num_mini_batches=method.batches, num_ppo_epochs=method.epochs,
                kl_coef=method.kl, cliprange=method.clip, cliprange_value=method.value_clip,
                vf_coef=method.value_share, gamma=method.discount, lam=method.decay,
                temperature=method.temperature, response_length=6, num_sample_generations=0,
            ),
            processing_class=tokenizer,
            model=peer,
            ref_model=None,
            reward_model=AutoModelForSequenceClassification.from_pretrained(
                here.path, num_labels=1, dtype=torch.float32
            ),
            value_model=critic,
            train_dataset=package.Dataset.from_list([*prompts, prompts[0]]),
            optimizers=(optimiser, torch.optim.lr_scheduler.ConstantLR(optimiser, 1.0)),
        )  # fmt: skip
        seen = watched(package.module, trainer)
        np.random.seed(0)
        trainer.train()
        written = [split_left(row, 6) for row in seen.written]
        answers = as_answers(here, written, seen.scores, 1, method)
        learner = Learner(inner, 1, method.kl)
        model = method.model(learner, reads(here, [one.row for one in answers.rollouts]))
        rows = method.rows(learner, model, answers)
        places = {whole: i for i, whole in enumerate(map(tuple, seen.written))}
        objective = method.objective()
        mine = torch.optim.SGD([*learning(here.module).values(), *inner.value.parameters()], rate)
        losses = []
        for batch in seen.batches:
            some = [rows[places[tuple(whole)]] for whole in batch]
            mine.zero_grad()
            loss = objective.total(model, some) / objective.weight(some)
            loss.backward()
            mine.step()
            losses.append(loss.item())
        weights = max(
            apart(here.module, peer, gradients=False),
            *(float((a - b).abs().max()) for a, b in
              zip(inner.value.parameters(), critic.score.parameters(), strict=True)),
        )  # fmt: skip
        worst = max(zip(seen.losses, losses, strict=True), key=lambda pair: abs(pair[0] - pair[1]))
        moved = max(abs(loss - losses[0]) for loss in losses)
        setting = f"{len(losses)} steps, the losses {moved:.2f} apart"
        return Difference("ppo", setting, *worst, weights)


def watched(module: Any, trainer: Any) -> SimpleNamespace:
    """What TRL's training samples, scores, learns from and loses: filled as it goes by."""
    seen = SimpleNamespace(written=[], scores=[], batches=[], losses=[])
    generation, score, forward = module.batch_generation, module.get_reward, module.forward
    backward = trainer.accelerator.backward

    def batch_generation(*given: Any) -> Any:
        made = generation(*given)
        seen.written += made[0].tolist()
        return made

    def get_reward(model: Any, *given: Any) -> Any:
        made = score(model, *given)
        if model is trainer.reward_model:
            seen.scores += made[1].tolist()
        return made

    def read(model: Any, rows: Tensor, padding: int) -> Any:
        if torch.is_grad_enabled():
            seen.batches.append(rows.tolist())
        return forward(model, rows, padding)

    def learned(loss: Tensor) -> None:
        seen.losses.append(loss.item())
        backward(loss)

    module.batch_generation, module.get_reward, module.forward = batch_generation, get_reward, read
    trainer.accelerator.backward = learned
    return seen


class Critic(nn.Module):
    """A value model on a body that it does not shape."""

    base_model_prefix = "model"

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.model = body
        self.score = Reading(head.in_features, 1)
        self.score.load_state_dict(head.state_dict())


class Reading(nn.Linear):
    """Reads states without a gradient into them."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.detach())


def split_left(row: Sequence[int], answer: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(prompt, answer) of a row whose prompt is padded on the left."""
    if 0 in row[-answer:]:
        raise RuntimeError("the padding was sampled, which TRL does not read: take another seed")
    return tuple(t for t in row[:-answer] if t), tuple(row[-answer:])


# --------------------------------------------------------------------------------------- all


def other_process() -> Difference:
    """PPO's case, where the other version of TRL is."""
    done = subprocess.run(
        [sys.executable, __file__, "--ppo"], check=True, capture_output=True, text=True
    )
    (found,) = (text for text in done.stdout.splitlines() if text.startswith(PPO_MARK))
    return Difference(**json.loads(found.removeprefix(PPO_MARK)))


def differences() -> list[Difference]:
    """All cases."""
    return [
        dpo("beta 0.3", DPO(beta=0.3), loss_type=["sigmoid"]),
        dpo(
            "conservative: a tenth of the labels wrong",
            DPO(beta=0.3, label_smoothing=0.1),
            one_by_one=True,
            loss_type=["aot"],
            label_smoothing=0.1,
        ),
        dpo("per token, beta 3", DPO(beta=3.0, per_token=True), loss_type=["sigmoid_norm"]),
        reward(0.0),
        reward(0.5),
        grpo("kl 0.04", GRPO(answers=4, temperature=0.7), loss_type="grpo"),
        grpo(
            "not divided by the standard deviation",
            GRPO(answers=4, kl=0.3, scaled=False),
            loss_type="grpo",
            scale_rewards="none",
        ),
        grpo("mean over tokens", GRPO(answers=4, kl=0.1, average="tokens"), loss_type="bnpo"),
        other_process(),
    ]


def table(every: Sequence[Difference]) -> str:
    """A line a case."""
    lines = [
        line("loss", "setting", "TRL", "nshot", "difference", "of a gradient", ""),
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for one in every:
        peer = "1.12.0" if one.name == "ppo" else "1.16"
        lines.append(
            line(
                f"{one.name} (TRL {peer})", one.setting, f"{one.theirs:.6f}", f"{one.ours:.6f}",
                f"{abs(one.theirs - one.ours):.1e}", f"{one.gradient:.1e}",
                "holds" if one.largest <= GOAL else "**differs**",
            )
        )  # fmt: skip
    return "\n".join(lines)


def quiet() -> None:
    """No bars, no lists of weights that are new as they are to be, and no warnings of a peer."""
    warnings.simplefilter("ignore")
    from datasets.utils.logging import disable_progress_bar
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    disable_progress_bar()


def main() -> None:
    """Print the table; a difference over the goal ends in an error."""
    parser = argparse.ArgumentParser(description="Losses of alignment against TRL's.")
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    parser.add_argument("--ppo", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    quiet()
    if given.ppo:
        print(PPO_MARK + json.dumps(asdict(ppo())))
        return
    every = differences()
    print(table(every))
    if given.write:
        write("alignment_parity.py", table(every))
    if far := [one for one in every if not one.largest <= GOAL]:
        raise SystemExit(f"further than {GOAL:g} from TRL: {', '.join(one.name for one in far)}")


if __name__ == "__main__":
    main()
