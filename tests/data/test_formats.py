"""Formats are told from the keys, never mixed up; what is read can be written and read again."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.types import Example, Input, Turn, digest
from nshot.data import load, read_inputs, split
from nshot.data.faults import Faults
from nshot.data.formats import FORMATS, converted, detect, read
from nshot.data.formats.format import Format
from nshot.data.json_lines import write_rows
from nshot.data.summary import spoken
from nshot.data.table import Table
from nshot.data.tables import read_table
from nshot.models.hf.spans import apart
from tiny import tiny_tokenizer

Row = dict[str, Any]


def one(row: Row) -> Example:
    """What a single row becomes."""
    table = Table(Path("x.jsonl"), tuple(row), [row], [1])
    form = detect(table)
    assert form is not None, row
    return only(table, form)


def only(table: Table, form: Format) -> Example:
    faults = Faults()
    examples = read(table, form, faults)
    assert not faults, faults.error()
    ((example, _),) = examples
    return example


def jsonl(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


TALK = (
    Turn("system", "be brief"), Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c")
)  # fmt: skip
FROM = {"system": "system", "user": "human", "assistant": "gpt"}
MESSAGES = [{"role": turn.role, "content": turn.text} for turn in TALK]
ANSWER = {"role": "assistant", "content": "d"}
WORSE = {"role": "assistant", "content": "e"}
PAIR = Input(turns=TALK, answers=("d", "e"))
UNTAUGHT = Turn("assistant", "b", taught=False)
CALL = '<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>'
ASKS_TOOL = {"role": "assistant", "content": "", "tool_calls": [
    {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"x": 1}'}}
]}  # fmt: skip
CALLED = Example(
    "", Input(turns=(Turn("user", "a"), Turn("assistant", CALL), Turn("tool", "7"))), ("d",)
)


@pytest.mark.parametrize(
    ("row", "example"),
    [
        ({"instruction": "add", "input": "1 1", "output": "2"},
         Example("", Input((("instruction", "add"), ("input", "1 1"))), ("2",))),
        ({"instruction": "안녕", "input": "", "output": "네", "url": "x"},
         Example("", Input((("instruction", "안녕"),)), ("네",))),
        ({"instruction": "sum", "context": "text", "response": "s", "category": "open"},
         Example("", Input((("instruction", "sum"), ("context", "text"))), ("s",))),
        ({"prompt": "a", "completion": " b"}, Example("", Input((("prompt", "a"),)), (" b",))),
        ({"prompt": MESSAGES, "completion": [ANSWER]}, Example("", Input(turns=TALK), ("d",))),
        ({"messages": [*MESSAGES, ANSWER]}, Example("", Input(turns=TALK), ("d",))),
        ({"messages": [*MESSAGES[1:], ANSWER], "system": "be brief"},
         Example("", Input(turns=TALK), ("d",))),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"},
                                                    {"type": "text", "text": "y"}]}, ANSWER]},
         Example("", Input(turns=(Turn("user", "xy"),)), ("d",))),
        ({"conversations": [{"from": FROM[t.role], "value": t.text} for t in TALK]
          + [{"from": "GPT", "value": "d"}]}, Example("", Input(turns=TALK), ("d",))),
        ({"conversations": [*MESSAGES, ANSWER]}, Example("", Input(turns=TALK), ("d",))),
        ({"prompt": "a", "chosen": "b", "rejected": "c"},
         Example("", Input((("prompt", "a"),), answers=("b", "c")), grades=(1, 0))),
        ({"prompt": MESSAGES, "chosen": [ANSWER], "rejected": [WORSE]},
         Example("", PAIR, grades=(1, 0))),
        ({"prompt": "c", "messages": [*MESSAGES, ANSWER],
          "chosen": [*MESSAGES, ANSWER], "rejected": [*MESSAGES, WORSE]},
         Example("", PAIR, grades=(1, 0))),
        ({"chosen": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
          "rejected": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: e"},
         Example("", Input(turns=TALK[1:], answers=("d", "e")), grades=(1, 0))),
        ({"prompt": "Human: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:",
          "chosen": "d", "rejected": "e"},
         Example("", Input(turns=TALK[1:], answers=("d", "e")), grades=(1, 0))),
        ({"prompt": "a", "answers": ["b", "c", "d", "e"], "grades": [1, 3, 3, 2]},
         Example("", Input((("prompt", "a"),), answers=tuple("bcde")), grades=(1, 3, 3, 2))),
        ({"prompt": "a", "responses": ["b", "c", "d", "e"], "ranks": [3, 1, 1, 2]},
         Example("", Input((("prompt", "a"),), answers=tuple("bcde")), grades=(0, 2, 2, 1))),
        ({"instruction": "a", "completions": [{"response": "b", "overall_score": 7.5},
                                              {"response": "c", "overall_score": 2}]},
         Example("", Input((("instruction", "a"),), answers=("b", "c")), grades=(7.5, 2))),
        ({"prompt": "a", "completion": "b", "label": False},
         Example("", Input((("prompt", "a"),), answers=("b",)), grades=(0,))),
        ({"instruction": "c", "input": "", "output": "d", "system": "be brief",
          "history": [["a", "b"]]}, Example("", Input(turns=TALK), ("d",))),
        ({"instruction": "c", "input": "x", "output": "d", "system": "", "history": []},
         Example("", Input((("instruction", "c"), ("input", "x"))), ("d",))),
        ({"prompt": "c", "completion": "d", "history": '[["a", "b"]]', "system": "be brief"},
         Example("", Input(turns=TALK), ("d",))),
        ({"instruction": "add", "input": "1 1", "chosen": "2", "rejected": "3"},
         Example("", Input((("instruction", "add"), ("input", "1 1")), answers=("2", "3")),
                 grades=(1, 0))),
        ({"system": "be brief", "history": [["a", "b"]], "question": "c",
          "chosen": "d", "rejected": "e"}, Example("", PAIR, grades=(1, 0))),
        ({"conversations": [{"from": FROM[t.role], "value": t.text} for t in TALK],
          "chosen": {"from": "gpt", "value": "d"}, "rejected": {"from": "gpt", "value": "e"}},
         Example("", PAIR, grades=(1, 0))),
        ({"messages": [*MESSAGES, {**ANSWER, "weight": 1}]},
         Example("", Input(turns=TALK), ("d",))),
        ({"messages": [*MESSAGES[:2], {**MESSAGES[2], "weight": 0}, MESSAGES[3], ANSWER]},
         Example("", Input(turns=(*TALK[:2], UNTAUGHT, TALK[3])), ("d",))),
        ({"messages": [*MESSAGES[:2], {**MESSAGES[2], "loss": False}, MESSAGES[3], ANSWER]},
         Example("", Input(turns=(*TALK[:2], UNTAUGHT, TALK[3])), ("d",))),
        ({"messages": [*MESSAGES, ANSWER, {"role": "user", "content": "x"},
                       {**WORSE, "train": "false"}]}, Example("", Input(turns=TALK), ("d",))),
        ({"messages": [*MESSAGES, {"role": "user", "content": ""}, ANSWER,
                       {"role": "assistant", "content": None}]},
         Example("", Input(turns=TALK), ("d",))),
        ({"messages": [*MESSAGES[:3], {"role": "user", "content": "c"},
                       {"role": "user", "content": "more"}, ANSWER]},
         Example("", Input(turns=(*TALK[:3], Turn("user", "c\n\nmore"))), ("d",))),
        ({"messages": [ANSWER, *MESSAGES[1:], ANSWER]},
         Example("", Input(turns=(Turn("assistant", "d"), *TALK[1:])), ("d",))),
        ({"messages": [MESSAGES[1], ASKS_TOOL,
                       {"role": "tool", "content": "7", "tool_call_id": "1"}, ANSWER]}, CALLED),
        ({"messages": [MESSAGES[1],
                       {"role": "assistant", "content": None,
                        "function_call": {"name": "add", "arguments": '{"x": 1}'}},
                       {"role": "function", "name": "add", "content": "7"}, ANSWER]}, CALLED),
        ({"conversations": [{"from": "human", "value": "a"},
                            {"from": "function_call",
                             "value": '{"name": "add", "arguments": {"x": 1}}'},
                            {"from": "observation", "value": "7"},
                            {"from": "gpt", "value": "d"}]}, CALLED),
        ({"messages": [MESSAGES[1], ASKS_TOOL]}, Example("", Input(turns=TALK[1:2]), (CALL,))),
        ({"messages": [MESSAGES[1], ANSWER], "tools": [{"name": "add"}]},
         Example("", Input(turns=(Turn("system", 'Tools:\n{"name": "add"}'), TALK[1])), ("d",))),
        ({"id": "s1", "instruction": "a", "instances": [{"input": "b", "output": "c"}],
          "is_classification": True},
         Example("", Input((("instruction", "a"), ("input", "b"))), ("c",), group="s1")),
    ],
)  # fmt: skip
def test_what_a_row_becomes(row: Row, example: Example) -> None:
    assert one(row) == example
    assert one(dict(reversed(row.items()))) == example


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a", "label": "b"},
        {"question": "a", "answer": "b"},
        {"input": "a", "output": "b"},
        {"instruction": "a", "output": "b", "label": "x"},
        {"prompt": "a", "completion": "b", "label": "toxic"},
        {"prompt": "a", "answers": ["b", "c"]},
    ],
)
def test_named_columns_stay_named_columns(row: Row) -> None:
    assert detect(Table(Path("x"), tuple(row), [row], [1])) is None


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([{"messages": MESSAGES[:1]}], "1 rows left out: it has no answer"),
        ([{"messages": [*MESSAGES[:1], ANSWER]}], "1 rows left out: it asks nothing"),
        ([{"messages": [MESSAGES[1], {"role": "assistant", "content": " "}]}],
         "1 rows left out: it has no answer"),
        ([{"messages": [MESSAGES[1], {**ANSWER, "weight": 0}]}] * 2,
         "2 rows left out: none of its answers is taught"),
        ([{"messages": [MESSAGES[1], {"role": "user", "content": ""}, ANSWER]}],
         "1 rows: an empty turn was left out"),
        ([{"messages": [*MESSAGES[1:], ANSWER, MESSAGES[1]]}],
         "1 rows: what follows the last answer that is taught was left out"),
        ([{"messages": [MESSAGES[1], MESSAGES[1], ANSWER]}],
         "1 rows: turns of one speaker in a row were joined"),
        ([{"messages": [MESSAGES[1], {**MESSAGES[2], "loss": 0}, MESSAGES[3], ANSWER]}],
         "1 rows: turns with weight 0 (or loss, train: false) are read and not taught"),
        ([{"messages": [MESSAGES[1], ASKS_TOOL]}], "1 rows: tool calls are read as what the"),
    ],
)  # fmt: skip
def test_what_was_assumed_or_left_out_is_told(tmp_path: Path, rows: list[Row], note: str) -> None:
    whole = [{"messages": [{"role": "user", "content": "q"}, ANSWER]}]
    loaded = load(jsonl(tmp_path / "x.jsonl", rows + whole))
    assert any(one.startswith(note) for one in loaded.notes), loaded.notes
    assert len(loaded.train) == 1 + len(rows) * ("left out:" not in note)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"messages": [*MESSAGES, {**ANSWER, "weight": "much"}]}, "has the weight 'much'"),
        ({"messages": [*MESSAGES, {**ANSWER, "tool_calls": [{"id": "1"}]}]}, "call without a name"),
        ({"messages": [*MESSAGES, ANSWER], "system": "be long"}, "a key 'system' beside it"),
        ({"instruction": "a", "output": "b", "history": [["c"]]}, "'history' holds no pairs"),
        ({"prompt": MESSAGES, "input": "x", "chosen": "a", "rejected": "b"}, "'input' beside them"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused(tmp_path: Path, row: Row, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        load(jsonl(tmp_path / "x.jsonl", [row]))


def test_what_is_not_taught_is_read_and_written_again() -> None:
    talk = {"messages": [*MESSAGES[:2], {**MESSAGES[2], "weight": 0}, MESSAGES[3], ANSWER]}
    example = one(talk)
    (row,) = apart(TOKENIZER, spoken(example))
    taught = [t for t, is_taught in zip(*row, strict=True) if is_taught]
    assert TOKENIZER.decode(taught) == "d<|im_end|>"
    assert "b" in TOKENIZER.decode(row.tokens)
    assert FORMATS["messages"].write(example) == talk


# ------------------------------------------------------------------ any row, and back again

texts = st.text(min_size=1, max_size=12).filter(str.strip)
odd = st.sampled_from(["[]", "[{}]", '[{"role": "user"}]', "Human: a\n\nAssistant:", "true", "1"])
said = texts | odd


@st.composite
def talks(draw: st.DrawFn) -> tuple[Turn, ...]:
    """Turns up to a question."""
    system = [Turn("system", draw(said))] if draw(st.booleans()) else []
    pairs = draw(st.lists(st.tuples(said, said), max_size=2))
    before = [t for a, b in pairs for t in (Turn("user", a), Turn("assistant", b))]
    return (*system, *before, Turn("user", draw(said)))


turns = st.builds(lambda turns: Input(turns=turns), talks())
prompts = turns | st.builds(lambda text: Input((("prompt", text),)), texts)
asked = st.builds(
    lambda a, b: Input((("instruction", a), ("input", b)) if b else (("instruction", a),)),
    said, st.none() | said,
)  # fmt: skip


def judged(inputs: st.SearchStrategy[Input], answers: Any, grades: Any) -> Any:
    def build(input: Input, graded: list[tuple[str, float]]) -> Example:
        answers, grades = zip(*graded, strict=True)
        return Example("", Input(input.fields, input.turns, (), answers), (), grades)

    several = st.lists(st.tuples(said, grades), min_size=answers[0], max_size=answers[1])
    return st.builds(build, inputs, several)


def answered(inputs: st.SearchStrategy[Input]) -> Any:
    return st.builds(lambda input, text: Example("", input, (text,)), inputs, said)


def distinct(example: Example) -> bool:
    return min(len(set(example.grades)), len(set(example.input.answers))) > 1


numbers = st.floats(-5, 5).map(float)
OF = {
    "alpaca": answered(asked),
    "self-instruct": st.builds(
        lambda example, group: Example("", example.input, example.targets, group=group),
        answered(asked), texts,
    ),
    "prompt-completion": answered(prompts),
    "messages": answered(turns),
    "sharegpt": answered(turns),
    "preference": st.builds(
        lambda input, a, b: Example("", Input(input.fields, input.turns, (), (a, b)), (), (1, 0)),
        prompts, said, said,
    ).filter(distinct),
    "ranking": judged(prompts, (2, 9), numbers).filter(distinct),
    "kto": judged(prompts, (1, 1), st.sampled_from([0.0, 1.0])),
    "squad": st.builds(
        lambda context, question, answers: Example(
            "", Input((("context", context), ("question", question))), tuple(answers),
            group=digest(context),
        ),
        texts, said, st.lists(said, min_size=1, max_size=3, unique=True),
    ),
}  # fmt: skip
TOKENIZER = tiny_tokenizer()


def test_every_format_is_tried() -> None:
    assert OF.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_row_is_told_read_rendered_and_written_back(name: str, data: st.DataObject) -> None:
    example = data.draw(OF[name])
    row = FORMATS[name].write(example)
    assert row is not None
    keys = list(json.loads(json.dumps(row)).items())
    random.Random(len(keys)).shuffle(keys)
    assert detect(Table(Path("x"), tuple(row), [dict(keys)], [1])) is FORMATS[name]
    back = one(dict(keys))
    assert back == example
    assert FORMATS[name].write(back) == row
    assert any(apart(TOKENIZER, spoken(back))[-1].supervised)


@settings(max_examples=60, deadline=None)
@given(
    row=st.dictionaries(
        st.sampled_from(sorted({key for form in FORMATS.values() for key in form.uses})),
        st.recursive(
            st.none() | st.booleans() | st.integers() | said,
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["role", "content", "from", "value"]), inner)
            ),
            max_leaves=6,
        ),
        max_size=5,
    )
)
def test_no_row_breaks_the_reader(row: Row) -> None:
    """Whatever stands in a row: it is read, or it is a fault."""
    table = Table(Path("x.jsonl"), tuple(row), [row], [1])
    for form in FORMATS.values():
        faults = Faults()
        for example, _ in read(table, form, faults):
            assert spoken(example)[-1].text.strip()
        assert str(faults.error()) or not faults


# ------------------------------------------------------------------ files


ROWS: list[Row] = [
    {"id": f"r{i}", "messages": [{"role": "user", "content": f"q {i}"},
                                 {"role": "assistant", "content": f"a {i}"}]}
    for i in range(4)
]  # fmt: skip


def test_the_same_rows_in_any_kind_of_file(tmp_path: Path) -> None:
    expected = load(jsonl(tmp_path / "x.jsonl", ROWS))
    assert (expected.format, expected.task.kind) == ("messages", "generate")
    (tmp_path / "x.json").write_text(json.dumps(ROWS, indent=1))
    (tmp_path / "lines.json").write_text((tmp_path / "x.jsonl").read_text())
    with (tmp_path / "x.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerows([["id", "messages"], *([r["id"], json.dumps(r["messages"])] for r in ROWS)])
    for name in ("x.json", "lines.json", "x.csv"):
        assert load(tmp_path / name).train == expected.train, name
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").train == expected.train


def test_every_instance_of_a_seed_stays_on_its_side(tmp_path: Path) -> None:
    rows = [
        {"id": f"s{i}", "instruction": f"task {i}",
         "instances": [{"input": str(k), "output": f"{i} {k}"} for k in range(3)]}
        for i in range(200)
    ]  # fmt: skip
    loaded = load(jsonl(tmp_path / "x.jsonl", rows))
    assert [row.id for row in loaded.train[:4]] == ["s0", "s0-2", "s0-3", "s1"]
    parts = split(loaded.task, loaded.train, None)
    sides = [{row.group for row in part} for part in (parts.train, parts.test)]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_turns_and_answers_are_in_the_names_of_rows(tmp_path: Path) -> None:
    rows = [{"messages": row["messages"]} for row in ROWS]
    assert len({row.id for row in load(jsonl(tmp_path / "x.jsonl", rows)).train}) == 4
    pairs = [{"prompt": "a", "chosen": "b", "rejected": c} for c in "cd"]
    first, second = load(jsonl(tmp_path / "y.jsonl", pairs)).train
    assert first.id != second.id
    assert "-" not in first.id + second.id, "no copies of each other"


def test_pairs_that_nothing_tells_apart_are_left_out(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "chosen": "b", "rejected": "b"}, *[
        {"prompt": f"a{i}", "chosen": "b", "rejected": "c"} for i in range(2)
    ]]  # fmt: skip
    loaded = load(jsonl(tmp_path / "x.jsonl", rows))
    assert len(loaded.train) == 2
    assert "1 rows left out: their answers are equal, or judged equal" in loaded.notes
    with pytest.raises(InputError, match="no row is left: 20 rows left out: their answers are eq"):
        load(jsonl(tmp_path / "y.jsonl", rows[:1] * 20))


def test_what_the_user_says_goes_before_what_is_told(tmp_path: Path) -> None:
    rows = [{"prompt": f"a {i}", "completion": f"b {i}", "label": i % 2 == 0} for i in range(4)]
    path = jsonl(tmp_path / "x.jsonl", rows)
    assert load(path).task.kind == "rank"
    assert load(path, label="label", text=["completion"]).task.kind == "classify"
    assert load(path, format="prompt-completion").task.kind == "generate"
    assert load(path, format="columns").format == "columns"


def test_free_answers_by_the_command_that_was_named(tmp_path: Path) -> None:
    rows = [{"question": f"{i} and {i}?", "solution": f"it is {2 * i}", "answer": str(2 * i)}
            for i in range(30)]  # fmt: skip
    path = jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(InputError, match="--kind generate --text question --label answer"):
        load(path)
    loaded = load(path, kind="generate", text=["question"], label="answer")
    assert (loaded.task.kind, loaded.train[3].targets) == ("generate", ("6",))
    assert load(path, kind="generate").train == loaded.train


def test_a_group_column_goes_before_the_formats_own(tmp_path: Path) -> None:
    rows = [{**row, "dialogue": f"d{i // 2}"} for i, row in enumerate(ROWS)]
    loaded = load(jsonl(tmp_path / "x.jsonl", rows), group="dialogue")
    assert [row.group for row in loaded.train] == ["d0", "d0", "d1", "d1"]


def test_conversations_for_predict_end_with_a_question_or_lose_their_answer(
    tmp_path: Path,
) -> None:
    task = load(jsonl(tmp_path / "x.jsonl", ROWS)).task
    new = [ROWS[0], {"id": "n", "messages": MESSAGES}]
    inputs = read_inputs(jsonl(tmp_path / "new.jsonl", new), task)
    assert inputs == [("r0", Input(turns=(Turn("user", "q 0"),))), ("n", Input(turns=TALK))]
    bad = jsonl(tmp_path / "bad.jsonl", [{"messages": MESSAGES[:1]}])
    with pytest.raises(InputError, match="line 1: no turn but system"):
        read_inputs(bad, task)


def test_rows_written_as_another_format_are_the_same_rows(tmp_path: Path) -> None:
    loaded = load(jsonl(tmp_path / "x.jsonl", ROWS))
    for name in ("sharegpt", "messages", "prompt-completion"):
        write_rows(tmp_path / f"{name}.jsonl", converted(loaded.train, FORMATS[name]))
        again = load(tmp_path / f"{name}.jsonl")
        assert (again.format, again.train) == (name, loaded.train)
    with pytest.raises(InputError, match="4 of 4 rows cannot be written as preference"):
        converted(loaded.train, FORMATS["preference"])


# ------------------------------------------------------------------ the page, and real files


def test_the_examples_of_the_page_are_what_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
    shown = page.split("\n## ")[1:]
    lines = {part.split("\n")[0]: part.partition("```json\n")[2].partition("```")[0]
             for part in shown if "```json" in part}  # fmt: skip
    assert lines.keys() == FORMATS.keys()
    for name, block in lines.items():
        for line in block.strip().splitlines():
            row = json.loads(line)
            assert detect(Table(Path(name), tuple(row), [row], [1])) is FORMATS[name], line
            one(row)
        assert f"| [{name}](#{name}) | {FORMATS[name].kind} |" in page


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "format", "rows"),
    [
        ("alpaca/train", "alpaca", 8725),
        ("koalpaca/train", "alpaca", 5000),
        ("self_instruct_seeds/seed_tasks", "self-instruct", 175),
        ("hh_rlhf_harmless/train", "preference", 1656),
        ("autoj_pairs/train", "preference", 593),
        ("dialogsum/train", "columns", 500),
        ("webnlg/train", "columns", 3000),
    ],
)
def test_real_files_of_instructions(data: Path, name: str, format: str, rows: int) -> None:
    loaded = load(data / f"{name}.jsonl")
    assert (loaded.format, len(loaded.train)) == (format, rows)
    if "hh_rlhf" in name:
        assert all(row.input.turns[-1].role == "user" for row in loaded.train)


def test_a_table_of_nothing_but_broken_lines_has_no_format(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('["a", 1]')
    faults = Faults()
    assert read_table(path, faults) is None
    assert "row 1: not an object" in str(faults.error())
