"""What Self-Instruct asks of a model, and how its answers are read.

Wang et al. 2022, "Self-Instruct", https://arxiv.org/abs/2212.10560, section 2.2 and appendix A; the
words are our own. Prompts are plain texts that stop where an answer begins: a base model goes on, a
chat model is told to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nshot.synthesis.seeds import SeedTask

STOP = "\nTask:"
"""Where a model goes on to the next task of its own."""
NEW_TASKS = 8
"""New tasks that a prompt asks for."""
_NUMBERED = re.compile(r"^[ \t]*(?:\*\*)?(?:Task[ \t]*)?\d{1,3}[ \t]*[.:)][ \t]*(?:\*\*)?", re.M)
_NO_INPUT = frozenset({"", "none", "no input", "noinput", "n/a", "없음", "입력 없음"})
_YES = ("yes", "true", "예", "네")
_NO = ("no", "false", "아니")


def more_tasks(shown: Sequence[str]) -> str:
    """Asks for instructions that go on after `shown`."""
    head = (
        "This is a list of varied tasks that a person could give to an assistant. Go on with"
        f" {NEW_TASKS} new tasks, each unlike all others, each on a line of its own."
    )
    lines = [f"Task {i}: {_one_line(text)}" for i, text in enumerate(shown, start=1)]
    return "\n".join([head, "", *lines, f"Task {len(shown) + 1}:"])


def stop_after(shown: int) -> tuple[str, ...]:
    """What ends the list that `more_tasks` began with `shown` tasks."""
    return (f"\nTask {shown + 1 + NEW_TASKS}:", "\n\n\n")


def read_tasks(text: str, finished: bool) -> tuple[list[str], int]:
    """The instructions in an answer, and how many (0 or 1) were cut off at its end.

    An instruction ends with its paragraph: what follows is the model at work on it.
    """
    pieces = [piece for piece in _NUMBERED.split(text) if piece.strip()]
    paragraphs = [re.split(r"\n[ \t]*\n", piece.strip(), maxsplit=1) for piece in pieces]
    firsts = [" ".join(first.split()) for first, *_ in paragraphs]
    if not finished and firsts and len(paragraphs[-1]) == 1:
        return firsts[:-1], 1
    return firsts, 0


def is_classification(instruction: str, demos: Sequence[SeedTask]) -> str:
    """Asks whether a task is one of classification."""
    head = (
        "Is the task a classification: can its answer only be one of a few fixed labels? Say yes or"
        " no."
    )
    blocks = [
        f"Task: {_one_line(seed.instruction)}\nClassification: "
        + ("yes" if seed.classification else "no")
        for seed in demos
    ]
    return "\n\n".join([head, *blocks, f"Task: {instruction}\nClassification:"])


def read_yes_no(text: str) -> bool | None:
    """What was said; None for neither."""
    answer = text.strip().casefold().lstrip("*\"'")
    if answer.startswith(_YES):
        return True
    return False if answer.startswith(_NO) else None


def input_first(instruction: str, demos: Sequence[SeedTask]) -> str:
    """Asks for an input, where the task needs one, and the output to it."""
    head = "For each task, give an input if it needs one, else say none, and then the right output."
    blocks = [
        f"Task: {_one_line(seed.instruction)}\nInput: {seed.input or 'none'}\nOutput: {seed.output}"
        for seed in demos
    ]
    return "\n\n".join([head, *blocks, f"Task: {instruction}\nInput:"])


def output_first(instruction: str, demos: Sequence[SeedTask]) -> str:
    """Asks for a label and then an input that has it: the other way round one label prevails."""
    head = (
        "For each task of classification, give a label that is possible and then an input that has"
        " it; then the next label."
    )
    blocks = [
        f"Task: {_one_line(seed.instruction)}\nLabel: {seed.output}\nInput: {seed.input or 'none'}"
        for seed in demos
    ]
    return "\n\n".join([head, *blocks, f"Task: {instruction}\nLabel:"])


def read_input_first(text: str) -> list[tuple[str, str]]:
    """(input, output) of each instance; the output is "" where there was none."""
    pairs = []
    for piece in _pieces(text, "Input"):
        input, _, output = _halves(piece, "Output")
        pairs.append((_input(input), output.strip()))
    return pairs


def read_output_first(text: str) -> list[tuple[str, str]]:
    """(input, output) of each instance; an output without an input is the output "" """
    pairs = []
    for piece in _pieces(text, "Label"):
        label, named, input = _halves(piece, "Input")
        pairs.append((_input(input), label.strip() if named else ""))
    return pairs


def _pieces(text: str, name: str) -> list[str]:
    """The instances of an answer, which begins behind the name or repeats it."""
    parts = re.split(rf"^[ \t]*{name}[ \t]*:", text.split(STOP)[0], flags=re.MULTILINE)
    return [part for part in parts if part.strip()]


def _halves(piece: str, name: str) -> tuple[str, bool, str]:
    """What stands before a name at the start of a line, whether it is there, what follows it."""
    first, *rest = re.split(rf"^[ \t]*{name}[ \t]*:", piece, maxsplit=1, flags=re.MULTILINE)
    return first, bool(rest), rest[0] if rest else ""


def _input(text: str) -> str:
    answer = text.strip()
    return "" if answer.casefold().strip(".<>()[]") in _NO_INPUT else answer


def _one_line(text: str) -> str:
    return " ".join(text.split())
