"""The phrases that were labelled, wherever they stand again."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from nshot.core.spans import spans_of
from nshot.core.types import Kind, Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.predictors.base import Predictor
from nshot.predictors.phrases import Phrases, phrases


class Dictionary(Method):
    """Marks the phrases that are labelled in the shots, the longest where two begin at one place.

    The baseline of the CoNLL-2003 shared task: Tjong Kim Sang and De Meulder, "Introduction to the
    CoNLL-2003 Shared Task", https://aclanthology.org/W03-0419/ - a phrase has the label that it
    has most often; one that stands in the shots more often without a label is left out.
    """

    name: ClassVar = "dictionary"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"spans"})
    about: ClassVar = "the phrases that were labelled, wherever they stand again"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Count."""
        counts: dict[str, Counter[str]] = {}
        for example in shots.labelled:
            text = example.input.text
            for span in spans_of(example.targets[0]):
                phrase = text[span.start : span.end]
                counts.setdefault(phrase, Counter())[span.label] += 1
        labels = {phrase: max(sorted(own), key=own.__getitem__) for phrase, own in counts.items()}
        standing = Counter[str]()
        for text in (example.input.text for example in shots.labelled):
            standing.update(text[one.start : one.end] for one in phrases(text, labels))
        kept = {p: label for p, label in labels.items() if 2 * counts[p].total() >= standing[p]}
        return Phrases(task, kept)
