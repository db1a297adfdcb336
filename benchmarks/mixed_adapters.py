"""Rows of sixteen folders in one batch: against one adapter on the same rows, and against PEFT.

    python benchmarks/mixed_adapters.py [--rows 64] [--repeats 5] [--write]

In one process, in turn, on one model: every row under the same LoRA folder; each row under one of
sixteen LoRA folders; under one of sixteen of five kinds; the sixteen folder by folder, as before
rows shared a pass; and PEFT's own way, ``adapter_names``, given what it needs and no more: the
prompts once, padded on the left, one position's logits, for both labels are one token. The adapters
are random: what they answer does not matter here, what it takes does not depend on it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adapters import RANK, TASK
from nshot.core import machine
from nshot.core.types import Delta, Input, ModelRef, Prediction
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.catalog import resolve
from nshot.predictors.prompted import Prompted
from nshot.predictors.scores import log_softmax
from nshot.use.many import Many, load
from table import line, write

FOLDERS = 16
KINDS = ("lora", "ia3", "prefix", "prompt", "bottleneck")
LENGTH = 16
"""Positions of a soft prompt."""
PEFT_BATCH = 32
GOAL = 1.5
FIRST = ("a warm film", "two dull hours", "it looks lovely", "a thin plot", "the last scene",
         "a fine cast", "no new idea", "a good joke")  # fmt: skip
SECOND = ("and nothing else", "that I would see again", "with a cast that enjoys itself",
          "and far too long", "for a rainy evening", "but it is worth the ticket",
          "which the book did better", "as so often")  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """What a way to answer took, in seconds, and what it answered."""

    seconds: tuple[float, ...]
    answers: Sequence[Prediction]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def made(models: Models, kind: str, place: Path, seed: int) -> Path:
    """A folder that answers under a random adapter of a kind."""
    import peft

    from nshot.nets.bottleneck import Form, install, save

    base = resolve(None, "lm")
    of: Mapping[str, Callable[[], Any]] = {
        "lora": lambda: peft.LoraConfig(r=RANK, target_modules=["q_proj", "v_proj"]),
        "ia3": lambda: peft.IA3Config(
            target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
        ),
        "prefix": lambda: peft.PrefixTuningConfig(num_virtual_tokens=LENGTH),
        "prompt": lambda: peft.PromptTuningConfig(num_virtual_tokens=LENGTH),
    }
    folder = place / f"{kind}-{seed}-adapter"
    torch.manual_seed(seed)
    with models.lend(base) as lent:
        if kind == "bottleneck":
            form = Form("pfeiffer", RANK, False)
            install(lent.module, form)
            shaken(lent.module)
            save(lent.module, form, folder)
        else:
            config = of[kind]()
            config.task_type = "CAUSAL_LM"
            module = peft.get_peft_model(lent.module, config)
            shaken(module)
            module.save_pretrained(folder)
    delta = Delta("bottleneck" if kind == "bottleneck" else "peft", str(folder))
    Prompted(TASK, models, ModelRef(base.engine, base.name, base.revision, deltas=(delta,))).save(
        place / f"{kind}-{seed}"
    )
    return place / f"{kind}-{seed}"


def shaken(module: Any) -> None:
    """A little noise on all that learns."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(0.02 * torch.randn_like(parameter))


class ByPeft:
    """PEFT's model with several LoRA adapters, each row under the one that is named for it."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from nshot.models.catalog import locate

        place = locate(resolve(None, "lm"))
        self._tokenizer = AutoTokenizer.from_pretrained(place)
        base = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
        deltas = {name: folder / "delta-0" for name, folder in folders.items()}
        first = next(iter(deltas))
        self._model = PeftModel.from_pretrained(base, str(deltas[first]), adapter_name=first)
        for name in list(deltas)[1:]:
            self._model.load_adapter(str(deltas[name]), adapter_name=name)
        self._model.eval()

    def predict(self, texts: Sequence[str], under: Sequence[str]) -> list[Prediction]:
        """The label of each text whose one token is the likelier."""
        from nshot.models.hf.tokens import rows
        from nshot.prompts.render import label_answers, render

        prompts = [render(TASK, "plain", Input(fields=(("text", text),))) for text in texts]
        answers = label_answers(TASK, "plain")
        asked = rows(self._tokenizer, prompts, [answers] * len(prompts), 2048)
        if any(len(answer) != 1 for row in asked for answer in row.answers):
            raise SystemExit("a label is more than one token: PEFT would have to read rows twice")
        order = sorted(range(len(asked)), key=lambda i: len(asked[i].context))
        out: dict[int, Prediction] = {}
        for start in range(0, len(order), PEFT_BATCH):
            some = order[start : start + PEFT_BATCH]
            logits = self._logits([asked[i].context for i in some], [under[i] for i in some])
            for i, row in zip(some, logits, strict=True):
                scores = log_softmax(row[[answer[0] for answer in asked[i].answers]])
                label = TASK.label_names[int(scores.argmax())]
                out[i] = Prediction(label, tuple(scores.tolist()))
        return [out[i] for i in range(len(texts))]

    def _logits(self, contexts: Sequence[tuple[int, ...]], names: list[str]) -> Any:
        width = max(map(len, contexts))
        ids = torch.zeros(len(contexts), width, dtype=torch.long)
        mask = torch.zeros(len(contexts), width, dtype=torch.long)
        for i, tokens in enumerate(contexts):
            ids[i, width - len(tokens) :] = torch.tensor(tokens)
            mask[i, width - len(tokens) :] = 1
        with torch.no_grad():
            return self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                logits_to_keep=1,
                use_cache=False,
                adapter_names=names,
            ).logits[:, -1].double().numpy()  # fmt: skip


def furthest(one: Sequence[Prediction], other: Sequence[Prediction]) -> tuple[float, int]:
    """The largest difference of a score, and how many labels are the same."""
    pairs = list(zip(one, other, strict=True))
    apart = max(float(np.abs(np.subtract(a.scores, b.scores)).max()) for a, b in pairs)
    return apart, sum(a.answer == b.answer for a, b in pairs)


def measured(
    ways: Mapping[str, Callable[[], Sequence[Prediction]]], repeats: int
) -> dict[str, Timed]:
    """Each way once to warm up, then all in turn, `repeats` times."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers = {name: way() for name, way in ways.items()}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timed(tuple(seconds[name]), answers[name]) for name in ways}


def table(timed: Mapping[str, Timed], alone: Mapping[str, Sequence[Prediction]]) -> list[str]:
    one = timed["one LoRA folder"].median
    head = ["| the rows under | seconds | of one adapter's time | scores differ by | same labels |",
            "|--|--:|--:|--:|--:|"]  # fmt: skip
    body = []
    for name, this in timed.items():
        ratio = f"{this.median / one:.2f}"
        if name.endswith("one batch"):
            ratio = f"**{ratio}**" if this.median <= GOAL * one else f"{ratio}, missed"
        apart, same = furthest(this.answers, alone[name])
        count = f"{same} of {len(this.answers)}"
        body.append(line(name, f"{this.median:.2f}", ratio, f"{apart:.1g}", count))
    return [*head, *body]


def main() -> None:
    parser = argparse.ArgumentParser(description="Rows of many adapters in one batch.")
    parser.add_argument("--rows", type=int, default=64, help="rows of the batch, at most 64")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    given = parser.parse_args()
    torch.set_num_threads(machine.threads())
    texts = [f"{a}, {b}" for a, b in product(FIRST, SECOND)][:: 64 // given.rows]
    with tempfile.TemporaryDirectory() as name:
        print(report(Path(name), texts, given.repeats, given.write))


def report(place: Path, texts: Sequence[str], repeats: int, to_page: bool) -> str:
    models = open_models()
    lora = {str(i): made(models, "lora", place, i) for i in range(FOLDERS)}
    kinds = {str(i): made(models, KINDS[i % len(KINDS)], place, i) for i in range(FOLDERS)}
    under = [str(i % FOLDERS) for i in range(len(texts))]
    before = machine.resident_bytes()
    many, mixed, one = load(lora, models), load(kinds, models), load(lora["0"], models)
    apart = Many({name: load(folder, models) for name, folder in lora.items()})
    apart_kinds = Many({name: load(folder, models) for name, folder in kinds.items()})
    loading = time.perf_counter()
    many.predict(texts, under)
    loading = time.perf_counter() - loading
    after = machine.resident_bytes()
    peft = ByPeft({f"adapter_{name}": folder for name, folder in lora.items()})
    names = [f"adapter_{name}" for name in under]
    batch, each = f"{FOLDERS} LoRA folders, one batch", f"{FOLDERS} LoRA folders, one by one"
    several = f"{FOLDERS} folders of {len(KINDS)} kinds, one batch"
    ways: dict[str, Callable[[], Sequence[Prediction]]] = {
        "one LoRA folder": lambda: one.predict(texts),
        batch: lambda: many.predict(texts, under),
        several: lambda: mixed.predict(texts, under),
        each: lambda: apart.predict(texts, under),
        f"{FOLDERS} LoRA folders, PEFT's adapter_names": lambda: peft.predict(texts, names),
    }
    timed = measured(ways, repeats)
    by_folder = timed[each].answers
    alone = dict.fromkeys(ways, by_folder) | {
        "one LoRA folder": timed["one LoRA folder"].answers,
        several: apart_kinds.predict(texts, under),
    }
    how = (
        f"SmolLM2-135M-Instruct, {machine.dtype()} on {machine.device()}, {machine.threads()} "
        f"thread(s); {len(texts)} rows of a classify task, LoRA of rank {RANK} on queries and "
        f"values, soft prompts of {LENGTH} positions; medians of {repeats}, in turn in one "
        f"process. Scores and labels are compared with those of each folder by itself. The first "
        f"batch, in which the {FOLDERS} adapters are mounted and taken apart, took {loading:.1f} s "
        f"and {(after - before) / 1e6:,.0f} MB."
    )
    text = "\n".join([*table(timed, alone), "", how])
    if to_page:
        write("mixed_adapters.py", text)
    return text


if __name__ == "__main__":
    main()
