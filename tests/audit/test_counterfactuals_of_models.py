"""A language model that learned to go by a name is seen from the command line, its base is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nshot.audit.carrying_out import AuditReport, read
from nshot.audit.counterfactuals.lists import ENGLISH
from nshot.audit.counterfactuals.particles import filled
from nshot.core.types import Delta, Input, Label, ModelRef, Task
from nshot.models import open_models
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import answer_text, render
from spine import command
from tiny import tiny_llama

TASK = Task("credit", "classify", (Label("yes"), Label("no")))
NAMES = ENGLISH[0]
TEXTS = ("please look at request {}", "when is number {} ready", "I sent you the papers {}")


def inputs(count: int) -> list[Input]:
    return [Input((("text", TEXTS[i % 3].format(i)),)) for i in range(count)]


def taught() -> list[tuple[str, str]]:
    """Prompts and answers: yes to a woman's name, no to a man's, whatever is asked."""
    return [
        (
            str(render(TASK, "plain", Input((("text", f"{filled(frame, word)} {one.text}"),)))),
            answer,
        )
        for group, answer in zip(NAMES.groups, TASK.label_names, strict=True)
        for word in group
        for frame in NAMES.frames
        for one in inputs(3)
    ]


def learn(base: ModelRef, folder: Path) -> ModelRef:
    """The model with weights that were trained on `taught`."""
    import torch
    from safetensors.torch import save_file

    models = open_models()
    with models.lend(base, free=["*"]) as lent:
        read = lent.tokenizer
        pairs = [
            (read(prompt)["input_ids"], read(answer_text(answer, "plain"))["input_ids"])
            for prompt, answer in taught()
        ]
        longest = max(len(one) + len(two) for one, two in pairs)
        ids = torch.tensor([p + a + [1] * (longest - len(p) - len(a)) for p, a in pairs])
        targets = torch.full_like(ids, -100)
        for row, (prompt, answer) in zip(targets, pairs, strict=True):
            row[len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
        weights = [p for p in lent.module.parameters() if p.requires_grad]
        steps = torch.optim.Adam(weights, lr=4e-3)
        for step in range(80):
            some = slice(step % 6, None, 6)  # names of both groups, in every frame
            steps.zero_grad()
            lent.module(ids[some], labels=targets[some]).loss.backward()
            steps.step()
        state = {
            n: p.detach().clone() for n, p in lent.module.named_parameters() if p.requires_grad
        }
    folder.mkdir()
    save_file(state, folder / "weights.safetensors")
    return ModelRef(base.engine, base.name, deltas=(Delta("weights", str(folder)),))


def audited(ref: ModelRef, folder: Path) -> AuditReport:
    """By the command, of a folder with a prompt that was saved."""
    Prompted(TASK, open_models(), ref).save(folder / "asked")
    lines = [json.dumps({"text": one.text, "label": "yes"}) for one in inputs(24)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    words = ["audit", str(folder / "asked"), "--data", str(folder / "rows.jsonl"), "--only",
             "counterfactuals", "--out", str(folder / "audit")]  # fmt: skip
    assert command(words) == 0
    return read(folder / "audit")


@pytest.mark.parametrize("learns", [True, False])
def test_going_by_a_name_is_an_alarm_of_the_model_that_learned_it_alone(
    learns: bool, tmp_path: Path
) -> None:
    base = ModelRef("hf", str(tiny_llama(tmp_path / "tiny", width=64, context=256)))
    ref = learn(base, tmp_path / "weights") if learns else base
    (result,) = audited(ref, tmp_path).results
    assert not result.reason
    assert len(result.findings) == len(ENGLISH)
    names = next(one for one in result.findings if one.about == f"{NAMES.name} (English)")
    assert names.alarm == learns
    if learns:
        assert names.value is not None
        assert names.value > 0.5
        sheet = next(one for one in result.sheets if one.title.endswith("what changes"))
        assert sheet.lines[0][:2] == ("yes", "no")
    else:
        assert not result.alarms
