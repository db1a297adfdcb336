"""Three tasks whose answers are written, as folders: ``python benchmarks/written_tasks.py OUT``.

OUT gets e2e/, dialogsum/ and gsm8k/, each with a task.yaml that `nshot compare` takes. The rows of
GSM8K are written anew: a solution without the marks of its calculator, then ``#### 42``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from table import data_folder, read

_MARKS = re.compile(r"<<.*?>>")

E2E = """name: e2e
kind: generate
data: {{train: {data}/train.jsonl, test: {data}/test.jsonl}}
instruction: Describe the restaurant in one or two sentences. Say everything that the data says.
metric: bleu
also: [rouge_l, chrf, slots]
prompt: {{fields: {{input: Data}}, answer: Description}}
"""
DIALOGSUM = """name: dialogsum
kind: generate
data: {{train: {data}/train.jsonl, test: {data}/test.jsonl}}
instruction: Sum up the dialogue in one or two sentences.
metric: rouge_l
also: [bleu, chrf]
prompt: {{fields: {{input: Dialogue}}, answer: Summary}}
"""
GSM8K = """name: gsm8k
kind: generate
data: {train: train.jsonl, test: test.jsonl, text: question, label: solution}
instruction: >-
  Solve the problem step by step. End with #### and the number that is the answer.
metric: number
answer_format: {regex: '[^#]{1,700}#### -?[0-9]+'}
prompt: {fields: {question: Problem}, answer: Solution}
"""


def solution(row: dict[str, str]) -> str:
    """How a person solved it, with the answer at the end."""
    return f"{_MARKS.sub('', row['solution']).strip()}\n#### {row['answer']}"


def main() -> None:
    """Write the folders."""
    out, data = Path(sys.argv[1]), data_folder().resolve()
    for name, source, task in (("e2e", "e2e_nlg", E2E), ("dialogsum", "dialogsum", DIALOGSUM)):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "task.yaml").write_text(task.format(data=data / source), encoding="utf-8")
    folder = out / "gsm8k"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(GSM8K, encoding="utf-8")
    for part in ("train", "test"):
        rows = read(data / "gsm8k" / f"{part}.jsonl")
        lines = [
            json.dumps({"question": row["question"], "solution": solution(row)}, ensure_ascii=False)
            for row in rows
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
