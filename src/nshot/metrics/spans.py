"""Are the right pieces of the text marked?"""

from __future__ import annotations

from collections.abc import Iterable

from nshot.core.spans import Span, spans_of
from nshot.core.types import Example, Prediction
from nshot.metrics.metric import Floats


class SpanF1:
    """F1 of the spans of all rows together: right are those of the same start, end and label.

    As conlleval (Tjong Kim Sang and De Meulder 2003, https://aclanthology.org/W03-0419/) and
    seqeval count. Rows without any span, answered with none, are without fault: 1 where all are so.
    """

    mean = False

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """Spans that are right, answered, and occurring."""
        right, answered = {*spans_of(example.targets[0])}, {*spans_of(prediction.answer)}
        return (float(len(right & answered)), float(len(answered)), float(len(right)))

    def value(self, total: Floats, count: int) -> float:
        """2 right / (answered + occurring)."""
        return _f1(*total)


class OverlapF1:
    """F1 of the characters of all rows together: right are those marked with the same label.

    A span of which half is found counts half; one that is much too long costs what is too much.
    """

    mean = False

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """Characters that are right, marked, and occurring in spans."""
        right = _characters(spans_of(example.targets[0]))
        answered = _characters(spans_of(prediction.answer))
        return (float(len(right & answered)), float(len(answered)), float(len(right)))

    def value(self, total: Floats, count: int) -> float:
        """2 right / (marked + occurring)."""
        return _f1(*total)


def _f1(right: float, answered: float, occurring: float) -> float:
    both = answered + occurring
    return float(2 * right / both) if both else 1.0


def _characters(spans: Iterable[Span]) -> set[tuple[int, str]]:
    return {(at, span.label) for span in spans for at in range(span.start, span.end)}
