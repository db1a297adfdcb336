"""``nshot models``: the models at hand."""

from __future__ import annotations

import argparse

ABOUT = "the models at hand"


def add(parser: argparse.ArgumentParser) -> None:
    """No flags."""


def run(arguments: argparse.Namespace) -> int:
    """Print each, or what to type to have it."""
    from nshot.models.catalog import listing

    for row in listing():
        absent = f"to install: {row.install}" if row.install else "not for this machine"
        state = "ready" if row.ready else absent
        print(f"{row.name:26} {row.role:9} {row.bytes / 1e6:6.0f} MB  {state}  {row.where}")
    return 0
