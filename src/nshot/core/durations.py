"""Seconds in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """``0.8 s``, ``18 s``, ``12 min``, ``3.1 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
