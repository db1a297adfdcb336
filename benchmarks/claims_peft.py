"""What papers say of parameter-efficient tuning, measured again on a small model and few examples.

    python benchmarks/claims_peft.py [--only banking10.lora] [--folder runs/claims-peft]
    python benchmarks/claims_peft.py --page

Eight variants on ten BANKING77 intents (8 examples per class) and SST-2 (32 per class): three
learning rates on the first draw, of which 100 further rows choose one, and two more draws with the
chosen one. Five variants write texts from E2E's tables (150 examples, one draw, the default rate).
LoRA's ranks on BANKING77, at the rate chosen for rank 8. About 90 minutes of two quiet cores, with
two processes: start the program twice. Each takes groups of cells that no other holds, with one
thread.

A cell is one training with all that is measured of it. It is kept as one line of JSON once it is
whole, so that a program that was killed goes on where it was; a training of more than 50 steps goes
on at its last checkpoint. `--page` writes docs/results/peft.md from what is there and says what is
missing.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

import claims_page
from claims_cells import (
    FOLDER,
    RANKS,
    UNTRAINED,
    VARIANTS,
    Cell,
    Record,
    Records,
    chosen,
    groups,
    rates,
)
from claims_data import Board, load
from nshot.audit.forgetting import general
from nshot.core import machine
from nshot.core.errors import NshotError
from nshot.core.files import folder_bytes, write_atomic
from nshot.core.types import Example, ModelRef, Shots, digest
from nshot.methods import TABLE
from nshot.methods.contract import Method
from nshot.methods.spec import spec, spec_hash
from nshot.methods.trained import Trained
from nshot.models import open_models
from nshot.models.base import LanguageModel, Models
from nshot.models.catalog import resolve
from nshot.predictors.measure import Answered, answer, train_score, value
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import answer_text, render, shown_answer
from table import data_folder
from workbench import Shelf, Workbench


@dataclass
class Measuring:
    """What measures cells: one model in memory, and what its cells share."""

    base: ModelRef
    records: Records
    models: Models
    shelf: Shelf

    def group(self, board: Board, variant: str) -> None:
        """All cells of a variant on a board; of LoRA also the other ranks."""
        if variant == UNTRAINED:
            self.cell(board, Cell(board.name, variant, None, 0))
            return
        tried = rates(variant) if board.dev else rates(variant)[:1]
        first = [self.cell(board, Cell(board.name, variant, rate, 0)) for rate in tried]
        rate = chosen([record for record in first if record])
        if rate is None:
            return
        for draw in range(1, board.draws):
            self.cell(board, Cell(board.name, variant, rate, draw))
        if (board.name, variant) == ("banking10", "lora"):
            for rank in RANKS:
                self.cell(board, Cell(board.name, f"lora-rank{rank}", rate, 0))

    def cell(self, board: Board, cell: Cell) -> Record | None:
        """The cell's record, measured now if it is not there; None where the program failed."""
        method = _method(cell, board)
        plan = _plan(cell, board, method, self.base)
        known = self.records.get(cell)
        if known is not None and known.plan == plan:
            return known
        print(f"{time.strftime('%H:%M:%S')} {cell.name}", flush=True)
        machine.seed_everything(cell.draw)
        try:
            record = self._measured(board, cell, plan, method)
        except NshotError as error:
            record = Record(cell, plan, spec(method) if method else {}, failed=str(error))
        except Exception:
            # The other cells still stand: this one is tried anew when the program starts again.
            traceback.print_exc()
            return None
        self.records.put(record)
        shutil.rmtree(self.records.folder / "scratch" / cell.name, ignore_errors=True)
        print(f"         {record.failed or f'{record.score:.3f}'}", flush=True)
        return record

    def _measured(self, board: Board, cell: Cell, plan: str, method: Method | None) -> Record:
        shots = board.drawn(cell.draw)
        predictor, built = self._built(board, cell, method, shots)
        answered = answer(predictor, board.task, board.test)
        dev = answer(predictor, board.task, board.dev) if board.dev and not cell.draw else None
        own = None if method is None else train_score(predictor, board.task, _some(shots.labelled))
        model = self.models.open(predictor.ref)
        return Record(
            cell,
            plan,
            spec(method) if method else {},
            points=tuple(statistics[0] for statistics in answered.statistics),
            answers=tuple(prediction.answer for prediction in answered.predictions),
            expected=tuple(row.targets for row in board.test),
            inputs=tuple(row.input.text for row in board.test) if not board.dev else (),
            dev=_sureness(board, dev) if dev else None,
            train=own,
            of=model.facts.parameters,
            test_seconds=answered.use.seconds,
            general={} if cell.draw else _known(model),
            **built,
        )

    def _built(
        self, board: Board, cell: Cell, method: Method | None, shots: Shots
    ) -> tuple[Prompted, dict[str, Any]]:
        """The predictor, and what it took; without a method the base model as it is."""
        if method is None:
            return Prompted(board.task, self.models, self.base), {}
        ref = method.stands_on(self.base)
        model = self.models.open(ref)
        model.count(["warm"])
        bench = Workbench(self.models, self.base, self._scratch(cell), cell.draw, shelf=self.shelf)
        _give_back_memory()
        meter, worked = machine.Meter(), time.process_time()
        with meter.running():
            predictor = method.adapt(board.task, shots, bench)
        if not isinstance(predictor, Prompted):
            raise TypeError(f"{cell.variant} answers through {type(predictor).__name__}")
        return predictor, {
            "trained": bench.parameters,
            "tokens": _tokens(board, method, shots, model),
            "build_seconds": meter.seconds + bench.charged,
            "build_work": time.process_time() - worked + bench.charged_work,
            "peak_bytes": meter.grown_bytes + self.models.resident_bytes()[ref.form],
            "disk_bytes": sum(folder_bytes(Path(delta.folder)) for delta in predictor.ref.deltas),
            "notes": tuple(bench.notes),
        }

    def _scratch(self, cell: Cell) -> Path:
        """The cell's own folder, for checkpoints and what it trains."""
        folder = self.records.folder / "scratch" / cell.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _method(cell: Cell, board: Board) -> Method | None:
    if cell.variant == UNTRAINED:
        return None
    passes = {} if board.epochs is None else {"epochs": board.epochs}
    return TABLE.build({**VARIANTS[cell.variant], "learning_rate": cell.rate, **passes})


def _plan(cell: Cell, board: Board, method: Method | None, base: ModelRef) -> str:
    rows = (board.drawn(cell.draw).labelled, board.dev, board.test)
    ids = [json.dumps([row.id for row in part]) for part in rows]
    return digest(cell.name, spec_hash(method) if method else "", base.name, repr(board.task), *ids)


def _some(rows: Sequence[Example]) -> Sequence[Example]:
    """Forty rows, evenly spaced: what was learned by heart shows on them."""
    return rows[:: max(1, len(rows) // 40)]


def _sureness(board: Board, dev: Answered) -> tuple[float, float]:
    """Score of the further rows, and mean log-probability of the right label."""
    names = board.task.label_names
    right = [
        prediction.scores[names.index(row.label)]
        for row, prediction in zip(board.dev, dev.predictions, strict=True)
    ]
    return value(board.task, dev.statistics), float(np.mean(right))


def _known(model: LanguageModel) -> dict[str, float]:
    """What the model knows besides the task: share of questions, nats per token of paragraphs."""
    found = general(model)
    return {"score": found.accuracy, "nats": found.nats_per_token}


def _tokens(board: Board, method: Method, shots: Shots, model: LanguageModel) -> int:
    """Tokens of text, prompts and answers, that went through the training; no soft prompt's."""
    if not isinstance(method, Trained):
        return 0
    texts = [
        f"{render(board.task, 'plain', row.input)}"
        f"{answer_text(shown_answer(board.task, row), 'plain')}"
        for row in shots.labelled
    ]
    seen = min(method.epochs * len(texts), method.max_steps * method.batch_size)
    return round(sum(model.count(texts)) / len(texts) * seen)


def _give_back_memory() -> None:
    """What an earlier cell left with the allocator is not this one's for nothing."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def run(folder: Path, only: Sequence[str], data: Path) -> None:
    """Measure what is missing and what no other process measures now."""
    torch.set_num_threads(1)
    base, boards = resolve(None, "lm"), dict[str, Board]()
    shelf = Shelf()
    (folder / "locks").mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "machine.json", json.dumps(machine.describe()))
    for name, variant in groups(only):
        if variant != UNTRAINED and VARIANTS[variant]["method"] not in TABLE.load:
            print(f"{variant}: not in the table of methods")
            continue
        try:
            with FileLock(folder / "locks" / f"{name}.{variant}", timeout=0):
                boards.setdefault(name, load(name, data))
                # Models of its own: the bytes of one group's base are not another's.
                measuring = Measuring(base, Records(folder), open_models(), shelf)
                measuring.group(boards[name], variant)
        except Timeout:
            print(f"{name}.{variant}: another process has it")


def main() -> None:
    parser = argparse.ArgumentParser(description="The claims of parameter-efficient tuning.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the cells are kept")
    parser.add_argument("--only", nargs="+", default=[], help="BOARD or BOARD.VARIANT, beginnings")
    parser.add_argument("--page", action="store_true", help="write docs/results/peft.md and stop")
    given = parser.parse_args()
    if given.page:
        claims_page.write(given.folder)
    else:
        run(given.folder, given.only, data_folder())


if __name__ == "__main__":
    main()
