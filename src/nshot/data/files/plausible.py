"""How much a text that was decoded looks like a text that somebody wrote, from 0 to 1.

Only characters beyond ASCII say something of it. Each has a weight by how common it is in texts of
the encoding's language; the mean of these is the score.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

EAST = ("cp949", "cp932", "gb18030", "big5", "euc_jp")
"""Encodings of East Asia: two bytes a character."""
OTHERS = ("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp874")
"""Others, one byte a character, in which files are met with."""
_PUNCTUATION = re.compile(r"[\u2010-\u203b\u20ac\u2122\u3000-\u3015\uff01-\uff5e·※→℃×]")
_COMMON = {
    "gb18030": frozenset(
        "是一我有在这中要以上他说时天为来了不们下之只现着也用又最又则种自做知做走最怎样吗"
    ),
    "big5": frozenset(
        "的一是不了人我在有他這中大來上個國到說們為你也時要就可以生會對後沒還請嗎什麼"
    ),
}
"""Characters that stand in every text; of GB 2312 those that do not read as Hangul in CP949."""
_FEW, _DOUBT = 0.06, 0.6
"""The share of such characters below which a score is so much of itself."""
_STROKES = 0xA4
"""Big5 begins the simplest ideographs with this byte, EUC-JP all hiragana."""


def plausibility(text: str, encoding: str) -> float:
    """How plausible `text` is as what was written in `encoding`; 1 for a text in ASCII."""
    if encoding not in EAST:
        return _letters(text)
    wide = Counter(char for char in text if char > "\x7f")
    if not wide:
        return 1.0
    if encoding == "cp949":
        return _korean(wide)
    if encoding in ("cp932", "euc_jp"):
        return _japanese(wide)
    if encoding == "gb18030":
        return _chinese(wide, "gb2312", 0xD7, _COMMON[encoding])
    kana = frozenset(char for char in wide if _lead(char, "big5") == _STROKES)
    doubt = _DOUBT if _share(wide, kana) > 0.4 else 1
    return _chinese(wide, "big5", 0xC6, _COMMON[encoding]) * doubt


def _mean(wide: Mapping[str, int], weights: Mapping[str, float]) -> float:
    return sum(weights[char] * count for char, count in wide.items()) / sum(wide.values())


def _share(wide: Mapping[str, int], chars: frozenset[str]) -> float:
    return sum(count for char, count in wide.items() if char in chars) / sum(wide.values())


def _lead(char: str, encoding: str) -> int:
    """The first of the character's two bytes; 0 where the encoding does not have it."""
    try:
        raw = char.encode(encoding)
    except UnicodeEncodeError:
        return 0
    return raw[0] if len(raw) == 2 else 0


def _korean(wide: Mapping[str, int]) -> float:
    """The 2,350 syllables of KS X 1001 are common, other syllables and ideographs are not."""
    jamo = frozenset(char for char in wide if "\u3131" <= char <= "\u318e")
    loose = 0.8 if _share(wide, jamo) < 0.3 else 0.3

    def weight(char: str) -> float:
        if "가" <= char <= "힣":
            return 1.0 if _lead(char, "euc_kr") else 0.2
        if char in jamo:
            return loose
        return 1.0 if _PUNCTUATION.match(char) else 0.2

    return _mean(wide, {char: weight(char) for char in wide})


def _japanese(wide: Mapping[str, int]) -> float:
    """Kana and the ideographs of level 1; a text without kana is hardly Japanese."""
    kana = frozenset(char for char in wide if "\u3041" <= char <= "\u30fe")

    def weight(char: str) -> float:
        if char in kana or _PUNCTUATION.match(char):
            return 1.0
        lead = _lead(char, "shift_jis")
        if "\u4e00" <= char <= "\u9fff" and lead:
            return 1.0 if lead < 0x98 else 0.4
        return 0.2 if "\uff61" <= char <= "\uff9f" else 0.1

    return _mean(wide, {c: weight(c) for c in wide}) * (1 if _share(wide, kana) > 0.1 else _DOUBT)


def _chinese(wide: Mapping[str, int], standard: str, level_1: int, common: frozenset[str]) -> float:
    """The ideographs of level 1 of a standard; the commonest of all stand in every text."""

    def weight(char: str) -> float:
        if _PUNCTUATION.match(char):
            return 1.0
        lead = _lead(char, standard)
        if not ("\u4e00" <= char <= "\u9fff" and lead):
            return 0.1
        return 1.0 if lead <= level_1 else 0.4

    few = _share(wide, common) < _FEW
    return _mean(wide, {char: weight(char) for char in wide}) * (_DOUBT if few else 1)


_RUN = re.compile(r"[^\x00-\x7f]+")
_ROW = 4
"""Accented letters that stand in a row, at most: Żółć."""
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = {
    "fr": ("àâæçéèêëîïôœùûüÿ", "le la les de des et un une est je que pas pour dans sur en il"),
    "de": ("äöüß", "der die das und ist nicht ich ein eine zu mit auf den von mein wie"),
    "es": ("áéíóúüñ", "el la los de que y en un una no por con es se mi lo"),
    "pt": ("áâãàçéêíóôõúü", "o a os as de que e em um uma do da com para não meu"),
    "it": ("àèéìíòóù", "il la di che non e un una per con del sono ho mi le si"),
    "nl": ("áéèëïóöü", "de het een en van ik is niet dat op te mijn voor"),
    "sv": ("åäöé", "och att det som en jag inte med den av har min"),
    "da": ("æøåé", "og at det er en jeg ikke med til af min har"),
    "fi": ("äöå", "ja on ei se olen oli kun mutta ole minun"),
    "en": ("éèêñçïöüáí", "the and of to is it in for my not was a i this with"),
    "cs": ("áčďéěíňóřšťúůýž", "se na je to v a s si za do chci mi jsem kdy ne jak po"),
    "sk": ("áäčďéíľňóôšťúýž", "sa na je to v a s si za do som mi kedy ako po ma"),
    "pl": ("ąćęłńóśźż", "i w na z do jest nie to co jak mi po za kiedy o moja"),
    "hu": ("áéíóöőúüű", "a az nem egy hogy meg is van ez mert mikor kell"),
    "ro": ("ăâîșțşţ", "de la nu si cu un o pe din este am sa mi"),
    "hr": ("čćđšž", "i u na je se da za od su sam ne mi nije kako"),
    "tr": ("âçğıîİöşüû", "bir ve bu da de ne mi var istiyorum zaman ama"),
}
"""Of a language the letters beyond ASCII, and small words (which read alike in each encoding)."""
_FREQUENT = {
    "CYRILLIC": frozenset("оеаинтсрвлкмдпуя"),
    "GREEK": frozenset("αοιετσνηυρπκμλςάέόί"),
    "HEBREW": frozenset("יולהאמרתבשנ"),
    "ARABIC": frozenset("اليموتنربعهد"),
}
"""The letters that make up three quarters of a text in a script."""


def _letters(text: str) -> float:
    """Encodings of one byte a character: letters of one script in a word, capitals at its start.

    A symbol inside a word, or a row of accented letters, is what a wrong encoding looks like; so
    are letters that no language has together, or that are rare in its script.
    """
    total = good = 0.0
    right: set[int] = set()
    letters: Counter[str] = Counter()
    for match in _WORD.finditer(text):
        word = match[0]
        if word.isascii():
            continue
        letters.update(char for char in word.lower() if char > "\x7f")
        if _is_word(word):
            right.update(range(match.start(), match.end()))
    for run in _RUN.finditer(text):
        total += len(run[0])
        if len(run[0]) > _ROW and _script(run[0][0]) == "LATIN":
            continue
        for at in range(run.start(), run.end()):
            good += 1.0 if at in right else _symbol(text, at)
    return good / total * _of_a_language(letters, text) if total else 1.0


def _of_a_language(letters: Counter[str], text: str) -> float:
    """How well letters beyond ASCII go together, as those of one language or script."""
    if not letters:
        return 1.0
    scripts = Counter({char: count for char, count in letters.items() if _script(char) != "LATIN"})
    if 2 * scripts.total() > letters.total():
        script = _script(scripts.most_common(1)[0][0])
        common = _FREQUENT.get(script)
        return 1.0 if common is None or _share(scripts, common) > 0.6 else _DOUBT
    words = Counter(re.findall(r"(?<![^\W\d_])[a-z]+(?![^\W\d_])", text.lower()))
    hits = {name: sum(words[word] for word in small.split()) for name, (_, small) in _LATIN.items()}
    most = max(1, *hits.values())
    return max(
        _share(letters, frozenset(own))
        * (0.7 + 0.3 * (hits[name] / most if any(hits.values()) else 1))
        for name, (own, _) in _LATIN.items()
    )


def _is_word(word: str) -> bool:
    """Letters of one script, in one case or with one capital in front; accents stand alone."""
    scripts = {_script(char) for char in word}
    if len(scripts) > 1 or not (word.islower() or word.isupper() or word[1:].islower()):
        return scripts in ({"ARABIC"}, {"HEBREW"}, {"THAI"})
    return scripts != {"LATIN"} or not re.search(r"[^\x00-\x7f]{5}", word)


def _script(char: str) -> str:
    return "LATIN" if char.isascii() else unicodedata.name(char, "?").split()[0]


def _symbol(text: str, at: int) -> float:
    """What is no letter: marks of punctuation outside words are common, others are not."""
    char = text[at]
    before, after = text[max(0, at - 1) : at], text[at + 1 : at + 2]
    if char in "’‘":
        return 1.0
    if unicodedata.category(char) in ("Cc", "Cn", "Co") or (before.isalpha() and after.isalpha()):
        return 0.0
    if char in "“”„–—…•€«»¿¡°§£©®½²³":
        return 1.0
    if unicodedata.category(char) in ("Mn", "Lm"):
        return 0.0 if before.isascii() else 0.8
    return 0.3
