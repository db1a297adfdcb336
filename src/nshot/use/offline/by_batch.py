"""A folder that asks models behind endpoints is answered through their batch files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.core.types import Input
from nshot.data.blocks import Row
from nshot.models import open_models
from nshot.models.openai.endpoint import model_and_address
from nshot.models.prices import NONE, Prices, price_of
from nshot.models.wrap.batched import BatchedModels
from nshot.predictors.folder import require_intact
from nshot.use.drift import engines_in
from nshot.use.offline.answering import Answering, Outcome, Tag

FOLDER = ".batches"
"""What the folder of batch files is called behind the name of the answers."""


def batched(folder: Path, output: Path, tell: Callable[[str], None]) -> BatchedModels:
    """Models whose batch files lie beside the file of answers.

    Raises `InputError` for what is no delivered folder, and for one that asks no model behind such
    an endpoint.
    """
    require_intact(folder)
    if "openai" not in engines_in(folder):
        problem = f"--batch, and {folder} asks no model behind an openai: endpoint"
        raise InputError(Fault(problem, do="leave --batch out"))
    return BatchedModels(open_models(), output.with_name(output.name + FOLDER), tell)


class Beforehand(Answering):
    """As `answering`, once `ask` has heard of every row that is to be answered and can be read.

    So all of them are in one batch; rows that have their answers already are in none.
    """

    def __init__(self, answering: Answering, ask: Callable[[Sequence[Input]], object]) -> None:
        super().__init__(lambda rows, inputs: [], answering.keys)
        self._answering, self._ask = answering, ask

    def in_order(
        self, groups: Iterable[tuple[Tag, Sequence[Row]]]
    ) -> Iterator[tuple[Tag, list[Outcome]]]:
        """The outcomes of groups of rows, which are all read first. Raises as `ask` does."""
        listed = list(groups)
        inputs = [row.input for _, rows in listed for row in rows if row.input is not None]
        if inputs:
            self._ask(inputs)
        yield from self._answering.in_order(listed)


def bill(models: BatchedModels, own: Prices = NONE) -> list[str]:
    """A sentence for each model: what it read and wrote, and what that costs in batch files."""
    lines = []
    for ref, used in models.used.items():
        name, _ = model_and_address(ref)
        line = (
            f"{name} through batch files: {used.requests:,} requests, {used.tokens_in:,} tokens"
            f" read, {used.tokens_out:,} written"
        )
        if known := price_of(ref, own):
            price, currency = known
            money = price.in_batch_files.of(used.tokens_in, used.tokens_out, used.cached)
            share = (
                f"{100 * price.batch:g} % of {price.origin}"
                if price.batch is not None
                else f"in full by {price.origin}, which says no share for batch files"
            )
            line += f", {money:.4g} {currency or 'in money'} ({share})"
        lines.append(line)
    return lines
