"""Pairs of texts, and how a sentence encoder reads them."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, islice
from typing import Any

import torch
from torch import Tensor

from nshot.models.hf.encoder import prompt_of

_GROUP = 8
"""Texts of like length that go through the encoder together: padding is work too."""


@dataclass(frozen=True)
class Pair:
    """Two texts, and whether they have the same label. `length` counts the tokens of both."""

    id: str
    first: str
    second: str
    alike: bool
    length: int


def pairs(
    texts: Sequence[str], labels: Sequence[str], lengths: Sequence[int], each: int, seed: int
) -> list[Pair]:
    """`each` pairs of one label and as many of two, in turn.

    Drawn without replacement from all there are, a text with itself included; where these are
    fewer than `each`, they come again and again. A kind of which there is none is left out.
    """
    order = sorted(range(len(labels)), key=lambda i: labels[i])
    end = {labels[i]: at + 1 for at, i in enumerate(order)}
    ends = [end[labels[i]] for i in order]
    rng = random.Random(f"pairs:{seed}")
    alike = _draw([range(at, end) for at, end in enumerate(ends)], each, rng)
    apart = _draw([range(end, len(order)) for end in ends], each, rng)
    made = []
    for number in range(each):
        for kind, places in ((True, alike), (False, apart)):
            if places:
                a, b = (order[at] for at in places[number])
                name = f"{number}/{'alike' if kind else 'apart'}"
                made.append(Pair(name, texts[a], texts[b], kind, lengths[a] + lengths[b]))
    return made


def _draw(partners: Sequence[range], count: int, rng: random.Random) -> list[tuple[int, int]]:
    """`count` of the pairs (i, one of ``partners[i]``); none where there are none."""
    ends = list(accumulate(map(len, partners)))
    numbers = rng.sample(range(ends[-1]), min(ends[-1], count))
    drawn = []
    for number in islice(cycle(numbers), count):
        i = bisect_right(ends, number)
        drawn.append((i, partners[i][number - ends[i]]))  # counted from the end of i's partners
    return drawn


class Sentences:
    """Reads pairs with a sentence-transformers model, each text of a batch once.

    The two sides of a text's pair with itself are read apart: dropout is what tells them apart.
    """

    def __init__(self, module: Any, device: str) -> None:
        self.module, self.device = module, device

    def vectors(self, rows: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """Vectors of the first and of the second texts, (rows, width) each."""
        sides = [(row.first, 0) for row in rows]
        sides += [(row.second, int(row.first == row.second)) for row in rows]
        lengths = dict(sorted(dict.fromkeys(sides).items(), key=lambda item: len(item[0][0])))
        place = {side: i for i, side in enumerate(lengths)}
        vectors = self._read([text for text, _ in lengths])
        both = vectors[torch.tensor([place[side] for side in sides], device=vectors.device)]
        return both[: len(rows)], both[len(rows) :]

    def _read(self, texts: Sequence[str]) -> Tensor:
        """(texts, width), the texts in groups in the order given."""
        from sentence_transformers.util import batch_to_device

        groups = [texts[i : i + _GROUP] for i in range(0, len(texts), _GROUP)]
        prompt = prompt_of(self.module)
        vectors = []
        for group in groups:
            tokens = self.module.preprocess(list(group), prompt=prompt)
            vectors.append(self.module(batch_to_device(tokens, self.device))["sentence_embedding"])
        return torch.cat(vectors)
