"""Ten BANKING77 intents as a task of their own: ``python benchmarks/ten_intents.py OUT``.

The intents are `random.Random(0).sample(sorted(intents), 10)`; OUT gets train.jsonl and test.jsonl.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    data = Path(os.environ.get("NSHOT_DATA") or ROOT.parent / "shared" / "data") / "banking77"
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rows = {
        part: [json.loads(line) for line in (data / f"{part}.jsonl").open(encoding="utf-8")]
        for part in ("train", "test")
    }
    intents = random.Random(0).sample(sorted({row["label"] for row in rows["test"]}), 10)
    for part, all_rows in rows.items():
        kept = [json.dumps(row, ensure_ascii=False) for row in all_rows if row["label"] in intents]
        (out / f"{part}.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
