"""Which method works on which architecture: tried, and written down in docs/architectures.md.

``NSHOT_WRITE_DOCS=1 pytest tests/methods/test_architectures.py`` writes the page anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lent import Lent
from taught import SHOTS, TASK, quick, trained
from test_lora import brief

from families import FAMILIES, tiny_family
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, ModelRef, Shots, Task
from nshot.models.hf.models import HFModels

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


def outcome(name: str, models: HFModels, base: ModelRef, folder: Path) -> str:
    """``yes``, or the reason that `why_not` or the method itself gives."""
    method = quick(name, epochs=4)
    kind = models.open(base).facts.architecture
    writes = "generate" in method.kinds
    task, shots = (WRITING, ROWS) if writes else (TASK, SHOTS)
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
    return replace(brief(), task=task, architecture=architecture, abilities=abilities, context=256)


def page(found: dict[tuple[str, str], str], methods: list[str]) -> str:
    """The page of these outcomes, by method and family."""
    told = [found[name, family] for name in methods for family in FAMILIES]
    reasons = list(dict.fromkeys(said for said in told if said != "yes"))
    lines = [
        f"| method | {' | '.join(NAMES.values())} |",
        f"|---|{'---|' * len(FAMILIES)}",
    ]
    for name in methods:
        cells = [found[name, family] for family in FAMILIES]
        cells = ["yes" if cell == "yes" else f"no ({reasons.index(cell) + 1})" for cell in cells]
        lines.append(f"| [{name}](methods/{name}.md) | {' | '.join(cells)} |")
    notes = [f"{i}. {reason}." for i, reason in enumerate(reasons, 1)]
    return HEAD + "\n".join(lines) + "\n" + ("\n" + "\n".join(notes) + "\n" if notes else "")


def test_the_page_says_what_happens(tmp_path):
    methods = trained(["peft", "finetune"])
    found = {}
    for family in FAMILIES:
        base = ModelRef("hf", str(tiny_family(tmp_path / family, family, WINDOW)))
        models = HFModels()
        for name in methods:
            found[name, family] = outcome(name, models, base, tmp_path / family / name)
    made = page(found, methods)
    if os.environ.get("NSHOT_WRITE_DOCS"):
        PAGE.write_text(made, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == made, "NSHOT_WRITE_DOCS=1 writes it anew"
    assert all(found[name, "llama"] == "yes" for name in methods)
