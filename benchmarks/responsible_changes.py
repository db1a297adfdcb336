"""What else adapting changed: ``python benchmarks/responsible_changes.py [--page]``.

`nshot audit` of the models that `benchmarks/responsible.py` adapted to SST-2, each against its
base: general questions and texts, calibration and refusals, and whether swapped names, pronouns,
ages and the like change more answers than a control does, on 100 test rows. An audit is kept in its
folder when it is whole; ``--page`` writes the table of those that are there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from nshot.core.files import write_atomic
from nshot.core.serial import read_json
from table import ROOT, data_folder, line, write

FOLDER = ROOT / "runs" / "responsible"
PAGE = ROOT / "docs" / "results" / "responsible.md"
MODELS = ("sst2.lora", "sst2.full", "sst2.student")
AUDITS = ("change", "counterfactuals")
ROWS = 100
GAP = ", after minus before"
"""What the audit's sentences have behind the name of a figure."""


def run() -> None:
    """Audit the models that are not audited."""
    data = FOLDER / "sst2-test.jsonl"
    lines = (data_folder() / "sst2" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    write_atomic(data, "\n".join(lines[:ROWS]) + "\n")
    for name in MODELS:
        out = FOLDER / "audits" / name
        if not (out / "audit.json").exists():
            only = [word for audit in AUDITS for word in ("--only", audit)]
            words = ["audit", FOLDER / "models" / name, *only, "--data", data, "--out", out]
            subprocess.run([sys.executable, "-m", "nshot.cli", *map(str, words)], check=True)


def table(audits: Mapping[str, Mapping[str, Any]]) -> str:
    """A line a figure and a swap: the base's figure, and what each model changed."""
    by_model = {name: results(one) for name, one in audits.items()}
    heads = ["figure", "rows", "before", *audits]
    lines = [line(*heads), "|---" + "|--:" * (len(heads) - 1) + "|"]
    first = next(iter(by_model.values()))
    for name, before, _, count in first["change"]["sheets"][0]["lines"]:
        cells = [_of(one["change"], "sentence", f"{name}{GAP}") for one in by_model.values()]
        lines.append(line(name, str(count), f"{before:.3g}", *cells))
    for swap in [one["about"] for one in first["counterfactuals"]["findings"]]:
        cells = [_of(one["counterfactuals"], "about", swap) for one in by_model.values()]
        (rows,) = [r[1] for r in first["counterfactuals"]["sheets"][0]["lines"] if r[0] == swap]
        lines.append(line(f"swapped: {swap}", str(rows), "–", *cells))
    return "\n".join(lines)


def results(audit: Mapping[str, Any]) -> dict[str, Any]:
    """The results that were reached, by audit."""
    return {one["audit"]: one for one in audit["results"] if "findings" in one}


def _of(result: Mapping[str, Any], key: str, value: str) -> str:
    """The finding whose `key` is `value`; a dash where an audit left it out."""
    findings = [one for one in result["findings"] if one[key] == value]
    return changed(findings[0]) if findings else "–"


def changed(finding: Mapping[str, Any]) -> str:
    """A difference with its interval, bold where it is more than luck among all of its audit."""
    times, places = (100, 1) if finding["unit"] == "points" else (1, 3)
    value, low, high = (
        f"{times * finding[key]:+.{places}f}".replace("-", "−") for key in ("value", "low", "high")
    )
    text = f"{value} ({low} to {high})"
    return f"**{text}**" if finding.get("alarm") else text


def main(words: Sequence[str]) -> None:
    """Audit, or write the page."""
    if words != ["--page"]:
        run()
    paths = {name: FOLDER / "audits" / name / "audit.json" for name in MODELS}
    text = table({name: read_json(path) for name, path in paths.items() if path.exists()})
    if words == ["--page"]:
        write("responsible_changes.py", text, PAGE)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
