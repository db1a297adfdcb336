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
from nshot.predictors.checks import read_checks
from nshot.predictors.folder import Saved, read
from nshot.use.export import EXPORTS, export_of
from nshot.use.export.base import Export
from nshot.use.ready import differences


class Exported(NamedTuple):
    """How many answers were compared, and a line for each that differs."""

    checks: int
    differences: list[str]


def export(folder: Path, form: str, into: Path, models: Models) -> Exported:
    """Write the delivered `folder` as `form`, and answer its check inputs from `into`.

    Raises `InputError` where the form is unknown or cannot hold this folder.
    """
    exporter, saved = export_of(form), read(folder)
    if reason := exporter.why_not(saved):
        raise InputError(Fault(reason, expected=_instead(saved), where=str(folder)))
    write_folder(into, lambda draft: exporter.write(saved, models, draft))
    checks = read_checks(folder)
    answers = _answers(exporter, into, [input for input, _ in checks])
    return Exported(len(checks), differences([then for _, then in checks], answers))


def _answers(exporter: Export, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
    """What the form's own runtime answers in a new process. Raises `RunFailed`."""
    place = f"{type(exporter).__module__}:{type(exporter).__qualname__}"
    command = [sys.executable, "-m", "nshot.use.export", place, str(folder.resolve())]
    lines = "".join(dumps(to_data(one), canonical=False) + "\n" for one in inputs)
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, env=machine.environment(), check=False
    )
    if done.returncode:
        raise RunFailed(f"{folder} does not answer: {done.stderr.strip()[-600:]}")
    return [from_data(Prediction, json.loads(line)) for line in done.stdout.split("\n") if line]


def _instead(saved: Saved) -> str:
    """The forms that can hold it."""
    forms = [form for form in EXPORTS if export_of(form).why_not(saved) is None]
    return f"--to {' or '.join(forms)}" if forms else "no form can hold it: use it as it is"
