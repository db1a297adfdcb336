"""A language model trained on rows of tokens, as `nshot.methods.teaching` does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nshot.training.forward import token_reader
from nshot.training.loop import Trace, optimise
from nshot.training.rows import Row, Schedule


def train(
    module: Any,
    rows: Sequence[Row],
    objective: Any,
    schedule: Schedule,
    *,
    free_blocks: int | None = None,
    packing: bool = False,
    validation: Sequence[Row] = (),
    note: Any = print,
    **kept: Any,
) -> Trace:
    """The trace of `optimise` on the CPU; `kept` are its checkpoints and progress."""
    return optimise(
        module,
        lambda: token_reader(module, rows, validation, free_blocks, "cpu", packing, note),
        rows,
        objective,
        schedule,
        device="cpu",
        validation=validation,
        note=note,
        **kept,
    )
