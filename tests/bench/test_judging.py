"""The judge's column: asked through a real worker, kept in the store, shown on the board."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nshot
from endpoint import Endpoint, Reply, serving
from nshot.bench.jobs.judge import AT_ONCE, ask_once
from nshot.bench.judging import comparisons, request
from nshot.bench.prepare import prepare, request_yaml
from nshot.bench.request import Request, read_request
from nshot.bench.run import Result
from nshot.bench.setting import Setting
from nshot.bench.store import Store
from nshot.board.judge import Comparison, Judge, RewardJudge, share_of, wins
from nshot.core.errors import InputError
from nshot.core.types import Cost, Example, Input, Measurement, ModelRef, Prediction, Task, Turn
from nshot.models import open_models
from nshot.predictors.rewarded import Rewarded
from nshot.report.board_text import board_table
from spine import board_of, jsonl, rows_of, stay_here, tickets
from tiny import tiny_llama

HERE = Path(__file__).parents[1]
PINS = {"zero_shot": {"format": "plain", "calibration": "none"}}
PEOPLE = [
    {"prompt": f"question {i}", "chosen": f"yes {i}", "rejected": f"no, a longer answer {i}"}
    for i in range(16)
]
LONG = "a sentence that is longer than all that is written without any example"


def brief(messages: Sequence[dict[str, str]]) -> str:
    """A judge to whom the shorter answer is the better one."""
    text = messages[0]["content"].partition("[Answer A]\n")[2].partition("\n\nSay only")[0]
    a, _, b = text.partition("\n\n[Answer B]\n")
    return "A" if len(a) < len(b) else "B"


def always_a(messages: Sequence[dict[str, str]]) -> str:
    return "A"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(brief) as found:
        yield found


def answers(folder: Path) -> tuple[str, str]:
    """Twelve test rows: to nine the nearest train row has a short answer, to three a long one."""
    short = [{"input": f"alpha red {i}", "output": "red"} for i in range(20)]
    long = [{"input": f"beta blue {i}", "output": LONG} for i in range(20)]
    told = [{**row, "input": f"{row['input']} now"} for row in (*short[:9], *long[:3])]
    return jsonl(folder / "train.jsonl", [*short, *long]), jsonl(folder / "test.jsonl", told)


def turned(pairs: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [{**p, "chosen": p["rejected"], "rejected": p["chosen"]} for p in pairs]


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`nshot.compare` on `answers`, in `tmp_path / "run"` with the worker in this process."""
    stay_here(monkeypatch)
    train, test = answers(tmp_path)

    def compare(
        judge: str | None,
        pairs: Sequence[dict[str, str]] = PEOPLE,
        methods: Sequence[str] = ("nearest_answer", "zero_shot"),
        out: str = "run",
    ) -> Result:
        path = jsonl(tmp_path / "pairs.jsonl", pairs)
        return nshot.compare(
            train, test=test, model="fake:scorer", encoder="fake:encoder", methods=methods,
            settings=PINS if "zero_shot" in methods else None, shots=(None,), seeds=1,
            judge=judge, judge_pairs=path if judge else None, out=tmp_path / out,
        )  # fmt: skip

    return compare


def verdicts(board: Any) -> dict[str, Any]:
    return {
        name: row["judge"]
        and {key: value for key, value in row["judge"].items() if value is not None}
        for name, row in rows_of(board).items()
    }


def noted(board: Any) -> str:
    (note,) = (note for note in board.task.notes if note.startswith("judge "))
    return str(note)


# ---------------------------------------------------------------- on the board


def test_an_admitted_judge_holds_each_row_against_zero_shot(
    compared: Callable[..., Result], endpoint: Endpoint
) -> None:
    result = compared(endpoint.name)
    assert result.exit_code == 0
    cell = verdicts(result.board)["nearest_answer"]
    share, low, high = share_of([1.0] * 9 + [0.0] * 3, [str(i) for i in range(12)])
    assert cell == {"against": "zero_shot", "score": 0.75, "low": low, "high": high}
    assert share == 0.75
    assert verdicts(result.board)["zero_shot"] == {"reason": "the baseline"}
    assert [row["judge"] for row in rows_of(result.board, "deployed").values()] == [None]
    judge = result.board.task.judge
    assert (judge.agreement.admitted, judge.agreement.share) == (True, 1.0)
    assert judge.reason is None
    note = noted(result.board)
    assert "agrees with people on 100 % of 16 pairs" in note
    assert len(endpoint.bodies) == 2 * (16 + 12), "each comparison in both orders"
    table = board_table(result.board, width=200)
    assert "judge" in table.splitlines()[0]
    assert f"75.0 ({100 * low:.0f} - {100 * high:.0f})" in table
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "Judge, %" in page
    assert note in page


def test_the_same_again_asks_nothing_and_other_pairs_ask_only_those(
    compared: Callable[..., Result], endpoint: Endpoint
) -> None:
    first = compared(endpoint.name)
    asked = len(endpoint.bodies)
    again = compared(endpoint.name)
    assert verdicts(again.board) == verdicts(first.board)
    assert again.board.task == first.board.task
    assert len(endpoint.bodies) == asked
    more = {"prompt": "one more", "chosen": "yes", "rejected": "no, not this"}
    compared(endpoint.name, [*PEOPLE, more])
    assert len(endpoint.bodies) == asked + 2


def test_the_judge_chooses_nothing(compared: Callable[..., Result], endpoint: Endpoint) -> None:
    bare = compared(None, out="bare")
    judged = compared(endpoint.name)
    assert bare.board.task.judge is None
    assert list(verdicts(bare.board).values()) == [None, None]
    for board in (bare.board, judged.board):
        assert not any("judge" in reason for reason in board.advice.reasons)
    assert judged.pick == bare.pick
    assert "judge" not in board_table(bare.board).splitlines()[0]
    assert "Judge, %" not in (bare.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("who", ["of another mind", "a lover of places", "fake:scorer"])
def test_who_does_not_agree_with_people_is_not_heard(
    compared: Callable[..., Result], endpoint: Endpoint, who: str
) -> None:
    if who == "a lover of places":
        endpoint.answer = always_a
    name = who if who == "fake:scorer" else endpoint.name
    result = compared(name, turned(PEOPLE) if who == "of another mind" else PEOPLE)
    assert result.exit_code == 0
    silent = {"reason": "no admissible judge"}
    assert verdicts(result.board) == {"nearest_answer": silent, "zero_shot": silent}
    found = result.board.task.judge.agreement
    assert not found.admitted
    assert found.low <= 0.5
    if who != "fake:scorer":
        assert found.share == (0.0 if who == "of another mind" else 0.5)
        assert len(endpoint.bodies) == 2 * 16, "no row was compared"
    note = noted(result.board)
    assert f"agrees with people on {100 * found.share:.0f} % of 16 pairs" in note
    assert "no admissible judge" in board_table(result.board, width=200)
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "no admissible judge" in page
    assert page.count(note) == 1


def test_without_zero_shot_the_column_says_so_and_nobody_is_asked(
    compared: Callable[..., Result], endpoint: Endpoint
) -> None:
    result = compared(endpoint.name, methods=("nearest_answer",))
    assert verdicts(result.board) == {"nearest_answer": {"reason": "no zero_shot row"}}
    assert endpoint.bodies == []
    assert result.board.task.judge.agreement is None


def test_a_judge_that_breaks_off_leaves_the_board_and_is_asked_again(
    compared: Callable[..., Result], endpoint: Endpoint
) -> None:
    endpoint.script = [Reply(401, {"error": {"message": "not you"}})]
    broken = compared(endpoint.name)
    assert broken.exit_code == 3
    silent = {"reason": "the judge did not answer"}
    assert verdicts(broken.board) == {"nearest_answer": silent, "zero_shot": silent}
    assert (broken.folder / "winner").is_dir()
    mended = compared(endpoint.name)
    assert mended.exit_code == 0
    assert verdicts(mended.board)["nearest_answer"]["score"] == 0.75


# ---------------------------------------------------------------- a reward model


@pytest.fixture
def rewarded(tmp_path: Path) -> Rewarded:
    """A reward model of random weights, in ``tmp_path / "reward"``."""
    ref = ModelRef("hf", str(tiny_llama(tmp_path / "tiny", width=16)))
    head = np.linspace(-1, 1, 16)
    made = Rewarded(Task("pairs", "rank"), open_models(), ref, "plain", head)
    made.save(tmp_path / "reward" / "winner")
    return made


def test_a_reward_model_compares_as_its_rewards_do(
    compared: Callable[..., Result], rewarded: Rewarded, tmp_path: Path
) -> None:
    judge = RewardJudge(rewarded)
    likes = judge.preferences([Comparison(p["prompt"], p["chosen"], p["rejected"]) for p in PEOPLE])
    people = [p if like > 0 else turned([p])[0] for p, like in zip(PEOPLE, likes, strict=True)]
    result = compared(str(tmp_path / "reward"), people)
    assert result.exit_code == 0
    agreement = result.board.task.judge.agreement
    assert (result.board.task.judge.model, agreement.share) == ("reward/winner", 1.0)
    cell = verdicts(result.board)["nearest_answer"]
    assert cell["against"] == "zero_shot"
    assert 12 * cell["score"] == pytest.approx(sum(wins(likes_of(result, judge))))


def likes_of(result: Result, judge: RewardJudge) -> list[float]:
    """What the judge says of the row's answers against those of `zero_shot`, asked by itself."""
    store, setting = Store(result.folder), Setting.read(result.folder)
    measured = [store.measurement(job) for job, kind, _ in store.jobs() if kind == "measure"]
    rows = {one.method: one for one in measured}
    known = {row.id: row for row in setting.test}
    compared = comparisons(setting.task, rows["nearest_answer"], rows["zero_shot"], known)
    return judge.preferences(compared)


def test_a_folder_without_a_reward_model_is_no_judge(
    compared: Callable[..., Result], rewarded: Rewarded, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    record = (tmp_path / "reward" / "winner" / "nshot.json").read_text(encoding="utf-8")
    other = record.replace('"rewarded"', '"constant"')
    (tmp_path / "other" / "nshot.json").write_text(other, encoding="utf-8")
    with pytest.raises(InputError, match="holds a predictor of kind constant"):
        compared(str(tmp_path / "other"))


# ---------------------------------------------------------------- kept


def command(files: Sequence[str], pairs: str, out: Path, judge: str) -> list[str]:
    train, test = files
    return [
        sys.executable, "-m", "nshot.cli", "compare", train, "--test", test, "--shots", "all",
        "--seeds", "1", "--model", "fake:scorer", "--encoder", "fake:encoder",
        "--methods", "nearest_answer,zero_shot", "--set", "zero_shot.format=plain",
        "--set", "zero_shot.calibration=none", "--judge", judge, "--judge-pairs", pairs,
        "--out", str(out),
    ]  # fmt: skip


def test_killed_while_the_judge_reads_it_asks_only_what_is_missing(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    files, pairs = answers(tmp_path), jsonl(tmp_path / "pairs.jsonl", PEOPLE)
    words = command(files, pairs, tmp_path / "run", endpoint.name)

    def run(sabotage: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SABOTAGE": sabotage, "SABOTAGE_MARK": str(tmp_path / "kills"),
                       "PYTHONPATH": str(HERE / "sabotage")}  # fmt: skip
        return subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment)

    measured, kept = 5, AT_ONCE + 3  # the rates of two models, two rows, the winner
    killed = run(f"kill:worker:put:{measured + kept + 1}")
    assert killed.returncode == 0, "a job is given to a fresh worker once"
    sent = Counter(json.dumps(body, sort_keys=True) for body in endpoint.bodies)
    kills = (tmp_path / "kills").read_text(encoding="utf-8").splitlines()
    assert len(kills) == 2, "the fresh worker dies at the same write of its own"
    assert len(sent) == 2 * (16 + 12)
    assert sum(sent.values()) == len(sent), "every reply is kept as it comes: none is paid twice"
    assert verdicts(board_of(tmp_path / "run"))["nearest_answer"]["score"] == 0.75
    run()
    assert len(endpoint.bodies) == sum(sent.values()), "nothing is missing any more"


@dataclass
class Counting:
    """A model that scores A by the letters in the prompt, and remembers what it was asked."""

    facts: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(can={"score"}))
    asked: list[str] = field(default_factory=list)

    def logprobs(self, prompts: Sequence[Any], letters: Sequence[Sequence[str]]) -> list[Any]:
        self.asked += [prompt[0].text for prompt in prompts]
        return [SimpleNamespace(logprobs=np.array([float(len(p[0].text)), 0])) for p in prompts]


def test_a_question_is_asked_once_and_equal_answers_never(tmp_path: Path) -> None:
    model, store, told = Counting(), Store(tmp_path), []
    one, same = Comparison("p", "a", "b"), Comparison("p", "a", "a")
    many = [Comparison("p", f"first {i}", "second") for i in range(AT_ONCE)]

    def ask(here: str, *compared: Comparison) -> list[float]:
        judge = Judge(model)  # type: ignore[arg-type]
        return ask_once(judge, compared, store, here, lambda *done: told.append(done))

    assert ask("here", one, same, replace(one, group="g"), *many)[1] == 0.0
    assert len(model.asked) == len(set(model.asked)) == 2 * (1 + AT_ONCE)
    assert told == [(AT_ONCE, AT_ONCE + 1), (AT_ONCE + 1, AT_ONCE + 1)]
    ask("here", *many, one)
    assert len(model.asked) == 2 * (1 + AT_ONCE)
    ask("here", replace(one, first="b", second="a"))
    ask("elsewhere", one)
    assert len(model.asked) == 2 * (3 + AT_ONCE)


# ---------------------------------------------------------------- what is compared

TASK = Task("t", "generate")


def measurement(*said: tuple[str, str]) -> Measurement:
    return Measurement(
        job="j", method="m", spec={}, rung="prompt", form="trained", parent=None, fingerprint="f",
        shots=None, draw=0, ids=tuple(key for key, _ in said),
        predictions=tuple(Prediction(answer) for _, answer in said),
        statistics=tuple((0.0,) for _ in said), build=Cost(), use=Cost(),
    )  # fmt: skip


def test_answers_to_the_same_row_are_compared_and_groups_kept() -> None:
    known = {
        key: Example(key, Input(fields=(("instruction", f"do {key}"),)), ("x",), group=group)
        for key, group in (("a", None), ("b", "g"), ("c", "g"))
    }
    one = measurement(("a", "one a"), ("b", "one b"), ("c", "one c"))
    other = measurement(("c", "other c"), ("a", "other a"), ("b", "other b"))
    assert comparisons(TASK, one, other, known) == [
        Comparison("do a", "one a", "other a", "a"),
        Comparison("do b", "one b", "other b", "g"),
        Comparison("do c", "one c", "other c", "g"),
    ]


def test_rows_that_one_of_two_has_not_answered_are_not_compared() -> None:
    """Who was put aside in the race has answered the first test rows only."""
    whole, first = measurement(("a", "x"), ("b", "y")), measurement(("b", "z"))
    known = {name: Example(name, Input(fields=(("text", name),)), ("x",)) for name in "ab"}
    for one, other in ((whole, first), (first, whole)):
        assert [compared.group for compared in comparisons(TASK, one, other, known)] == ["b"]


def test_the_judge_reads_what_was_asked() -> None:
    plain = Input(fields=(("text", "a long story"),))
    told = replace(TASK, instruction="Sum it up.")
    assert request(told, plain) == "Sum it up.\n\na long story"
    chat = Input(turns=(Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "Why?")))
    assert request(TASK, chat) == "User: Hi\n\nAssistant: Hello\n\nUser: Why?"


# ---------------------------------------------------------------- refused


def refusal(request: Request) -> str:
    with pytest.raises(InputError) as caught:
        prepare(request)
    return str(caught.value)


def test_a_judge_and_its_pairs_go_together_and_suit_free_answers(tmp_path: Path) -> None:
    train, _ = answers(tmp_path)
    pairs = jsonl(tmp_path / "pairs.jsonl", PEOPLE)
    free = Request(train, methods=("nearest_answer",), encoder="fake:encoder")
    assert "--judge alone" in refusal(replace(free, judge="fake:scorer"))
    assert "--judge-pairs alone" in refusal(replace(free, judge_pairs=pairs))
    both = replace(free, judge="fake:scorer", judge_pairs=pairs)
    assert len(prepare(both).pairs) == 16
    labels = replace(both, task=jsonl(tmp_path / "t.jsonl", tickets(12)), methods=("knn",))
    assert "--judge for a task of kind classify" in refusal(labels)


def test_all_faults_of_the_pairs_come_with_those_of_the_request(tmp_path: Path) -> None:
    train, _ = answers(tmp_path)
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "p"}\n\n{broken\n[1]\n', encoding="utf-8")
    asked = Request(train, methods=("knnn",), judge="fake:scorr", judge_pairs=str(path), seeds=0)
    said = refusal(asked)
    for fragment in (
        "row 1: no text under chosen, rejected", "row 3: not a row of JSON",
        "row 4: not a JSON object", "did you mean 'knn'?", "'fake:scorr'", "--seeds 0",
    ):  # fmt: skip
        assert fragment in said
    path.write_text("\n", encoding="utf-8")
    assert "holds no pairs" in refusal(asked)
    path.write_bytes(b"\xff\xfe")
    assert "no text in UTF-8" in refusal(asked)
    assert "no.jsonl: cannot be read" in refusal(replace(asked, judge_pairs="no.jsonl"))


def test_judge_and_pairs_are_found_from_the_runs_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, _ = answers(tmp_path)
    jsonl(tmp_path / "pairs.jsonl", PEOPLE)
    monkeypatch.chdir(tmp_path)
    asked = Request(
        train, methods=("nearest_answer",), encoder="fake:encoder", judge="fake:scorer",
        judge_pairs="pairs.jsonl", out="run",
    )  # fmt: skip
    text = request_yaml(prepare(asked))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "nshot.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir("/")
    again = read_request(tmp_path / "run" / "nshot.yaml")
    assert (again.judge, again.judge_pairs) == ("fake:scorer", str(tmp_path / "pairs.jsonl"))
    assert "judge_pairs: ../pairs.jsonl" in text
