"""What the parts of a data set are called: in folders, in files, in a column of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["train", "validation", "test"]
_WORDS: Mapping[Role, str] = {
    "train": "train training 학습 훈련",
    "validation": "val valid validation dev 검증",
    "test": "test testing 시험 테스트 평가",
}
ROLES: Mapping[str, Role] = {word: role for role, words in _WORDS.items() for word in words.split()}
"""By their names, in lower case."""


def role_of(word: str) -> Role | None:
    """The part that a word names, whatever its case."""
    return ROLES.get(word.strip().casefold())


def are_parts(words: Iterable[str]) -> bool:
    """Do all of the words name parts: one to learn from, and another?"""
    roles = {role_of(word) for word in words}
    return None not in roles and "train" in roles and len(roles) > 1
