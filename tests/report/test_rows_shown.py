"""`nshot data show`: what was understood, and what is taught."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from endpoint import serving
from nshot.cli.main import main
from nshot.data import load
from nshot.report.reader import Reader
from nshot.report.rows_shown import understood
from tiny import tiny_tokenizer

DROPS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if loop.last and m['role'] == "
    "'assistant' %}<think></think>{% endif %}{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Writes a thought before the last answer only."""
TALK = [
    {"role": "user", "content": "who is there ?"},
    {"role": "assistant", "content": "a cat"},
    {"role": "user", "content": "and now ?"},
    {"role": "assistant", "content": "the cat"},
]


def file(folder: Path, rows: list[object], name: str = "train.jsonl") -> Path:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / name


def rows(folder: Path) -> Path:
    system = {"role": "system", "content": "be\u001b[31m a cat"}
    return file(folder, [{"messages": TALK}, {"messages": [system, *TALK[:2]]},
                         {"messages": TALK[:2]}])  # fmt: skip


def test_all_is_said(tmp_path: Path) -> None:
    test = file(
        tmp_path, [{"messages": [*TALK[:1], {"role": "assistant", "content": "no"}]}], "t.jsonl"
    )
    loaded = load(rows(tmp_path), test=test)
    said = understood(loaded, Reader("tiny", tiny_tokenizer(), 60), 2, colour=False)
    for words in (
        "format messages, kind generate: 3 rows",
        "turns: 4 assistant, 1 system, 4 user; 33.3 % of the rows have several questions",
        "system prompts: 1 different, in 1 rows",
        "languages, by script: Latin 100.0 %",
        "duplicates: 0 rows ask",
        "overlap with 1 test rows: 1 train rows the same, 0 near",
        "length in tokens, by the chat template of tiny: median",
        "exceed the context of 60 tokens",
        "<|im_start|>assistant\n[[a cat<|im_end|>]]\n<|im_start|>user\nand now ?",
        "[[the cat<|im_end|>]]",
    ):
        assert words in said, words
    assert said.count("--- ") == 2
    assert "\x1b" not in said, "a text may not colour the terminal"


def test_colour_is_for_terminals(tmp_path: Path) -> None:
    said = understood(load(rows(tmp_path)), Reader("tiny", tiny_tokenizer()), 1, colour=True)
    assert "\x1b[32ma cat<|im_end|>\x1b[0m" in said
    assert "[[" not in said


def test_a_row_for_each_answer_where_the_template_drops_thoughts(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = DROPS
    said = understood(load(rows(tmp_path)), Reader("tiny", tokenizer), 1, colour=False)
    assert said.count("[[<think></think>") == 2
    assert "a row for each answer" in said


def test_turns_that_a_template_refuses_are_counted(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('never') }}"
    said = understood(load(rows(tmp_path)), Reader("tiny", tokenizer), 1, colour=False)
    assert "3 rows are refused: the chat template does not take these turns: never" in said
    assert "--- " in said


def test_the_verb_and_the_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows(tmp_path)
    words = ["data", "show", "train.jsonl", "--model", "fake:scorer", "--rows", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--as", "sharegpt", "-o", "out.jsonl"])
    out, err = capfd.readouterr()
    assert (ended.value.code, err) == (0, "3 rows as sharegpt in out.jsonl\n")
    assert "length in characters, by no tokenizer, for fake:scorer shows none" in out
    assert "[[the cat]]" in out
    assert load("out.jsonl").format == "sharegpt"
    assert [r.input for r in load("out.jsonl").train] == [
        r.input for r in load("train.jsonl").train
    ]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--as", "sharegpt"])
    assert ended.value.code == 2
    assert "--as and -o go together" in capfd.readouterr().err


def test_an_endpoint_has_no_tokenizer_to_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda turns: "a") as endpoint, pytest.raises(SystemExit) as end:
        main(["data", "show", str(rows(tmp_path)), "--model", endpoint.name])
    assert end.value.code == 0
    assert f"no tokenizer, for {endpoint.name} shows none" in capsys.readouterr().out
