"""Data in: files, guesses and checks, the split, the draws, and rows as JSON."""

from nshot.data.drawing import draw, sample
from nshot.data.inputs import read_inputs, read_mixed
from nshot.data.loading import Loaded, load
from nshot.data.splitting import split, with_background, with_unlabelled

__all__ = [
    "Loaded",
    "draw",
    "load",
    "read_inputs",
    "read_mixed",
    "sample",
    "split",
    "with_background",
    "with_unlabelled",
]
