"""Data in: files, guesses and checks, the split, the draws, and rows as JSON."""

from nshot.data.drawing import draw

__all__ = ["draw"]
