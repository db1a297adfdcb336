"""Inputs on which the rows that could be the best answer differently: what is worth a label.

Where all of them agree, a label gives each the same point and says nothing of who is better.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from nshot.board.schema import Disagreement
from nshot.core.types import Input


def disagreements(
    inputs: Mapping[str, Input],
    answers: Mapping[str, Mapping[str, str]],
    labels: Mapping[str, str] | None = None,
) -> list[Disagreement]:
    """The inputs on which two or more answers differ, the most contested first.

    Most contested is the highest entropy of the answers' shares; of equal ones the first in the
    order of `inputs`.

    Args:
        inputs: by id.
        answers: of each row of the board, by its name: what it answered, by the input's id. It need
            not have answered all.
        labels: the right answer of those inputs where it is known.
    """
    contested = []
    for name, one in inputs.items():
        given = {row: own[name] for row, own in answers.items() if name in own}
        if len(set(given.values())) > 1:
            label = (labels or {}).get(name)
            row = Disagreement(id=name, input=_shown(one), answers=given, label=label)
            contested.append((_entropy(list(given.values())), row))
    return [row for _, row in sorted(contested, key=lambda pair: -pair[0])]


def _entropy(answers: Sequence[str]) -> float:
    """Of the shares of each answer, in nats; rounded, so that equal shares are equal."""
    shares = [count / len(answers) for count in Counter(answers).values()]
    return round(-sum(share * math.log(share) for share in shares), 9)


def _shown(one: Input) -> str | dict[str, str]:
    """One text, several by name, or the path of a picture."""
    if len(one.fields) > 1:
        return dict(one.fields)
    return one.text or ", ".join(image.path for image in one.images)
