"""Continuous batching: texts join and leave a running batch between two tokens.

Gyeong-In Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models",
OSDI 2022, section 4, https://www.usenix.org/conference/osdi22/presentation/yu - scheduling by the
step. Each text has its own settings, its own view and its own random numbers, so that it is what it
would be alone, whoever is written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch

from nshot.core.types import Delta
from nshot.models.base import Completion, Tokens
from nshot.models.hf.cache import CachedPrefix, kinds, read
from nshot.models.hf.generate import (
    CACHE_BYTES,
    ROWS,
    choose,
    common_start,
    first_step,
    moved_up,
    next_step,
)
from nshot.models.hf.room import position_bytes, roomy
from nshot.models.hf.tokens import shared
from nshot.models.hf.tree import CHUNK, WORTH
from nshot.models.texts import Rules, Text

if TYPE_CHECKING:
    from nshot.models.hf.resident import Live

SPARE_ROWS, SPARE_POSITIONS = 8, 64
"""Room of a batch for texts that join later, and for the tokens by which it has grown by then."""

Views: TypeAlias = Sequence[tuple[Delta, ...]]


@dataclass(eq=False)
class Member:
    """One text of a batch. `piece` is what has become certain of it and nobody has taken."""

    text: Text
    rules: Rules
    deltas: tuple[Delta, ...] = ()
    piece: str = ""
    goes_on: bool = True
    error: BaseException | None = None
    _shown: str = ""

    @property
    def completion(self) -> Completion:
        """The text as far as it is written."""
        return self.text.completion(self.rules)

    @property
    def left(self) -> int:
        """Tokens that may come."""
        return self.rules.how.max_tokens - len(self.text.tokens)

    def take(self) -> str:
        """What has become certain since it was last asked."""
        piece, self.piece = self.piece, ""
        return piece

    def add(self, logits: torch.Tensor) -> None:
        """One more token, chosen of (1, vocabulary)."""
        (drawn,) = choose(logits, [self.text], self.rules.how)
        self.goes_on = self.text.add(drawn, self.rules) and self.goes_on
        so_far = self.text.settled(self.rules) if self.goes_on else self.completion.text
        if so_far.startswith(self._shown):
            self.piece += so_far[len(self._shown) :]
            self._shown = so_far


class _Start(NamedTuple):
    """What a prompt of a view left in the cache: another with the same beginning takes it."""

    deltas: tuple[Delta, ...]
    tokens: Tokens
    prefix: CachedPrefix
    """The view's soft prompt and the tokens."""


@dataclass
class ContinuousBatch:
    """The texts that are written together. `answering` makes the module ready for their views.

    Whoever calls holds the module's lock. A pass that fails is the end of all its texts.
    """

    answering: Callable[[Views], AbstractContextManager[Live]]
    members: list[Member] = field(default_factory=list)
    """Those that are written, a row of the running step each."""
    waiting: list[Member] = field(default_factory=list)
    """Those whose prompts are not read yet."""
    _step: dict[str, Any] | None = None
    _start: _Start | None = None

    @property
    def views(self) -> list[tuple[Delta, ...]]:
        """The views that its texts are read under."""
        return list(dict.fromkeys(one.deltas for one in (*self.members, *self.waiting)))

    def join(self, member: Member) -> None:
        """Write this text too, from the next step on."""
        self.waiting.append(member)

    def leave(self, member: Member) -> None:
        """Write no more of it."""
        member.goes_on = False
        if member in self.waiting:
            self.waiting.remove(member)
        if not any(one.goes_on for one in self.members):
            self.members, self._step = [], None

    def step(self) -> None:
        """One more token of every text. Raises what the model raises."""
        views = self.views
        try:
            with self.answering(views) as live, torch.no_grad():
                self._grow(live, views)
                self._take_in(live, views)
        except BaseException as error:
            for one in (*self.members, *self.waiting):
                one.goes_on, one.error = False, error
            self.members, self.waiting, self._step = [], [], None
            raise

    def _grow(self, live: Live, views: Views) -> None:
        """A token of those that run."""
        if not any(one.goes_on for one in self.members) or self._step is None:
            self.members, self._step = [], None
            return
        self._step, self.members = _advanced(live.module, self._step, self.members, views)

    def _take_in(self, live: Live, views: Views) -> None:
        """Read the prompts of those that wait and have room, those of a view together."""
        coming = self._admitted(live, views)
        for deltas in dict.fromkeys(one.deltas for one in coming):
            mine = [one for one in coming if one.deltas == deltas]
            slot = views.index(deltas)
            reading = self._read(live, mine, live.prefix.of(slot), slot, len(views))
            step, going = _advanced(live.module, reading, mine, views)
            if step is None:
                continue
            together = [*self.members, *going]
            self._step = step if self._step is None else _joined(self._step, step, together)
            self.members = together
        # Not before: who is neither here nor there would not hear of a pass that fails.
        self.waiting = [one for one in self.waiting if one not in coming]

    def _admitted(self, live: Live, views: Views) -> list[Member]:
        """As many as rows and memory allow, one at least where nothing runs."""
        coming: list[Member] = []
        bytes_each = position_bytes(live.module)
        for one in self.waiting:
            all_of_them = [*self.members, *coming, one]
            longest = max(
                live.prefix.of(views.index(m.deltas)).length
                + len(m.text.prompt)
                + m.rules.how.max_tokens
                for m in all_of_them
            )
            fits = len(all_of_them) * longest * bytes_each <= CACHE_BYTES
            if len(all_of_them) > 1 and not (fits and len(all_of_them) <= ROWS):
                break
            coming.append(one)
        return coming

    def _read(
        self, live: Live, members: Sequence[Member], soft: CachedPrefix, slot: int, views: int
    ) -> dict[str, Any]:
        """Arguments of the pass that reads prompts of one view, behind what they begin with."""
        prompts = [one.text.prompt for one in members]
        deltas, known = members[0].deltas, self._start
        is_plain = kinds(live.module.config) == {"full_attention"}
        given = {"slots": torch.full((1,), slot, device=live.module.device)} if views > 1 else {}
        start, before = 0, soft
        if is_plain and known is not None and known.deltas == deltas:
            ends = min(map(len, prompts)) - 1
            start = min(ends, *(shared(prompt, known.tokens) for prompt in prompts))
            before = known.prefix.first(soft.length + start)
        if start < WORTH:
            start, before = common_start(live.module, prompts) if is_plain else 0, soft
            # Of one prompt all but its last token are kept: others may begin with them.
            start = start or (len(prompts[0]) - 1 if is_plain and len(prompts) == 1 else 0)
            if start >= WORTH:
                before = read(live.module, prompts[0][:start], soft, CHUNK, **given)
                self._start = _Start(deltas, prompts[0][:start], before)
            else:
                start = 0
        rests = [prompt[start:] for prompt in prompts]
        more = max(one.rules.how.max_tokens for one in members)
        return first_step(live.module, rests, before, more)


def _advanced(
    module: Any, step: dict[str, Any], members: Sequence[Member], views: Views
) -> tuple[dict[str, Any] | None, list[Member]]:
    """One more token of each row; the next step, and whose its rows are."""
    step = {name: value for name, value in step.items() if name != "slots"}
    if len(views) > 1:
        slots = [views.index(one.deltas) for one in members]
        step["slots"] = torch.tensor(slots, device=module.device)
    logits = module(**step, logits_to_keep=1).logits[:, -1]
    for row, member in enumerate(members):
        if member.goes_on:
            member.add(logits[row : row + 1])
    on = moved_up([one.goes_on for one in members])
    going = [members[i] for i in on]
    if not going:
        return None, []
    return next_step(step, on, [one.text.tokens[-1] for one in going]), going


def _joined(
    running: dict[str, Any], coming: dict[str, Any], members: Sequence[Member]
) -> dict[str, Any]:
    """Both as one step: the shorter rows padded on the left, the rows of `running` first."""
    masks = [running["attention_mask"], coming["attention_mask"]]
    caches = [running["past_key_values"], coming["past_key_values"]]
    rows, new = (len(step["input_ids"]) for step in (running, coming))
    more = max(one.left for one in members)
    length, short = (cache.get_seq_length() for cache in caches)
    if short <= length and caches[0].has_room(rows + new, length + more):
        cache = caches[0]
        for layer, other in zip(cache.layers, caches[1].layers, strict=True):
            layer.append_rows(other.keys, other.values)
    else:
        cache, masks = _anew(caches, masks, rows + new, more)
    width = max(mask.shape[1] for mask in masks)
    return {
        "input_ids": torch.cat([running["input_ids"], coming["input_ids"]]),
        "attention_mask": torch.cat([_wider(mask, width) for mask in masks]),
        "position_ids": torch.cat([running["position_ids"], coming["position_ids"]]),
        "past_key_values": cache,
        "use_cache": True,
    }


def _anew(
    caches: Sequence[Any], masks: Sequence[torch.Tensor], rows: int, more: int
) -> tuple[Any, list[torch.Tensor]]:
    """One cache with the rows of both, and their masks: without positions where nothing stands.

    A mask has a position more than its cache: that of the token to come.
    """
    first = [int(mask.any(0).nonzero()[0]) for mask in masks]
    kept = [mask[:, at:] for mask, at in zip(masks, first, strict=True)]
    length = max(mask.shape[1] for mask in kept) - 1
    layers = []
    for both in zip(*(cache.layers for cache in caches), strict=True):
        parts = list(zip(both, first, strict=True))
        keys = torch.cat([_behind(layer.keys[:, :, at:], length) for layer, at in parts])
        values = torch.cat([_behind(layer.values[:, :, at:], length) for layer, at in parts])
        layers.append((keys, values))
    capacity = length + more + SPARE_POSITIONS
    return roomy(CachedPrefix(tuple(layers)), rows, capacity, min(ROWS, rows + SPARE_ROWS)), kept


def _behind(states: torch.Tensor, length: int) -> torch.Tensor:
    """(rows, heads, length, width): zeros before what there is."""
    missing = length - states.shape[-2]
    return torch.nn.functional.pad(states, (0, 0, missing, 0)) if missing else states


def _wider(mask: torch.Tensor, width: int) -> torch.Tensor:
    missing = width - mask.shape[1]
    return torch.nn.functional.pad(mask, (missing, 0)) if missing else mask
