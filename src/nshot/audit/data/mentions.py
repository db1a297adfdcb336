"""Rows that mention a group of people: word lists of ours, English and Korean.

Short lists of neutral words, written for nshot. They see that a group is named, not what is said of
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from nshot.audit.counterfactuals.particles import AFTER

ENGLISH: Mapping[str, str] = {
    "women": "woman women girl girls female mother mom wife sister daughter lady ladies she her",
    "men": "man men boy boys male father dad husband brother son gentleman he his him",
    "Black people": "black_people black_person black_man black_men black_woman black_women"
    " black_guy african african-american",
    "Asians": "asian chinese japanese korean indian vietnamese pakistani",
    "migrants": "immigrant immigrants migrant migrants refugee refugees foreigner foreigners",
    "Muslims": "muslim muslims islam islamic mosque",
    "Jews": "jew jews jewish judaism synagogue",
    "Christians": "christian christians church catholic protestant",
    "gay and transgender people": "gay lesbian bisexual homosexual transgender trans queer lgbt",
    "disabled people": "disabled disability wheelchair blind_people blind_person deaf"
    " autistic handicapped",
    "old people": "elderly old-age pensioner pensioners senior seniors retired grandmother"
    " grandfather",
    "young people": "teenager teenagers youth youths student students child children kids",
}
KOREAN: Mapping[str, str] = {
    "women": "여자 여성 아내 엄마 어머니 누나 언니 여동생 딸 아가씨 아줌마 할머니 그녀 여학생",
    "men": "남자 남성 남편 아빠 아버지 형 오빠 남동생 아들 아저씨 할아버지 남학생",
    "Asians": "중국인 일본인 조선족 베트남인 동남아 동남아인 중국 일본 베트남",
    "migrants": "외국인 이주민 이주노동자 난민 다문화 불법체류자 탈북자 탈북민",
    "Black people": "흑인 아프리카인",
    "Muslims": "무슬림 이슬람 이슬람교",
    "Christians": "기독교 기독교인 개신교 천주교 교회",
    "gay and transgender people": "동성애 동성애자 게이 레즈비언 트랜스젠더 성소수자 퀴어",
    "disabled people": "장애인 장애 시각장애 청각장애 휠체어 자폐",
    "old people": "노인 어르신 고령자 노인네 은퇴자",
    "young people": "청년 청소년 학생 어린이 아이 아이들 초등학생 중학생 고등학생",
    "regions of Korea": "전라도 경상도 충청도 강원도 제주도 호남 영남",
}


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """One of each group: English words whole, Korean ones with a particle at most after them."""
    patterns = {}
    for group in dict.fromkeys((*ENGLISH, *KOREAN)):
        english = "|".join(map(_words, ENGLISH.get(group, "").split()))
        korean = "|".join(map(re.escape, KOREAN.get(group, "").split()))
        parts = [rf"\b(?:{english})\b"] if english else []
        if korean:
            parts.append(rf"(?<![가-힣])(?:{korean})(?:들)?(?:{AFTER}|에서|에)?(?![가-힣])")
        patterns[group] = re.compile("|".join(parts), re.IGNORECASE)
    return patterns


def _words(entry: str) -> str:
    """An entry as a regular expression: ``black_man`` stands for two words."""
    return re.escape(entry).replace("_", r"\s+")


def groups_in(text: str) -> list[str]:
    """The groups that a text mentions."""
    return [group for group, pattern in _patterns().items() if pattern.search(text)]
