"""Concise: nothing is said twice, and what is said fits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from nshot.prompts.checks.draft import Draft, Finding
from nshot.prompts.checks.wording import alike, fillers, plural, sentences
from nshot.prompts.parts import DESCRIPTIONS, descriptions_fit, instruction

_SAME = 0.9
"""Share of letters from which two sentences say the same."""
_LONG_SENTENCE = 45
"""Words of a sentence that nobody reads at once."""
_FILLERS = 2
_SHARE = 0.25
"""Share of the context that what is asked may take."""
_TOKENS, _TIMES = 400, 5
"""Tokens of what is asked, and how many times the median input, from which it is long."""


def concise(draft: Draft) -> Iterator[Finding]:
    """Everything under this heading."""
    yield from _repeated(draft)
    yield from _padded(draft)
    yield from _long(draft)


def _repeated(draft: Draft) -> Iterator[Finding]:
    """No sentence stands twice."""
    every = [(part, one) for part, text in draft.parts.items() for one in sentences(text)]
    for (_, first), (part, second) in combinations(every, 2):
        if len(second) > 12 and alike(first.strip(" -."), second.strip(" -.")) >= _SAME:
            yield Finding(
                "concise",
                f"{part} says again what stands before it: '{second.strip(' -')}'",
                "leave one of the two out",
                draft.where(part),
            )
            return


def _padded(draft: Draft) -> Iterator[Finding]:
    """No words that only cost tokens, no sentence without an end."""
    for part, text in draft.parts.items():
        padding = fillers(text)
        longest = max(sentences(text), key=lambda one: len(one.split()), default="")
        if len(padding) >= _FILLERS:
            yield Finding(
                "concise",
                f"{part} has words that say nothing: {', '.join(dict.fromkeys(padding))}",
                "leave them out",
                draft.where(part),
            )
        if len(longest.split()) > _LONG_SENTENCE:
            yield Finding(
                "concise",
                f"{part} has a sentence of {len(longest.split())} words",
                "part it: a sentence a rule, under constraints",
                draft.where(part),
            )


def _long(draft: Draft) -> Iterator[Finding]:
    """What is asked, and the demonstrations, fit beside the input."""
    task = draft.task
    if any(label.description for label in task.labels) and not descriptions_fit(task):
        yield Finding(
            "concise",
            f"the labels' descriptions have more than {DESCRIPTIONS:,} characters: a prompt leaves"
            " all of them out",
            "shorten them",
            draft.where("labels"),
        )
    if not draft.rows:
        return
    (fixed,) = draft.count([instruction(task)])
    inputs = sorted(draft.count([row.input.text for row in draft.rows]))
    median = inputs[len(inputs) // 2]
    if draft.context and fixed > _SHARE * draft.context:
        yield Finding(
            "concise",
            f"what is asked takes {fixed} tokens, {100 * fixed / draft.context:.0f} % of the"
            f" model's {draft.context}",
            "shorten it, or name a model that reads more",
            draft.where("instruction"),
        )
    elif fixed > _TOKENS and fixed > _TIMES * median:
        yield Finding(
            "concise",
            f"what is asked takes {fixed} tokens, {fixed / max(median, 1):.0f} times an input",
            "shorten it: `nshot prompt ablate` says which part pays",
            draft.where("instruction"),
        )
    shown = draft.shots * median
    if draft.context and draft.shots and fixed + shown + inputs[-1] > draft.context:
        yield Finding(
            "concise",
            f"{plural(draft.shots, 'demonstration')} and the longest input take about"
            f" {fixed + shown + inputs[-1]} tokens of {draft.context}",
            "show fewer, or shorter ones",
            draft.where("instruction"),
        )
