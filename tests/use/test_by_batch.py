"""`nshot predict --batch`: a delivered prompt on an endpoint, answered through its batch files."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from batch_endpoint import Batches, batching
from endpoint import SECRET
from nshot.core.types import Example, Input, Label, Task
from nshot.models import open_models
from nshot.models.openai import batch_files
from nshot.models.openai.endpoint import parse
from nshot.predictors.constant import Constant
from nshot.predictors.prompted import Prompted
from spine import command, stay_here

TASK = Task("mail", "classify", (Label("refund"), Label("parcel")), field_names=(("text", "Text"),))
ROWS = ["give me my money back", "소포가 안 왔어요", "where is the parcel", "돈을 돌려 주세요"]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)
    monkeypatch.setattr(batch_files, "FIRST_WAIT", 0.01)
    stay_here(monkeypatch)


def guess(messages: list[dict[str, str]]) -> str:
    text = messages[-1]["content"].split("\n\n")[-1]
    return "refund" if "money" in text or "돈" in text else "parcel"


def files(service: Batches, folder: Path) -> list[str]:
    """The words of the command."""
    demo = Example("d", Input((("text", "my card was charged twice"),)), ("refund",))
    ref = parse(service.name.removeprefix("openai:"))
    Prompted(TASK, open_models(), ref, demos=(demo,)).save(folder / "asked")
    (folder / "rows.csv").write_text("text\n" + "\n".join(ROWS * 2) + "\n", encoding="utf-8")
    (folder / "prices.yaml").write_text(
        "currency: USD\nmodels:\n  tiny: {input: 1000, output: 5000, batch: 0.5}\n"
    )
    return ["predict", str(folder / "asked"), str(folder / "rows.csv"), "--batch",
            "--prices", str(folder / "prices.yaml"), "-o", str(folder / "answers.csv")]  # fmt: skip


def answers(folder: Path) -> list[str]:
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as file:
        return [row["answer"] for row in csv.DictReader(file)]


def test_all_rows_are_one_batch_at_its_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with batching(guess) as service:
        words = files(service, tmp_path)
        assert command(words) == 0
        assert answers(tmp_path) == ["refund", "parcel", "parcel", "refund"] * 2
        assert (len(service.batches), len(service.paid)) == (1, 4)
        read = sum(len(m["content"].split()) for body in service.paid for m in body["messages"])
        money = (read * 1000 + 4 * 5000) / 2e6
        told = capsys.readouterr().err
        assert f"4 requests, {read} tokens read, 4 written, {money:.4g} USD" in told
        assert "(50 % of your price)" in told
        (tmp_path / "answers.csv").unlink()
        assert command(words) == 0
        assert len(service.paid) == 4, "what lies beside the answers is not asked again"
    assert len(answers(tmp_path)) == 8


def test_what_does_not_go_with_it_is_said_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with batching(guess) as service:
        words = files(service, tmp_path)
        assert command([*words, "--cache", "--workers", "2"]) == 2
        told = capsys.readouterr().err
        assert "--batch beside --cache" in told
        assert "--batch beside --workers" in told
        assert command(words[:4]) == 2
        assert "--batch without a file of answers" in capsys.readouterr().err
        assert command([*words[:3], *words[4:]]) == 2
        assert "--prices without --batch" in capsys.readouterr().err
        Constant(TASK, (-0.1, -2.4)).save(tmp_path / "majority")
        assert command(["predict", str(tmp_path / "majority"), *words[2:]]) == 2
        assert "asks no model behind an openai: endpoint" in capsys.readouterr().err
    assert not service.paid
    assert not (tmp_path / "answers.csv").exists()


def test_rows_that_keep_their_answers_are_not_paid_again(tmp_path: Path) -> None:
    with batching(guess) as service:
        words = [*files(service, tmp_path), "--only-changed"]
        (tmp_path / "rows.csv").write_text("text\n" + "\n".join(ROWS[:2]) + "\n", encoding="utf-8")
        assert command(words) == 0
        shutil.rmtree(tmp_path / "answers.csv.batches")
        (tmp_path / "rows.csv").write_text("text\n" + "\n".join(ROWS) + "\n", encoding="utf-8")
        assert command(words) == 0
    assert answers(tmp_path) == ["refund", "parcel", "parcel", "refund"]
    assert [len(one["done"][0]) for one in service.batches.values()] == [2, 2]


def test_a_folder_that_is_not_there_is_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.csv").write_text("text\na\n", encoding="utf-8")
    words = ["predict", str(tmp_path / "nowhere"), str(tmp_path / "rows.csv")]
    assert command([*words, "-o", str(tmp_path / "answers.csv")]) == 2
    plain = capsys.readouterr().err
    assert command([*words, "-o", str(tmp_path / "answers.csv"), "--batch"]) == 2
    assert capsys.readouterr().err == plain
