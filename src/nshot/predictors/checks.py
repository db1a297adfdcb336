"""``check.jsonl``: inputs and the answers a folder was delivered with, pictures beside them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from nshot.core.serial import from_data, to_data
from nshot.core.types import Image, Input, Prediction
from nshot.data.json_lines import read_rows, write_rows

Answer: TypeAlias = Callable[[Sequence[Input]], Sequence[Prediction]]
CHECKED = 50
"""Inputs that are kept, spread over all there are."""
CHECKS = "check.jsonl"
PICTURES = "pictures"
"""The folder of the inputs' pictures, by their content, so that the check needs nothing else."""
PICTURE_BYTES = 5_000_000
"""Bytes of pictures that are kept, but for the first, which always is."""


def write_checks(folder: Path, answer: Answer, inputs: Sequence[Input]) -> None:
    """Ask for up to `CHECKED` of the inputs and keep them with their answers in `folder`."""
    count = min(CHECKED, len(inputs))
    sample = _affordable([inputs[i * len(inputs) // count] for i in range(count)])
    answers = answer(sample)
    rows = [
        {"input": to_data(_carried(one, folder)), **to_data(answer)}
        for one, answer in zip(sample, answers, strict=True)
    ]
    write_rows(folder / CHECKS, rows)


def read_checks(folder: Path) -> list[tuple[Input, Prediction]]:
    """What `write_checks` wrote, its pictures where they now lie; [] where nothing was."""
    path = folder / CHECKS
    rows = read_rows(path) if path.exists() else []
    return [
        (_placed(from_data(Input, row["input"]), folder), from_data(Prediction, row))
        for row in rows
    ]


def _affordable(inputs: Sequence[Input]) -> list[Input]:
    """The inputs but those whose pictures would be too many bytes."""
    sample: list[Input] = []
    size = 0
    for one in inputs:
        more = sum(Path(image.path).stat().st_size for image in one.images)
        if not sample or size + more <= PICTURE_BYTES:
            sample.append(one)
            size += more
    return sample


def _carried(input: Input, folder: Path) -> Input:
    """The input with copies of its pictures, named from `folder`."""
    images = []
    for image in input.images:
        name = f"{image.sha256[:16]}{Path(image.path).suffix.lower()}"
        (folder / PICTURES).mkdir(exist_ok=True)
        if not (folder / PICTURES / name).exists():
            shutil.copyfile(image.path, folder / PICTURES / name)
        images.append(Image(f"{PICTURES}/{name}", image.sha256))
    return replace(input, images=tuple(images))


def _placed(input: Input, folder: Path) -> Input:
    """The input with its pictures' whole paths."""
    images = tuple(Image(str(folder / image.path), image.sha256) for image in input.images)
    return replace(input, images=images) if images else input
