"""The program `answer.py` asks with the very prompt that nshot asks with, parts and fences too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nshot.core.types import Delimiter, Example, Input, Label, ModelRef, Parts, Prompt, Task
from nshot.models import open_models
from nshot.predictors import folder as record
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import FORMATS, Format, render
from nshot.use.export import standalone_answer
from nshot.use.export.standalone import Standalone

PARTS = Parts("You work at a shop.", "Chats.", ("Late is late.",), "One word.")
ASKS = Input((("instruction", "Name a poet."),))


def messages(task: Task, format: Format, one: Input, folder: Path) -> list[dict[str, str]]:
    ref = ModelRef("openai", "m@http://127.0.0.1:1/v1")
    demo = Example("1", Input((("text", "pay me back"),)), ("refund",))
    demos = (demo,) if task.has_labels else ()
    Prompted(task, open_models(), ref, format, demos).save(folder / "saved")
    (folder / "out").mkdir()
    Standalone().write(record.read(folder / "saved"), open_models(), folder / "out")
    model = json.loads((folder / "out" / "model.json").read_text())
    return standalone_answer._messages(model["task"], model["settings"], one.fields, ())


def as_messages(prompt: Prompt) -> list[dict[str, str]]:
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [{"role": turn.role, "content": turn.text} for turn in prompt]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("delimiter", ["none", "quotes", "hashes", "tags"])
def test_labels(format: Format, delimiter: Delimiter, tmp_path: Path) -> None:
    parts = Parts(PARTS.persona, PARTS.context, PARTS.constraints, PARTS.output_format, delimiter)
    names = (Label("refund"), Label("delivery"))
    fields = (("text", "Customer message"),)
    task = Task("t", "classify", names, "What is it?", field_names=fields, parts=parts)
    one = Input((("text", "where\n\nis it"),))
    demo = Example("1", Input((("text", "pay me back"),)), ("refund",))
    expected = as_messages(render(task, format, one, (demo,)))
    assert messages(task, format, one, tmp_path) == expected


def test_an_input_that_asks_by_itself(tmp_path: Path) -> None:
    task = Task("t", "generate", parts=PARTS)
    assert messages(task, "chat", ASKS, tmp_path) == as_messages(render(task, "chat", ASKS))
