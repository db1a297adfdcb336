"""`nshot align` from files to a page: what is kept, what is refused, and what a kill changes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nshot
from nshot.bench.align import carry_out
from nshot.bench.align_prepare import prepare, request_of
from nshot.bench.align_rows import prompt_name
from nshot.board.events import Message, ignore
from nshot.core.errors import Fault, InputError
from nshot.core.files import content_hash
from tiny import tiny_llama

THINGS = ("tea", "a map", "the key", "bread", "a pen", "milk", "salt", "soup", "ink", "a bus")
QUICK = """
preferences: pairs.jsonl
demonstrations: shown.jsonl
policy: ppo
model: llama
single: true
settings:
  instruct: {learning_rate: 0.01, epochs: 4, rank: 4, batch_size: 4, validation: 0}
  reward: {learning_rate: 0.01, epochs: 10, rank: 4, batch_size: 4}
  ppo: {learning_rate: 0.01, updates: 4, prompts: 4, answers: 2, max_tokens: 4, rank: 4,
        kl_budget: null}
"""


def row(i: int) -> dict[str, str]:
    """A polite answer is preferred, which is the longer one as often as the shorter one."""
    polite = "please have it" if i % 2 else "please, here it is, and take a seat"
    rude = "take it and go away from here now" if i % 2 else "take it"
    return {"prompt": f"{THINGS[i % 10]} {i}?", "chosen": polite, "rejected": rude}


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows))
    return path


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "llama")


@pytest.fixture(scope="module")
def chat(llama: Path) -> Path:
    folder = llama.parent
    rows = [row(i) for i in range(40)]
    lines(folder / "pairs.jsonl", rows)
    shown = [{"prompt": one["prompt"], "completion": one["chosen"]} for one in rows[:16]]
    lines(folder / "shown.jsonl", shown)
    (folder / "chat.yaml").write_text(QUICK)
    return folder / "chat.yaml"


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "nshot.cli", "align", *map(str, words)]


def result(root: Path) -> dict[str, Any]:
    """What ``align.json`` says, but for the clock and the command."""
    made: dict[str, Any] = json.loads((root / "align.json").read_text())
    made["command"] = made["name"] = ""
    for step in made["steps"]:
        step["seconds"] = 0
    return made


@pytest.fixture(scope="module")
def whole(chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done = subprocess.run(command(chat, "--out", out), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    return out


def test_each_step_is_kept_and_the_page_says_what_changed(whole: Path, chat: Path) -> None:
    made = result(whole)
    assert [step["name"] for step in made["steps"]] == ["instruct", "reward", "policy"]
    assert [step["state"] for step in made["steps"]][:2] == ["ok", "ok"]
    assert made["reward"]["accuracy"]["value"] > 0.8
    assert len(made["steps"][2]["rounds"]["reward"]) == 4
    assert made["before"]["answers"], "answers before the first step of the policy"
    page = (whole / "report.html").read_text()
    for part in ("How the policy went", "before and after", "The reward model", "right in"):
        assert part in page
    assert (whole / "reward" / "nshot.json").exists()
    prompts = [json.loads(line)["prompt"] for line in (chat.parent / "pairs.jsonl").open()]
    assert set(made["prompts"]) <= set(prompts)
    rows = json.loads((whole / "data" / "align.json").read_text())
    held = {one["input"]["fields"][0][1] for one in rows["held"]}
    for part in ("demonstrations", "preferences"):
        assert not held & {one["input"]["fields"][0][1] for one in rows[part]}


@pytest.mark.parametrize("seed", [0])
def test_killed_at_a_seeded_moment_it_ends_with_the_same_results(
    chat: Path, whole: Path, tmp_path: Path, seed: int
) -> None:
    out, rng = tmp_path / "run", random.Random(seed)
    moments = ["[1/5", "[2/5", "[3/5", "[4/5", "step 5 of", "step 9 of", "[5/5"]
    for moment in sorted(rng.sample(range(len(moments)), 3)):
        running = subprocess.Popen(command(chat, "--out", out), stderr=subprocess.PIPE, text=True)
        assert running.stderr is not None
        for line in running.stderr:
            if moments[moment] in line:
                running.kill()
                break
        running.wait()
    done = subprocess.run(command(chat, "--out", out), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    assert result(out) == result(whole)
    for step in ("instruct", "reward", "policy"):
        if (whole / step).exists():
            assert weights(out / step) == weights(whole / step)


def weights(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("adapter_model.safetensors"))]


def test_from_a_checkpoint_with_one_file_and_from_python(
    chat: Path, llama: Path, whole: Path, tmp_path: Path
) -> None:
    """The first step is left out; DPO begins from what is given, and the base stays as it was."""
    seen: list[str] = []
    made = nshot.align(
        chat.parent / "pairs.jsonl",
        policy="dpo",
        start=whole / "instruct",
        single=True,
        settings={
            "reward": {"learning_rate": 0.01, "epochs": 10, "rank": 4, "batch_size": 4},
            "dpo": {"learning_rate": 0.01, "epochs": 6, "rank": 4, "batch_size": 4},
        },
        out=tmp_path / "run",
        on=lambda event: seen.append(event.text) if isinstance(event, Message) else None,
    )
    assert [step.name for step in made.steps] == ["reward", "policy"]
    assert made.step("policy").state == "ok"  # type: ignore[union-attr]
    policy = json.loads((tmp_path / "run" / "policy" / "nshot.json").read_text())
    first, own = policy["settings"]["ref"]["deltas"]
    begun = json.loads((whole / "instruct" / "nshot.json").read_text())["settings"]["ref"]
    assert first["sha256"] == begun["deltas"][0]["sha256"] != own["sha256"]
    assert made.change is not None
    assert nshot.load(tmp_path / "run" / "policy").predict(["tea 3?"])


def refused(source: Path, **fields: Any) -> list[Fault]:
    faults: list[Fault] = []
    with pytest.raises(InputError) as error:
        prepare(request_of(source, fields, faults), faults)
    return list(error.value.faults)


def test_everything_wrong_is_said_at_once(chat: Path, tmp_path: Path) -> None:
    pairs, folder = chat.parent / "pairs.jsonl", chat.parent
    shown = folder / "shown.jsonl"
    wrong = refused(
        pairs, demonstrations=pairs, model=folder / "llama", settings={"lora": {"rank": 4}}
    )
    problems = "\n".join(map(str, wrong))
    assert "settings of 'lora': no step of this alignment" in problems
    assert "demonstrations: rows of kind rank" in problems
    (kind,) = refused(shown, model=folder / "llama")
    assert "rows of kind generate" in kind.found
    (few,) = refused(lines(tmp_path / "few.jsonl", [row(i) for i in range(6)]))
    assert "prompts with preferences to learn from: 5" in few.found
    assert "10 in all" in few.expected
    assert "--test" in few.do


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"prompt": "q", "chosen": "", "rejected": "b"}, "empty"),
        ({"prompt": "q", "answers": ["a"], "grades": [1]}, "'answers' holds 1 answer\n"),
        ({"prompt": "q", "answers": ["a", "b"], "grades": [1, float("nan")]}, "grades"),
    ],
)
def test_rows_that_cannot_be_learned_from_are_refused(
    tmp_path: Path, made: dict[str, Any], problem: str
) -> None:
    keys = set(made)
    good = [row(i) for i in range(20)]
    if "answers" in keys:
        good = [
            {"prompt": r["prompt"], "answers": [r["chosen"], r["rejected"]], "grades": [1, 0]}
            for r in good
        ]  # type: ignore[misc]
    faults = refused(lines(tmp_path / "p.jsonl", [*good, made]))
    assert problem in "\n".join(map(str, faults))


def test_equal_answers_are_left_out_and_counted(chat: Path, llama: Path, tmp_path: Path) -> None:
    rows = [row(i) for i in range(20)] + [{"prompt": "q", "chosen": "a", "rejected": "a"}] * 3
    made = prepare(request_of(lines(tmp_path / "p.jsonl", rows), {"model": str(llama)}, []))
    assert any("3 rows left out" in note for note in made.rows.notes)
    assert any("best answers" in note for note in made.rows.notes)


def test_the_keys_of_the_file_and_what_is_typed(chat: Path, tmp_path: Path) -> None:
    faults: list[Fault] = []
    request = request_of(chat, {"policy": "grpo", "settings": {"reward": {"rank": 8}}}, faults)
    assert not faults
    assert request.policy == "grpo"
    assert request.settings["reward"] == {
        "learning_rate": 0.01, "epochs": 10, "rank": 8, "batch_size": 4,
    }  # fmt: skip
    assert Path(request.preferences or "").exists()
    wrong = tmp_path / "chat.yaml"
    typos = "settings: {rewrd: {rank: 4}, ppo: {updats: 3, updates: four}}"
    wrong.write_text(f"preferences: nowhere.jsonl\nreward: x\nseed: many\n{typos}\n")
    problems = "\n".join(map(str, refused(wrong)))
    assert "unknown key 'reward'" in problems
    assert "line 2" in problems
    assert "seed: 'many'" in problems
    assert "nowhere.jsonl" in problems
    assert "settings of 'rewrd'" in problems
    for name in ("reward", "updates"):
        assert f"did you mean '{name}'?" in problems
    assert "updates = 'four'\n  expected: a valid integer\n" in problems
    wrong.write_text("preferences: nowhere.jsonl\nsettings: ppo\n")
    assert "'ppo': not settings by method" in str(refused(wrong)[0])


def test_prompts_are_the_same_in_every_format() -> None:
    from nshot.core.types import Input, Turn

    field = Input((("instruction", "Where is it?"),))
    assert prompt_name(field) == prompt_name(Input(turns=(Turn("user", "where is it"),)))
    assert prompt_name(field) == prompt_name(Input((("prompt", "Where is it?"),), answers=("x",)))


def test_a_policy_that_learned_nothing_is_a_result(chat: Path, tmp_path: Path) -> None:
    """The page says so, and there are answers before but none after."""
    fields = {"settings": {"ppo": {"learning_rate": 0.0, "updates": 1}}, "out": str(tmp_path / "r")}
    made = carry_out(prepare(request_of(chat, fields, [])), ignore)
    policy = made.step("policy")
    assert policy is not None
    assert policy.state == "failed"
    assert "did not learn" in policy.reason
    assert made.after is None
    assert not made.went_well
    assert content_hash(tmp_path / "r" / "reward")


def test_what_it_may_begin_from(chat: Path, llama: Path, whole: Path) -> None:
    """A folder of nshot, an adapter, a whole model; what is none of these is refused."""
    pairs = chat.parent / "pairs.jsonl"

    def deltas(start: Path, **fields: Any) -> int:
        made = prepare(request_of(pairs, {"start": str(start), **fields}, []))
        assert made.base.name == str(llama)
        assert "instruct" not in made.methods
        return len(made.start)

    assert deltas(llama) == 0
    assert deltas(whole / "instruct") == 1
    assert deltas(whole / "instruct" / "delta-0", model=str(llama)) == 1
    (reward,) = refused(pairs, start=whole / "reward")
    assert "no model that was tuned to write" in reward.found
    (other,) = refused(pairs, start=whole / "instruct" / "delta-0")
    assert "another model" in other.found
    (file,) = refused(pairs, start=pairs)
    assert "is a file" in file.found
