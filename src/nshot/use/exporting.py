"""A delivered folder in another form, whose answers are compared with those it came with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nshot.core import machine
from nshot.core.errors import Fault, InputError, RunFailed
from nshot.core.files import write_folder
from nshot.core.serial import dumps, from_data, to_data
from nshot.core.types import Input, Prediction
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.checks import read_checks
from nshot.predictors.folder import Saved, read
from nshot.use.export import EXPORTS, export_of
from nshot.use.export.base import Export
from nshot.use.ready import differences


class Exported(NamedTuple):
    """What the form answered to the inputs that were compared, and how long it took.

    `before` is what the folder answers, `differences` a line for each answer that is another.
    """

    before: Sequence[Prediction]
    answers: Sequence[Prediction]
    seconds: float
    differences: list[str]

    @property
    def checks(self) -> int:
        """How many answers were compared."""
        return len(self.before)


def export(
    folder: Path, form: str, into: Path, models: Models, inputs: Sequence[Input] | None = None
) -> Exported:
    """Write the delivered `folder` as `form`, and answer `inputs` from `into`.

    Without inputs it is those that the folder was delivered with. Raises `InputError` where the
    form is unknown or cannot hold this folder.
    """
    exporter, saved = export_of(form), read(folder)
    if reason := exporter.why_not(saved):
        raise InputError(Fault(reason, expected=_instead(saved), where=str(folder)))
    write_folder(into, lambda draft: exporter.write(saved, models, draft))
    if inputs is None:
        checks = read_checks(folder)
        inputs, before = [one for one, _ in checks], [then for _, then in checks]
    else:
        before = load(folder, models).predict(inputs)
    answers, seconds = _answers(exporter, into, inputs)
    return Exported(before, answers, seconds, differences(before, answers))


def _answers(
    exporter: Export, folder: Path, inputs: Sequence[Input]
) -> tuple[list[Prediction], float]:
    """What the form's own runtime answers in a new process, and its seconds. Raises `RunFailed`."""
    place = f"{type(exporter).__module__}:{type(exporter).__qualname__}"
    command = [sys.executable, "-m", "nshot.use.export", place, str(folder.resolve())]
    given = "".join(dumps(to_data(one), canonical=False) + "\n" for one in inputs)
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, env=machine.environment(), check=False
    )
    if done.returncode:
        raise RunFailed(f"{folder} does not answer: {done.stderr.strip()[-600:]}")
    *lines, seconds = (line for line in done.stdout.split("\n") if line)
    return [from_data(Prediction, json.loads(line)) for line in lines], float(seconds)


def _instead(saved: Saved) -> str:
    """The forms that can hold it."""
    forms = [form for form in EXPORTS if export_of(form).why_not(saved) is None]
    return f"--to {' or '.join(forms)}" if forms else "no form can hold it: use it as it is"
