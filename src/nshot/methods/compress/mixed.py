"""Which matrices of a file keep more than four bits, so that it is no larger than it may be.

Zhen Dong, Zhewei Yao, Daiyaan Arfeen, Amir Gholami, Michael W. Mahoney, Kurt Keutzer. "HAWQ-V2:
Hessian Aware trace-Weighted Quantization of Neural Networks", 2019.
https://arxiv.org/abs/1911.03852

Bytes go to the matrix whose rounding raises the loss of the right answers most a byte
(`nshot.training.rounding`). That is an estimate: beside it each plain form that fits is measured,
and the lowest loss wins. The loss is that of labelled rows which the model did not learn from:
what `of` makes of one part of them is asked about the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Shots, Task
from nshot.models.llamacpp.write_gguf import (
    ALIKE,
    GridBits,
    Kinds,
    file_bytes,
    matrices_of,
    matrix_bytes,
)
from nshot.predictors.calibrated import Calibrated
from nshot.predictors.prompted import Prompted

FOLDS = 2
LOOKED_AT = 32
"""Rows whose loss is looked at, at most, of each label as large a share as there is."""
_FEWEST: GridBits = "Q4_0"
_MORE: Mapping[GridBits, tuple[GridBits, ...]] = {
    "Q4_0": ("Q5_0", "Q8_0"), "Q5_0": ("Q8_0",), "Q8_0": ()
}  # fmt: skip
_EXACT = "not rounded"
Rises: TypeAlias = Mapping[str, Mapping[GridBits, float]]


@dataclass(frozen=True)
class Room:
    """The size of a file of Q4_0, of each matrix how many weights it has, and the limit, in bytes.

    What is larger than its matrices stays as it is in every form.
    """

    least: int
    weights: Mapping[str, int]
    limit: int

    def size(self, kinds: Kinds) -> int:
        """Of a file with these kinds."""
        return self.least + sum(self._more(n, _FEWEST, bits) for n, bits in kinds.items())

    def plain(self, bits: GridBits) -> Kinds:
        """All matrices in these bits."""
        return dict.fromkeys(self.weights, bits)

    def filled(self, rises: Rises) -> Kinds:
        """From Q4_0, the step that lowers the loss most a byte first, as long as one does and fits.

        Equal steps go by the order of the matrices: the same rises give the same kinds.
        """
        kinds: dict[str, GridBits] = dict(self.plain(_FEWEST))
        left = self.limit - self.least
        while steps := sorted(self._steps(kinds, rises, left), key=lambda step: -step[0]):
            _, name, bits = steps[0]
            left -= self._more(name, kinds[name], bits)
            kinds[name] = bits
        return kinds

    def _steps(
        self, kinds: Kinds, rises: Rises, left: int
    ) -> Iterator[tuple[float, str, GridBits]]:
        """(what the loss falls by a byte, which matrix, its next bits) of every step that fits."""
        for name, bits in kinds.items():
            for after in _MORE[bits]:
                more, fall = self._more(name, bits, after), rises[name][bits] - rises[name][after]
                if more <= left and fall > 0:
                    yield fall / more, name, after

    def _more(self, name: str, bits: GridBits, other: GridBits) -> int:
        return matrix_bytes(self.weights[name], other) - matrix_bytes(self.weights[name], bits)


@dataclass(frozen=True)
class Case:
    """A model, and labelled rows that it is asked about."""

    predictor: Prompted
    rows: tuple[Example, ...]


def room_in(module: Any, tokenizer: Any, name: str, limit: int) -> Room:
    """How much room there is. Raises `CannotAdapt` where not even Q4_0 fits, with its size."""
    least = file_bytes(module, tokenizer, _FEWEST, name)
    if limit < least:
        least_mb = -(-least // 10_000) / 100
        raise CannotAdapt(
            f"its file has {least_mb:g} MB where every matrix is {_FEWEST}, the fewest bits there"
            f" are, and {limit / 1e6:g} MB are allowed: allow --megabytes {least_mb:g}"
            f" (in a comparison --set quantise.megabytes={least_mb:g})"
        )
    weights = {one: int(module.get_parameter(one).numel()) for one in matrices_of(module)}
    return Room(least, weights, limit)


def cases(
    task: Task,
    shots: Shots,
    whole: Prompted,
    taught: Callable[[int, Shots], Any] | None,
    seed: int,
) -> tuple[Case, ...]:
    """Models and the rows that they are asked about, `LOOKED_AT` in all.

    `taught` makes a predictor of a fold's shots; without it, or where the rows cannot be cut, it is
    `whole` that is asked, about what it shows no answers of. Raises `CannotAdapt` without rows.
    """
    folds = shots.folds(FOLDS, seed, labels=task.has_strata) if taught else ()
    if taught and folds:
        each = max(1, LOOKED_AT // len(folds))
        return tuple(
            Case(_inside(taught(number, fold.shots)), _spaced(fold.dev, each))
            for number, fold in enumerate(folds)
        )
    rows = [row for row in shots.labelled if row not in whole.demos]
    if not rows:
        raise CannotAdapt("mixed bits are chosen on labelled rows, and there are none to look at")
    return (Case(whole, _spaced(rows, LOOKED_AT)),)


def _inside(predictor: Any) -> Prompted:
    inside = predictor.predictor if isinstance(predictor, Calibrated) else predictor
    if not isinstance(inside, Prompted):
        raise CannotAdapt(f"{type(inside).__name__} does not answer by asking a model")
    return inside


def _spaced(rows: Sequence[Example], most: int) -> tuple[Example, ...]:
    """Evenly spaced in the order of their answers: a file may take turns at its labels."""
    ordered = sorted(rows, key=lambda row: row.targets)
    count = min(most, len(rows))
    return tuple(ordered[i * len(rows) // count] for i in range(count))


def chosen(
    task: Task,
    cases: Sequence[Case],
    room: Room,
    note: Callable[[str], None],
    progress: Callable[[int, int, str], None],
) -> Kinds:
    """What each matrix is kept in, the file no larger than `room` allows; notes how it was chosen.

    Every plain form that fits is measured beside the mixture, and the lowest loss is taken; of
    equal ones the smaller file.
    """
    total = sum(len(case.rows) for case in cases)
    rises: dict[str, Counter[GridBits]] = {name: Counter() for name in room.weights}
    for case in cases:
        with_case = _rises(task, case, tuple(room.weights), progress)
        for name, one in with_case.items():
            rises[name].update(one)
    plain: dict[str, Kinds] = {bits: room.plain(bits) for bits in _MORE}
    fitting = {bits: kinds for bits, kinds in plain.items() if room.size(kinds) <= room.limit}
    tried = {**fitting, "mixed": room.filled(rises)}
    losses = _losses(task, cases, {**tried, _EXACT: ALIKE})
    best = min(tried, key=lambda form: (losses[form], room.size(tried[form])))
    figures = "; ".join(
        f"{form} {losses[form] / total:.4f} ({room.size(tried[form]) / 1e6:.1f} MB)"
        for form in tried
    )
    note(
        f"at most {room.limit / 1e6:g} MB: {best} has the lowest loss of the right answer on"
        f" {total} labelled rows{_of_folds(cases)}: {figures}; {_EXACT}"
        f" {losses[_EXACT] / total:.4f}"
    )
    note(summary(tried[best]))
    return tried[best]


def _of_folds(cases: Sequence[Case]) -> str:
    return f" of {len(cases)} folds" if len(cases) > 1 else ", which it may have learned from"


def _rises(
    task: Task,
    case: Case,
    names: Sequence[str],
    progress: Callable[[int, int, str], None],
) -> Rises:
    from nshot.training.objectives.nll import AnswerTokens
    from nshot.training.rounding import expected_rises

    module, rows = _opened(task, case)
    return expected_rises(
        module, rows, AnswerTokens(), names,
        lambda done, total: progress(done, total, "what each matrix is worth"),
    )  # fmt: skip


def _losses(task: Task, cases: Sequence[Case], forms: Mapping[str, Kinds]) -> dict[str, float]:
    """The loss of all cases' rows under each of the forms."""
    from nshot.training.objectives.nll import AnswerTokens
    from nshot.training.rounding import loss_on_grid

    losses = dict.fromkeys(forms, 0.0)
    for case in cases:
        module, rows = _opened(task, case)
        for form, kinds in forms.items():
            losses[form] += loss_on_grid(module, rows, AnswerTokens(), kinds)
    return losses


def _opened(task: Task, case: Case) -> tuple[Any, Any]:
    """The case's model, embeddings and head as the file keeps them, and its rows as tokens."""
    from nshot.core import machine
    from nshot.models.hf.merged import merged
    from nshot.training.data.answers import encode
    from nshot.training.rounding import round_outside

    asked_by = case.predictor
    module, tokenizer = merged(asked_by.ref)
    round_outside(module)
    prompts = asked_by.prompts([row.input for row in case.rows])
    context = int(module.config.max_position_embeddings)
    rows, _ = encode(task, asked_by.format, case.rows, tokenizer, context, prompts)
    return module.to(machine.device()), rows


def summary(kinds: Kinds) -> str:
    """``more than Q4_0: Q8_0 for v_proj of layers 0-2, 5; Q5_0 for up_proj of layer 3``."""
    more: dict[GridBits, dict[str, list[int]]] = {"Q8_0": {}, "Q5_0": {}}
    for name, bits in kinds.items():
        if bits in more:
            _, _, layer, *inside, _ = name.split(".")
            more[bits].setdefault(inside[-1], []).append(int(layer))
    parts = [
        f"{bits} for " + ", ".join(f"{kind} of {_layers(at)}" for kind, at in matrices.items())
        for bits, matrices in more.items()
        if matrices
    ]
    return f"more than {_FEWEST}: {'; '.join(parts) or 'no matrix'}"


def _layers(numbers: Sequence[int]) -> str:
    """``layers 0-2, 5``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    return f"layer{'s' if len(numbers) > 1 else ''} {', '.join(shown)}"
