"""The page about adding a method: what it shows runs, and keeps the contract of methods."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods.contract import Brief, Rates
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.testing.contracts import check_adapt
from tiny import tiny_llama
from toys import Bench

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend" / "method.md").read_text(encoding="utf-8")
TASK = Task("film", "classify", (Label("good"), Label("bad")))
SHOTS = Shots(
    tuple(
        Example(f"e{i}", Input((("text", f"a {('warm', 'dull')[i % 2]} film {i}"),)), (label,))
        for i, label in enumerate(["good", "bad"] * 6)
    )
)


def test_the_method_on_the_page_learns_and_keeps_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method_file, check = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "vera.py").write_text(method_file, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    scope: dict[str, object] = {}
    exec(check, scope)
    method = scope["VeRA"](learning_rate=0.1, epochs=20)  # type: ignore[operator]
    base = resolve(str(tiny_llama(tmp_path / "tiny")), "lm")
    bench = Bench(tmp_path / "job", base=base, models=open_models())  # type: ignore[arg-type]
    asked = [example.input for example in SHOTS.labelled[:4]]
    predictor = check_adapt(method, TASK, SHOTS, bench, asked)
    answers = [prediction.answer for prediction in predictor.predict(asked)]
    assert answers == [example.label for example in SHOTS.labelled[:4]]
    matrices, inputs, outputs = 2 * 2, 64, 32 + 16  # queries and values of two blocks
    assert bench.parameters == matrices * inputs + 2 * outputs
    brief = Brief(
        task=TASK, labelled=12, unlabelled=0, per_label=6, test=50, tokens=8, longest=40, base=base,
        abilities=frozenset({"score", "train"}), context=128, layers=2, encoder=None,
        rates=Rates(300, 100, 3000),
    )  # fmt: skip
    assert method.why_not(brief) is None
    assert 0 < method.forecast(brief).seconds < 60


def test_every_file_of_the_table_is_there() -> None:
    files = re.findall(r"`((?:methods|training|models)/[\w/]+\.py)`", PAGE)
    assert len(set(files)) > 8
    assert all((ROOT / "src" / "nshot" / name).is_file() for name in files)
