"""The pages that say how to add something: their examples are entered in the tables and used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nshot import metrics
from nshot.core.errors import InputError
from nshot.core.types import Input, Label, Prediction, Task
from nshot.data import load
from nshot.data.faults import Faults
from nshot.data.formats import FORMATS, detect, read
from nshot.data.table import Table
from nshot.models import open_models
from nshot.predictors.checks import write_checks
from nshot.predictors.constant import Constant
from nshot.use import export as forms
from nshot.use.exporting import export

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / "extend" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def executed(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block, names)
    return names


def test_the_metric_scores_real_rows_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    code, entry = blocks("metric.md", "python")
    table = eval("{" + entry + "}", vars(metrics) | executed(code))
    ((name, known),) = table.items()
    monkeypatch.setitem(metrics.METRICS, name, known)  # type: ignore[arg-type]

    loaded = load(ROOT / "examples" / "support-tickets")
    rows = (loaded.test or ())[:40]
    assert not metrics.misfits(loaded.task, [name], rows)
    metric = metrics.metric_of(loaded.task, name)
    right = [Prediction(f"{row.label.upper()} and more") for row in rows[:30]]
    answers = right + [Prediction("")] * 10
    values = metrics.np.array(
        [metric.statistics(row, answer) for row, answer in zip(rows, answers, strict=True)]
    )
    assert metrics.score(metric, values) == metrics.points(metric, values).mean() == 0.75


def test_the_format_is_told_from_its_keys_and_read_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = blocks("format.md", "python")
    (rows,) = blocks("format.md", "json")
    form = executed(code)["QUIZ"]
    monkeypatch.setitem(FORMATS, form.name, form)  # type: ignore[arg-type]

    file = tmp_path / "quiz.jsonl"
    file.write_text(rows * 10, encoding="utf-8")
    loaded = load(file)
    assert loaded.task.kind == "generate"
    examples = [*loaded.train, *(loaded.test or ())]
    assert {e.targets for e in examples} == {("a pear",), ("iron",)}
    assert {str(form.write(e)) for e in examples} == {str(eval(row)) for row in rows.splitlines()}

    row = {"question": "Which?", "choices": ["a", "b"], "answer_index": 2}
    table = Table(file, tuple(row), [row], [1])
    assert detect(table) is form
    faults = Faults()
    assert not read(table, form, faults)
    assert isinstance(faults.error(), InputError)
    assert "'answer_index' is no place in 'choices'" in str(faults.error())


def test_the_export_keeps_the_contract_and_is_written_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, check, entry = blocks("export.md", "python")
    (tmp_path / "json_constant.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # for the process that answers
    inputs = [Input((("text", text),)) for text in ("", "a refund", "환불")]
    model = Constant(Task("t", "classify", (Label("yes"), Label("아니요"))), (-1.2, -0.4))
    model.save(tmp_path / "saved")
    write_checks(tmp_path / "saved", model.predict, inputs)
    exec(check, {"folder": tmp_path / "saved", "into": tmp_path / "into", "inputs": inputs})

    monkeypatch.setattr(forms, "EXPORTS", {**forms.EXPORTS, **eval("{" + entry + "}")})
    exported = export(tmp_path / "saved", "json-constant", tmp_path / "out", open_models())
    assert (exported.checks, exported.differences) == (3, [])
    with pytest.raises(InputError, match="kind constant"):
        export(tmp_path / "saved", "json-ngrams", tmp_path / "none", open_models())
    assert not (tmp_path / "none").exists()
