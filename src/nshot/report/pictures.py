"""Of a task of pictures: what the pick learned from, what it gets wrong beside the likest, right.

The pictures stand in the page as small JPEGs, so that it needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from nshot.core.errors import InputError
from nshot.core.types import Example, Measurement, Prediction
from nshot.report.markup import Markup, element, join
from nshot.report.rows import listed, mapped

Shown: TypeAlias = dict[str, Any]

_SHOTS, _WRONG, _RIGHT = 24, 12, 6
"""With what is likest beside each answer 60 pictures, of a few kilobytes each."""
_INLINE = "data:image/jpeg;base64,"


def gather(known: Mapping[str, Example], measurement: Measurement) -> Shown:
    """``shots``, ``wrong`` (the surest first, each with the shot that looks likest) and ``right``.

    `known` are all rows by id, `measurement` is the first draw of the pick.
    """
    answers = list(zip(measurement.ids, measurement.predictions, strict=True))
    right = [pair for pair in answers if pair[1].answer in known[pair[0]].targets]
    wrong = [pair for pair in answers if pair[1].answer not in known[pair[0]].targets]
    wrong.sort(key=lambda pair: -max(pair[1].scores, default=0.0))
    near = measurement.extra.get("near", {})
    shots = [known[name] for name in measurement.extra.get("shots", ())[:_SHOTS]]
    return {
        "shots": [_shot(example) for example in shots],
        "wrong": [_answered(known, pair, near) for pair in wrong[:_WRONG]],
        "right": [_answered(known, pair, near) for pair in _spread(right)],
    }


def _spread(pairs: Sequence[tuple[str, Prediction]]) -> Sequence[tuple[str, Prediction]]:
    """`_RIGHT` of them, evenly over all."""
    count = min(_RIGHT, len(pairs))
    return [pairs[i * len(pairs) // count] for i in range(count)]


def _shot(example: Example) -> Shown:
    return {"label": example.label, "src": _source(example)}


def _answered(
    known: Mapping[str, Example], pair: tuple[str, Prediction], near: Mapping[str, str]
) -> Shown:
    name, prediction = pair
    likest = known.get(near.get(name, ""))
    return {
        "expected": known[name].label,
        "answer": prediction.answer,
        "src": _source(known[name]),
        "near": _shot(likest) if likest else None,
    }


def _source(example: Example) -> str:
    """The picture as an address that holds it; "" where it can no longer be read."""
    from nshot.data.pictures import thumbnail

    try:
        return thumbnail(example.input.images[0])
    except InputError:
        return ""


def section_of(details: Mapping[str, Any]) -> tuple[str, Sequence[Markup]] | None:
    """The section's lede and content, or None where no picture was gathered."""
    found = mapped(details.get("pictures"))
    shots, wrong, right = (listed(found.get(key)) for key in ("shots", "wrong", "right"))
    if not (shots or wrong or right):
        return None
    lede = (
        "The first draw. Beside an answer stands the labelled picture that is likest by the "
        "encoder's last layer, whatever the method itself went by."
    )
    blocks = (
        ("What it learned from", [_figure(one, str(one.get("label"))) for one in shots]),
        ("What it gets wrong, the surest first", [_with_near(one) for one in wrong]),
        ("Some of what it gets right", [_with_near(one) for one in right]),
    )
    return lede, [
        join(element("h3", title), element("div.shelf", *figures))
        for title, figures in blocks
        if figures
    ]


def _with_near(one: Mapping[str, Any]) -> Markup:
    expected, answer, near = str(one.get("expected")), str(one.get("answer")), one.get("near")
    said = join("answered ", element("b", answer))
    if expected != answer:
        said = join(said, f", expected {expected}")
    drawn = _picture(one)
    if isinstance(near, Mapping):
        drawn = join(drawn, _picture(near))
        said = join(said, element("small", f" · likest: {near.get('label')}"))
    return element("figure", drawn, element("figcaption", said))


def _figure(one: Mapping[str, Any], caption: str) -> Markup:
    return element("figure", _picture(one), element("figcaption", caption))


def _picture(one: Mapping[str, Any]) -> Markup:
    """The picture, if it is one that stands in the page itself."""
    source = str(one.get("src", ""))
    if not source.startswith(_INLINE):
        return element("span.none", "not there")
    return element("img", at={"src": source, "alt": str(one.get("label", one.get("expected")))})
