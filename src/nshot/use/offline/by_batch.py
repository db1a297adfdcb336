"""A folder that asks models behind endpoints is answered through their batch files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.data.blocks import Blocks
from nshot.models import open_models
from nshot.models.openai.endpoint import model_and_address
from nshot.models.prices import NONE, Prices, price_of
from nshot.models.wrap.batched import BatchedModels
from nshot.use.drift import engines_in
from nshot.use.ready import Ready

FOLDER = ".batches"
"""What the folder of batch files is called behind the name of the answers."""


def batched(folder: Path, output: Path, tell: Callable[[str], None]) -> BatchedModels:
    """Models whose batch files lie beside the file of answers.

    Raises `InputError` for a delivered folder that asks no model behind such an endpoint.
    """
    if "openai" not in engines_in(folder):
        problem = f"--batch, and {folder} asks no model behind an openai: endpoint"
        raise InputError(Fault(problem, do="leave --batch out"))
    return BatchedModels(open_models(), output.with_name(output.name + FOLDER), tell)


def ask_all(blocks: Blocks, model: Ready) -> None:
    """Ask about every row that can be read, so that all of them are in one batch.

    Whoever answers the rows after that, block by block, finds the answers. Raises as
    `nshot.models.openai.batch_files.BatchFiles.answers` does.
    """
    model.predict([row.input for block in blocks for row in block.rows() if row.input is not None])


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
