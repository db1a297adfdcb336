"""One request, one answer: Alpaca and KoAlpaca, prompt and completion, self-instruct seeds."""

from __future__ import annotations

from nshot.core.types import Example, Input, Turn, digest
from nshot.data.formats.chats import check_order, messages, questions_of, turns_of
from nshot.data.formats.format import Format, Problem, listed, one_of, text_of
from nshot.data.table import Row, cell_text

_GIVEN = ("input", "context")
_SAID = ("output", "response", "references")
_LABELS = frozenset({"label", "labels", "label_text", "label_name"})
"""With one of these beside it, a row is there to be classified."""
COMPLETION = ("completion", "response")


def _read_alpaca(row: Row, problems: list[Problem]) -> tuple[Example, ...]:
    names = ["instruction", *(name for name in _GIVEN if name in row)]
    texts = [(name, text_of(row, name, problems, empty=True)) for name in names]
    fields = tuple((name, text) for name, text in texts if text.strip())
    if not fields:
        text_of(row, "instruction", problems)
    targets = _answers(row, one_of(row, _SAID) or _SAID[0], problems)
    return () if problems else (Example("", Input(fields), targets),)


def _answers(row: Row, name: str, problems: list[Problem]) -> tuple[str, ...]:
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
    if not fields or not {"instruction", *_GIVEN}.issuperset(fields):
        turns = questions_of(input)
        if len(turns) > 1:
            return None
        fields = {"instruction": turns[0].text}
    row: Row = {"instruction": fields.pop("instruction", ""), **(fields or {"input": ""})}
    return row | ({"output": targets[0]} if len(targets) == 1 else {"references": list(targets)})


ALPACA = Format(
    "alpaca",
    "generate",
    "instruction and output, and input where there is one",
    frozenset({"instruction", *_GIVEN, *_SAID}),
    lambda row: "instruction" in row and one_of(row, _SAID) is not None and not _LABELS & {*row},
    _read_alpaca,
    _write_alpaca,
)


def prompt_of(row: Row, name: str, problems: list[Problem]) -> Input:
    """A prompt that is a text, or a list of turns that ends with the user's."""
    if listed(row.get(name)) is None or (isinstance(row[name], str) and not _is_turns(row[name])):
        return Input(((name, text_of(row, name, problems)),))
    turns = turns_of(row[name], name, problems)
    if not problems:
        check_order(turns, problems, "user")
    return Input(turns=turns)


def _is_turns(cell: str) -> bool:
    """Does a text hold a list of turns as JSON? A prompt may begin with a bracket otherwise."""
    return all(isinstance(item, dict) for item in listed(cell) or [""])


def answer_of(row: Row, name: str, problems: list[Problem]) -> str:
    """An answer that is a text, or a list that holds the one assistant's turn."""
    cell = row.get(name)
    if not isinstance(cell, list) and not (isinstance(cell, str) and _is_turns(cell)):
        return text_of(row, name, problems)
    turns = turns_of(cell, name, problems)
    if turns and [turn.role for turn in turns] != ["assistant"]:
        problems.append((f"'{name}' holds {len(turns)} turns", "one turn, of the assistant"))
    return turns[-1].text if turns else ""


def _read_pair(row: Row, problems: list[Problem]) -> tuple[Example, ...]:
    input = prompt_of(row, "prompt", problems)
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
    frozenset({"prompt", *COMPLETION}),
    lambda row: "prompt" in row and one_of(row, COMPLETION) is not None and not _LABELS & {*row},
    _read_pair,
    _write_pair,
)


def _read_seed(row: Row, problems: list[Problem]) -> tuple[Example, ...]:
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
