"""What calibration does to fast methods: ``python benchmarks/calibration.py [SET ...] [--write]``.

Each is measured as `nshot compare` does, on the support tickets and on the public sets that are
named; beside it stands the predictor inside, asked the same test rows without its calibration.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nshot
from nshot.bench.setting import Setting
from nshot.bench.store import Store
from nshot.board.calibration import calibration_cell
from nshot.board.schema import CalibrationCell, Proportion
from nshot.models import open_models
from nshot.predictors import load
from nshot.predictors.calibrated import bare
from nshot.predictors.measure import answer
from table import ROOT, data_folder, line, read, write

METHODS = ("tfidf_lr", "nearest_mean", "knn", "linear_probe")
SETS = {"banking77": (2000, 600), "nsmc": (1500, 600)}
"""Rows to learn from and test rows of the public sets, spread over their files."""
PAGE = ROOT / "docs" / "calibration.md"
HEAD = (
    "method", "accuracy", "error before", "error calibrated", "Brier before", "Brier calibrated",
    "by", "at 95 %: abstain below", "answers", "right",
)  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        parts = [_table("support tickets", ROOT / "examples/support-tickets", None, Path(folder))]
        for name in (word for word in sys.argv[1:] if word in SETS):
            files = _files(name, *SETS[name], Path(folder))
            parts.append(_table(name, *files, Path(folder)))
    text = "\n\n".join(parts)
    if "--write" in sys.argv:
        write("calibration.py", text, PAGE)
    else:
        print(text)


def _files(name: str, train: int, test: int, folder: Path) -> tuple[Path, Path]:
    files = []
    for part, count in (("train", train), ("test", test)):
        rows = read(data_folder() / name / f"{part}.jsonl")
        step = max(1, len(rows) // count)  # the files are sorted by label
        kept = [{key: row[key] for key in ("text", "label")} for row in rows[::step][:count]]
        files.append(folder / f"{name}-{part}.jsonl")
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
        files[-1].write_text(body, encoding="utf-8")
    return files[0], files[1]


def _table(name: str, task: Path, test: Path | None, folder: Path) -> str:
    run = folder / f"run-{name}"
    nshot.compare(task, test=test, methods=METHODS, out=run, workers=1)
    setting = Setting.read(run)
    title = (
        f"**{name}**, {len(setting.split.train)} rows to learn from, {len(setting.split.test)} test"
        f" rows, {len(setting.task.labels)} labels:"
    )
    rows = [line(*HEAD), line("---", *["--:"] * (len(HEAD) - 1))]
    return "\n".join([title, "", *rows, *_rows(run, setting)])


def _rows(run: Path, setting: Setting) -> Iterator[str]:
    store, models, task = Store(run), open_models(), setting.task
    examples = {row.id: row for row in setting.split.test}
    for job, kind, _ in store.jobs():
        if kind != "measure":
            continue
        measured = store.measurement(job)
        after = calibration_cell(task, measured, examples)
        plain = answer(bare(load(store.predictor_folder(job), models)), task, setting.split.test)
        raw = replace(measured, ids=plain.ids, predictions=plain.predictions)
        before = calibration_cell(task, raw, examples)
        right = sum(row[0] for row in measured.statistics) / len(measured.statistics)
        if after and before:
            yield line(measured.method, f"{100 * right:.1f}", *_cells(before, after))


def _cells(before: CalibrationCell, after: CalibrationCell) -> Iterator[str]:
    yield _percent(before.error)
    yield _percent(after.error)
    yield f"{before.brier.value:.3f}"
    yield f"{after.brier.value:.3f} ({after.brier.low:.3f}-{after.brier.high:.3f})"
    yield f"T {after.temperature:.2f}{' and steps' * (after.kind == 'isotonic')}"
    step = next((one for one in after.thresholds if one.accuracy == 0.95), None)
    if step is None:
        yield from ("not reached", "", "")
        return
    yield f"{step.threshold:g}"
    yield _percent(step.answered)
    yield _percent(step.right)


def _percent(of: Proportion | None) -> str:
    return f"{100 * of.value:.0f} ({100 * of.low:.0f}-{100 * of.high:.0f})" if of else ""


if __name__ == "__main__":
    main()
