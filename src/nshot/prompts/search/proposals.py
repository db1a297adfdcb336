"""Instructions that a language model writes after some solved examples."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nshot.core.types import Example, Task
from nshot.prompts.render import demonstration
from nshot.prompts.search.wording import Language

LENGTH = 64
"""Tokens that an instruction may have."""
_MOST = 300
_LEAD = re.compile(r"^\W*(?:instruction|지시문|지시)\s*[:：]\s*", re.IGNORECASE)
_ASKS: dict[Language, tuple[str, str, str]] = {
    "English": (
        "These texts were answered by people who had one instruction.",
        "Write that instruction in one sentence.",
        "Instruction:",
    ),
    "Korean": (
        "사람들이 하나의 지시문을 받고 아래 글에 답했습니다.",
        "그 지시문을 한 문장으로 쓰세요.",
        "지시문:",
    ),
}


def request(task: Task, shown: Sequence[Example], language: Language) -> str:
    """What asks for an instruction: solved examples, as they stand in a prompt, and a request.

    Zhou et al. 2023, "Large Language Models Are Human-Level Prompt Engineers",
    https://arxiv.org/abs/2211.01910, section 4.1: forward generation.
    """
    before, ask, end = _ASKS[language]
    return "\n\n".join([before, *(demonstration(task, one) for one in shown), f"{ask}\n{end}"])


def read_proposal(text: str) -> str:
    """The instruction in what a model wrote: its first line without a name in front and quotes.

    "" where there is none: nothing, one word, more than `_MOST` characters.
    """
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    one = _LEAD.sub("", lines[0]).strip().strip("\"'`“”*").strip() if lines else ""
    return one if " " in one and len(one) <= _MOST else ""
