"""Reading rows with a causal language model: the vocabulary is projected only where it is asked.

The head of a small model costs as much as a quarter of its depth, and training looks at two or
three positions of a row. A hook hands the head only those, so tied heads, scaled or capped logits
and PEFT-wrapped models all go their own ordinary way.

Two shorter ways are taken where they were seen to give the ordinary logits on this very model:
what the rows of a batch begin with in common is read once (`Shared`), and frozen lower layers are
gone through once (`Upper`).

A soft prompt is asked for once a batch, with its gradient, and stands before the rows of the base
model: PEFT's own forward pass would make it anew, and read it, for every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from nshot.core.errors import Fault, InputError
from nshot.models.hf.cache import Layers, from_cache, masks, to_cache
from nshot.models.hf.mount import is_soft_prompt
from nshot.training.rows import Row, pack

_TOLERANCE = 1e-4
_CACHING = 8
"""Rows that go through the frozen layers at once."""
_DENSE = 3200
"""Tokens in one sequence at which attention costs as much as all the rest of a block."""
_SHOWN = 5
_PACK = 512
"""Tokens of rows in a sequence of `Packed`: attention then adds less than padding does."""


class Reader(Protocol):
    """Reads rows; what an objective is given instead of the model."""

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """Logits at all points of all rows, in order: (points, vocabulary), float32."""
        ...


@dataclass(frozen=True)
class Soft:
    """A soft prompt with its gradient: keys and values that are there, or embeddings to be read.

    `layers` are those of prefix tuning, `embeds` (1, positions, width) those of the other kinds;
    neither stands before an ordinary model.
    """

    layers: Layers = ()
    embeds: Tensor | None = None

    @property
    def read(self) -> int:
        """Positions that go through the layers together with the tokens."""
        return 0 if self.embeds is None else self.embeds.shape[1]

    @property
    def length(self) -> int:
        """Positions before the first token of a row."""
        return self.layers[0][0].shape[-2] if self.layers else self.read

    def before(self, base: Any, tokens: Tensor) -> dict[str, Any]:
        """Arguments of a forward pass of `base` over `tokens` (rows, length) behind this."""
        if self.layers:
            cache = to_cache(self.layers, len(tokens))
            return {"input_ids": tokens, "past_key_values": cache, "use_cache": True}
        if self.embeds is None:
            return {"input_ids": tokens, "use_cache": False}
        embedded = base.get_input_embeddings()(tokens)
        soft = self.embeds.to(embedded.dtype).expand(len(tokens), -1, -1)
        return {"inputs_embeds": torch.cat([soft, embedded], 1), "use_cache": False}


def soft_prompt(module: Any) -> Soft:
    """What stands before every row of `module`, a PEFT model or an ordinary one."""
    if not is_soft_prompt(module):
        return Soft()
    given = module.get_prompt(batch_size=1)
    if isinstance(given, Tensor):
        return Soft(embeds=given)
    return Soft(from_cache(given, module.active_peft_config.num_virtual_tokens))


def _under(module: Any) -> Any:
    """What reads the tokens: the model under a soft prompt, and any other model itself."""
    return module.get_base_model() if is_soft_prompt(module) else module


class Whole:
    """The ordinary way: every token goes through every layer."""

    def __init__(self, module: Any, device: str) -> None:
        self.module, self.device = module, device

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """See `Reader`."""
        return self.read(rows, soft_prompt(self.module))

    def read(self, rows: Sequence[Row], soft: Soft) -> Tensor:
        """Logits at the points of `rows` behind `soft`.

        Padding stands on the right, where a causal model never looks.
        """
        base = _under(self.module)
        row, column = _points(rows)
        with _only_at(base, row, [soft.read + c for c in column], self.device):
            out = base(**soft.before(base, _padded(rows, self.device)))
        return _flat(out.logits)


class Shared:
    """The rows of a batch as one tree: a common beginning is read once, and nothing is padded.

    The tree is one sequence, in which a mask lets a token see its ancestors only; a soft prompt
    is its trunk. That makes attention quadratic in all its tokens, so long rows go the ordinary
    way.
    """

    def __init__(self, module: Any, device: str) -> None:
        self.module, self.device = module, device
        self.whole = Whole(module, device)

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """See `Reader`."""
        tree, soft = Tree(rows), soft_prompt(self.module)
        longest = soft.read + max(len(row.tokens) for row in rows)
        if _cost(tree, soft) >= len(rows) * longest:
            return self.whole.read(rows, soft)
        return self.read(rows, tree, soft)

    def read(self, rows: Sequence[Row], tree: Tree, soft: Soft) -> Tensor:
        """Logits at the points of `rows`, whose tree is `tree`, behind `soft`."""
        base, count = _under(self.module), soft.read + len(tree.tokens)
        at = torch.tensor(
            [*range(soft.length), *(soft.length + depth for depth in tree.depth)],
            device=self.device,
        )
        seen = _behind(tree.seen(), soft.length)[-count:].to(self.device)
        nodes = [
            soft.read + path[p]
            for row, path in zip(rows, tree.paths, strict=True)
            for p in row.points
        ]
        with _only_at(base, [0] * len(nodes), nodes, self.device):
            out = base(
                **soft.before(base, torch.tensor([tree.tokens], device=self.device)),
                attention_mask=masks(base.config, seen, at, base.dtype),
                position_ids=at[None, -count:],
            )
        return _flat(out.logits)


class Packed:
    """The rows of a batch in a few sequences of at most `room` tokens, several in each.

    No row sees another: a sequence is a tree (see `Shared`), so that attention is block-diagonal
    behind what rows begin with in common, and the positions of each row count from its own first
    token. A batch goes the ordinary way, padded, where that reads less.
    """

    def __init__(self, module: Any, device: str, room: int = _PACK) -> None:
        self.shared, self.room = Shared(module, device), room

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """See `Reader`."""
        soft = soft_prompt(self.shared.module)
        packs = pack([len(row.tokens) for row in rows], self.room)
        trees = [Tree([rows[i] for i in some]) for some in packs]
        longest = max(len(row.tokens) for row in rows)
        if sum(_cost(tree, soft) for tree in trees) >= len(rows) * (soft.read + longest):
            return self.shared.whole.read(rows, soft)
        return self.read(rows, packs, trees, soft)

    def read(
        self,
        rows: Sequence[Row],
        packs: Sequence[Sequence[int]],
        trees: Sequence[Tree],
        soft: Soft,
    ) -> Tensor:
        """Logits at the points of `rows`; `packs` name the rows of each of the `trees`."""
        by_row: dict[int, Tensor] = {}
        for numbers, tree in zip(packs, trees, strict=True):
            some = [rows[i] for i in numbers]
            logits = self.shared.read(some, tree, soft)
            each = torch.split(logits, [len(row.points) for row in some])
            by_row |= dict(zip(numbers, each, strict=True))
        return torch.cat([by_row[i] for i in range(len(rows))])


def _cost(tree: Tree, soft: Soft) -> float:
    """What reading a tree costs, in tokens of short padded rows: attention is quadratic."""
    count = soft.read + len(tree.tokens)
    return count * (1 + (soft.length + len(tree.tokens)) / _DENSE)


class Tree:
    """Rows as a tree of tokens: `paths[i]` are row i's nodes, `parent[n]` the node before n."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.tokens: list[int] = []
        self.depth: list[int] = []
        self.parent: list[int] = []
        self._child: dict[tuple[int, int], int] = {}
        self.paths = [self._path(row.tokens) for row in rows]

    def _path(self, tokens: Sequence[int]) -> list[int]:
        path: list[int] = []
        for depth, token in enumerate(tokens):
            before = path[-1] if path else -1
            node = self._child.setdefault((before, token), len(self.tokens))
            if node == len(self.tokens):
                self.tokens.append(token)
                self.depth.append(depth)
                self.parent.append(before)
            path.append(node)
        return path

    def seen(self) -> Tensor:
        """(nodes, nodes): whether the column is the row's node itself or an ancestor of it."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, before in enumerate(self.parent):
            if before >= 0:
                seen[node] |= seen[before]
        return seen


class Upper:
    """The upper layers alone, on hidden states the frozen lower layers computed once per row.

    Args:
        module: a causal model whose blocks are `blocks`, an `nn.ModuleList` of its body.
        free: how many of the last blocks are trained.
    """

    def __init__(self, module: Any, free: int, device: str) -> None:
        self.module, self.free, self.device = module, free, device
        self.states: dict[str, Tensor] = {}

    @torch.no_grad()
    def remember(self, rows: Sequence[Row]) -> None:
        """Compute the state of every token at the boundary: (tokens, width) for each row."""
        order = sorted(rows, key=lambda row: (len(row.tokens), row.id))
        for start in range(0, len(order), _CACHING):
            some = order[start : start + _CACHING]
            with _only_at(self.module, *_points(some), self.device):
                out = self.module(
                    input_ids=_padded(some, self.device), use_cache=False, output_hidden_states=True
                )
            boundary = out.hidden_states[-1 - self.free]
            for row, state in zip(some, boundary, strict=True):
                self.states[row.id] = state[: len(row.tokens)].clone()

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """See `Reader`; the rows must have been given to `remember`."""
        states = [self.states[row.id] for row in rows]
        inputs = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
        points = _points(rows)
        with _last_blocks(self.module, self.free), _only_at(self.module, *points, self.device):
            out = self.module(inputs_embeds=inputs, use_cache=False)
        return _flat(out.logits)


class Above:
    """The layers that are in place now, on what the lowest of them reads of some rows.

    Args:
        states: (rows, longest, width), padded on the right.
    """

    def __init__(self, module: Any, states: Tensor, device: str) -> None:
        self.module, self.states, self.device = module, states, device

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """See `Reader`; the rows are those whose states are given."""
        with _only_at(self.module, *_points(rows), self.device):
            out = self.module(inputs_embeds=self.states, use_cache=False)
        return _flat(out.logits)


@torch.no_grad()
def layer_inputs(module: Any, rows: Sequence[Row], device: str) -> list[Tensor]:
    """What each layer reads of some rows: (rows, longest, width) each, padded on the right."""
    with _only_at(module, *_points(rows), device):
        out = module(input_ids=_padded(rows, device), use_cache=False, output_hidden_states=True)
    return list(out.hidden_states[:-1])


def token_reader(
    module: Any,
    rows: Sequence[Row],
    validation: Sequence[Row],
    free: int | None,
    device: str,
    packing: bool,
    note: Callable[[str], None],
) -> Reader:
    """`reader` of all these rows; notes where packing was wanted and padding is what they get.

    Raises `InputError`, with their names, for rows that supervise nothing.
    """
    _require_supervised(rows, validation)
    chosen = reader(module, [*rows, *validation], free, device, packing)
    if packing and isinstance(chosen, Whole):
        note("rows were padded, not packed: on this model the two are not the same")
    return chosen


def _require_supervised(rows: Sequence[Row], validation: Sequence[Row] = ()) -> None:
    """Raise `InputError` where there is nothing to learn from, naming rows that teach nothing."""
    if validation:
        _require_supervised(validation)
    empty = [row.id for row in rows if not row.points]
    if not rows or empty:
        more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
        raise InputError(
            Fault(
                f"{len(empty)} of {len(rows)} training rows have no token to learn: "
                f"{', '.join(empty[:_SHOWN]) or 'there are none'}{more}",
                expected="rows whose answer is at least one token long",
                do="remove the rows with an empty answer",
            )
        )


def reader(
    module: Any, rows: Sequence[Row], free: int | None, device: str, packing: bool = False
) -> Reader:
    """The fastest way to read these rows that gives the ordinary logits.

    `free` is the number of upper blocks being trained, None when gradients reach lower. With
    `packing` a batch may be several sequences, which pays where rows are long.
    """
    whole, shared = Whole(module, device), Shared(module, device)
    ascending = sorted(rows, key=lambda row: len(row.tokens))
    probe = [ascending[i] for i in sorted({0, len(rows) // 2, len(rows) - 1})]
    layers = blocks(module)
    if free is not None and layers is not None and 0 < free < len(layers):
        upper = Upper(module, free, device)
        if _equal(module, probe, whole, lambda: _remembered(upper, probe)):
            upper.remember(rows)
            return upper
    if _equal(module, probe, whole, lambda: shared.read(probe, Tree(probe), soft_prompt(module))):
        return Packed(module, device) if packing else shared
    return whole


def _remembered(upper: Upper, rows: Sequence[Row]) -> Tensor:
    upper.remember(rows)
    return upper.logits(rows)


@torch.no_grad()
def _equal(module: Any, probe: Sequence[Row], whole: Whole, short: Callable[[], Tensor]) -> bool:
    """Whether a short way gives the ordinary logits, dropout aside."""
    was = module.training
    module.eval()
    try:
        return torch.allclose(short(), whole.logits(probe), rtol=_TOLERANCE, atol=_TOLERANCE)
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError):
        # An architecture that cannot be read so: how it says so is its own affair.
        return False
    finally:
        module.train(was)


def _behind(seen: Tensor, length: int) -> Tensor:
    """`seen` with as many positions before it as `length`, which all the others see."""
    whole = torch.ones(length + len(seen), length + len(seen), dtype=torch.bool).tril()
    whole[length:, length:] = seen
    return whole


def blocks(module: Any) -> torch.nn.ModuleList | None:
    """The list of transformer blocks, where the body keeps it under the usual name."""
    layers = getattr(module.base_model, "layers", None)
    return layers if isinstance(layers, torch.nn.ModuleList) else None


@contextmanager
def _last_blocks(module: Any, free: int) -> Iterator[None]:
    """Inside, the body has only its last `free` blocks, so that it starts at the boundary."""
    body = module.base_model
    layers = body.layers
    body.layers = layers[len(layers) - free :]
    try:
        yield
    finally:
        body.layers = layers


@contextmanager
def _only_at(
    module: Any, rows: Sequence[int], columns: Sequence[int], device: str
) -> Iterator[None]:
    """Inside, the head sees (points, width) instead of (rows, length, width)."""
    row, column = torch.tensor(rows, device=device), torch.tensor(columns, device=device)
    head = module.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][row, column],))
    try:
        yield
    finally:
        hook.remove()


def _points(rows: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Row and column of every point in a padded batch."""
    row = [i for i, r in enumerate(rows) for _ in r.points]
    return row, [point for r in rows for point in r.points]


def _flat(logits: Tensor) -> Tensor:
    return logits.reshape(-1, logits.shape[-1]).float()


def _padded(rows: Sequence[Row], device: str) -> Tensor:
    """(rows, longest) token ids; the padding's value is never looked at."""
    tokens = [torch.tensor(row.tokens) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True).to(device)
