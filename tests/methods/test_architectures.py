"""Which method works on which architecture, and on which of its matrices: tried, and written down.

``NSHOT_WRITE_DOCS=1 pytest tests/methods/test_architectures.py`` writes docs/architectures.md anew.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lent import Lent
from taught import SHOTS, TASK, put_on, quick, trained
from test_lora import brief

from architectures import OPTIONS, tiny_architecture
from families import FAMILIES, tiny_family
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, ModelRef, Shots, Task
from nshot.methods.peft.bottleneck import BottleneckAdapters
from nshot.methods.peft.ia3 import IA3
from nshot.methods.peft.lora import LoRA
from nshot.methods.trained import Trained
from nshot.models.base import Lent as LentModel
from nshot.models.hf.hf_engine import HFModels

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"
NAMES = dict(zip(FAMILIES, ("Llama", "Qwen3", "Gemma 3", "GPT-2", "Mistral"), strict=True))
WINDOW = 64
"""Tokens that sliding attention looks back: fewer than a prefix and a row."""
WRITING = Task("names", "generate", answer_name="Answer")
ROWS = Shots(
    tuple(
        Example(f"g{i}", Input((("text", f"say {word}"),)), (f"the {word}",))
        for i, word in enumerate(["card", "film", "late", "warm"])
    )
)
HEAD = """\
# Methods and architectures

Made by `tests/methods/test_architectures.py`, which adapts every method that trains a language
model on a tiny random model of each family, asks what it made, and fails when this page says
something else. Write it anew with:

```
NSHOT_WRITE_DOCS=1 pytest tests/methods/test_architectures.py
```

"yes" means: it trained for a few steps, its loss on its rows fell, the base was as before
afterwards, and the trained model answered. It says nothing of scores with real weights. Where a
pair does not work, the number leads to the sentence that stands on the board in its place. Other
families may work: a method refuses a model in which it does not find what it trains.

"""
BEGIN, END = "<!-- which matrices -->\n", "<!-- end of which matrices -->\n"
MATRICES = """\
## Which matrices

Every architecture in PEFT's tables for LoRA and IA3 of which transformers has a causal language
model, on a tiny random model: the matrices that `lora` stands beside with `targets=attention`,
those that `ia3` scales and those behind which the networks of `bottleneck` stand, as they were
trained there, with the loss falling and a gradient for each. `lora` with
`targets=all-linear` (the default) stands beside every linear layer of the language model but its
head; not beside attention to an encoder that is not there (BART), routers of experts (Llama 4), and
the last matrix of a Mamba (Nemotron-H). Experts that are one tensor get one beside each in Mixtral,
and none in Llama 4.

`ia3` scales what makes keys and values at its output, and what ends the feed-forward layer at its
input (Liu et al. 2022, section 3.3). PEFT's own table takes queries for keys in ten families and
misses OPT's values; in BERT's kin its `output.dense` is the end of the attention too, here it is
that of the feed-forward layer alone. Where one matrix makes queries, keys and values, all of its
output is scaled. For `targets=attention`, PEFT's
table adds Phi's feed-forward layer and Nemotron-H's keys and output: here they are queries and
values (Hu et al. 2021, section 4.2).

"""


def outcome(name: str, models: HFModels, base: ModelRef, folder: Path) -> str:
    """``yes``, or the reason that `why_not` or the method itself gives."""
    method = quick(name, epochs=4)
    kind = models.open(base).facts.architecture
    writes = "generate" in method.kinds
    others = tuple(replace(row, id=f"other {row.id}", group="other") for row in SHOTS.labelled)
    task, shots = (WRITING, ROWS) if writes else (TASK, replace(SHOTS, background=others))
    if reason := method.why_not(known(kind, task)):
        return reason
    before = models.fingerprint(base)
    bench = Lent(models, base, folder)
    try:
        predictor = method.adapt(task, shots, bench)
    except CannotAdapt as error:
        return str(error)
    assert len(predictor.predict([row.input for row in shots.labelled])) == len(shots.labelled)
    assert bench.parameters > 0
    assert models.fingerprint(base) == before
    return "yes"


def known(architecture: str, task: Task):
    abilities = frozenset({"score", "generate", "hidden", "logits", "train"})
    return replace(brief(), task=task, architecture=architecture, abilities=abilities, context=256,
                   background=12)  # fmt: skip


def page(outcomes: dict[tuple[str, str], str], methods: list[str]) -> str:
    """The page of these outcomes, by method and family."""
    cells = [outcomes[name, family] for name in methods for family in FAMILIES]
    reasons = list(dict.fromkeys(cell for cell in cells if cell != "yes"))
    lines = [
        f"| method | {' | '.join(NAMES.values())} |",
        f"|---|{'---|' * len(FAMILIES)}",
    ]
    for name in methods:
        cells = [outcomes[name, family] for family in FAMILIES]
        cells = ["yes" if cell == "yes" else f"no ({reasons.index(cell) + 1})" for cell in cells]
        lines.append(f"| [{name}](methods/{name}.md) | {' | '.join(cells)} |")
    notes = [f"{i}. {reason}." for i, reason in enumerate(reasons, 1)]
    return HEAD + "\n".join(lines) + "\n" + ("\n" + "\n".join(notes) + "\n" if notes else "")


def pefts_table(method: str) -> dict[str, Any]:
    from peft.utils import constants

    return dict(getattr(constants, f"TRANSFORMERS_MODELS_TO_{method}_TARGET_MODULES_MAPPING"))


def adapted(method: Trained, kind: str) -> tuple[Any, list[str]]:
    """The model with its adapter on, and the names of its matrices that have it, less numbers."""
    base = tiny_architecture(kind)
    module = put_on(method, LentModel(ModelRef("hf", kind), base, None, "cpu"))
    kinds = (".lora_A.", ".ia3_l.", ".bottleneck.down.")
    names = [n for n, _ in module.named_parameters() if any(word in n for word in kinds)]
    names = [
        re.split(r"\.(?:lora_A|ia3_l|bottleneck)\.", n.removeprefix("base_model.model."))[0]
        for n in names
    ]
    return module, list(dict.fromkeys(re.sub(r"\.\d+(?=\.)", "", name) for name in names))


def losses(module: Any, steps: int = 5) -> list[float]:
    """The loss before each step on four rows of random tokens; a gradient reaches all."""
    free = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(free, lr=0.02)
    ids = torch.randint(2, 64, (4, 12), generator=torch.Generator().manual_seed(0))
    out = []
    for _ in range(steps):
        loss = module(input_ids=ids, labels=ids).loss
        loss.backward()
        assert all(p.grad is not None for p in free)
        optimiser.step()
        optimiser.zero_grad()
        out.append(loss.item())
    return out


def cell(names: list[str]) -> str:
    """The ends of the names: which sublayer, which matrix; BERT's have an ``output`` in both."""
    parts = [name.split(".") for name in names]
    ends = [".".join(part[-3 if part[-2] == "output" else -2 :]) for part in parts]
    return ", ".join(f"`{end}`" for end in ends)


def check_vectors(module: Any) -> None:
    """Keys and values are scaled at their output, the inner layer at the input of what ends it."""
    layers = {n: part for n, part in module.named_modules() if hasattr(part, "ia3_l")}
    inner = [part for part in layers.values() if part.is_feedforward]
    config = module.config.get_text_config()
    width = config.hidden_size
    assert inner
    assert all(part.out_features == width and part.in_features > width for part in inner)
    for name, part in layers.items():
        vector = part.ia3_l["default"]
        expected = (1, part.in_features) if part.is_feedforward else (part.out_features, 1)
        assert tuple(vector.shape) == expected
        if name.endswith((".k_proj", ".v_proj")):  # narrower than queries, where heads share them
            heads = getattr(config, "num_key_value_heads", None) or 4
            assert part.out_features == width // 4 * heads


def row(kind: str) -> str:
    """A line of the page: what each method adapts of this family, with the loss going down."""
    cells = []
    for method in (LoRA(targets="attention"), IA3(), BottleneckAdapters()):
        try:
            module, names = adapted(method, kind)
        except CannotAdapt as error:
            cells.append(f"no: {error}")
            continue
        trace = losses(module)
        assert trace[-1] < trace[0] - 0.05, (kind, method.name, trace)
        if isinstance(method, IA3):
            check_vectors(module)
        cells.append(cell(names))
    theirs = pefts_table("IA3").get(kind)
    listed = ", ".join(f"`{name}`" for name in theirs) if theirs else "none"
    return f"| {kind} | {' | '.join(cells)} | {listed} |"


def section(lines: list[str]) -> str:
    """The second half of the page."""
    head = "| family | `lora`, `targets=attention` | `ia3` | `bottleneck` | PEFT's table for IA3 |"
    return BEGIN + MATRICES + "\n".join([head, "|---|---|---|---|---|", *lines]) + "\n" + END


def kept(part: str, made: str) -> None:
    """Compare a half of the page, or write it anew."""
    before = PAGE.read_text(encoding="utf-8")
    first, _, second = before.partition(BEGIN)
    if os.environ.get("NSHOT_WRITE_DOCS"):
        whole = made + BEGIN + second if part == "methods" else first + made
        PAGE.write_text(whole, encoding="utf-8")
        return
    assert made == (first if part == "methods" else BEGIN + second), "NSHOT_WRITE_DOCS=1 writes it"


def test_every_family_of_pefts_tables_is_tried():
    """All of which transformers has a causal language model; the others, by name."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    families = pefts_table("LORA").keys() | pefts_table("IA3").keys()
    assert families & MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys() == OPTIONS.keys()
    assert families - OPTIONS.keys() == {
        "RefinedWeb", "RefinedWebModel", "btlm", "chatglm", "rwkv7",  # code of their own on the Hub
        "blip-2", "deberta", "deberta-v2", "layoutlm", "mt5", "t5",  # write no text of their own
    }  # fmt: skip


def test_the_page_says_which_matrices():
    kept("matrices", section([row(kind) for kind in OPTIONS]))


@pytest.mark.parametrize("kind", [kind for kind in OPTIONS if kind != "rwkv"])
def test_all_linear_is_every_linear_layer_of_the_blocks(kind):
    """Of those that read the text, through the module: each learns, and nothing else is adapted."""
    module, names = adapted(LoRA(), kind)
    trace = losses(module)
    assert trace[-1] < trace[0] - 0.5
    linear = {
        re.sub(r"\.\d+(?=\.)", "", name)
        for name, part in tiny_architecture(kind).named_modules()
        if type(part).__name__.endswith(("Linear", "Conv1D")) and "head" not in name.split(".")[-1]
    }
    out = {
        "bart": {n for n in linear if "encoder_attn" in n},
        "nemotron_h": {"model.layers.mixer.out_proj"},
    }
    head = {"cls.predictions.decoder", "lm_head.decoder"}
    experts = {"model.layers.mlp.gate", "model.layers.mlp.experts"} if kind == "mixtral" else set()
    names = [name.removesuffix(".base_layer") for name in names]
    assert set(names) == linear - out.get(kind, set()) - head | experts


def test_transformers_itself_cannot_train_rwkv_here():
    """Why the loss of `all-linear` is not looked at: its loop over tokens writes in place."""
    module = tiny_architecture("rwkv")
    with pytest.raises(RuntimeError, match="inplace operation"):
        losses(module)
    _, names = adapted(LoRA(), "rwkv")
    assert "rwkv.blocks.attention.receptance" in names


@pytest.mark.full
def test_the_page_says_what_happens(tmp_path):
    methods = trained(["peft", "finetune", "compress"])
    outcomes = {}
    for family in FAMILIES:
        base = ModelRef("hf", str(tiny_family(tmp_path / family, family, WINDOW)))
        models = HFModels()
        for name in methods:
            outcomes[name, family] = outcome(name, models, base, tmp_path / family / name)
    kept("methods", page(outcomes, methods) + "\n")
    assert all(outcomes[name, "llama"] == "yes" for name in methods)
