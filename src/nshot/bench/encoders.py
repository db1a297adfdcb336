"""Which sentence encoders a comparison takes where its user named none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nshot.core.errors import ModelNotFound
from nshot.core.types import Example, ModelRef
from nshot.data.language import language
from nshot.models.catalog import resolve
from nshot.models.embedded.packages import E5, ENCODER, Embedded


class Choice(NamedTuple):
    """The encoders, and the line that says which and why; "" where there is none."""

    encoders: tuple[ModelRef, ...]
    note: str


def default_encoders(rows: Sequence[Example], single: bool = False) -> Choice:
    """The embedded encoders that are at hand and can read these rows.

    Texts that are not English are read by the multilingual one alone. English ones are read by
    both, each a contender, or by the faster one where a `single` one is wanted.
    """
    english, reason = language([row.input.text for row in rows])
    fast, multilingual = _at_hand(ENCODER), _at_hand(E5)
    if english:
        taken = fast or multilingual if single else (*fast, *multilingual)
    else:
        taken = multilingual or fast
    if not taken:
        return Choice((), "")
    names = "encoder " + " and ".join(ref.name for ref in taken)
    if english or multilingual:
        return Choice(taken, f"{names}: {reason} (--encoder sets another)")
    cure = f"; to read them: {E5.install}" if E5.installs else ""
    return Choice(taken, f"{names}, which reads English, but {reason}{cure}")


def _at_hand(e: Embedded) -> tuple[ModelRef, ...]:
    try:
        return (resolve(e.name, "encoder"),)
    except ModelNotFound:
        return ()
