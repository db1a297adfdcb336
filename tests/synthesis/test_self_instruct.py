"""Self-Instruct from file to file, with a scripted model behind a real server."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from commands import asked_again, no_key_in, rows, run, stopped

from endpoint import Reply, serving
from nshot.core.types import digest
from nshot.synthesis import prompts
from nshot.synthesis.heuristics import instruction_fault, sound_instances
from spine import jsonl

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]


def seeds(path: Path) -> str:
    made = []
    for i in range(12):
        rng = random.Random(f"seed{i}")
        kind = i % 3 == 0
        instruction = ("Classify " if kind else "Explain ") + " ".join(rng.sample(WORDS, 6))
        instance = {"input": f"input {i}", "output": "good" if kind else f"output {i}"}
        made.append(
            {"instruction": instruction, "instances": [instance], "is_classification": kind}
        )
    return jsonl(path, made)


def scripted(messages: list[dict[str, str]]) -> str:
    """New tasks that depend on the prompt alone, among them some to throw away."""
    asked = messages[-1]["content"]
    last = asked.rpartition("Task: ")[2]
    if asked.endswith("Classification:"):
        return " yes" if last.startswith("Classify") else " no."
    if asked.endswith("Label:"):
        return (
            " good\nInput: a fine day\nLabel: bad\nInput: a dull day\nLabel: odd\nInput: a dull day"
        )
    if asked.endswith("Input:"):
        return " none\nOutput:" if "Explain" not in last else f" none\nOutput: so {digest(last)}"
    rng = random.Random(asked)
    new = [
        "Explain " + " ".join(rng.sample(WORDS, 7)),
        "Classify " + " ".join(rng.sample(WORDS, 7)),
    ]
    copied = asked.split("Task 1: ")[1].split("\n")[0]
    bad = [copied, "Draw an image of a cat", "- and more of it", "Go on"]
    empty = "Do " + " ".join(rng.sample(WORDS, 7))
    return " " + "\n".join(f"Task {i}: {t}" for i, t in enumerate([*new, *bad, empty], start=9))[8:]


def test_new_tasks_in_alpacas_format_and_what_became_of_the_rest(tmp_path: Path) -> None:
    with serving(scripted, Reply(429, {}), Reply(500, {})) as endpoint:
        out = tmp_path / "made.jsonl"
        done = run(
            "generate", seeds(tmp_path / "s.jsonl"), "--model", endpoint.name, "--target", "9",
            "-o", str(out), "--price-in", "2", "--price-out", "10",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = rows(out)
    assert {tuple(row) for row in made} == {("instruction", "input", "output")}
    assert len({row["instruction"] for row in made}) == 9
    labels = [row for row in made if row["instruction"].startswith("Classify")]
    assert {(row["input"], row["output"]) for row in labels} == {("a fine day", "good")}
    assert all(row["input"] == "" for row in made if row not in labels)
    report = json.loads((tmp_path / "made.report.json").read_text())
    thrown = report["instructions"]["thrown_away"]
    assert set(thrown) == {
        "like an earlier one (ROUGE-L 0.7 or more)", "about what is no text: draw",
        "begins with punctuation", "too short", "no sound instance",
    }  # fmt: skip
    assert set(report["instances"]["thrown_away"]) == {"one input, several outputs", "no output"}
    kept = report["tasks"] + report["instructions"]["not_needed"] + sum(thrown.values())
    assert kept == report["instructions"]["proposed"]
    used = report["used"]
    assert used["money"] == pytest.approx(
        (2 * used["tokens_in"] + 10 * used["tokens_out"]) / 1e6, abs=1e-6
    )
    assert [origin["row"] for origin in report["origins"]] == list(range(1, len(made) + 1))
    assert report["diversity"]["share_of_classifications"] == pytest.approx(4 / 9, abs=0.2)
    assert sum(report["diversity"]["rouge_l_to_the_nearest_seed"]["bins"]) == 9
    assert "9 new tasks of 9 wanted" in done.stdout
    assert f", cost {used['money']:.4f}" in done.stdout
    assert "round 1: new instructions" in done.stderr
    assert no_key_in(tmp_path, done.stdout, done.stderr)


def test_killed_and_gone_on_with_nothing_is_paid_twice(tmp_path: Path) -> None:
    source = seeds(tmp_path / "s.jsonl")
    whole, out = tmp_path / "whole.jsonl", tmp_path / "made.jsonl"
    with serving(scripted) as endpoint:
        words = ("generate", source, "--model", endpoint.name, "--target", "12", "-o")
        assert run(*words, str(whole)).returncode == 0
        needed = len(endpoint.bodies)
        endpoint.bodies.clear()
        endpoint.delay = 0.03
        for after in (2, 16):
            code, _ = stopped(endpoint, after, signal.SIGKILL, *words, str(out))
            assert code == -signal.SIGKILL
            assert not out.exists()
        assert run(*words, str(out)).returncode == 0
        assert asked_again(endpoint) <= 2 * 4, "no more than was under way at each kill"
        assert len(endpoint.bodies) == needed + asked_again(endpoint)
        before = len(endpoint.bodies)
        assert run(*words, str(out)).returncode == 0
        assert len(endpoint.bodies) == before, "a finished command asks nothing"
    for name in ("jsonl", "report.json"):
        assert (tmp_path / f"made.{name}").read_bytes() == (tmp_path / f"whole.{name}").read_bytes()


def test_more_tasks_begin_with_those_of_fewer(tmp_path: Path) -> None:
    source, out = seeds(tmp_path / "s.jsonl"), tmp_path / "made.jsonl"
    with serving(scripted) as endpoint:
        words = ("generate", source, "--model", endpoint.name, "-o", str(out), "--target")
        assert run(*words, "4").returncode == 0
        few = rows(out)
        assert run(*words, "11").returncode == 0
    assert rows(out)[: len(few)] == few
    assert asked_again(endpoint) == 0


def test_ctrl_c_keeps_what_there_is(tmp_path: Path) -> None:
    source, out = seeds(tmp_path / "s.jsonl"), tmp_path / "made.jsonl"
    with serving(scripted, delay=0.03) as endpoint:
        words = ("generate", source, "--model", endpoint.name, "--target", "20", "-o", str(out))
        code, said = stopped(endpoint, 45, signal.SIGINT, *words)
        assert code == 130
        assert "the same command goes on from there" in said
        kept = rows(out)
        report = json.loads((tmp_path / "made.report.json").read_text())
        assert report["stopped"] == "interrupted"
        endpoint.delay = 0.0
        assert run(*words).returncode == 0
    assert 0 < len(kept) < len(rows(out))
    assert rows(out)[: len(kept)] == kept


def test_a_model_that_brings_nothing_new_ends_with_code_3(tmp_path: Path) -> None:
    source, out = seeds(tmp_path / "s.jsonl"), tmp_path / "made.jsonl"
    done = run("generate", source, "--model", "fake:remote", "--target", "2", "-o", str(out))
    assert done.returncode == 3
    assert "5 rounds in a row brought no new task" in done.stderr
    assert rows(out) == []


REFUSED: list[tuple[list[str], list[str]]] = [
    (["--target", "0"], ["--target 0", "line 2: no text 'output'"]),
    (["--rpm", "-1", "--price-in", "nan"], ["--rpm -1", "--price-in nan"]),
    (["-o", "there.jsonl"], ["there.jsonl is there with no ledger beside it"]),
    (["-o", "made.json"], ["a file named .jsonl"]),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_refused_with_every_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from nshot.cli.main import main

    monkeypatch.chdir(tmp_path)
    good: dict[str, Any] = {"instruction": "a b c", "input": "", "output": "d"}
    jsonl(Path("s.jsonl"), [good, {**good, "output": ""}])
    Path("there.jsonl").write_text("mine\n")
    base = [
        "data",
        "generate",
        "s.jsonl",
        "--model",
        "fake:remote",
        "--target",
        "3",
        "-o",
        "o.jsonl",
    ]
    with pytest.raises(SystemExit) as ended:
        main([*base, *words])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert all(fragment in told for fragment in said), told
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.jsonl", "there.jsonl"]


def test_an_endpoint_that_is_not_there_is_told_with_code_2(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    name = "openai:m@http://127.0.0.1:9/v1"
    source = seeds(tmp_path / "s.jsonl")
    done = run("generate", source, "--model", name, "--target", "2", "-o", str(out))
    assert done.returncode == 2
    assert "no endpoint answers" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["s.jsonl"]


# ------------------------------------------------------------------ reading answers


@pytest.mark.parametrize(
    ("text", "finished", "tasks", "cut"),
    [
        (" Do this.\nTask 10: Do that.\nTask 11:", True, ["Do this.", "Do that."], 0),
        ("Task 9: Do this\nand more.\n10. Do that", False, ["Do this and more."], 1),
        ("**Task 9:** 이것을 하세요.\n\n여기 답이 있습니다.", False, ["이것을 하세요."], 0),
        ("", True, [], 0),
    ],
)
def test_tasks_are_read(text: str, finished: bool, tasks: list[str], cut: int) -> None:
    assert prompts.read_tasks(text, finished) == (tasks, cut)


def test_instances_are_read() -> None:
    assert prompts.read_input_first("Input: a\nb\nOutput: c\nInput: none\nOutput: d") == [
        ("a\nb", "c"), ("", "d"),
    ]  # fmt: skip
    assert prompts.read_input_first(" a\n\nTask: next") == [("a", "")]
    assert prompts.read_output_first(" yes\nInput: a\nLabel: no\nInput: b\nLabel: c") == [
        ("a", "yes"), ("b", "no"), ("", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("다음 글을 요약하세요.", None),
        ("「봄」에 대한 시를 쓰세요.", "begins with punctuation"),
        ("이 그림을 설명해 주세요.", "about what is no text: 그림"),
        ("Write a program that sorts numbers.", "begins with 'write a program'"),
        ("Explain the paragraph below.", None),
        ("So it goes " * 60, "too long"),
    ],
)
def test_filters_take_korean_as_english(text: str, fault: str | None) -> None:
    assert instruction_fault(text) == fault


def test_instances_that_contradict_each_other_go() -> None:
    pairs = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "1"), ("c", "c"), ("d", "so:")]
    kept, faults = sound_instances(pairs)
    assert kept == [("b", "1")]
    assert faults == [
        "one input, several outputs", "one input, several outputs", "repeated",
        "the output is the input", "ends in a colon",
    ]  # fmt: skip
