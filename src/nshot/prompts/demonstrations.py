"""Which solved rows stand before an input, and in which order.

Every choice but the random one takes labels in turn, so that no label is missing while rows last:
of a label each takes the rows that it likes best.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np

from nshot.core.types import Example, Task
from nshot.models.base import Floats

Choice: TypeAlias = Literal["balanced", "random", "diverse", "hard"]
Order: TypeAlias = Literal["drawn", "grouped", "entropy"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
ORDERINGS: tuple[Order, ...] = get_args(Order)
Likeness: TypeAlias = Callable[[int], Floats]
"""(rows,) how like each row is to the one of this place: a cosine."""


def in_turn(examples: Sequence[Example], n: int, seed: int) -> tuple[Example, ...]:
    """`n` examples, label after label in turn, labels and examples in a seeded order.

    Does not depend on the order of `examples`. Every reference of a generate task is a label here.
    """
    rng = random.Random(f"demonstrations:{seed}")
    order = _queues(examples)
    for queue in order:
        rng.shuffle(queue)
    rng.shuffle(order)
    return _turns(order, n)


def at_random(examples: Sequence[Example], n: int, seed: int) -> tuple[Example, ...]:
    """`n` examples, whatever their labels. Does not depend on the order of `examples`."""
    rows = sorted(examples, key=lambda example: example.id)
    random.Random(f"demonstrations:{seed}").shuffle(rows)
    return tuple(rows[:n])


def diverse(
    examples: Sequence[Example], likeness: Likeness, n: int, seed: int, labels: bool = True
) -> tuple[Example, ...]:
    """`n` examples that cover the space of inputs, labels in turn, labels in a seeded order.

    Without `labels` (numbers, texts) there are no turns.

    Greedy k-centre (Gonzalez 1985, https://doi.org/10.1016/0304-3975(85)90224-5; of training rows
    Sener and Savarese 2018, https://arxiv.org/abs/1708.00489, algorithm 1): the next example is the
    one whose likest example among those chosen is the least like it. The first is drawn.
    """
    queues = _queues(examples) if labels else [sorted(examples, key=lambda example: example.id)]
    rng = random.Random(f"demonstrations:{seed}")
    rng.shuffle(queues)
    place = {example.id: at for at, example in enumerate(examples)}
    closest = np.full(len(examples), -np.inf)
    chosen: list[Example] = []
    while len(chosen) < n and any(queues):
        for queue in [queue for queue in queues if queue][: n - len(chosen)]:
            one = (
                min(queue, key=lambda example: (closest[place[example.id]], example.id))
                if chosen
                else rng.choice(queue)
            )
            queue.remove(one)
            chosen.append(one)
            closest = np.maximum(closest, likeness(place[one.id]))
    return tuple(chosen)


def hardest(
    examples: Sequence[Example], margins: Sequence[float], n: int, seed: int
) -> tuple[Example, ...]:
    """`n` examples of small `margins` (one each), labels in turn, labels in a seeded order.

    Uncertainty sampling by the margin between the two likeliest labels (Scheffer et al. 2001); for
    prompts Diao et al. 2023, https://arxiv.org/abs/2302.12246.
    """
    margin = {example.id: one for example, one in zip(examples, margins, strict=True)}
    queues = _queues(examples)
    for queue in queues:
        queue.sort(key=lambda example: (margin[example.id], example.id))
    random.Random(f"demonstrations:{seed}").shuffle(queues)
    return _turns(queues, n)


def grouped(task: Task, examples: Sequence[Example]) -> tuple[Example, ...]:
    """The same, those of one label after another, in the task's order."""
    place = {name: at for at, name in enumerate(task.label_names)}
    return tuple(sorted(examples, key=lambda example: place.get(example.label, 0)))


def orders(examples: Sequence[Example], count: int, seed: int) -> list[tuple[Example, ...]]:
    """Up to `count` different orders, the given one first, the others drawn."""
    rng = random.Random(f"orders:{seed}")
    drawn = [tuple(examples)]
    for _ in range(4 * count):
        if len(drawn) < count and (one := tuple(rng.sample(examples, len(examples)))) not in drawn:
            drawn.append(one)
    return drawn


def entropy(answers: Sequence[str]) -> float:
    """Of the labels that were answered, in nats: the higher, the less one label is preferred.

    GlobalE of Lu et al. 2022, https://arxiv.org/abs/2104.08786, section 3.2.
    """
    shares = np.array(list(Counter(answers).values())) / max(1, len(answers))
    return float(-(shares * np.log(shares)).sum())


def _queues(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples of each label by id, labels in the order of their first id."""
    queues: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda example: example.id):
        queues.setdefault(example.label, []).append(example)
    return list(queues.values())


def _turns(queues: Sequence[Sequence[Example]], n: int) -> tuple[Example, ...]:
    """The first of each queue, then the second of each, up to `n`."""
    longest = max(map(len, queues), default=0)
    return tuple(queue[i] for i in range(longest) for queue in queues if i < len(queue))[:n]
