"""Data in: files, guesses and checks, the split, the draws, and rows as JSON."""

from nshot.data.drawing import draw
from nshot.data.splitting import split

__all__ = ["draw", "split"]
