"""Does the answer hold what was asked for: the slots, JSON, the number?"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nshot.core.types import Example, Input, Prediction
from nshot.metrics.metric import NUMBER, Floats, Mean, plain_number, units

_BRACKETED = re.compile(r"([^\W_][\w /-]*)\[([^\[\]]+)\]")
_FIGURES = rf"[0-9]{{1,3}}(?:\.[0-9]{{3}})+,[0-9]+|{NUMBER}|(?<![\w.])\.[0-9]+"
_SIGNED = re.compile(rf"((?<![\w)\]%])[-−][$€£₩]?)?({_FIGURES})([eE][+-]?[0-9]{{1,3}}(?!\w))?")
_RESULT = "####"
_BOXED = re.compile(r"\\boxed\s*\{([^{}]*)\}")
_ANSWER = re.compile(r"\banswer\s*(?:is\b|:|=)\s*:?|답\s*(?:은|는|:|=)", re.IGNORECASE)
_SENTENCE = re.compile(r"[!?。]|\.(?=\s|$)|\n")
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[^\W\da-zA-Z_]+")
_YES, _NO = frozenset({"yes", "true"}), frozenset({"no", "false"})
_NEGATIONS = frozenset({"no", "not", "non", "isn", "doesn", "aren", "don", "never", "without"})
_REACH = 4
"""How many words before what it negates a negation may stand: "is not a very family friendly"."""
_STEM = 5
"""Letters by which ``family`` is found in ``families``."""


@dataclass(frozen=True)
class Slot:
    """A name and a value that an answer has to say."""

    name: str
    value: str


class Slots:
    """Share of the slots of the inputs' meaning representations that the answers say.

    A slot is said where the units of its value stand in the answer, in order and side by side. Of
    a yes or no, a word of the slot's name has to (``familyFriendly``: "family" or "friendly"),
    with a negation shortly before it for no and none for yes. An input without slots counts
    nothing.
    """

    mean = False

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(slots said, slots)."""
        named, words = slots(example.input), units(prediction.answer)
        return (float(sum(_says(words, slot) for slot in named)), float(len(named)))

    def value(self, total: Floats, count: int) -> float:
        """Said over wanted."""
        return float(total[0] / total[1]) if total[1] else 0.0


class IsJson(Mean):
    """1 where the whole answer is a JSON object or list."""

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,)."""
        return (float(isinstance(parsed(prediction.answer), (dict, list))),)


class JsonMatch(Mean):
    """1 where the answer is JSON of the same keys and values as a reference.

    The order of keys does not count, that of lists does; 1 and 1.0 are equal, 1 and true are not.
    """

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,), the best over the references."""
        return (float(any(_same(prediction.answer, target) for target in example.targets)),)


class Number(Mean):
    """1 where the number that an answer gives is that of a reference (Cobbe et al. 2021).

    Which number that is, is said at `last_number`.
    """

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,), the best over the references."""
        number = last_number(prediction.answer)
        right = number is not None and any(last_number(t) == number for t in example.targets)
        return (float(right),)


def slots(input: Input) -> tuple[Slot, ...]:
    """The slots of an input: ``name[The Eagle], food[French]`` or ``subject | property | object``.

    Of triples joined by ``&&`` every different subject and object is one slot.
    """
    texts = [text for _, text in input.fields] + [turn.text for turn in input.turns]
    return tuple(slot for text in texts for slot in _slots(text))


def _slots(text: str) -> Iterator[Slot]:
    triples = [[part.strip() for part in triple.split(" | ")] for triple in text.split("&&")]
    if all(len(triple) == 3 for triple in triples):
        values = {tuple(units(value)): value for s, _, o in triples for value in (s, o)}
        yield from (Slot("", value) for key, value in values.items() if key)
        return
    for match in _BRACKETED.finditer(text):
        if units(match[2]):
            yield Slot(match[1].strip(), match[2].strip())


def _says(words: list[str], slot: Slot) -> bool:
    value = units(slot.value)
    if slot.value.casefold() in _YES | _NO and slot.name:
        return _agrees(words, slot)
    return any(words[i : i + len(value)] == value for i in range(len(words) - len(value) + 1))


def _agrees(words: list[str], slot: Slot) -> bool:
    """Whether a word of the slot's name is said, and denied if it is to be."""
    stems = tuple(word.casefold()[:_STEM] for word in _WORD.findall(slot.name) if len(word) > 2)
    places = [i for i, word in enumerate(words) if word.startswith(stems)]
    denied = any(_NEGATIONS & {*words[max(0, i - _REACH) : i]} for i in places)
    return bool(places) and denied == (slot.value.casefold() in _NO)


class _NotJson:
    """What no JSON is equal to."""


NOT_JSON = _NotJson()


def parsed(text: str) -> Any:
    """The text as JSON, or `NOT_JSON`; the numbers that JSON does not know are none."""
    try:
        return json.loads(text.strip(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NOT_JSON


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _same(answer: str, target: str) -> bool:
    ours, theirs = parsed(answer), parsed(target)
    try:
        return ours is not NOT_JSON and bool(_typed(ours) == _typed(theirs))
    except RecursionError:  # nested to the depth that could just be read
        return False


def _typed(value: Any) -> Any:
    """The value in a form in which true is not 1."""
    if isinstance(value, dict):
        return {key: _typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return (isinstance(value, bool), value)


def last_number(text: str) -> str | None:
    """The number that a text gives, in one way of writing, or None; figures only, no words.

    Behind ``####``, where it stands, only what follows the last one is read; else what stands in
    the last ``\\boxed{}``; else, behind the last "answer is" or "answer:" (답은, 정답:), the number
    behind the sentence's last ``=``, without one its first number. Else the text's last number, not
    of an aside in brackets where there is another.
    """
    plain = unicodedata.normalize("NFKC", text)
    if _RESULT in plain:
        plain = plain.rpartition(_RESULT)[2]
    elif boxes := [box for box in _BOXED.findall(plain) if _SIGNED.search(box)]:
        plain = boxes[-1]
    elif (number := _answered(plain)) is not None:
        return number
    numbers = _SIGNED.findall(_ASIDE.sub(" ", plain)) or _SIGNED.findall(plain)
    return _written(*numbers[-1]) if numbers else None


def _answered(text: str) -> str | None:
    """The number of the sentence that begins at the last mark of an answer; None without one."""
    marks = list(_ANSWER.finditer(text))
    if not marks:
        return None
    sentence = _SENTENCE.split(text[marks[-1].end() :].lstrip(" \n*:"))[0]
    for part in (_ASIDE.sub(" ", sentence).rpartition("=")[2], sentence):
        if numbers := _SIGNED.findall(part):
            return _written(*numbers[0])
    return None


def _written(sign: str, figures: str, exponent: str) -> str:
    """Figures in one way of writing; a comma behind dots is a decimal one: ``1.234,5``."""
    if "." in figures and figures.rfind(",") > figures.find("."):
        figures = figures.replace(".", "").replace(",", ".")
    if exponent:
        figures = f"{Decimal(figures.replace(',', '') + exponent):f}"
    number = plain_number(figures)
    return f"-{number}" if sign and number != "0" else number
