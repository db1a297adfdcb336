"""Of a task of pictures: what the pick learned from, what it gets wrong beside the likest, right.

The pictures stand in the page as small JPEGs, so that it needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nshot.report.markup import Markup, element, join
from nshot.report.rows import listed, mapped

_INLINE = "data:image/jpeg;base64,"


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
