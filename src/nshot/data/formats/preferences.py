"""Answers that people judged: pairs, rankings, and single answers that were liked or not.

The answers are those of the input, with one grade each: the higher, the better. Grades compare the
answers of one input only.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from nshot.core.types import Example, Input, Turn
from nshot.data.formats.chats import conversation, messages, questions_of
from nshot.data.formats.duels import DUEL_NAMES, as_pair
from nshot.data.formats.format import Format, Problems, listed, one_of, text_of
from nshot.data.formats.instructions import (
    BEFORE,
    GIVEN,
    answer_cell,
    answer_of,
    prompt_cell,
    prompt_of,
    within_talk,
)
from nshot.data.formats.turns import LISTS, answered, asking, transcript, turns_of
from nshot.data.table import Row

_LISTS = ("answers", "responses", "completions", "candidates")
_GRADES = ("grades", "scores", "ratings")
_RANKS = ("ranks", "ranking")
_TEXT = ("text", "content", "answer", "response", "completion")
_GRADE, _RANK = ("grade", "score", "rating", "overall_score"), ("rank",)
_ASKED = ("prompt", "instruction", "question", "query")
_QUESTION = frozenset({*_ASKED, *GIVEN, *BEFORE, *LISTS, "tools"})
_MARK = "\n\nAssistant:"


def _question(row: Row, problems: Problems) -> Input:
    """What the answers answer: a prompt, with the input beside it, or a conversation.

    The transcript of a conversation becomes its turns; so do a system text and a history.
    """
    name = one_of(row, _ASKED)
    if name is None and one_of(row, LISTS):
        turns = conversation(row, problems)
        return Input(turns=turns if problems else asking(turns, problems))
    input = prompt_of(row, name or _ASKED[0], problems)
    beside = [(key, text_of(row, key, problems, empty=True)) for key in GIVEN if key in row]
    input = replace(input, fields=(*input.fields, *(f for f in beside if f[1].strip())))
    if input.turns and input.fields:
        problems.append((f"turns, and '{input.fields[0][0]}' beside them", "one of the two"))
    turns = transcript(input.text) if len(input.fields) == 1 else ()
    return within_talk(row, _of_turns(turns, problems) if turns else input, problems)


def _read_pair(row: Row, problems: Problems) -> tuple[Example, ...]:
    if (pair := as_pair(row)) is not None:
        problems.note("two answers and which is better: read as chosen and rejected")
        row = pair
    if one_of(row, (*_ASKED, *LISTS)):
        prompt, chosen, rejected = _beside(row, problems)
    else:
        prompt, chosen, rejected = _within(row, problems)
    if problems or problems.left_out:
        return ()
    return (Example("", _with_answers(prompt, chosen, rejected), (), (1.0, 0.0)),)


def _with_answers(input: Input, *answers: str) -> Input:
    """The input with these answers to choose from."""
    return Input(input.fields, input.turns, input.images, answers)


def _beside(row: Row, problems: Problems) -> tuple[Input, str, str]:
    """Prompt and answers of a row that has a prompt of its own.

    Where the answers repeat it as lists of turns (UltraFeedback), they are asked for it.
    """
    whole = [listed(row.get(name)) for name in ("chosen", "rejected")]
    if all(one and len(one) > 1 for one in whole):
        return _within(row, problems)
    answers = [answer_of(row, name, problems) for name in ("chosen", "rejected")]
    return _question(row, problems), answers[0], answers[1]


def _within(row: Row, problems: Problems) -> tuple[Input, str, str]:
    """Prompt and answers of a row whose two answers each repeat the conversation before them."""
    chosen, rejected = row.get("chosen"), row.get("rejected")
    if isinstance(chosen, str) and isinstance(rejected, str) and listed(chosen) is None:
        return _cut(chosen, rejected, problems)
    talks = [turns_of(row.get(name), name, problems) for name in ("chosen", "rejected")]
    if problems:
        return Input(), "", ""
    first, second = (answered(turns, problems) for turns in talks)
    if problems.left_out:
        return Input(), "", ""
    if first[:-1] != second[:-1]:
        problems.append(
            ("'chosen' and 'rejected' begin differently", "one prompt, two answers to it")
        )
    prompt = within_talk(row, Input(turns=first[:-1]), problems)
    return prompt, first[-1].text, second[-1].text


def _cut(chosen: str, rejected: str, problems: Problems) -> tuple[Input, str, str]:
    """Two transcripts cut behind the last mark of the assistant that both have (HH-RLHF)."""
    start = chosen.rfind(_MARK)
    while start >= 0 and not rejected.startswith(chosen[: start + len(_MARK)]):
        start = chosen.rfind(_MARK, 0, start)
    turns = transcript(chosen[:start] + _MARK) if start >= 0 else ()
    if not turns:
        problems.append(
            ("no 'prompt' in the row", "a key 'prompt', or both answers as transcripts")
        )
        return Input(), "", ""
    answers = [text[start + len(_MARK) :].strip() for text in (chosen, rejected)]
    for name, answer in zip(("chosen", "rejected"), answers, strict=True):
        if not answer:
            problems.append((f"the last turn of '{name}' is empty", "a text in every turn"))
    return _of_turns(turns, problems), answers[0], answers[1]


def _of_turns(turns: tuple[Turn, ...], problems: Problems) -> Input:
    """A transcript as an input: up to where the assistant is to answer."""
    turns = turns[:-1] if turns[-1] == Turn("assistant", "") else turns
    turns = asking(turns, problems)
    if not all(turn.text for turn in turns):
        problems.append(("an empty turn in the transcript", "a text in every turn"))
    return Input(turns=turns)


def _write_pair(example: Example) -> Row | None:
    if len(example.grades) != 2 or example.grades[0] == example.grades[1]:
        return None
    better = example.grades.index(max(example.grades))
    return {
        "prompt": _prompt_cell(example.input),
        "chosen": answer_cell(example.input.answers[better]),
        "rejected": answer_cell(example.input.answers[1 - better]),
    }


def _prompt_cell(input: Input) -> object:
    """A prompt that reads as a transcript, but is none, as a turn."""
    cell = prompt_cell(input)
    if isinstance(cell, str) and transcript(cell):
        return messages(questions_of(input))
    return cell


PREFERENCE = Format(
    "preference",
    "rank",
    "prompt, chosen and rejected; or chosen and rejected as whole conversations",
    frozenset({*_QUESTION, "chosen", "rejected", *DUEL_NAMES}),
    lambda row: ("chosen" in row and "rejected" in row) or as_pair(row) is not None,
    _read_pair,
    _write_pair,
)


def _read_ranking(row: Row, problems: Problems) -> tuple[Example, ...]:
    prompt = _question(row, problems)
    name = one_of(row, _LISTS) or _LISTS[0]
    items = listed(row.get(name)) or []
    if len(items) < 2:
        count = f"{len(items)} answer" + "s" * (len(items) != 1)
        problems.append((f"'{name}' holds {count}", "a list of two answers or more"))
        return ()
    texts = [_text(item) for item in items]
    for at, text in enumerate(texts, start=1):
        if not text or not text.strip():
            problems.append((f"answer {at} is no text, or empty", "a text in every answer"))
    grades = _grades(row, items, problems)
    if problems:
        return ()
    answers = tuple(text for text in texts if text)
    return (Example("", _with_answers(prompt, *answers), (), grades),)


def _text(item: Any) -> str | None:
    text = item.get(one_of(item, _TEXT) or "") if isinstance(item, dict) else item
    return text if isinstance(text, str) else None


def _grades(row: Row, items: list[Any], problems: Problems) -> tuple[float, ...]:
    """One number per answer, higher is better: ranks count from the worst."""
    values, ranked = _judged(row, items)
    if values is None or len(values) != len(items):
        word = "no grades" if values is None else f"{len(values)} grades for {len(items)} answers"
        expected = f"a number per answer: {', '.join(_GRADES + _RANKS)}, or within each answer"
        problems.append((word, expected))
        return ()
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers):
        bad = next(v for v, number in zip(values, numbers, strict=True) if number is None)
        problems.append((f"the grade {bad!r} is no number", "a number per answer"))
        return ()
    sound = [number for number in numbers if number is not None]
    return tuple(max(sound) - number for number in sound) if ranked else tuple(sound)


def _judged(row: Row, items: list[Any]) -> tuple[list[Any] | None, bool]:
    """The values beside the answers or in them, and whether they are ranks (1 is the best)."""
    for names, within, ranked in ((_GRADES, _GRADE, False), (_RANKS, _RANK, True)):
        if (name := one_of(row, names)) and (beside := listed(row[name])) is not None:
            return beside, ranked
        if all(isinstance(item, dict) and one_of(item, within) for item in items):
            return [item[one_of(item, within)] for item in items], ranked
    return None, False


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def _is_ranking(row: Row) -> bool:
    items = listed(row.get(one_of(row, _LISTS) or ""))
    return bool(items and one_of(row, _ASKED) and _judged(row, items)[0] is not None)


def _write_ranking(example: Example) -> Row | None:
    if len(example.grades) < 2:
        return None
    answers, grades = list(example.input.answers), list(example.grades)
    return {"prompt": _prompt_cell(example.input), "answers": answers, "grades": grades}


RANKING = Format(
    "ranking",
    "rank",
    "prompt, answers and grades (or ranks, 1 the best)",
    frozenset({*_QUESTION, *_LISTS, *_GRADES, *_RANKS}),
    _is_ranking,
    _read_ranking,
    _write_ranking,
)


def _truth(value: Any) -> bool | None:
    """A truth value, also as a number or a text; None for anything else."""
    word = str(value).strip().lower()
    return {"true": True, "1": True, "false": False, "0": False}.get(word)


def _read_kto(row: Row, problems: Problems) -> tuple[Example, ...]:
    prompt = _question(row, problems)
    answer = answer_of(row, "completion", problems)
    liked = _truth(row.get("label"))
    if liked is None:
        word = repr(row["label"]) if row.get("label") is not None else "missing"
        problems.append((f"'label' is {word}", "true or false: was the completion liked"))
    return (
        () if problems else (Example("", _with_answers(prompt, answer), (), (float(liked or 0),)),)
    )


def _write_kto(example: Example) -> Row | None:
    if example.grades not in ((0.0,), (1.0,)):
        return None
    return {
        "prompt": _prompt_cell(example.input),
        "completion": answer_cell(example.input.answers[0]),
        "label": example.grades == (1.0,),
    }


KTO = Format(
    "kto",
    "rank",
    "prompt, completion and label (true or false)",
    frozenset({"prompt", "completion", "label", *GIVEN, *BEFORE}),
    lambda row: {"prompt", "completion"} <= {*row} and _truth(row.get("label")) is not None,
    _read_kto,
    _write_kto,
)
