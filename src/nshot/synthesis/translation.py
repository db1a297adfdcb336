"""Instruction rows in another language, as KoAlpaca was made from Alpaca.

Instruction and input are translated, broken translations are dropped with their reasons, and the
output is not translated but written anew, from the translated instruction, in that language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nshot.synthesis.languages import Language, language
from nshot.synthesis.masking import mask, restore
from nshot.synthesis.requests import Outputs
from nshot.synthesis.soundness import Reason, nothing_to_translate, reasons_against

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Unmade:
    """Stands for a text that could not be made."""

    reason: Reason
    text: str = ""


Texts: TypeAlias = Callable[[Sequence[str]], Sequence[str | Unmade]]
"""Texts in, as many texts out, in order."""


@dataclass(frozen=True)
class Broken:
    """Why a row is dropped: what was wrong with one of its texts, and what that text was."""

    field: str
    reasons: tuple[Reason, ...]
    text: str


@dataclass
class Translated:
    """Rows in the other language, in the order of the source, and those that were dropped."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[tuple[dict[str, Any], tuple[Broken, ...]]] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        """Rows that were dropped for each kind of reason; a row may have several."""
        return Counter(
            kind
            for _, broken in self.dropped
            for kind in {reason.kind for one in broken for reason in one.reasons}
        )


def translate(
    rows: Sequence[Row],
    by: Texts,
    to: str = "ko",
    outputs: Outputs = "keep",
    answer: Texts | None = None,
    system: str = "",
) -> Translated:
    """Translate the instruction and the input of rows, and make their outputs.

    Args:
        rows: each with ``instruction``, ``output`` and, if it has one, ``input``; others stay.
        by: translates texts. It is given marks such as ``⟦0⟧`` in place of what must not change.
        to: the language's code.
        outputs: ``regenerate`` asks `answer`, ``translate`` asks `by`, ``keep`` leaves them.
        answer: gives the output to each request (an instruction and its input, in the language).
        system: a system prompt that each row is given, where it is not "".

    Raises `ValueError` for ``regenerate`` without `answer`, and where `by` or `answer` gives
    another number of texts than it was asked for.
    """
    if outputs == "regenerate" and answer is None:
        raise ValueError("to regenerate outputs, give answer=")
    fields = ("instruction", "input", *(("output",) if outputs == "translate" else ()))
    done = Translated()
    whole: list[dict[str, Any]] = []
    for row, (new, broken) in zip(rows, _fields(rows, fields, by, language(to)), strict=True):
        if broken:
            done.dropped.append((dict(row), broken))
        else:
            whole.append(new)
    if outputs == "regenerate" and answer is not None:
        whole = _answered(whole, answer, done)
    done.rows = [{**({"system": system} if system else {}), **row} for row in whole]
    return done


def _fields(
    rows: Sequence[Row], fields: Sequence[str], by: Texts, to: Language
) -> list[tuple[dict[str, Any], tuple[Broken, ...]]]:
    """Each row with its fields translated, and what of them is broken. Equal texts go once."""
    sources = dict.fromkeys(row[name] for row in rows for name in fields if row.get(name))
    different = [source for source in sources if not nothing_to_translate(source)]
    translations = dict(zip(different, _translations(different, by, to), strict=True))
    pairs = []
    for row in rows:
        new, broken = dict(row), list[Broken]()
        for name in fields:
            source = row.get(name) or ""
            new[name], reasons = translations.get(source, (source, ()))
            if reasons:
                broken.append(Broken(name, reasons, new[name]))
        pairs.append((new, tuple(broken)))
    return pairs


def _translations(
    sources: Sequence[str], by: Texts, to: Language
) -> list[tuple[str, tuple[Reason, ...]]]:
    """Each translation, and why it is not taken."""
    masked = [mask(source.strip()) for source in sources]
    pairs: list[tuple[str, tuple[Reason, ...]]] = []
    for source, one, text in zip(
        sources, masked, _as_many(by, [one.text for one in masked]), strict=True
    ):
        if isinstance(text, Unmade):
            pairs.append((text.text, (text.reason,)))
        else:
            restored = restore(text, one.parts).strip()
            pairs.append((restored, tuple(reasons_against(source, restored, to))))
    return pairs


def _as_many(make: Texts, texts: Sequence[str]) -> Sequence[str | Unmade]:
    made = make(texts) if texts else []
    if len(made) != len(texts):
        raise ValueError(f"{len(made)} texts were made of {len(texts)}")
    return made


def _answered(
    rows: Sequence[dict[str, Any]], answer: Texts, done: Translated
) -> list[dict[str, Any]]:
    """The rows with outputs written anew; those without one are dropped."""
    kept = []
    outputs = _as_many(answer, [request(row) for row in rows])
    for row, output in zip(rows, outputs, strict=True):
        if isinstance(output, str) and output.strip():
            kept.append({**row, "output": output.strip()})
            continue
        made = output if isinstance(output, Unmade) else Unmade(Reason("empty"))
        done.dropped.append((row, (Broken("output", (made.reason,), made.text),)))
    return kept


def request(row: Row) -> str:
    """What is asked of the writer of an output: the instruction, and the input under it."""
    return "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
