"""Names of answers and fields: which say nothing, and which would be better."""

from __future__ import annotations

import re

from nshot.core.types import Task
from nshot.data.scripts import script

_EMPTY_WORDS = (
    "label labels class classes answer output result target category tag value y gold prediction "
    "라벨 레이블 클래스 답 답변 정답 출력 결과 분류 값"
)
_EMPTY_ANSWERS = frozenset(_EMPTY_WORDS.split())
_EMPTY_FIELDS = re.compile(
    r"(?:column|col|field|x|f|var|feature|unnamed|열|컬럼|필드)[ _:]*\d*(?: level \d+)?|\d+", re.I
)
_KINDS: tuple[tuple[str, str, str], ...] = (
    ("positive negative neutral pos neg mixed good bad "
     "긍정 부정 중립 긍정적 부정적 중립적 좋음 나쁨", "Sentiment", "감정"),
    ("entailment contradiction neutral entailed not_entailment 함의 모순 중립", "Relation", "관계"),
    ("joy anger sadness fear love surprise disgust optimism "
     "기쁨 분노 슬픔 공포 두려움 사랑 놀람 혐오", "Emotion", "감정"),
    ("spam ham 스팸 정상", "Kind of message", "메시지 종류"),
    ("hate offensive none normal toxic 혐오 공격 공격적 없음 욕설", "Tone", "어조"),
    ("sports politics business world technology science culture economy society 스포츠 정치 경제 "
     "사회 문화 과학 세계 기술 연예", "Topic", "주제"),
    ("true false yes no 참 거짓 예 아니오 네", "Is it so", "맞는지"),
    ("low medium high urgent normal critical 낮음 보통 높음 긴급", "Urgency", "긴급도"),
    ("1 2 3 4 5", "Rating", "별점"),
)  # fmt: skip
_OF = re.compile(r"\bthe (\w+(?: \w+)?) of (?:the|this|each|a)\b", re.IGNORECASE)
_KOREAN_OF = re.compile(r"(?:의|에 대한) ([가-힣]+?)(?:을|를|이|가) ")


def is_empty_answer_name(name: str) -> bool:
    """Does it say nothing of what the answer is about?"""
    return name.casefold().strip() in _EMPTY_ANSWERS


def is_empty_field_name(name: str) -> bool:
    """Does it say nothing of what the text is?"""
    return bool(_EMPTY_FIELDS.fullmatch(name.strip()))


def better_name(task: Task) -> str:
    """What the answer may be called: by the instruction, else by the labels, else ``Topic``."""
    korean = any(script(name) == "Hangul" for name in task.label_names)
    for pattern in (_OF, _KOREAN_OF):
        match = pattern.search(task.instruction)
        if match and not is_empty_answer_name(match[1]):
            return match[1][:1].upper() + match[1][1:]
    if usual := usual_names(task):
        return usual[korean]
    if not is_empty_answer_name(task.answer_name):
        return task.answer_name
    return "주제" if korean else "Topic"


def usual_names(task: Task) -> tuple[str, str] | None:
    """What answers with labels such as these are usually called, in English and in Korean."""
    names = {label.words.casefold() for label in task.labels}
    for words, english, korean in _KINDS:
        if len(names & set(words.split())) * 2 >= max(len(names), 1):
            return english, korean
    return None
