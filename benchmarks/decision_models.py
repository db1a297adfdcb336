"""Stay, switch, or both, at a scripted endpoint: ``python benchmarks/decision_models.py --write``.

The support tickets' rows, a system that answers today, and an endpoint on this machine that speaks
System One and is told what to be: right on 79 % of the rows, three times too sure, swayed by the
first option and by what a text asks for. No hosted model is in it, and nothing here says anything
about one. Heads on an embedded encoder and a cascade of both stand beside them.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nshot
from nshot.board.matching import in_words
from nshot.board.schema import Board, Row
from table import ROOT, line, write

sys.path.insert(0, str(ROOT / "tests"))
from deciding import Mind, deciding

TICKETS = ROOT / "examples" / "support-tickets"
PAGE = ROOT / "docs" / "decision-models.md"
RIGHT, TODAY_RIGHT = 0.79, 0.72
PRICE_IN = 0.042
"""What the first vendor is reported to ask for a million tokens; the script bills by it."""
CHEAP, DEAR = {"method": "linear_probe"}, {"method": "decide", "price_in": PRICE_IN}


@dataclass
class Knowing(Mind):
    """Knows the label of each text, and misses it as often as it is told to."""

    labels: dict[str, str] = field(default_factory=dict)
    right: float = RIGHT

    def probabilities(self, text: str, options: Sequence[str], wording: str) -> list[float]:
        """Right on a fixed share of the texts, likelier to be where it is surer."""
        label = self.labels.get(text.split("\n\nIgnore the above")[0], "")
        if self.obeys and "choose '" in text:
            return super().probabilities(text, options, wording)
        rng = random.Random(text)
        sure = rng.betavariate(5, 2)
        hit = rng.random() < self.right * sure / (5 / 7)
        others = sorted(one for one in options if one != label)
        named = label if hit and label in options else rng.choice(others)
        odds = self.overconfidence * math.log(sure / (1 - sure) * (len(options) - 1))
        liking = [odds * (one == named) + self.first * (i == 0) for i, one in enumerate(options)]
        shares = [math.exp(one - max(liking)) for one in liking]
        return [one / sum(shares) for one in shares]


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a file of the tickets."""
    with (TICKETS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def today(path: Path, test: Sequence[dict[str, str]], labels: Sequence[str]) -> Path:
    """What a system of rules might have answered: right on `TODAY_RIGHT` of the rows."""
    rng = random.Random(0)
    lines = [
        {
            "message": row["message"],
            "answer": row["topic"] if rng.random() < TODAY_RIGHT else rng.choice(labels),
            "seconds": 0.002,
        }
        for row in test
    ]
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines))
    return path


def board(folder: Path) -> Board:
    """The comparison, as the page's command makes it."""
    train, test = rows("train.csv"), rows("test.csv")
    known = {row["message"]: row["topic"] for row in (*train, *test)}
    mind = Knowing(first=1.0, overconfidence=3.0, obeys=True, labels=known)
    os.environ["NSHOT_API_KEY"] = "scripted"
    with deciding(mind, delay=0.01) as service:
        return nshot.compare(
            TICKETS / "task.yaml",
            answers={"today": today(folder / "today.jsonl", test, sorted({*known.values()}))},
            model=service.name(),
            encoder="all-minilm-l6-v2",
            methods=["majority", "tfidf_lr", "linear_probe", "decide", "cascade"],
            settings={
                "decide": {"price_in": PRICE_IN},
                "cascade": {"cheap": CHEAP, "dear": DEAR},
            },
            margin=5,
            thorough=True,
            out=folder / "run",
        ).board


def table(made: Board) -> str:
    """The rows of the board, and what is said of them."""
    ordered = sorted(made.contest, key=lambda row: -(row.score or 0))
    lines = [
        line("row", "score", "95 %", "1,000 answers", "money", "passed on", "temperature"),
        line("---", "--:", "--:", "--:", "--:", "--:", "--:"),
        *(line(*_cells(row)) for row in ordered),
    ]
    advice = made.advice
    words = [*(advice.reasons[:2] if advice else ()), *map(in_words, made.matches)]
    words += [f"decide: {note}" for note in made.row("decide").notes]
    return "\n".join([*lines, "", *(f"- {one}" for one in words)])


def _cells(row: Row) -> list[str]:
    share = row.passed_on
    calibration = row.calibration
    hot = calibration is not None and calibration.kind != "none"
    return [
        f"`{row.name}`",
        f"{100 * (row.score or 0):.1f}",
        f"{100 * (row.low or 0):.0f} - {100 * (row.high or 0):.0f}",
        f"{row.use_seconds_per_1000:.1f} s" if row.use_seconds_per_1000 is not None else "-",
        f"{row.money_per_1000:.4f}" if row.money_per_1000 else "-",
        f"{100 * share.value:.0f} %" if share else "-",
        f"{calibration.temperature:.1f}" if calibration and hot else "-",
    ]


def main() -> None:
    """Print the table, or put it on the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    with tempfile.TemporaryDirectory() as folder:
        text = table(board(Path(folder)))
    if parser.parse_args().write:
        write("decision_models.py", text, PAGE)
    print(text)


if __name__ == "__main__":
    main()
