"""A recipe of kinds the house does not have: pairs and a margin between them, by any part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch.nn.functional import logsigmoid

from nshot.core.errors import DidNotLearn
from nshot.core.types import Shots, Task
from nshot.methods.peft.bitfit import BitFit
from nshot.methods.peft.lora import LoRA
from nshot.methods.peft.prompt_tuning import PromptTuning
from nshot.methods.teaching import teach
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.training.data.answers import supervised
from nshot.training.forward import reader
from nshot.training.learned import Fit
from nshot.training.recipe import Data, Lesson, Recipe
from nshot.training.rows import Row, Schedule
from tiny import tiny_llama
from toys import Bench

ASKED = ("a warm film", "a dull film", "my card is late", "a lovely film")


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt, the better one first."""

    id: str
    rows: tuple[Row, Row]

    @property
    def length(self) -> int:
        return sum(row.length for row in self.rows)


@dataclass(frozen=True)
class Pairs(Data[Pair]):
    """Prompts whose first answer is to be the likelier one."""

    prompts: tuple[str, ...]
    answers: tuple[str, str]

    def lesson(self, lent, room):
        def row(name: str, prompt: str, answer: str) -> Row:
            start, whole = (
                tuple(lent.tokenizer(t)["input_ids"]) for t in (prompt, prompt + answer)
            )
            return supervised(name, start, whole[len(start) :])

        return Lesson(
            [
                Pair(str(i), tuple(row(f"{i}/{k}", p, a) for k, a in enumerate(self.answers)))
                for i, p in enumerate(self.prompts)
            ]
        )

    def reader(self, module, lesson, part, device, note):
        rows = [row for pair in lesson.rows for row in pair.rows]
        return reader(module, rows, part.free_blocks, device)

    def fit(self, models, ref):
        scores = models.open(ref).logprobs(self.prompts, [self.answers] * len(self.prompts))
        margins = torch.tensor([float(s.logprobs[0] - s.logprobs[1]) for s in scores])
        return Fit(float(-logsigmoid(margins).mean()), float((margins > 0).float().mean()))


@dataclass(frozen=True)
class Margin:
    """-log sigmoid of how much likelier the better answer is, a mean over pairs."""

    def weight(self, rows):
        return float(len(rows))

    def total(self, model, rows):
        each = [row for pair in rows for row in pair.rows]
        logprobs = model.logits(each).log_softmax(-1)
        targets = torch.tensor([t for row in each for t in row.targets])
        taken = logprobs[torch.arange(len(targets)), targets]
        sums = [part.sum() for part in taken.split([len(row.points) for row in each])]
        return -logsigmoid(torch.stack(sums[::2]) - torch.stack(sums[1::2])).sum()


DATA = Pairs(ASKED, (" very negative", " positive"))


@pytest.mark.parametrize(
    "method",
    [LoRA(learning_rate=1e-2), BitFit(learning_rate=3e-2), PromptTuning(learning_rate=3e-2)],
    ids=lambda method: method.name,
)
def test_any_part_goes_with_any_objective(method, tmp_path: Path) -> None:
    base = resolve(str(tiny_llama(tmp_path / "tiny")), "lm")
    bench = Bench(tmp_path / "job", base=base, models=open_models())
    part = method.part(Task("pairs", "generate"), Shots(), 0)
    before = bench.models.fingerprint(base)

    def taught(rate: float):
        schedule = Schedule(rate, epochs=10, batch_size=2)
        return teach(Recipe(part, DATA, Margin(), schedule), base, bench)

    ref = taught(method.learning_rate)
    assert bench.models.fingerprint(base) == before
    assert DATA.fit(bench.models, ref).nll < DATA.fit(bench.models, base).nll - 0.5
    assert DATA.fit(bench.models, ref).accuracy == 1
    assert bench.parameters > 0
    with pytest.raises(DidNotLearn, match="began at loss"):
        taught(0.0)
