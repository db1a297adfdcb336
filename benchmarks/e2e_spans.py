"""300 descriptions of E2E with their slots as spans: ``python benchmarks/e2e_spans.py OUT``.

A slot is a span wherever its value stands in the text as whole words, longer values first; values
that are only meant (``cheap`` for ``less than £20``, yes and no) are none. The rows are shuffled by
``random.Random(0)``; OUT gets train.jsonl (240 rows) and test.jsonl (60).
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SLOT = re.compile(r"([^\W_][\w /-]*)\[([^\[\]]+)\]")
TRAIN, ROWS = 240, 300


def spans(meaning: str, text: str) -> list[dict[str, object]]:
    """The slots of a meaning representation that the text says in its words."""
    marked: list[tuple[int, int, str]] = []
    for name, value in sorted(SLOT.findall(meaning), key=lambda slot: -len(slot[1])):
        for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
            if all(match.end() <= s or match.start() >= e for s, e, _ in marked):
                marked += [(match.start(), match.end(), name.strip())] * (
                    value not in ("yes", "no")
                )
    return [{"start": s, "end": e, "label": name} for s, e, name in sorted(marked)]


def main() -> None:
    data = Path(os.environ.get("NSHOT_DATA") or ROOT.parent / "shared" / "data") / "e2e_nlg"
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    lines = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [
        {"text": row["output"], "spans": spans(row["input"], row["output"])}
        for row in map(json.loads, lines)
    ]
    random.Random(0).shuffle(rows)
    for part, some in (("train", rows[:TRAIN]), ("test", rows[TRAIN:ROWS])):
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
        (out / f"{part}.jsonl").write_text(body, encoding="utf-8")


if __name__ == "__main__":
    main()
