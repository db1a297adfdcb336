"""The waist between methods and models: open one, ask it, lend it for training."""

from __future__ import annotations

from nshot.models.base import Models


def open_models() -> Models:
    """Opens models of every engine; nothing is loaded before it is asked for."""
    from nshot.models.engines import Engines

    return Engines()
