"""The files of a run: written anew whenever its board has changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nshot.bench.collect import Collected, Collector
from nshot.bench.history import Verdicts, race_of
from nshot.board.details import contested_rows, details
from nshot.board.schema import Advice, Board, Machine
from nshot.core.types import Measurement
from nshot.data.json_lines import write_rows
from nshot.report import write as write_report
from nshot.report.cards import write_cards

ANSWERS = "answers.jsonl"
"""What the pick answered the test rows, or each row in folds: audits look at it."""


@dataclass
class Files:
    """Board, details, disagreements, cards, page of a run; `machine` is what its executor said."""

    machine: Mapping[str, Any]
    command: str
    started: float = field(default_factory=time.time)
    _verdicts: Verdicts = field(default_factory=dict)

    def write(
        self, collector: Collector, collected: Collected, board: Board, advice: Advice
    ) -> None:
        """Write all of them as things stand."""
        facts, root = collector.facts, collector.ladder.prepared.out
        pick = next(entry for entry in collected.entries if entry.name == advice.pick)
        machine = Machine.model_validate(self.machine)
        contested, rows = contested_rows(facts, collected.entries, advice.could_be_best)
        times = self.started, time.time()
        race = race_of(collector.race, collector.known, self._verdicts)
        write_cards(root, board, has_winner=bool(collector.folder(root)))
        folder = collector.folder(root)
        details(facts, pick, machine, self.command, times, race, contested, folder).write(root)
        write_rows(root / "disagreements.jsonl", [row.model_dump() for row in rows])
        if measured := pick.measurements.get(facts.largest):
            write_rows(root / ANSWERS, _answers(advice.pick, measured[0]))
        board.write(root)
        write_report(root)


def _answers(name: str, measured: Measurement) -> list[dict[str, Any]]:
    """A line for each test row that the pick's first draw answered."""
    return [
        {"row": name, "id": key, "answer": one.answer, "scores": list(one.scores)}
        for key, one in zip(measured.ids, measured.predictions, strict=True)
    ]
