"""The command ``nshot``."""

from __future__ import annotations

from nshot.cli.main import main

__all__ = ["main"]
