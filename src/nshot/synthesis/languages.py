"""The languages that can be translated into: their names, and the scripts they are written in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from nshot.core.errors import Fault, InputError, nearest


@dataclass(frozen=True)
class Language:
    """A language's name in English, and its scripts as Unicode calls them in its letters' names."""

    name: str
    scripts: tuple[str, ...] = ("LATIN",)


LANGUAGES: Mapping[str, Language] = {
    "ar": Language("Arabic", ("ARABIC",)),
    "de": Language("German"),
    "el": Language("Greek", ("GREEK",)),
    "en": Language("English"),
    "es": Language("Spanish"),
    "fr": Language("French"),
    "he": Language("Hebrew", ("HEBREW",)),
    "hi": Language("Hindi", ("DEVANAGARI",)),
    "id": Language("Indonesian"),
    "it": Language("Italian"),
    "ja": Language("Japanese", ("HIRAGANA", "KATAKANA", "CJK")),
    "ko": Language("Korean", ("HANGUL",)),
    "nl": Language("Dutch"),
    "pl": Language("Polish"),
    "pt": Language("Portuguese"),
    "ru": Language("Russian", ("CYRILLIC",)),
    "sv": Language("Swedish"),
    "th": Language("Thai", ("THAI",)),
    "tr": Language("Turkish"),
    "uk": Language("Ukrainian", ("CYRILLIC",)),
    "vi": Language("Vietnamese"),
    "zh": Language("Chinese", ("CJK",)),
}


def language(code: str) -> Language:
    """The language of a code; `InputError` with the nearest for an unknown one."""
    if code not in LANGUAGES:
        raise InputError(Fault(f"--to {code}", "a language's code", nearest(code, LANGUAGES)))
    return LANGUAGES[code]


def share_written(text: str, language: Language) -> float | None:
    """The share of the letters that are of the language's scripts; None where there are none."""
    letters = [sign for sign in text if sign.isalpha()]
    if not letters:
        return None
    own = sum(unicodedata.name(sign, "").startswith(language.scripts) for sign in letters)
    return own / len(letters)
