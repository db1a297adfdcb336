"""What a run tells those who watch it: the terminal, the page, a notebook subscribe to these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Message:
    """A line that stays."""

    text: str


@dataclass(frozen=True)
class Started:
    """A piece of work begins; `done` of `total` pieces are behind it. `piece` names it for good."""

    piece: str
    done: int
    total: int


@dataclass(frozen=True)
class Progress:
    """How far a piece is: `done` of `total` of `what`."""

    piece: str
    done: int
    total: int
    what: str


@dataclass(frozen=True)
class Finished:
    """A piece ended, with its outcome in a few words; "" where there is nothing to say."""

    piece: str
    outcome: str


Event: TypeAlias = Message | Started | Progress | Finished
"""`bench` sends them, several pieces may be under way at once."""
Subscriber: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A subscriber that does nothing."""
