"""Translation from file to file, by a scripted translator that breaks what it is told to."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from commands import asked_again, no_key_in, rows, run, stopped, with_a_dead_worker

from endpoint import Reply, completion, serving
from nshot.core.types import ModelRef
from nshot.synthesis import translate
from nshot.synthesis.files import make
from nshot.synthesis.requests import DROPPED, REPORT, Translation, beside
from spine import jsonl

SOURCE: list[dict[str, Any]] = [
    {"instruction": "Greet {name} in 3 words.", "input": "", "output": "Hi", "id": 1},
    {"instruction": "Run this code.", "input": "```py\nx = 1\n```", "output": "1"},
    {"instruction": "DROPMARK the text of {name}.", "input": "", "output": "x"},
    {"instruction": "DROPNUMBER 42 of them.", "input": "", "output": "x"},
    {"instruction": "Sort the list.", "input": "DROPLINE\n- red\n- blue\n- green", "output": "x"},
    {"instruction": "LEAVE this as it is, please.", "input": "", "output": "x"},
    {"instruction": "See https://a.org/b for `f(x)`.", "input": "- one\n- two", "output": "x"},
    {"instruction": "REFUSE to do it.", "input": "", "output": "x"},
]
GOOD = [0, 1, 6]


def korean(text: str) -> str:
    """Each word becomes a Korean one; marks, lines and bullets stay."""
    if "LEAVE" in text:
        return text
    if "DROPMARK" in text:
        text = re.sub(r"⟦0⟧", "", text)
    if "DROPNUMBER" in text:
        text = re.sub(r"⟦\d+\|\d+⟧", "몇", text)
    if "DROPLINE" in text:
        text = text.rsplit("\n", 1)[0]
    return re.sub(r"(⟦[^⟧]*⟧)|[A-Za-z]+", lambda m: m[1] or "말", text)


def scripted(messages: list[dict[str, str]]) -> str:
    role, asked = messages[0]["content"], messages[1]["content"]
    make = korean if role.startswith("You translate") else (lambda text: f"답 {len(text)}")
    if "=== 1 ===" not in asked:
        return make(asked)
    pieces = re.split(r"^=== (\d+) ===\n", asked, flags=re.MULTILINE)[1:]
    return "\n".join(
        f"=== {number} ===\n{make(text.strip())}"
        for number, text in zip(pieces[::2], pieces[1::2], strict=True)
        if number != "3"  # forgotten, every time
    )


def refusing(messages: list[dict[str, str]]) -> str:
    return "" if "REFUSE" in messages[1]["content"] else scripted(messages)


@pytest.mark.parametrize("batch", ["1", "4"])
def test_what_breaks_is_dropped_with_its_reason_and_the_rest_is_right(
    tmp_path: Path, batch: str
) -> None:
    source, out = jsonl(tmp_path / "in.jsonl", SOURCE), tmp_path / "ko.jsonl"
    with serving(refusing, Reply(429, {})) as endpoint:
        done = run(
            "translate", source, "--to", "ko", "--model", endpoint.name, "-o", str(out),
            "--system", "친절하게 답하세요.", "--batch", batch,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = rows(out)
    assert [row["instruction"] for row in made] == [
        "말 {name} 말 3 말.", "말 말 말.", "말 https://a.org/b 말 `f(x)`.",
    ]  # fmt: skip
    assert [row["input"] for row in made] == ["", "```py\nx = 1\n```", "- 말\n- 말"]
    assert all(row["output"].startswith("답 ") for row in made)
    assert {row["system"] for row in made} == {"친절하게 답하세요."}
    assert made[0]["id"] == 1
    dropped = rows(tmp_path / "ko.dropped.jsonl")
    why = {row["instruction"].split()[0]: row["dropped"][0]["reasons"] for row in dropped}
    assert why == {
        "DROPMARK": ["placeholder lost or changed: {name}"],
        "DROPNUMBER": ["number lost or changed: 42"],
        "Sort": ["lines lost or added: a list of 3 has 2", "lines lost or added: 4 have become 3"],
        "LEAVE": ["untranslated: the same text"],
        "REFUSE": ["empty"],
    }
    report = json.loads((tmp_path / "ko.report.json").read_text())
    assert (report["rows"], report["translated"], report["dropped"]) == (8, 3, 5)
    assert "5 rows dropped" in done.stdout
    assert no_key_in(tmp_path, done.stdout, done.stderr)


def test_outputs_can_be_translated_or_kept(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"instruction": "Say it", "output": "good day"}])
    with serving(scripted) as endpoint:
        for outputs, said in (("translate", "말 말"), ("keep", "good day")):
            out = tmp_path / f"{outputs}.jsonl"
            words = ["translate", source, "--to", "ko", "--model", endpoint.name, "-o", str(out)]
            assert run(*words, "--outputs", outputs).returncode == 0
            assert rows(out) == [{"instruction": "말 말", "output": said, "input": ""}]


def test_killed_and_gone_on_with_nothing_is_paid_twice(tmp_path: Path) -> None:
    many = [{"instruction": f"Say word {'abcdefgh'[i % 8] * (i + 1)}", "output": ""}
            for i in range(60)]  # fmt: skip
    source = jsonl(tmp_path / "in.jsonl", many)
    whole, out = tmp_path / "whole.jsonl", tmp_path / "made.jsonl"
    with serving(scripted) as endpoint:
        words = ("translate", source, "--to", "ko", "--model", endpoint.name, "-o")
        assert run(*words, str(whole)).returncode == 0
        needed = len(endpoint.bodies)
        endpoint.bodies.clear()
        endpoint.delay = 0.03
        code, _ = stopped(endpoint, 10, signal.SIGKILL, *words, str(out))
        assert code == -signal.SIGKILL
        code, said = with_a_dead_worker(endpoint, 30, *words, str(out))
        assert code == 0, said
        assert asked_again(endpoint) <= 2 * 4, "no more than was under way at each kill"
        assert len(endpoint.bodies) == needed + asked_again(endpoint)
    for name in ("jsonl", "dropped.jsonl", "report.json"):
        assert (tmp_path / f"made.{name}").read_bytes() == (tmp_path / f"whole.{name}").read_bytes()


def test_an_endpoint_that_gives_up_leaves_whole_rows_and_code_3(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", SOURCE[:2])
    out = tmp_path / "ko.jsonl"
    wait = Reply(429, {"error": "later"}, headers=(("Retry-After", "9999"),))
    with serving(scripted, Reply(), wait) as endpoint:
        words = ["translate", source, "--to", "ko", "--model", endpoint.name, "-o", str(out)]
        done = run(*words, "--concurrency", "1")
        assert done.returncode == 3
        assert "asks to wait 9999 s" in done.stderr
        assert rows(out) == []
        assert run(*words).returncode == 0
        assert len(rows(out)) == 2
        assert asked_again(endpoint) == 1, "the one that was put off"


def test_a_refusal_ends_it_and_a_row_that_is_refused_is_dropped(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", SOURCE[:2])
    for status, code in ((401, 2), (404, 2), (400, 0)):
        out = tmp_path / f"{status}.jsonl"
        script = (Reply(), Reply(status, {"error": {"message": "not this one"}}))
        with serving(scripted, *script) as endpoint:
            words = ["translate", source, "--to", "ko", "--model", endpoint.name, "-o", str(out)]
            done = run(*words, "--concurrency", "1")
        assert done.returncode == code, done.stderr
        told = done.stderr if code else (tmp_path / "400.dropped.jsonl").read_text()
        assert "not this one" in told
    _made_again_of_the_ledger(Path(source), out, endpoint.name)


def _made_again_of_the_ledger(source: Path, out: Path, model: str) -> None:
    """As after a Ctrl-C: no model is asked, and what was refused is known."""
    names = [beside(out, what) for what in (DROPPED, REPORT)]
    before = [path.read_bytes() for path in (out, *names)]
    for path in (out, *names):
        path.unlink()
    ref = ModelRef("openai", model.removeprefix("openai:"))
    request = Translation(out=out, rows=source, model=model, to="ko")
    done = make(request, ref, None, lambda *heard: None, "interrupted")
    assert done.stopped == "", "the ledger has all of it"
    assert [path.read_bytes() for path in (out, *names)] == before


def test_an_answer_that_was_cut_off_is_no_translation(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", SOURCE[:1])
    cut = Reply(body=completion("말 ⟦0⟧", finish_reason="length"))
    with serving(scripted, cut) as endpoint:
        out = str(tmp_path / "ko.jsonl")
        assert run("translate", source, "--to", "ko", "--model", endpoint.name, "-o", out)
    (dropped,) = rows(tmp_path / "ko.dropped.jsonl")
    assert dropped["dropped"] == [
        {"field": "instruction", "reasons": ["cut off"], "said": "말 ⟦0⟧"}
    ]


def test_refused_with_every_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nshot.cli.main import main

    monkeypatch.chdir(tmp_path)
    jsonl(Path("in.jsonl"), [{"instruction": "a", "input": 3}, {"output": "b"}])
    words = ["data", "translate", "in.jsonl", "--to", "kr", "--model", "fake:remote"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "-o", "o.jsonl", "--batch", "0"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    for said in ("--to kr", "--batch 0", "line 1: 'input' is no text", "line 2: no text 'instr"):
        assert said in told
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


# ------------------------------------------------------------------ from Python


def test_a_function_translates() -> None:
    def by(texts: Sequence[str]) -> list[str]:
        return [korean(text) for text in texts]

    done = translate(SOURCE[:4], by=by, to="ko")
    assert [row["output"] for row in done.rows] == ["Hi", "1"]
    assert done.reasons == {"placeholder lost or changed": 1, "number lost or changed": 1}
    with pytest.raises(ValueError, match="give answer="):
        translate(SOURCE, by=by, outputs="regenerate")
    with pytest.raises(ValueError, match="0 texts were made of 1"):
        translate(SOURCE[:1], by=lambda texts: [])
