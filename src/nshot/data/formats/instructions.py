"""One request, one answer: Alpaca and KoAlpaca, prompt and completion, self-instruct seeds."""

from __future__ import annotations

from dataclasses import replace

from nshot.core.types import Example, Input, Turn, digest
from nshot.data.formats.chats import messages, questions_of, text_beside
from nshot.data.formats.format import Format, Problems, listed, one_of, text_of
from nshot.data.formats.turns import WHO, asking, joined, turns_of
from nshot.data.table import Row, cell_text

GIVEN = ("input", "context")
_SAID = ("output", "response", "references")
_LABELS = frozenset({"label", "labels", "label_text", "label_name"})
"""With one of these beside it, a row is there to be classified."""
BEFORE = ("system", "history")
"""What stands before a row's own question."""
COMPLETION = ("completion", "response")


def _read_alpaca(row: Row, problems: Problems) -> tuple[Example, ...]:
    names = ["instruction", *(name for name in GIVEN if name in row)]
    texts = [(name, text_of(row, name, problems, empty=True)) for name in names]
    fields = tuple((name, text) for name, text in texts if text.strip())
    if not fields:
        text_of(row, "instruction", problems)
    targets = _answers(row, one_of(row, _SAID) or _SAID[0], problems)
    input = within_talk(row, Input(fields), problems)
    return () if problems else (Example("", input, targets),)


def within_talk(row: Row, input: Input, problems: Problems) -> Input:
    """What a row asks, behind its keys ``system`` and ``history`` (LLaMA-Factory).

    The history are pairs of a question and its answer; all of it becomes turns.
    """
    system = text_beside(row, "system")
    turns = [Turn("system", system)] if system else []
    for pair in listed(row.get("history")) or []:
        texts = [cell_text(one) for one in pair] if isinstance(pair, list) else []
        if len(texts) != 2 or not all(text and text.strip() for text in texts):
            problems.append(("'history' holds no pairs", "a list of [question, answer]"))
            return input
        turns += [Turn("user", texts[0] or ""), Turn("assistant", texts[1] or "")]
    if not turns:
        return input
    if input.turns[:1] and input.turns[0].role == "system" and system:
        problems.append(("a system turn, and a key 'system' beside it", "one of the two"))
    return replace(input, fields=(), turns=(*turns, *questions_of(input)))


def _answers(row: Row, name: str, problems: Problems) -> tuple[str, ...]:
    """One answer, or a list of references."""
    if not isinstance(row.get(name), list):
        return (text_of(row, name, problems),)
    texts = [cell_text(one) for one in row[name]]
    if not texts or not all(text and text.strip() for text in texts):
        problems.append((f"'{name}' holds an empty text, or none", "a text in every row"))
    return tuple(text for text in texts if text)


def _write_alpaca(example: Example) -> Row | None:
    input, targets = example.input, example.targets
    if not targets or input.answers or input.images:
        return None
    fields = dict(input.fields)
    if not fields or not {"instruction", *GIVEN}.issuperset(fields):
        return _write_talk(questions_of(input), targets)
    row: Row = {"instruction": fields.pop("instruction", ""), **(fields or {"input": ""})}
    return row | _output(targets)


def _output(targets: tuple[str, ...]) -> Row:
    return {"output": targets[0]} if len(targets) == 1 else {"references": list(targets)}


def _write_talk(turns: tuple[Turn, ...], targets: tuple[str, ...]) -> Row | None:
    """Turns as an instruction behind ``system`` and ``history``; None in any other order."""
    system = turns[0].text if turns[0].role == "system" else ""
    *before, last = turns[bool(system) :]
    pairs = list(zip(before[::2], before[1::2], strict=False))
    if any((a.role, b.role, b.taught) != ("user", "assistant", True) for a, b in pairs):
        return None
    if len(before) % 2 or last.role != "user":
        return None
    row: Row = {"instruction": last.text, "input": ""} | _output(targets)
    row |= {"system": system} if system else {}
    return row | ({"history": [[a.text, b.text] for a, b in pairs]} if pairs else {})


ALPACA = Format(
    "alpaca",
    "generate",
    "instruction and output, and input, system, history where there are any",
    frozenset({"instruction", *GIVEN, *_SAID, *BEFORE}),
    lambda row: "instruction" in row and one_of(row, _SAID) is not None and not _LABELS & {*row},
    _read_alpaca,
    _write_alpaca,
)


def prompt_of(row: Row, name: str, problems: Problems) -> Input:
    """A prompt that is a text, or a list of turns that ends with the user's."""
    if listed(row.get(name)) is None or (isinstance(row[name], str) and not _is_turns(row[name])):
        return Input(((name, text_of(row, name, problems)),))
    turns = turns_of(row[name], name, problems)
    return Input(turns=turns if problems else asking(turns, problems))


def _is_turns(cell: str) -> bool:
    """Does a text hold a list of turns as JSON? A prompt may begin with a bracket otherwise."""
    return all(isinstance(item, dict) for item in listed(cell) or [""])


def answer_of(row: Row, name: str, problems: Problems) -> str:
    """An answer that is a text, or the one assistant's turn, alone or in a list."""
    cell = row.get(name)
    is_turn = isinstance(cell, dict) and one_of(cell, WHO) is not None
    if not (is_turn or isinstance(cell, list) or (isinstance(cell, str) and _is_turns(cell))):
        return text_of(row, name, problems)
    turns = joined(turns_of(cell, name, problems), problems)
    if not turns and not problems:
        problems.append((f"'{name}' is empty", "a text in every row"))
    if turns and [turn.role for turn in turns] != ["assistant"]:
        problems.append((f"'{name}' holds {len(turns)} turns", "one turn, of the assistant"))
    return turns[-1].text if turns else ""


def _read_pair(row: Row, problems: Problems) -> tuple[Example, ...]:
    input = within_talk(row, prompt_of(row, "prompt", problems), problems)
    target = answer_of(row, one_of(row, COMPLETION) or COMPLETION[0], problems)
    return () if problems else (Example("", input, (target,)),)


def prompt_cell(input: Input) -> object:
    """An input as a prompt: the text of its one field, else a list of turns."""
    if len(input.fields) == 1 and not input.turns and not _is_turns(input.fields[0][1]):
        return input.fields[0][1]
    return messages(questions_of(input))


def answer_cell(text: str) -> object:
    """An answer as it is read back: a text that looks like a list of turns becomes a turn."""
    return messages((Turn("assistant", text),)) if _is_turns(text) else text


def _write_pair(example: Example) -> Row | None:
    if len(example.targets) != 1 or example.input.answers or example.input.images:
        return None
    return {
        "prompt": prompt_cell(example.input),
        "completion": answer_cell(example.targets[0]),
    }


PAIR = Format(
    "prompt-completion",
    "generate",
    "prompt and completion",
    frozenset({"prompt", *COMPLETION, *BEFORE}),
    lambda row: "prompt" in row and one_of(row, COMPLETION) is not None and not _LABELS & {*row},
    _read_pair,
    _write_pair,
)


def _read_seed(row: Row, problems: Problems) -> tuple[Example, ...]:
    """One example for each instance; the seed is their group."""
    instruction = text_of(row, "instruction", problems)
    instances = listed(row.get("instances"))
    if not instances or not all(isinstance(one, dict) for one in instances):
        problems.append(("'instances' holds no list of objects", "a list of {input, output}"))
        return ()
    group = cell_text(row.get("id")) or digest(instruction)
    examples = []
    for one in instances:
        fields = (
            ("instruction", instruction),
            ("input", text_of(one, "input", problems, empty=True)),
        )
        output = text_of(one, "output", problems)
        kept = tuple((name, text) for name, text in fields if text.strip())
        examples.append(Example("", Input(kept), (output,), group=group))
    return () if problems else tuple(examples)


def _write_seed(example: Example) -> Row | None:
    fields = dict(example.input.fields)
    if len(example.targets) != 1 or "instruction" not in fields or {*fields} - _SEEDED:
        return None
    instance = {"input": fields.get("input", ""), "output": example.targets[0]}
    name = {"id": example.group} if example.group else {}
    return {**name, "instruction": fields["instruction"], "instances": [instance]}


_SEEDED = {"instruction", "input"}

SEEDS = Format(
    "self-instruct",
    "generate",
    "instruction, and instances: a list of {input, output}",
    frozenset({"id", "instruction", "instances"}),
    lambda row: "instruction" in row and "instances" in row,
    _read_seed,
    _write_seed,
)
