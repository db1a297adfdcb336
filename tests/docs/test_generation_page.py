"""The examples of docs/generation.md, run on the tiny model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nshot.core.types import ModelRef
from nshot.data.task_file import read_task
from nshot.models import catalog
from tiny import tiny_llama

PAGE = (Path(__file__).parents[2] / "docs" / "generation.md").read_text(encoding="utf-8")


def test_the_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llguidance", reason="pip install 'nshot[constrain]'")
    ref = ModelRef("hf", str(tiny_llama(tmp_path / "lm")))
    monkeypatch.setattr(catalog, "resolve", lambda name, role: ref)
    programs = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert programs
    for program in programs:
        exec(compile(program, "generation.md", "exec"), {})


def test_the_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / "order.schema.json").write_text('{"type": "object"}', encoding="utf-8")
    (tmp_path / "train.csv").write_text("text,answer\na,b\n", encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    kinds = []
    for line in block.splitlines():
        file = tmp_path / "task.yaml"
        file.write_text(f"kind: generate\ndata: {{train: train.csv}}\n{line}\n", encoding="utf-8")
        found = read_task(file).answer_format
        kinds.append(found and found.kind)
    assert kinds == ["regex", "choices", "json_schema"]
