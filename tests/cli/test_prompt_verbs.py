"""``nshot prompt``, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nshot.cli.main import main
from nshot.core.types import Input, Label, ModelRef, Task
from nshot.models import open_models
from nshot.predictors.checks import write_checks
from nshot.predictors.prompted import Prompted
from nshot.predictors.rationale import Rationale
from nshot.predictors.sampled_vote import SampledVote
from nshot.prompts.rationales import KOREAN
from tiny import tiny_llama

ROWS = [("Where is my parcel?", "delivery"), ("I want my money back", "refund"),
        ("It has not arrived", "delivery"), ("You charged me twice", "refund")]  # fmt: skip


def task(folder: Path, more: str = "") -> str:
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "task.yaml").write_text(
        "instruction: Decide what the customer wants.\ndata: {train: train.jsonl}\n"
        f"prompt: {{answer: Intent, persona: You work at a shop.{more}}}\n"
    )
    return str(folder)


def type_in(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def test_a_prompt_is_shown_with_its_demonstrations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_in("prompt", "show", task(tmp_path / "a"), "--shots", "2") == 0
    out = capsys.readouterr().out
    assert "demonstrations (2)" in out
    assert out.count("\nIntent:") == 3
    assert type_in("prompt", "show", task(tmp_path / "a"), "--row", "nobody") == 2
    assert "no row 'nobody'" in capsys.readouterr().err


def test_two_prompts_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = task(tmp_path / "a")
    second = task(tmp_path / "b", ", delimiter: tags")
    assert type_in("prompt", "diff", first, second) == 0
    out = capsys.readouterr().out
    assert out.startswith("input: ")
    assert "+<text>" in out
    assert type_in("prompt", "diff", first, first) == 0
    assert "the two say the same" in capsys.readouterr().out


def test_check_ends_with_1_where_it_has_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_in("prompt", "check", task(tmp_path / "a")) == 0
    assert "0 findings in 4 examples" in capsys.readouterr().out
    bad = task(tmp_path / "b", ", context: 'Messages, calls, etc.'")
    assert type_in("prompt", "check", bad) == 1
    out = capsys.readouterr().out
    assert "clear:" in out
    assert "task.yaml, line 3" in out


def test_a_folder_that_asks_with_no_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["adapt", task(tmp_path / "a"), "--method", "majority", "--out", str(tmp_path / "out")]
    assert type_in(*words) == 0
    capsys.readouterr()
    assert type_in("prompt", "show", str(tmp_path / "out")) == 2
    assert "of kind constant" in capsys.readouterr().err


def test_a_delivered_rationale_is_shown_and_one_that_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = open_models()
    topics = Task("t", "classify", (Label("delivery"), Label("환불")))
    prompted = Prompted(topics, models, ModelRef("hf", str(tiny_llama(tmp_path / "model"))))
    rationale = Rationale(prompted, KOREAN, length=8)
    for name, one in (("a", rationale), ("b", SampledVote(rationale, samples=2))):
        one.save(tmp_path / name)
        write_checks(tmp_path / name, one.predict, [Input((("text", "환불해 주세요"),))])
        assert type_in("prompt", "show", str(tmp_path / name)) == 0
        out = capsys.readouterr().out
        assert "Text: 환불해 주세요\n풀이: 차근차근" in out
        assert "up to 8 tokens that it wrote" in out
    assert type_in("prompt", "diff", str(tmp_path / "a"), str(tmp_path / "b")) == 0
    assert "the two say the same" in capsys.readouterr().out


def test_ablate_prints_a_line_a_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = task(tmp_path / "a")
    lines = [json.dumps({"text": f"{text} {at}", "label": label})
             for at in range(12) for text, label in ROWS]  # fmt: skip
    (tmp_path / "a" / "train.jsonl").write_text("\n".join(lines) + "\n")
    assert type_in("prompt", "ablate", source, "--model", "fake:scorer", "--rows", "20") == 0
    out = capsys.readouterr().out.splitlines()
    assert "on 20 labelled rows" in out[0]
    assert sorted(line.split()[0] for line in out[2:]) == ["instruction", "persona", "the"]
    assert type_in("prompt", "ablate", source, "--model", "fake:scorer", "--shots", "45") == 2
    assert "labelled rows to measure on" in capsys.readouterr().err


def test_a_curve_over_examples_is_printed_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = task(tmp_path / "a")
    lines = [json.dumps({"text": f"{text} {at}", "label": label})
             for at in range(15) for text, label in ROWS]  # fmt: skip
    (tmp_path / "a" / "train.jsonl").write_text("\n".join(lines) + "\n")
    words = ["prompt", "shots", folder, "--model", "fake:scorer", "--upto", "2", "--draws", "2"]
    assert type_in(*words, "--out", str(tmp_path / "shots.svg")) == 0
    out, err = capsys.readouterr()
    assert "on 30 labelled rows that no prompt shows" in out
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["0", "1", "2"]
    assert "0 to 2 examples: " in out
    assert "[5/5] 2 examples, draw 2" in err
    assert (tmp_path / "shots.svg").read_text().startswith("<svg xmlns=")
    assert type_in(*words, "--out", str(tmp_path / "no" / "shots.svg")) == 2
    assert "NAME.svg in a folder that is there" in capsys.readouterr().err
