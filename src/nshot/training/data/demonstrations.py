"""Which solved examples stand before a row in training: others than the row's own, drawn anew."""

from __future__ import annotations

import random
from collections.abc import Sequence

from nshot.core.types import Example, group_of


def drawn_for(
    example: Example, pool: Sequence[Example], each: int, rng: random.Random
) -> tuple[Example, ...]:
    """`each` examples of every label of the `pool`, none of the example's own group, in any order.

    A label with fewer shows what it has (Gao et al. 2021, section 5.1).
    """
    by_label: dict[str, list[Example]] = {}
    for one in pool:
        if group_of(one) != group_of(example) and one.input != example.input:
            by_label.setdefault(one.label, []).append(one)
    some = [
        one
        for label in sorted(by_label)
        for one in rng.sample(by_label[label], min(each, len(by_label[label])))
    ]
    rng.shuffle(some)
    return tuple(some)
