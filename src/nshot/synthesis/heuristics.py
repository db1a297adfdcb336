"""Which proposals are thrown away, and why: the filters of Wang et al. 2022, section 2.2.

Their filter on texts that begin with a sign outside ASCII is left out: it would leave English only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

SHORTEST, LONGEST = 3, 150
"""Words of an instruction."""
_SEEN = re.compile(
    r"\b(images?|graphs?|pictures?|photos?|files?|maps?|draw|plot|go to|videos?|audio|music|"
    r"flowcharts?|diagrams?)\b|이미지|그림|사진|그래프|동영상|비디오|오디오|음악|도표|파일",
    re.IGNORECASE,
)
"""What a model of texts can neither see nor make."""
_PROGRAM = re.compile(r"write a program\b", re.IGNORECASE)
_WIDE = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def instruction_fault(text: str) -> str | None:
    """Why an instruction is thrown away, None where nothing is wrong with it."""
    size = length(text)
    if size < SHORTEST:
        return "too short"
    if size > LONGEST:
        return "too long"
    if unicodedata.category(text[0])[0] in "PS":
        return "begins with punctuation"
    if match := _SEEN.search(text):
        return f"about what is no text: {match[0].lower()}"
    return "begins with 'write a program'" if _PROGRAM.match(text) else None


def length(text: str) -> int:
    """Words, or half the signs of scripts that say more with fewer words (Korean, Chinese)."""
    return max(len(text.split()), len(_WIDE.findall(text)) // 2)


def instance_fault(input: str, output: str) -> str | None:
    """Why an instance is thrown away, None where nothing is wrong with it."""
    if not output:
        return "no output"
    if output == input:
        return "the output is the input"
    if output.endswith(":") or input.endswith(":"):
        return "ends in a colon"
    return None


def sound_instances(pairs: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[str]]:
    """The (input, output) pairs of one instruction that are kept, and why others were not.

    An input with several outputs is dropped with all of them.
    """
    kept: list[tuple[str, str]] = []
    faults: list[str] = []
    outputs: dict[str, set[str]] = {}
    for input, output in pairs:
        outputs.setdefault(input, set()).add(output)
    for input, output in pairs:
        fault = instance_fault(input, output)
        if fault is None and len(outputs[input]) > 1:
            fault = "one input, several outputs"
        if fault is None and (input, output) in kept:
            fault = "repeated"
        if fault is None:
            kept.append((input, output))
        else:
            faults.append(fault)
    return kept, faults
