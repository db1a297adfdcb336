"""Whether texts are English: by their script, and by small words. A check, not a recogniser.

It is for choosing an encoder, where a wrong guess costs little: texts without any sign of another
language count as English, codes and numbers too.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

SHARE = 0.05
"""Of the texts in another script, from which all of them are not taken for English."""
LATIN_SHARE = 0.1
"""The same of texts in any other language, which names and loan words may only seem."""
MOST = 1000
"""Texts that are looked at, evenly spaced."""
_FOREIGN = 0.2
"""Share of a text's letters in another script, from which it is not English."""
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = (
    "the of and you your my it its this that these those with for are be been have has had not "
    "but they at from by his her she can could would should what when where why how which who "
    "there their if were does did don about just any get got than then into some very too only "
    "because after before other out up"
)
_OTHERS = (
    # German, Dutch
    "der das und ist nicht ein eine einen einem einer ich sie wir mit auf von dem zu mein meine "
    "meinen meiner mir mich wie wo wann warum habe haben wurde wird werden bei nach auch aber sich "
    "oder noch nur wenn zum zur sehr kann können für über sind keine kein nichts bitte "
    "het een ik niet zijn voor mijn maar ook hoe waar heb aan bij naar deze wordt hebben geen "
    # French, Spanish, Italian, Portuguese, Catalan, Romanian
    "le les des et une est pas que je dans ce qui aux vous il elle ils ne avec cette mes sont été "
    "être très où quand pourquoi leur ses "
    "por una del para pero muy porque tengo puedo está qué cómo cuándo dónde más esta "
    "este fue sus ella yo "
    "che gli della delle nel nella sono anche questo questa più perché quando dove alla "
    "não uma foi ele ela você meu minha isso seu sua muito são também pelo estou "
    "amb els dels és aquest și sunt pentru "
    # Swedish, Danish, Norwegian, Finnish, Hungarian
    "och att det som inte jag på är för ett har till av og ikke jeg hvad hvor "
    "että mutta hän olen ovat joka és hogy nem egy "
    # Polish, Czech, Slovak, Croatian
    "nie się jest że jak czy dla już przez oraz mnie že jsem není jako ktorý nije "
    # Turkish, Indonesian, Vietnamese
    "bir bu için çok ile değil gibi ama yang dengan untuk tidak ini itu dari saya akan adalah "
    "là của không có và được người tôi"
)
"""Small words that are seldom English ones: "die", "in", "me" and "los" (Angeles) tell nothing."""


_OF_ENGLISH, _OF_OTHERS = frozenset(_ENGLISH.split()), frozenset(_OTHERS.split())


class Language(NamedTuple):
    """`english` or not, and in words by what sign."""

    english: bool
    reason: str


def language(texts: Sequence[str]) -> Language:
    """Are these texts in English?

    A text is not where a fifth of its letters are of another script than the Latin, or where it
    has more small words of other languages, and words with accents, than small words of English.
    Texts without letters are left out of the count; few that are not English are enough.
    """
    some = texts[:: -(-len(texts) // MOST) or 1]
    signs = [sign for text in some if (sign := _sign(text)) is not None]
    if not signs:
        return Language(True, "the texts have no letters")
    foreign = Counter(sign for sign in signs if sign)
    scripts = foreign.total() - foreign[_OTHER_WORDS]
    if scripts < SHARE * len(signs) and foreign.total() < LATIN_SHARE * len(signs):
        return Language(True, "the texts look English")
    name = max(sorted(foreign), key=lambda name: foreign[name])
    return Language(False, f"{foreign.total()} of {len(signs)} texts are not English ({name})")


def _sign(text: str) -> str | None:
    """Of what kind a text that is not English is; "" of one that may be; None without letters."""
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return None
    scripts = Counter(_script(letter) for letter in letters)
    latin = scripts.pop("Latin", 0)
    if scripts.total() >= _FOREIGN * (latin + scripts.total()):
        return _KANA if _KANA in scripts else max(sorted(scripts), key=lambda name: scripts[name])
    words = _WORD.findall(text.lower())
    accented = sum(not word.isascii() for word in words if word not in _OF_OTHERS)
    others = accented + sum(word in _OF_OTHERS for word in words)
    return _OTHER_WORDS if others > sum(word in _OF_ENGLISH for word in words) else ""


_LATIN = {"LATIN", "FULLWIDTH", "MATHEMATICAL", "MICRO", "MASCULINE", "FEMININE", "MODIFIER"}
_KANA = "Japanese"
_OTHER_WORDS = "Latin letters"
_NAMES = {"CJK": "Chinese", "HIRAGANA": _KANA, "KATAKANA": _KANA, "HALFWIDTH": _KANA}


@lru_cache(maxsize=1 << 14)
def _script(letter: str) -> str:
    """The script of a letter, by the first word of its name; signs of mathematics are Latin."""
    name = unicodedata.name(letter, "LATIN").split()[0]
    return "Latin" if name in _LATIN else _NAMES.get(name, name.capitalize())
