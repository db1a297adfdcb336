"""A saved predictor, loaded in a new process and asked there: as whoever serves it will.

What this process has open (the model before it was quantised, its libraries) helps nothing there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nshot.core.errors import RunFailed
from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Task
from nshot.predictors.measure import Answered, answer


def answer_afresh(folder: Path, task: Task, examples: Sequence[Example]) -> Answered:
    """The answers of the predictor in `folder`, and what they took, loading left out.

    Raises `RunFailed` where the process ends without them; what it printed stands in the log.
    """
    with TemporaryDirectory() as place:
        given, out = Path(place) / "asked.json", Path(place) / "answered.json"
        rows = [to_data(example) for example in examples]
        body = {"folder": str(folder), "task": to_data(task), "rows": rows}
        given.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
        command = [sys.executable, "-m", "nshot.bench.jobs.afresh", str(given), str(out)]
        code = subprocess.run(command, check=False).returncode
        if code or not out.exists():
            raise RunFailed(f"what was saved cannot be asked in a new process (exit code {code})")
        return from_data(Answered, json.loads(out.read_text(encoding="utf-8")))


def main() -> None:
    """``python -m nshot.bench.jobs.afresh ASKED ANSWERED``: started by `answer_afresh` alone."""
    from nshot.models import open_models
    from nshot.predictors import load

    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    task = from_data(Task, request["task"])
    rows = [from_data(Example, row) for row in request["rows"]]
    predictor = load(Path(request["folder"]), open_models())
    predictor.predict([row.input for row in rows[:1]])  # what loads, loads now
    answered = answer(predictor, task, rows)
    text = json.dumps(to_data(answered), ensure_ascii=False)
    Path(sys.argv[2]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
