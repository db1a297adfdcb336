"""The command, as a person types it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from nshot.bench.store import Store
from nshot.cli.main import main
from nshot.methods import STANDARD, TABLE
from nshot.predictors.calibrated import INNER
from nshot.predictors.folder import ARRAYS
from spine import FAKES, board_of, jsonl, points_of, rows_of, stay_here, tickets

Typed: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Typed:
    """Type a command in an empty folder: exit code, standard output, standard error."""
    stay_here(monkeypatch)
    monkeypatch.chdir(tmp_path)

    def type_in(*words: str) -> tuple[int, str, str]:
        before = signal.getsignal(signal.SIGTERM)
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                main(words)
        finally:
            signal.signal(signal.SIGTERM, before)
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return type_in


QUICK = ("--methods", "majority,nearest_mean", "--shots", "4", "--seeds", "1", *FAKES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its files: `place/run`, `place/train.jsonl`, `place/test.jsonl`."""
    folder = tmp_path_factory.mktemp("place")
    train = jsonl(folder / "train.jsonl", tickets(12))
    test = jsonl(folder / "test.jsonl", tickets(20, "t"))
    words = ["compare", train, "--test", test, "--out", str(folder / "run"), *FAKES]
    words += ["--methods", "majority,knn,zero_shot,tfidf_lr", "--seeds", "2", "--shots", "2,4"]
    words += ["--set", "knn.k=1", "--set", "zero_shot.format=plain"]
    words += ["--set", "zero_shot.calibration=none"]
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        with pytest.raises(SystemExit) as ended:
            main(words)
    assert ended.value.code == 0
    return folder


# ---------------------------------------------------------------- help


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = "import sys; from nshot.cli.main import main; sys.argv[1:] = ['--help']\ntry: main()\n"
    code += "except SystemExit: pass\nprint(sorted({m.split('.')[0] for m in sys.modules}))"
    spent = []
    for _ in range(5):
        before = os.times()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        after = os.times()
        spent.append(
            after.children_user + after.children_system
            - before.children_user - before.children_system
        )  # fmt: skip
        if min(spent) < 0.4:
            break
    assert min(spent) < 0.4, spent
    loaded = set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))
    assert not loaded & {"torch", "numpy", "transformers", "sklearn", "pydantic", "yaml", "rich"}
    assert "examples:" in done.stdout


@pytest.mark.parametrize(
    "verb", ["compare", "adapt", "predict", "export", "advise", "methods", "check", "models"]
)
def test_every_verb_has_help(typed: Typed, verb: str) -> None:
    code, out, _ = typed(verb, "--help")
    assert code == 0
    assert out.startswith(f"usage: nshot {verb}")


def test_the_version(typed: Typed) -> None:
    assert typed("--version")[1] == "nshot 0.1.0\n"


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "VERB"),
        (("comprae", "x.csv"), "'comprae'"),
        (("compare",), "TASK"),
        (("compare", "x.csv", "--metods", "a"), "did you mean '--methods'?"),
        (("compare", "x.csv", "--seeds", "many"), "--seeds"),
        (("adapt", "x.csv", "--out", "o"), "--method"),
        (("adapt", "x.csv", "--method", "knn", "--out", "o", "--shots", "4,8"), "one number"),
        (("predict", "run", "in.csv", "--ouput", "o"), "did you mean '--output'?"),
        (("advise", "run", "--prefer", "speed"), "'speed'"),
        (("advise", "run", "--keep-bass"), "did you mean '--keep-base'?"),
        (("advise", "run", "--give-up", "-1"), "points, 0 or more"),
        (("advise", "run", "--give-up", "nan"), "points, 0 or more"),
        (("advise", "run", "--give-up", "inf"), "points, 0 or more"),
        (("advise", "nowhere"), "nowhere/leaderboard.json is not there"),
        (("predict", "nowhere", "in.csv"), "nshot.json"),
        (("compare", "x.csv"), "x.csv: no such file"),
        (("compare", "x.csv", "--shots", "4,x"), "--shots: 'x' is no number of rows, nor 'all'"),
        (("compare", "x.csv", "--shots", "²"), "'²' is no number"),
        (("compare", "x.csv", "--shots=--4"), "'--4' is no number"),
        (("compare", "x.csv", "--shots", ""), "no shots are named"),
        (("compare", "x.csv", "--seeds", "²"), "--seeds: '²'"),
        (("compare", "x.csv", "--workers", "0"), "--workers 0"),
        (("compare", "x.csv", "--give-up", "-1"), "points, 0 or more"),
        (("compare", "x.csv", "--give-up", "inf"), "points, 0 or more"),
        (("compare", "x.csv", "--prefer", "accurracy"), "did you mean 'accuracy'?"),
        (("compare", "x.csv", "--minutes", "a", "--seeds", "b"), "--minutes: 'a'"),
        (("compare", "x.csv", "--minutes", "a", "--seeds", "b"), "--seeds: 'b'"),
        (("episodes", "--data", "x.npz", "--out", "o", "--way", "²"), "--way: '²'"),
        (("episodes", "--data", "x.npz", "--out", "o", "--way", "0"), "whole numbers from 1 up"),
        (("data", "translate", "x.jsonl", "-o", "o.jsonl", "--to", "ko"), "--model"),
        (("compare", "x.csv", "--set", "knn"), "METHOD.NAME=VALUE"),
        (("compare", "x.csv", "--set", "knn.k=["), "--set: 'knn.k=['"),
        (("compare", "x.csv", "--methods", ","), "no method is named"),
        (("methods", "--fast"), "--help"),
    ],
)
def test_what_is_mistyped_is_refused_in_words(
    typed: Typed, tmp_path: Path, words: Sequence[str], said: str
) -> None:
    code, out, err = typed(*words)
    assert (code, out) == (2, "")
    assert err.startswith("nshot: ")
    assert said in err
    assert list(tmp_path.iterdir()) == []


REFUSED: list[tuple[list[str], list[str]]] = [
    (["--methods", "knnn,majorty"], ["did you mean 'knn'?", "did you mean 'majority'?"]),
    (["--set", "knn.kk=2", "--set", "knn.k=x"], ["did you mean 'k'?", "knn: k = 'x'"]),
    (["--set", "lora.rank=4"], ["a setting for 'lora', which is not among the methods"]),
    (["--shots", "0,40", "--seeds", "0"], ["--seeds 0", "--shots 0", "40 are needed"]),
    (["--model", "fake:scorr", "--encoder", "fake:scorer"], ["'fake:scorer'", "'fake:encoder'"]),
    (["--test", "no.jsonl", "--methods", "knnn"], ["no.jsonl: no such file", "'knn'?"]),
    (["--text", "body", "--label", "kind"], ["'body'", "'kind'"]),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_refused_with_every_fault_and_nothing_written(
    typed: Typed, place: Path, tmp_path: Path, words: list[str], said: list[str], dry: list[str]
) -> None:
    base = ["--methods", "majority,knn", *FAKES, "--out", "run"]
    code, out, err = typed("compare", str(place / "train.jsonl"), *base, *words, *dry)
    assert (code, out) == (2, "")
    for fragment in said:
        assert fragment in err
    assert list(tmp_path.iterdir()) == []


def test_a_hub_id_without_a_hub_is_refused_soon_with_what_is_at_hand(
    typed: Typed, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    code, _, err = typed(
        "compare", str(place / "train.jsonl"), "--methods", "zero_shot",
        "--model", "no-such-org/no-such-model", "--out", "run",
    )  # fmt: skip
    assert code == 2
    assert "'no-such-org/no-such-model' is not on this disk" in err
    assert "at hand:" in err
    assert time.monotonic() - start < 15, "5 s for the hub, the rest for a busy machine"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_pickles_is_no_model(typed: Typed, place: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text("{}")
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    code, _, err = typed("compare", str(place / "train.jsonl"), "--model", "old", "--out", "run")
    assert code == 2
    assert "can run code" in err
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- compare


def test_compare_prints_the_board_the_pick_and_where_things_are(typed: Typed, place: Path) -> None:
    train, test = str(place / "train.jsonl"), str(place / "test.jsonl")
    code, out, err = typed("compare", train, "--test", test, "--out", "run", *QUICK)
    assert code == 0
    assert re.search(r"-> +nearest_mean +fewshot +\d", out)
    assert "Pick: nearest_mean" in out
    assert "report: run/report.html\nwinner: run/winner\n" in out
    assert "note: text column 'text', label column 'label' (guessed" in err
    assert "nearest_mean · 4 shots · draw 0" in err
    assert "\x1b" not in out + err, "plain lines when not on a terminal"


def test_without_out_the_run_is_named_like_the_task(typed: Typed, tmp_path: Path) -> None:
    jsonl(tmp_path / "mails.jsonl", tickets(8))
    code, out, _ = typed("compare", "mails.jsonl", *QUICK)
    assert code == 0
    assert "winner: runs/mails/winner" in out
    assert board_of(tmp_path / "runs" / "mails")["task"]["name"] == "mails"


def test_a_dry_run_prints_a_forecast_and_writes_nothing(
    typed: Typed, place: Path, tmp_path: Path
) -> None:
    train = str(place / "train.jsonl")
    code, out, _ = typed("compare", train, "--dry-run", "--out", "run", *FAKES)
    assert code == 0
    assert all(re.search(rf"^{name} ", out, re.M) for name in STANDARD["classify"])
    assert "skipped: the language model" in out
    assert re.search(r"in all about \d", out)
    assert list(tmp_path.iterdir()) == []


def test_an_nshot_yaml_runs_again_elsewhere_and_takes_no_other_flags(
    typed: Typed, place: Path, tmp_path: Path
) -> None:
    code, _, err = typed("compare", str(place / "run" / "nshot.yaml"), "--seeds", "5")
    assert code == 2
    assert "flags beside an nshot.yaml" in err
    code, _, _ = typed("compare", str(place / "run" / "nshot.yaml"), "--out", "again")
    assert code == 0
    assert points_of(tmp_path / "again") == points_of(place / "run")


def test_time_too_short_is_no_failure(typed: Typed, place: Path, tmp_path: Path) -> None:
    train = str(place / "train.jsonl")
    code, out, _ = typed("compare", train, "--minutes", "0.0000001", "--out", "run", *QUICK)
    assert code == 0
    assert "Pick: majority" in out
    assert rows_of(board_of(tmp_path / "run"))["nearest_mean"]["status"] == "skipped"


# ---------------------------------------------------------------- adapt, predict, check


def test_adapt_then_predict_then_check(typed: Typed, place: Path, tmp_path: Path) -> None:
    train, test = str(place / "train.jsonl"), str(place / "test.jsonl")
    code, out, _ = typed(
        "adapt", train, "--method", "knn", "--set", "k=3", "--shots", "4", "--test", test,
        "--out", "mine", *FAKES,
    )  # fmt: skip
    assert code == 0
    assert out.startswith("knn (k=3), built in ")
    assert re.search(r"\d\.\d % on 60 test rows, as saved\n", out)
    assert "saved in mine: nshot predict mine INPUTS" in out
    Path("in.txt").write_text("refund money\n비밀번호 계정 로그인\n", encoding="utf-8")
    code, out, _ = typed("predict", "mine", "in.txt")
    assert code == 0
    assert [json.loads(line)["answer"] for line in out.splitlines()] == ["refund", "로그인"]
    code, out, _ = typed("check", "mine")
    assert (code, out) == (0, "50 of 50 answers as delivered\n")
    adapted = json.loads((tmp_path / "mine" / "adapted.json").read_text())
    assert adapted["form"] == "deployed"


def test_predict_ranks_the_answers_of_pairs_and_refuses_rows_without_any(typed: Typed) -> None:
    pairs = [
        {"prompt": f"why {i}?", "chosen": "because", "rejected": "no"} for i in range(6)
    ]  # fmt: skip
    Path("pairs.jsonl").write_text("".join(json.dumps(p) + "\n" for p in pairs), encoding="utf-8")
    code, _, _ = typed("adapt", "pairs.jsonl", "--method", "longest", "--out", "mine", *FAKES)
    assert code == 0
    new = {"prompt": "how?", "chosen": "so", "rejected": "by hand"}
    Path("new.jsonl").write_text(json.dumps(new) + "\n", encoding="utf-8")
    code, out, _ = typed("predict", "mine", "new.jsonl")
    assert code == 0
    line = json.loads(out)
    assert (line["answer"], line["scores"]) == ("by hand", [2.0, 7.0])
    Path("bare.jsonl").write_text('{"prompt": "how?"}\n', encoding="utf-8")
    code, _, err = typed("predict", "mine", "bare.jsonl")
    assert code == 2
    assert "1 of 1 inputs have no answers to choose from" in err


def test_adapt_of_what_cannot_work_is_refused(typed: Typed, place: Path) -> None:
    code, _, err = typed(
        "adapt", str(place / "train.jsonl"), "--method", "lora", "--out", "mine", *FAKES
    )
    assert code == 2
    assert "lora cannot be adapted here: the language model cannot train" in err


INPUTS = {
    "in.jsonl": '{"id": 7, "text": "refund money"}\n{"id": 8, "text": "late parcel"}\n',
    "in.csv": 'id,text\n7,"refund, money"\n8,late parcel\n',
    "in.tsv": "id\ttext\n7\trefund money\n8\tlate parcel\n",
}


@pytest.mark.parametrize("name", INPUTS)
def test_predict_reads_tables_and_keeps_their_ids(typed: Typed, place: Path, name: str) -> None:
    Path(name).write_text(INPUTS[name], encoding="utf-8")
    code, out, err = typed("predict", str(place / "run"), name, "-o", "deep/out.jsonl")
    assert (code, out) == (0, "")
    assert "2 answers in deep/out.jsonl" in err
    rows = [json.loads(line) for line in Path("deep/out.jsonl").read_text("utf-8").splitlines()]
    assert [(row["id"], row["answer"]) for row in rows] == [("7", "refund"), ("8", "parcel")]
    assert set(rows[0]["scores"]) == {"refund", "parcel", "로그인"}
    assert max(rows[0]["scores"], key=rows[0]["scores"].get) == "refund"


def test_predict_writes_parquet_and_refuses_what_it_does_not_write(
    typed: Typed, place: Path
) -> None:
    import pyarrow.parquet

    Path("in.csv").write_text(
        "no,text\n1,비밀번호 로그인\n2,where is my parcel\n", encoding="utf-8"
    )
    run = str(place / "run")
    assert typed("predict", run, "in.csv", "-o", "out.parquet")[0] == 0
    lines = pyarrow.parquet.read_table("out.parquet").to_pylist()
    assert [(line["no"], line["answer"]) for line in lines] == [("1", "로그인"), ("2", "parcel")]
    assert isinstance(lines[0]["probability"], float)
    code, _, err = typed("predict", run, "in.csv", "-o", "out.xlsx")
    assert (code, ".jsonl, .csv, .tsv or .parquet" in err) == (2, True)
    assert not Path("out.xlsx").exists()


def test_predict_keeps_answers_and_cache_shows_warms_and_prunes_them(
    typed: Typed, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(Path("cache").absolute()))
    Path("in.txt").write_text("비밀번호 로그인\nwhere is my parcel\n", encoding="utf-8")
    run = str(place / "run")
    code, first, err = typed("predict", run, "in.txt", "--cache")
    assert (code, err) == (0, "2 answers computed, 0 kept from before\n")
    code, again, err = typed("predict", run, "in.txt", "--cache")
    assert (code, again, err) == (0, first, "0 answers computed, 2 kept from before\n")
    assert again == typed("predict", run, "in.txt")[1], "as without a cache"
    Path("more.txt").write_text("where is my parcel\nrefund me\n", encoding="utf-8")
    _, _, err = typed("cache", "warm", run, "more.txt")
    assert err.startswith("1 answers computed, 1 kept from before, in ")
    _, out, _ = typed("cache", "stats")
    assert f"         3  {place / 'run' / 'winner'}" in out
    code, _, err = typed("cache", "prune")
    assert (code, "nothing to delete" in err, "--days N" in err) == (2, True, True)
    code, _, err = typed("cache", "prune", "--of", "nowhere")
    assert (code, "no kept answers of nowhere" in err) == (2, True)
    assert typed("cache", "prune", "--days", "1")[1].startswith("0 answers deleted")
    assert typed("cache", "prune", "--of", run)[1].startswith("3 answers deleted")
    code, _, err = typed("predict", run, run, "in.txt", "--cache")
    assert (code, "--cache with several folders" in err) == (2, True)


def test_predict_writes_korean_as_korean(typed: Typed, place: Path) -> None:
    Path("in.csv").write_text("text\n비밀번호 로그인 계정\n", encoding="utf-8")
    _, out, _ = typed("predict", str(place / "run" / "winner"), "in.csv")
    assert '"answer": "로그인"' in out


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("in.txt", "", "the file is empty"),
        ("in.jsonl", "", "the file is empty"),
        ("in.csv", "text\n", "no rows"),
        ("in.csv", "texts\nhello\n", "did you mean 'texts'?"),
        ("in.doc", "x", "in.doc"),
    ],
)
def test_predict_refuses_inputs_with_faults(
    typed: Typed, place: Path, name: str, body: str, said: str
) -> None:
    Path(name).write_text(body)
    code, out, err = typed("predict", str(place / "run"), name, "-o", "out.jsonl")
    assert (code, out) == (2, "")
    assert said in err
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "body", "said", "mended"),
    [
        ("in.jsonl", '{"text": "refund"}\n{"text"\n', "line 2", '{"text": "parcel"}'),
        ("in.csv", "text,id\nrefund,1\n,2\n", "the text 'text' is empty", "parcel,2"),
    ],
)
def test_predict_sets_rows_aside_that_it_cannot_read(
    typed: Typed, place: Path, name: str, body: str, said: str, mended: str
) -> None:
    Path(name).write_text(body)
    words = ("predict", str(place / "run"), name)
    code, out, err = typed(*words)
    assert (code, out, said in err) == (2, "", True), "standard output has no place for them"
    code, _, err = typed(*words, "-o", "out.jsonl")
    assert code == 3
    assert "1 answers in out.jsonl" in err
    assert "1 rows have no answer: out.failed.jsonl says why" in err
    (failure,) = _lines(Path("out.failed.jsonl").read_text())
    assert failure["row"] == 2
    Path(name).write_text("\n".join([*body.split("\n")[:-2], mended]) + "\n")
    assert typed(*words, "-o", "out.jsonl", "--retry-failed")[0] == 0
    answers = [line["answer"] for line in _lines(Path("out.jsonl").read_text())]
    assert answers == ["refund", "parcel"]
    assert not Path("out.failed.jsonl").exists()


def test_predict_answers_only_what_changed(typed: Typed, place: Path) -> None:
    words = ("predict", str(place / "run"), "in.csv", "-o", "out.csv", "--only-changed")
    Path("in.csv").write_text("no,text\n1,refund money\n2,late parcel\n")
    assert typed(*words)[2] == "2 answers in out.csv\n"
    before = Path("out.csv").read_text().splitlines()
    Path("in.csv").write_text("no,text\n1,refund money\n2,mail code\n")
    assert typed(*words)[2] == "2 answers in out.csv, 1 of them unchanged\n"
    after = Path("out.csv").read_text().splitlines()
    assert (after[:2], after[2].startswith("2,mail code,로그인,")) == (before[:2], True)
    for flags, message in (
        (("--only-changed",), "-o FILE --only-changed"),
        (("--retry-failed", "--only-changed", "-o", "o.csv"), "one or the other"),
    ):
        code, _, err = typed("predict", str(place / "run"), "in.csv", *flags)
        assert (code, message in err) == (2, True)


def test_a_batch_file_is_answered_line_by_line(typed: Typed, place: Path) -> None:
    body = {"model": "run", "input": "refund money"}
    lines = [
        {"custom_id": str(i), "method": "POST", "url": "/v1/classify", "body": body}
        for i in range(2)
    ]
    words = ("batch", str(place / "run"), "in.jsonl", "-o", "out.jsonl")
    jsonl(Path("in.jsonl"), lines)
    code, out, err = typed(*words)
    assert (code, out, err) == (0, "", "2 lines in out.jsonl\n")
    answers = _lines(Path("out.jsonl").read_text())
    assert [one["response"]["body"]["data"][0]["answer"] for one in answers] == ["refund"] * 2
    jsonl(Path("in.jsonl"), [*lines, {"custom_id": "2"}])
    code, _, err = typed(*words)
    assert (code, err) == (3, "3 lines in out.jsonl, 1 of them with an error\n")
    code, _, err = typed(*words[:-1], "out.csv")
    assert (code, "a file of lines of JSON" in err) == (2, True)


def test_predict_reads_standard_input(
    typed: Typed, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nshot.data.files import opened

    for function in (opened._standard_input, opened.beginning_of_input):
        function.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text\nrefund money\n")))
    code, out, err = typed("predict", str(place / "run"), "-")
    assert (code, json.loads(out)["answer"]) == (0, "refund"), err


@pytest.fixture(scope="module")
def two(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A run folder named by its task's column ``text``, and another whose column is ``query``."""
    folder = tmp_path_factory.mktemp("two")
    rows = [{"query": row["text"], "label": row["label"]} for row in tickets(6)]
    train = jsonl(folder / "queries.jsonl", rows)
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        words = ("adapt", train, "--method", "knn", "--out", str(folder / "other"), *FAKES)
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 0
    return str(place / "run"), str(folder / "other")


def test_predict_with_several_folders_gives_each_row_to_its_own(
    typed: Typed, two: tuple[str, str]
) -> None:
    asked = [("other", "query", "late parcel"), ("run", "text", "refund money"),
             ("other", "query", "비밀번호 로그인")]  # fmt: skip
    jsonl(Path("mixed.jsonl"), [{"under": u, column: said} for u, column, said in asked])
    code, out, err = typed("predict", *two, "mixed.jsonl")
    assert (code, err) == (0, "")
    told = [json.loads(line) for line in out.splitlines()]
    assert [(t["under"], t["answer"]) for t in told] == [
        ("other", "parcel"), ("run", "refund"), ("other", "로그인"),
    ]  # fmt: skip
    for folder, (under, column, said), line in zip(
        (two[1], two[0], two[1]), asked, told, strict=True
    ):
        jsonl(Path("one.jsonl"), [{column: said}])
        _, alone, _ = typed("predict", folder, "one.jsonl")
        assert json.loads(alone) == {k: v for k, v in line.items() if k != "under"}, under


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("text\nx\n", ["no column 'under'", "in each row the name of its folder: run, other"]),
        (
            "under,text,query\nrun,x,\n,x,\nruns,x,\nother,,x\n,x,\n",
            ["lines 3 and 6: no name in 'under'", "one of: run, other",
             "line 4: unknown name 'runs' in 'under'", "did you mean 'run'?"],
        ),
        ("under,text\nother,x\nrn,x\n", ["no column 'query'", "line 3: unknown name 'rn'"]),
        ("under,text,query\nrun,,x\nother,,\n",
         ["line 2: the text 'text' is empty", "line 3: the text 'query' is empty"]),
    ],
)  # fmt: skip
def test_predict_with_several_folders_tells_every_row_at_fault(
    typed: Typed, two: tuple[str, str], body: str, said: list[str]
) -> None:
    Path("mixed.csv").write_text(body, encoding="utf-8")
    code, out, err = typed("predict", *two, "mixed.csv", "-o", "out.jsonl")
    assert (code, out) == (2, "")
    for words in said:
        assert words in err, words
    assert not Path("out.jsonl").exists()


def test_predict_with_several_folders_tells_of_all_that_are_none(typed: Typed) -> None:
    code, _, err = typed("predict", "nowhere", "elsewhere", "in.csv")
    assert code == 2
    assert "nowhere" in err
    assert "elsewhere" in err


def test_predict_does_not_write_over_a_folder(typed: Typed, place: Path) -> None:
    Path("in.txt").write_text("x\n")
    code, _, err = typed("predict", str(place / "run"), "in.txt", "-o", ".")
    assert code == 2
    assert "is a folder" in err


def test_check_fails_where_a_byte_of_the_weights_changed(
    typed: Typed, place: Path, tmp_path: Path
) -> None:
    words = ("--method", "nearest_mean", "--out", "run", *FAKES)
    assert typed("adapt", str(place / "train.jsonl"), *words)[0] == 0
    assert typed("check", "run")[:2] == (0, "36 of 36 answers as delivered\n")
    weights = tmp_path / "run" / "winner" / INNER / ARRAYS
    raw = bytearray(weights.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little")
    held = json.loads(raw[8:start])["prototypes"]
    numbers = np.frombuffer(raw[start:], "<f4" if held["dtype"] == "F32" else "<f8")
    where = held["data_offsets"][0] + int(np.abs(numbers).argmax()) * numbers.itemsize
    raw[start + where + numbers.itemsize - 1] ^= 0x80
    weights.write_bytes(raw)
    code, _, err = typed("check", "run")
    assert code == 2
    assert f"{INNER}/{ARRAYS}: changed since it was saved" in err
    record = tmp_path / "run" / "winner" / "nshot.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "files": {}}))
    code, out, _ = typed("check", "run")  # as a folder of before hashes were kept
    assert code == 3
    assert re.search(r"^was '.+', is '.+'", out)
    assert re.search(r"^\d+ of 36 answers as delivered$", out, re.M)


def test_a_run_that_was_interrupted_is_checked_and_asked_in_vain(
    typed: Typed, place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "winner")
    for words in (("check", "run"), ("predict", "run", str(place / "test.jsonl"))):
        code, _, err = typed(*words)
        assert code == 2
        assert "no winner yet" in err
        assert "nshot compare run/nshot.yaml" in err


def test_check_of_a_task_says_how_it_is_understood(typed: Typed, place: Path) -> None:
    train, test = str(place / "train.jsonl"), str(place / "test.jsonl")
    code, out, _ = typed("check", train, "--test", test)
    assert code == 0
    assert "36 rows to learn from, 60 to test on (file)" in out
    assert re.search(r"로그인 +12 +20", out)
    code, _, err = typed("check", "nowhere.csv")
    assert (code, "no such file" in err) == (2, True)


# ---------------------------------------------------------------- advise, methods, models


@pytest.mark.parametrize("wish", ["balanced", "accuracy", "serving", "building", "memory", "money"])
def test_advise_under_every_wish(typed: Typed, place: Path, wish: str) -> None:
    before = (place / "run" / "leaderboard.json").read_bytes()
    code, out, _ = typed("advise", str(place / "run"), "--prefer", wish, "--json")
    assert code == 0
    advice = json.loads(out)
    assert advice["wish"]["prefer"] == wish
    assert advice["give_up"] == (0.0 if wish == "accuracy" else 0.02)
    assert advice["pick"] in advice["could_be_best"]
    code, out, _ = typed("advise", str(place / "run"), "--prefer", wish)
    assert out.startswith(f"Pick: {advice['pick']}")
    assert (place / "run" / "leaderboard.json").read_bytes() == before, "nothing is run or written"


def test_advise_without_training_and_with_nothing_given_up(typed: Typed, place: Path) -> None:
    _, out, _ = typed("advise", str(place / "run"), "--no-training", "--json")
    assert json.loads(out)["pick"] in ("majority", "knn", "zero_shot")
    _, out, _ = typed("advise", str(place / "run"), "--keep-base", "--give-up", "0", "--json")
    advice = json.loads(out)
    assert advice["pick"] == advice["top"]
    _, out, _ = typed("advise", str(place / "run"), "--give-up", "100", "--json")
    assert json.loads(out)["give_up"] == 1.0


def test_a_wish_that_leaves_nothing_is_refused_with_a_sentence(typed: Typed, place: Path) -> None:
    train, test = str(place / "train.jsonl"), str(place / "test.jsonl")
    typed("compare", train, "--test", test, "--methods", "nearest_mean", "--shots", "4",
          "--seeds", "1", "--out", "run", *FAKES)  # fmt: skip
    code, out, err = typed("advise", "run", "--no-training")
    assert (code, out) == (2, "")
    assert "the wish excludes every measured method" in err


def test_methods_lists_all_with_their_settings(typed: Typed) -> None:
    code, out, _ = typed("methods")
    assert code == 0
    listed = out.split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed if line[0] != " "] == list(TABLE)
    ends = {line.split()[0]: line.split()[-1] for line in listed if line[0] != " "}
    for kind, mark in (("classify", "*"), ("generate", "+"), ("rank", "^")):
        marked = {name for name, end in ends.items() if mark in end and not end.isalpha()}
        assert marked == set(STANDARD[kind])  # type: ignore[index]
    assert "k=5 (tried: 5, 1, 3, 9)" in out


def test_models_lists_what_is_at_hand_and_what_to_type(typed: Typed) -> None:
    code, out, _ = typed("models")
    assert code == 0
    for line in out.splitlines()[:3]:
        assert "ready" in line or "to install: pip install" in line


# ---------------------------------------------------------------- many kinds of task


def compared(typed: Typed, *words: str) -> dict[str, Any]:
    code, _, err = typed("compare", *words, "--out", "run", "--seeds", "1", *FAKES)
    assert code == 0, err
    return board_of(Path("run"))


def test_several_labels_a_row_end_to_end(typed: Typed, tmp_path: Path) -> None:
    words = {"card": "my card", "refund": "money back", "late": "too late"}
    for name, count in (("train", 64), ("test", 48)):
        rows = []
        for i in range(count):
            labels = [label for place, label in enumerate(words) if i >> place & 1]
            text = " and ".join(words[label] for label in labels) or "hello"
            rows.append({"text": f"{name} {i}: {text}", "labels": labels})
        jsonl(tmp_path / f"{name}.jsonl", rows)
    board = compared(typed, "train.jsonl", "--test", "test.jsonl", "--methods",
                     "majority,tfidf_lr,setfit", "--also", "macro_f1,subset_accuracy")  # fmt: skip
    assert (board["task"]["kind"], board["task"]["metric"]) == ("multilabel", "micro_f1")
    rows_ = rows_of(board)
    assert rows_["tfidf_lr"]["score"] > 0.9 > rows_["majority"]["score"] > 0.5
    assert set(rows_["tfidf_lr"]["also"]) == {"macro_f1", "subset_accuracy"}
    assert "not multilabel" in rows_["setfit"]["reason"]
    details = json.loads(Path("run/details.json").read_text(encoding="utf-8"))
    assert [one["label"] for one in details["by_label"]] == ["card", "late", "refund"]
    assert details["confusion"] is None
    assert "Label by label" in Path("run/report.html").read_text(encoding="utf-8")
    jsonl(tmp_path / "new.jsonl", [{"text": "money back and too late"}, {"text": "hello"}])
    code, out, err = typed("predict", "run", "new.jsonl")
    assert code == 0, err
    first, second = map(json.loads, out.splitlines())
    assert first["answer"] == "late | refund"
    assert first["labels"] == ["late", "refund"]
    assert set(first["probabilities"]) == {"card", "late", "refund"}
    assert second["labels"] == []
    assert typed("check", "run")[0] == 0


def test_free_answers_end_to_end(typed: Typed, tmp_path: Path) -> None:
    for name, verb in (("train", "name"), ("test", "say")):
        rows = [{"input": f"{verb} thing {i % 7} number {i}", "output": f"thing {i % 7}"}
                for i in range(60)]  # fmt: skip
        jsonl(tmp_path / f"{name}.jsonl", rows)
    pins = [f"--set=few_shot.{s}" for s in ("format=plain", "calibration=none", "n=4")]
    board = compared(typed, "train.jsonl", "--test", "test.jsonl", "--methods",
                     "few_shot,knn", "--also", "bleu,rouge_l", "--shots", "4", *pins)  # fmt: skip
    assert (board["task"]["kind"], board["task"]["metric"]) == ("generate", "token_f1")
    assert board["task"]["also"] == ["bleu", "rouge_l"]
    rows_ = rows_of(board)
    assert 0 < rows_["few_shot"]["score"] <= 1
    assert rows_["few_shot"]["tokens_per_request"] > 0
    assert (
        rows_["knn"]["reason"]
        == "answers tasks of kind classify or multilabel or number or score, not generate"
    )
    assert rows_["knn"]["also"] == {}
    further = rows_["few_shot"]["also"]
    assert set(further) == {"bleu", "rouge_l"}
    assert all(0 <= f["low"] <= f["score"] <= f["high"] <= 1 for f in further.values())
    assert further["rouge_l"]["score"] == pytest.approx(rows_["few_shot"]["score"], abs=0.05)
    wrote = json.loads(Path("run/details.json").read_text(encoding="utf-8"))["mistakes"]
    lost = sum(1 - one["point"] for one in wrote) / board["task"]["test"]
    assert 1 - lost == pytest.approx(rows_["few_shot"]["score"])
    (delivered,) = (row for row in board["rows"] if row["form"] == "deployed")
    assert delivered["also"]["bleu"]["low"] is None
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert all(f"{name}, %" in page for name in further)
    jobs = Store(Path("run")).jobs()
    other = compared(typed, "train.jsonl", "--test", "test.jsonl", "--methods", "few_shot,knn",
                     "--also", "chrf", "--shots", "4", *pins)  # fmt: skip
    assert set(rows_of(other)["few_shot"]["also"]) == {"chrf"}
    assert Store(Path("run")).jobs() == jobs, "further metrics run nothing again"
    Path("in.txt").write_text("say thing 3 now\n")
    _, out, _ = typed("predict", "run", "in.txt")
    told = json.loads(out)
    assert told["answer"]
    assert "scores" not in told
    assert typed("check", "run")[0] == 0


def test_two_fields_end_to_end(typed: Typed, tmp_path: Path) -> None:
    lines = ["premise,hypothesis,label"]
    for i in range(10):
        lines += [f"it rains {i},wet street,yes", f"it rains {i},dry desert,no"]
    (tmp_path / "nli.csv").write_text("\n".join(lines))
    board = compared(typed, "nli.csv", "--text", "premise,hypothesis", "--label", "label",
                     "--methods", "majority,nearest_mean", "--shots", "all")  # fmt: skip
    assert rows_of(board)["nearest_mean"]["score"] == 1.0
    Path("in.csv").write_text("hypothesis,premise\ndry desert,it rains\n")
    _, out, _ = typed("predict", "run", "in.csv")
    assert json.loads(out)["answer"] == "no"
    Path("in.txt").write_text("dry desert\n")
    code, _, err = typed("predict", "run", "in.txt")
    assert (code, "the task has 2 fields" in err) == (2, True)


ODD = ["a b", 'it\'s "x"', "한국어 라벨", "<script>alert(1)</script>", "a,b", "a/b", "%s {0}"]


def test_odd_labels_and_groups(typed: Typed, tmp_path: Path) -> None:
    rows = [
        {"Message": f"word{j} thing{j} 단어{j} n{i} <b>&amp;", "Label": label, "who": f"g{i % 4}"}
        for i in range(8)
        for j, label in enumerate(ODD)
    ]
    jsonl(tmp_path / "odd.jsonl", rows)
    board = compared(typed, "odd.jsonl", "--group", "who", "--methods", "majority,nearest_mean",
                     "--text", "Message", "--label", "Label")  # fmt: skip
    assert {label["name"] for label in board["task"]["labels"]} == set(ODD)
    assert rows_of(board)["nearest_mean"]["score"] > 0.9
    assert "<script>alert" not in Path("run/report.html").read_text(encoding="utf-8")
    Path("in.txt").write_text("word3 thing3 단어3\n", encoding="utf-8")
    _, out, _ = typed("predict", "run", "in.txt")
    assert json.loads(out)["answer"] == "<script>alert(1)</script>"


def test_thirty_labels(typed: Typed, tmp_path: Path) -> None:
    rows = [{"text": f"topic{j} about{j} n{i}", "label": f"label {j}"}
            for i in range(4) for j in range(30)]  # fmt: skip
    jsonl(tmp_path / "many.jsonl", rows)
    board = compared(typed, "many.jsonl", "--methods", "majority,nearest_mean")
    assert len(board["task"]["labels"]) == 30
    assert rows_of(board)["nearest_mean"]["score"] > 0.9


def test_a_folder_for_each_class(typed: Typed, tmp_path: Path) -> None:
    for label, word in (("good", "fine nice"), ("bad", "dull grey")):
        (tmp_path / "films" / label).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "films" / label / f"{i}.txt").write_text(f"{word} film {i}\n")
    board = compared(typed, "films", "--methods", "majority,nearest_mean")
    assert [label["name"] for label in board["task"]["labels"]] == ["bad", "good"]
    assert rows_of(board)["nearest_mean"]["score"] == 1.0


def test_parquet(typed: Typed, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = tickets(8)
    table = pa.table({key: [row[key] for row in rows] for key in ("text", "label")})
    parquet.write_table(table, tmp_path / "rows.parquet")
    board = compared(typed, "rows.parquet", "--methods", "majority,nearest_mean")
    assert board["task"]["train"] == 24
    parquet.write_table(table.select(["text"]), tmp_path / "in.parquet")
    code, out, _ = typed("predict", "run", "in.parquet")
    assert (code, len(out.splitlines())) == (0, 24)


def test_a_task_file(typed: Typed, tmp_path: Path) -> None:
    jsonl(tmp_path / "rows.jsonl", tickets(8))
    (tmp_path / "task.yaml").write_text(
        "name: desk\ninstruction: Who should answer?\nmetric: macro_f1\n"
        "data: {train: rows.jsonl, text: text, label: label}\n"
        "labels:\n- {name: refund, description: money back}\n- parcel\n- 로그인\n",
        encoding="utf-8",
    )
    board = compared(typed, "task.yaml", "--methods", "majority,nearest_mean")
    assert (board["task"]["name"], board["task"]["metric"]) == ("desk", "macro_f1")
    assert board["task"]["labels"][0] == {"name": "refund", "description": "money back"}
    assert 0 < rows_of(board)["nearest_mean"]["score"] <= 1


def test_texts_beyond_the_context_are_cut_and_told(typed: Typed, tmp_path: Path) -> None:
    rows = [*tickets(5), {"text": "refund money " * 3000, "label": "refund"}]
    jsonl(tmp_path / "rows.jsonl", rows)
    pins = ("--set", "zero_shot.format=plain", "--set", "zero_shot.calibration=none")
    board = compared(typed, "rows.jsonl", "--methods", "majority,zero_shot", *pins)
    notes = rows_of(board)["zero_shot"]["notes"]
    assert notes == ["texts longer than the language model's 4096 tokens lose their beginning"]


# ---------------------------------------------------------------- as processes


def test_the_command_as_processes(place: Path, tmp_path: Path) -> None:
    """With nothing in place of anything: two runs are equal to the byte, a pipe may close."""
    nshot = [sys.executable, "-m", "nshot.cli"]
    train, test = str(place / "train.jsonl"), str(place / "test.jsonl")
    for name in ("one", "two"):
        words = ["compare", train, "--test", test, "--out", str(tmp_path / name), *QUICK]
        done = subprocess.run([*nshot, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    files = [(tmp_path / name / "points.json").read_bytes() for name in ("one", "two")]
    assert files[0] == files[1]
    asked = jsonl(tmp_path / "many.jsonl", [{"text": f"refund {i}"} for i in range(5000)])
    answers = f"{' '.join(nshot)} predict {tmp_path / 'one'} {asked}"
    reader = f"{answers} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, timeout=120)
    first, status = done.stdout.splitlines()
    assert json.loads(first)["answer"] == "refund"
    assert (status, done.stderr) == ("0", "")


def test_asked_to_stop_it_says_so_and_leaves_130(place: Path, tmp_path: Path) -> None:
    words = ["compare", str(place / "train.jsonl"), "--model", "fake:slow", "--methods",
             "majority,zero_shot", "--out", str(tmp_path / "run")]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "nshot.cli", *words], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr or ():
        if "zero_shot" in line:
            process.terminate()
            break
    rest = (process.stderr.read() if process.stderr else "") + ""
    assert process.wait(timeout=60) == 130, rest
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert rows_of(board_of(tmp_path / "run"))["majority"]["status"] == "ok"


# ---------------------------------------------------------------- export


@pytest.fixture(scope="module")
def counted(place: Path) -> Path:
    """A run whose winner is tfidf_lr."""
    words = ["compare", str(place / "train.jsonl"), "--test", str(place / "test.jsonl")]
    words += ["--methods", "tfidf_lr", "--shots", "4", "--seeds", "1", *FAKES]
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        with pytest.raises(SystemExit) as ended:
            main([*words, "--out", str(place / "counted")])
    assert ended.value.code == 0
    return place / "counted"


def test_a_folder_is_exported_and_its_own_checks_are_answered(typed: Typed, counted: Path) -> None:
    winner = str(counted / "winner")
    code, out, _ = typed("export", winner, "--to", "json-ngrams", "--out", "plain")
    assert code == 0
    assert re.fullmatch(r"50 of 50 answers as delivered\nsaved in plain \(0\.\d MB\)\n", out)
    assert [path.name for path in Path("plain").iterdir()] == ["ngrams.json"]
    again = typed("export", winner, "--to", "json-ngrams", "--out", "plain")
    assert again[0] == 2
    assert "--out plain is there already" in again[2]


def test_the_form_of_a_run_is_a_row_beside_the_row_it_is_of(
    typed: Typed, place: Path, counted: Path
) -> None:
    """Measured on the test rows, once; there again when the run goes on."""
    shutil.copytree(counted, "run")
    code, out, _ = typed("export", "run", "--to", "json-ngrams")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "60 of 60 answers as delivered"
    assert re.fullmatch(r"saved in run/export-json-ngrams \(0\.\d MB\)", lines[1])
    assert re.fullmatch(r"tfidf_lr json-ngrams: \d+\.\d %", lines[3])
    board = board_of(Path("run"))
    (row,) = rows_of(board, "json-ngrams").values()
    (winner,) = rows_of(board, "deployed").values()
    assert (row["parent"], row["score"]) == ("tfidf_lr", winner["score"])
    assert row["disk_bytes"] > 0
    assert row["use_seconds_per_1000"] > 0
    assert board["advice"] == board_of(counted)["advice"]
    assert "json-ngrams" in Path("run/report.html").read_text(encoding="utf-8")
    words = ["compare", str(place / "train.jsonl"), "--test", str(place / "test.jsonl")]
    words += ["--methods", "tfidf_lr", "--shots", "4", "--seeds", "1", *FAKES, "--out", "run"]
    assert typed(*words)[0] == 0
    assert rows_of(board_of(Path("run")), "json-ngrams") == {"tfidf_lr": row}


def test_answers_that_an_export_changes_are_counted(typed: Typed, counted: Path) -> None:
    shutil.copytree(counted / "winner", "copy")
    first, *rest = Path("copy/check.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = json.dumps({**json.loads(first), "answer": "other"})
    Path("copy/check.jsonl").write_text("\n".join([wrong, *rest]) + "\n", encoding="utf-8")
    code, out, _ = typed("export", "copy", "--to", "json-ngrams", "--out", "plain")
    assert code == 3
    assert out.startswith("was 'other', is ")
    assert "49 of 50 answers as delivered" in out
    Path("copy/check.jsonl").unlink()
    code, _, err = typed("export", "copy", "--to", "json-ngrams", "--out", "unchecked")
    assert (code, err) == (0, "note: no check.jsonl in copy: no answers were compared\n")


def test_what_cannot_be_exported_is_refused_with_what_can(typed: Typed, place: Path) -> None:
    words = (str(place / "train.jsonl"), "--method", "majority", "--out", "adapted")
    assert typed("adapt", *words)[0] == 0
    code, _, err = typed("export", "adapted", "--to", "json-ngrams", "--out", "plain")
    assert code == 2
    assert "a predictor of kind constant: json-ngrams takes a linear head over counted" in err
    assert not Path("plain").exists()
    code, _, err = typed("export", "adapted", "--to", "json-ngram", "--out", "plain")
    assert code == 2
    assert "unknown form 'json-ngram'" in err
    assert "json-ngrams" in err.partition("try:")[2]


# ------------------------------------------------------------------------------- abstaining


@pytest.fixture
def mine(typed: Typed, place: Path) -> str:
    """A folder of its own: a threshold is kept in it."""
    words = ("--method", "nearest_mean", "--shots", "4", "--out", "mine", *FAKES)
    assert typed("adapt", str(place / "train.jsonl"), *words)[0] == 0
    Path("in.csv").write_text(
        'id,text\n7,"refund, money"\n8,비밀번호 로그인\n9,?\n', encoding="utf-8"
    )
    return "mine"


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_predict_holds_back_what_is_less_probable(typed: Typed, mine: str) -> None:
    code, out, _ = typed("predict", mine, "in.csv")
    assert code == 0
    whole = _lines(out)
    assert all("abstained" not in line for line in whole)
    for line in whole:
        assert line["probability"] == pytest.approx(math.exp(max(line["scores"].values())))
    threshold = sorted(line["probability"] for line in whole)[1]
    code, out, _ = typed("predict", mine, "in.csv", "--abstain-below", str(threshold))
    assert code == 0
    for before, line in zip(whole, _lines(out), strict=True):
        back = before["probability"] < threshold
        assert line["abstained"] is back
        assert line["answer"] == ("" if back else before["answer"])
        assert line["scores"] == before["scores"]
    assert sum(line["abstained"] for line in _lines(out)) == 1


def test_predict_writes_a_table_where_the_file_is_one(typed: Typed, mine: str) -> None:
    code, _, err = typed("predict", mine, "in.csv", "-o", "out.csv", "--abstain-below", "1")
    assert code == 0
    assert "3 answers in out.csv, 3 of them held back" in err
    with open("out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["id"], r["answer"], r["abstained"]) for r in rows] == [
        ("7", "", "true"), ("8", "", "true"), ("9", "", "true"),
    ]  # fmt: skip
    assert all(0 < float(r["probability"]) < 1 for r in rows)
    assert typed("predict", mine, "in.csv", "-o", "out.tsv")[0] == 0
    lines = Path("out.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id\ttext\tanswer\tprobability"
    assert lines[2].startswith("8\t")
    assert "\t로그인\t" in lines[2]


def test_predict_sets_answers_beside_the_columns_of_its_input(typed: Typed, mine: str) -> None:
    body = 'no,id,text,answer\n1,7,refund money pay,?\n2,7,"mail, code",\n'
    Path("mine.csv").write_text(body, encoding="utf-8")
    code, _, err = typed("predict", mine, "mine.csv", "-o", "out.csv")
    assert code == 0
    assert "note: 'id' repeats 1 values: rows are named by their content instead" in err
    with open("out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["no", "id", "text", "answer", "nshot_answer", "probability"]
    own = [(row["no"], row["id"], row["text"], row["answer"]) for row in rows]
    assert own == [("1", "7", "refund money pay", "?"), ("2", "7", "mail, code", "")]
    assert [row["nshot_answer"] for row in rows] == ["refund", "로그인"]


def test_predict_reads_a_txt_that_is_a_table(typed: Typed, mine: str) -> None:
    Path("mine.txt").write_text("id\ttext\nx\trefund money pay\n", encoding="utf-8")
    code, out, _ = typed("predict", mine, "mine.txt")
    assert code == 0
    row = json.loads(out)
    assert (row["id"], row["answer"]) == ("x", "refund")


def test_predict_keeps_a_threshold_with_the_folder(typed: Typed, mine: str) -> None:
    words = ("predict", mine, "in.csv")
    code, _, err = typed(*words, "--abstain-below", "1", "--save-threshold")
    assert code == 0
    assert "mine abstains below 1 from now on" in err
    assert all(line["abstained"] for line in _lines(typed(*words)[1]))
    assert all("abstained" not in line for line in _lines(typed(*words, "--abstain-below", "0")[1]))
    assert typed("check", mine)[:2] == (0, "36 of 36 answers as delivered\n")
    assert typed(*words, "--abstain-below", "0", "--save-threshold")[0] == 0
    assert all("abstained" not in line for line in _lines(typed(*words)[1]))


def test_predict_refuses_thresholds_that_are_none(typed: Typed, mine: str) -> None:
    for words, said in (
        (("--abstain-below", "80"), "a threshold of 80"),
        (("--abstain-below", "high"), "invalid float value: 'high'"),
        (("--save-threshold", "-o", "."), "--save-threshold without a threshold"),
        (("--save-threshold", "-o", "."), "-o . is a folder"),
    ):
        code, out, err = typed("predict", mine, "in.csv", *words)
        assert (code, out) == (2, "")
        assert said in err
    assert not Path("mine/abstain.json").exists()
