"""Inputs in blocks of rows: files larger than memory, and whatever else is answered row by row."""

from nshot.data.blocks.opening import mixed, open_inputs
from nshot.data.blocks.rows import Block, Blocks, Listed, Row

__all__ = ["Block", "Blocks", "Listed", "Row", "mixed", "open_inputs"]
