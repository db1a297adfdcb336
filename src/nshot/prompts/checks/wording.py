"""Sentences and what they ask, in English and Korean, by small lists of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_SENTENCE = re.compile(r"(?<=[.!?。？！])\s+|\n+")
_REQUESTS = {
    "choose": (
        "classify categorize categorise label determine decide identify assign choose pick select "
        "predict rate grade judge tell say give answer state name",
        "분류 고르 골라 선택 판단 판별 답하 답해 매기 매겨 말하 말해 구분",
    ),
    "summarise": ("summarize summarise condense shorten", "요약 줄여 간추"),
    "translate": ("translate", "번역 옮겨 옮기"),
    "explain": ("explain justify describe discuss elaborate", "설명 이유 근거"),
    "extract": ("extract list find highlight underline quote", "추출 뽑 찾아 나열 인용"),
    "rewrite": ("rewrite rephrase paraphrase correct fix improve", "고쳐 다시 수정 바꿔"),
}
"""What a sentence asks for, by the verb at its beginning (English) or its end (Korean)."""
_LEAD = re.compile(
    r"^(?:[-*•\d.)\s]*)(?:(?:please|then|also|and|now|next|finally|first|you (?:should|must|will|"
    r"have to)|your (?:task|job) is to|be sure to|make sure to|remember to)[\s,]+)*(\w+)",
    re.IGNORECASE,
)
_KOREAN_REQUEST = re.compile(
    r"(?:하세요|해라|하라|하시오|하십시오|해 ?주세요|해 ?줘|으세요|세요|주십시오|십시오|시오|"
    r"아라|어라|쓰라|고르라)[.!]?$"
)
_FILLER = re.compile(
    r"\b(?:please|kindly|i would like you to|i want you to|could you|it is (?:very |really )?"
    r"important (?:that|to)|note that|needless to say|as you (?:know|can see)|really|very much|"
    r"thank you|thanks in advance|of course|basically|simply|in order to)\b|"
    r"부디|제발|꼭 좀|정말로|매우 중요|아주 중요|참고로|감사합니다|부탁드립니다|부탁 ?드려요|"
    r"다름이 아니라|말 그대로",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\betc\b\.?|\band so on\b|\band the like\b|\bsome kind of\b|\bsomehow\b|\bmaybe\b|"
    r"\bas appropriate\b|\bif (?:needed|necessary|possible)\b|\bor something\b|\bproperly\b|"
    r"\bsuitabl[ey]\b|\bin a good way\b|"
    r"등등|적당히|적절히|알아서|대충|필요하면|가능하면|뭔가|어떻게든",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\{\{?\s*[\w ]*\s*\}?\}|<\s*(?:insert|your|put|add|fill)\b[^>]*>|"
    r"\[\s*(?:insert|your|put|add|fill)\b[^\]]*\]|\[[^\]\n]*(?:여기|입력|작성|내용)[^\]\n]*\]|"
    r"\bTO[ -]?DO\b|\bT\.?B\.?[DCA]\b|\bFIX[ -]?ME\b|\bX{3,}\b|lorem ipsum|○○|OOO"
)
_PERSONA = re.compile(
    r"\byou are (?:an? |the |our )|\bact as\b|\byou(?:'re| work| serve) (?:an? |as )|"
    r"당신은|너는|귀하는|여러분은|역할을 (?:맡|한다|합니다)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"['\"“‘「『`]([^'\"”’」』`\n]{1,40})['\"”’」』`]")


def sentences(text: str) -> list[str]:
    """The sentences of a text, and its lines."""
    return [one.strip() for one in _SENTENCE.split(text) if one and one.strip(" -*•")]


def asks_for(sentence: str) -> str | None:
    """What a sentence asks for: ``choose``, ``summarise``, ...; None where for nothing."""
    if match := _LEAD.match(sentence):
        verb = match[1].lower()
        for kind, (english, _) in _REQUESTS.items():
            if verb in english.split():
                return kind
    if _KOREAN_REQUEST.search(sentence.rstrip("\"' ”")):
        ends = sentence.split()[-3:]
        for kind in ("summarise", "translate", "explain", "extract", "rewrite", "choose"):
            stems = _REQUESTS[kind][1].split()
            if any(stem in word for word in ends for stem in stems):
                return kind
    return None


def fillers(text: str) -> list[str]:
    """Words that cost tokens and say nothing."""
    return [match[0] for match in _FILLER.finditer(text)]


def vague(text: str) -> str | None:
    """The first words that leave open what is meant."""
    match = _VAGUE.search(text)
    return match[0] if match else None


def placeholder(text: str) -> str | None:
    """What somebody meant to fill in."""
    match = _PLACEHOLDER.search(text)
    return match[0] if match else None


def personas(text: str) -> int:
    """How often a text says who answers."""
    return len(_PERSONA.findall(text))


def quoted(text: str) -> list[str]:
    """What stands between quotes."""
    return [match[1].strip() for match in _QUOTED.finditer(text)]


def mentions(text: str, words: str) -> bool:
    """Does a text hold these words whole? Korean particles may follow them."""
    end = r"(?!\w)" if words[-1:].isascii() else ""
    return bool(re.search(rf"(?<!\w){re.escape(words.casefold())}{end}", text.casefold()))


def alike(first: str, second: str) -> float:
    """How much of two texts is the same, from 0 to 1."""
    return SequenceMatcher(None, first.casefold(), second.casefold(), autojunk=False).ratio()


def plural(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """``'a', 'b' and 3 more``."""
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
