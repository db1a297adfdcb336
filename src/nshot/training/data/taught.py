"""Examples with what a teacher expects at each token of their answers, asked once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt, DiskFull
from nshot.core.files import replacing
from nshot.core.types import ModelRef, digest
from nshot.models.base import Lent, Models, Scores
from nshot.models.hf.tokenizers import read_alike
from nshot.training.data.answers import Answers, cut_note, encode
from nshot.training.loop import quiet, still
from nshot.training.objectives.distillation import Taught, most_likely
from nshot.training.recipe import Lesson
from nshot.training.rows import Row

_AT_ONCE = 256
"""Points whose logits over the whole vocabulary are in memory together, about."""


class Expectations(NamedTuple):
    """What a teacher expects at all points of all rows: see `Taught`."""

    likely: NDArray[np.int32]
    expected: NDArray[np.float32]


@dataclass(frozen=True)
class TaughtAnswers(Answers):
    """Examples with their answers, and what a teacher expects at each token of these.

    Args:
        teacher: a language model that reads texts as the same tokens, and gives logits.
        models: opens it.
        k: tokens whose probabilities are kept at each point; all others are one outcome.
        temperature: at which they are taken.
        hard: share of the given answer in what a labelled row teaches.
        unlabelled: ids of rows whose answer is the teacher's own: their share is 0.
        cache: the folder in which the expectations are kept.
    """

    teacher: ModelRef
    k: int
    temperature: float
    hard: float
    unlabelled: frozenset[str] = frozenset()
    models: Models = field(repr=False, compare=False, kw_only=True)
    cache: Path = field(repr=False, compare=False, kw_only=True)
    progress: Callable[[int, int], None] = field(
        default=still, repr=False, compare=False, kw_only=True
    )
    note: Callable[[str], None] = field(default=quiet, repr=False, compare=False, kw_only=True)

    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """Rows as `Answers` makes them, with the teacher's expectations.

        Raises `CannotAdapt` for a teacher that reads texts as other tokens than `lent`.
        """
        require_alike(self.teacher, lent.ref)
        tokens, cut = encode(self.task, self.format, self.examples, lent.tokenizer, room)
        source = weights_of(self.models, self.teacher)
        known = self._expectations(tokens, source)
        shares = [0.0 if row.id in self.unlabelled else self.hard for row in tokens]
        return Lesson(taught(tokens, known, source, shares), notes=cut_note(cut, room))

    def _expectations(self, rows: Sequence[Row], source: str) -> Expectations:
        """From the cache, if they are there and whole; else asked, and kept."""
        key = digest(source, repr(rows), str(self.k), repr(self.temperature))
        path = self.cache / f"teacher-{key[:16]}.safetensors"
        points = sum(len(row.points) for row in rows)
        if (known := _read(path, key, points, self.note)) is not None:
            return known
        model = self.models.open(self.teacher)
        known = expectations(model, rows, self.k, self.temperature, self.progress)
        try:
            _write(path, key, known)
        except DiskFull as error:  # what the teacher said is at hand: learning goes on
            self.note(f"what the teacher expects could not be kept: {error}")
        return known


def require_alike(teacher: ModelRef, student: ModelRef) -> None:
    """Raise `CannotAdapt` where two models read texts as other tokens: no logit is another's."""
    if not read_alike(teacher, student):
        raise CannotAdapt(
            f"its teacher {teacher.name} reads texts as other tokens than {student.name}, so that"
            " their logits cannot be compared: give a teacher on the student's own model, or set"
            " distil.soft=false, which teaches by answers"
        )


def expectations(
    model: Scores,
    rows: Sequence[Row],
    k: int,
    temperature: float,
    progress: Callable[[int, int], None] = still,
) -> Expectations:
    """What `model` expects at the points of `rows`, in order; `k` tokens and the rest of each."""
    parts, done = [], 0
    for some in _few_points(rows):
        progress(done, len(rows))
        logits = model.next_logits([row.tokens for row in some], [row.points for row in some])
        parts.append(most_likely(torch.from_numpy(logits), some, k, temperature).numpy())
        done += len(some)
    whole = np.concatenate(parts)
    width = whole.shape[1] // 2
    return Expectations(
        np.ascontiguousarray(whole[:, :width], np.int32),
        np.ascontiguousarray(whole[:, width:], np.float32),
    )


def _few_points(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows as they stand, in parts of about `_AT_ONCE` points."""
    part: list[Row] = []
    for row in rows:
        part.append(row)
        if sum(len(one.points) for one in part) >= _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def taught(
    rows: Sequence[Row], known: Expectations, source: str, shares: Sequence[float]
) -> list[Taught]:
    """Rows with what the teacher `source` expects at their points, and each one's `hard`."""
    ends = np.cumsum([len(row.points) for row in rows])[:-1]
    likely, expected = np.split(known.likely, ends), np.split(known.expected, ends)
    return [
        Taught(
            row.id, row.tokens, row.points, row.targets, row.choices,
            likely=tokens, expected=logprobs, source=source, hard=hard,
        )
        for row, tokens, logprobs, hard in zip(rows, likely, expected, shares, strict=True)
    ]  # fmt: skip


def weights_of(models: Models, teacher: ModelRef) -> str:
    """Names a model by its weights, not by the folder where they lie today."""
    deltas = [(delta.kind, delta.sha256) for delta in teacher.deltas]
    return digest(models.fingerprint(teacher), repr(deltas))


def _write(path: Path, key: str, known: Expectations) -> None:
    from safetensors.numpy import save_file

    with replacing(path) as draft:
        save_file(known._asdict(), draft, metadata={"key": key})


def _read(path: Path, key: str, points: int, note: Callable[[str], None]) -> Expectations | None:
    """What was kept under this key; None where nothing is, or the file is not whole."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            known = Expectations(file.get_tensor("likely"), file.get_tensor("expected"))
    except (SafetensorError, OSError, ValueError):
        note(f"{path.name} was cut short: the teacher was asked again")
        return None
    same = metadata.get("key") == key and len(known.likely) == len(known.expected) == points
    return known if same else None
