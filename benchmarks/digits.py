"""Rows of the test sets that the first conversion of the embedded language model read otherwise.

    python benchmarks/digits.py [--write]

It did not cut digits apart before pieces are merged, as SmolLM's tokenizer does. No model is run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer

from nshot.models.catalog import locate, resolve
from table import ROOT, data_folder, line, read, write

PAGE = ROOT / "docs" / "models.md"
ROWS = 1000


def tokenizers() -> tuple[Tokenizer, Tokenizer]:
    """As it is, and as it was: with the last step of how it cuts texts alone."""
    body = json.loads((locate(resolve(None, "lm")) / "tokenizer.json").read_text(encoding="utf-8"))
    now = Tokenizer.from_str(json.dumps(body))
    body["pre_tokenizer"] = body["pre_tokenizer"]["pretokenizers"][-1]
    return now, Tokenizer.from_str(json.dumps(body))


def counted(path: Path, now: Tokenizer, before: Tokenizer) -> tuple[int, int]:
    """Rows of a file, and those of them that are other tokens."""
    texts = [" ".join(map(str, row.values())) for row in read(path)[:ROWS]]
    pairs = zip(now.encode_batch(texts), before.encode_batch(texts), strict=True)
    return len(texts), sum(one.ids != other.ids for one, other in pairs)


def table() -> str:
    """A line for each data set that has such rows, and one for all others."""
    now, before = tokenizers()
    files = sorted(data_folder().glob("*/test.jsonl"))
    counts = {path.parent.name: counted(path, now, before) for path in files}
    none = [name for name, (_, other) in counts.items() if not other]
    rows = [line("data", "rows", "read otherwise"), line("---", "--:", "--:")]
    rows += [line(name, f"{all_:,}", str(other)) for name, (all_, other) in counts.items() if other]
    whole = sum(counts[name][0] for name in none)
    return "\n".join([*rows, line(", ".join(none), f"{whole:,}", "0")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    text = table()
    print(text)
    if arguments.write:
        write("digits.py", text, PAGE)


if __name__ == "__main__":
    main()
