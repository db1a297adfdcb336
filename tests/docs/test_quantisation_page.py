"""What docs/quantisation.md computes and claims, computed."""

from __future__ import annotations

import re
from pathlib import Path

from nshot.models.llamacpp.write_gguf import BITS

PAGE = (Path(__file__).parents[2] / "docs" / "quantisation.md").read_text(encoding="utf-8")


def test_the_steps_hold() -> None:
    names: dict[str, object] = {}
    programs = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(programs) == 5
    for program in programs:
        exec(compile(program, "quantisation.md", "exec"), names)


def test_the_table_has_every_form() -> None:
    forms = PAGE.split("## On a finished run")[0]
    assert re.findall(r"^\| `(\w+)` \|", forms, re.MULTILINE) == list(BITS)
