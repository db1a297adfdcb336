"""Korean particles, which differ by whether the word before them ends in a consonant.

은/는, 이/가, 을/를, 과/와, 으로/로 and the like, as the standard grammar of Korean has them;
after ㄹ 으로 is 로.
"""

from __future__ import annotations

import re

PAIRS = (("이라고", "라고"), ("이라는", "라는"), ("이에요", "예요"), ("으로", "로"), ("이랑", "랑"),
         ("이나", "나"), ("은", "는"), ("을", "를"), ("과", "와"), ("이", "가"))  # fmt: skip
"""(after a consonant, after a vowel), the longer ones first."""
OTHERS = ("에게", "한테", "께서", "께", "의", "도", "만", "입니다", "하고")
"""Particles and endings that are the same after every word."""
AFTER = "|".join((*(one for pair in PAIRS for one in pair), *OTHERS))
"""What may stand between a noun and the end of the written word, as a regular expression."""
_FIRST, _LAST, _FINALS, _RIEUL = 0xAC00, 0xD7A3, 28, 8
_DIGITS = {"0": 21, "1": _RIEUL, "3": 16, "6": 1, "7": _RIEUL, "8": _RIEUL}
"""Numerals that end in a consonant as they are read: 영, 일, 삼, 육, 칠, 팔."""
_LATIN = {"l": _RIEUL, "m": 16, "n": 4, "r": 0}
_CHOICE = re.compile(r"\[([^/\]]+)/([^\]]+)\]")


def final(word: str) -> int:
    """Which consonant a word ends in, as the index of its jamo; 0: it ends in a vowel.

    Of digits and Latin letters as they are read in Korean.
    """
    last = word[-1:].lower()
    if last and _FIRST <= ord(last) <= _LAST:
        return (ord(last) - _FIRST) % _FINALS
    return _DIGITS.get(last, _LATIN.get(last, 0))


def form(word: str, after_consonant: str, after_vowel: str) -> str:
    """The form of a particle that stands after `word`."""
    end = final(word)
    short = end == 0 or (end == _RIEUL and after_consonant.startswith("으로"))
    return after_vowel if short else after_consonant


def filled(frame: str, word: str) -> str:
    """A frame with ``{word}`` in it and particles as ``[after a consonant/after a vowel]``."""
    before, slot, after = frame.partition("{word}")
    if not slot:
        return frame
    return before + word + _CHOICE.sub(lambda pair: form(word, pair[1], pair[2]), after)


def refitted(particle: str, word: str) -> str:
    """The particle in the form that stands after `word`; any other text as it is."""
    for pair in PAIRS:
        if particle in pair:
            return form(word, *pair)
    return particle
