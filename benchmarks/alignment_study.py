"""From demonstrations to a policy on pairs that people ranked, and what the policy changed.

    python benchmarks/alignment_study.py ppo lengths format grpo dpo [--runs DIR] [--write]

600 pairs of hh-rlhf (harmless) of at most 192 tokens a prompt with an answer, and 150 of other
conversations to measure on. Each policy is an `nshot align` in the same folder: the first makes the
two reward models, and every one has 40 updates from the same beginning. `lengths` asks the reward
models about pairs of another set, as many with a longer better answer as with a shorter one.
`format` needs no people: an answer within a length and of a form. Each is kept once it is whole,
and one that was killed goes on at its last update. `--write` makes the tables and curves of
docs/results/alignment.md.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import nshot
from nshot.audit.forgetting import general
from nshot.bench.jobs.align import judged
from nshot.board.alignment import Alignment, Bounded, Judgement
from nshot.board.events import Event, Message
from nshot.board.schema import Board
from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json, to_data
from nshot.data.loading import load
from nshot.models import open_models
from nshot.models.base import LanguageModel
from nshot.models.catalog import resolve
from nshot.predictors import load as load_predictor
from nshot.predictors.prompted import Prompted
from nshot.predictors.rewarded import Rewarded
from nshot.report import charts
from nshot.report.views import ROUNDS, round_panels
from table import ROOT, data_folder, line, read, write

RUNS = ROOT / "runs" / "alignment-study"
PAGE = ROOT / "docs" / "results" / "alignment.md"
TOKENS, LEARNED, HELD = 192, 600, 150
UPDATES = 40
Policy = Literal["ppo", "grpo", "dpo"]
POLICIES: dict[Policy, dict[str, Any]] = {
    "ppo": {"updates": UPDATES, "max_tokens": 48, "prompts": 16, "kl_target": 6.0},
    "grpo": {"updates": UPDATES, "max_tokens": 48, "prompts": 4},
    "dpo": {"max_tokens": TOKENS},
}
TRAINED: dict[str, dict[str, Any]] = {
    "instruct": {"max_steps": 75},
    "reward": {"epochs": 1, "max_tokens": TOKENS},
}
FORM = {"regex": r"[A-Z].*\.", "length": {"least": 4, "most": 12}}
"""A sentence of 4 to 12 words that begins with a capital and ends with a full stop."""


def pairs(model: LanguageModel, name: str, part: str, most: int) -> list[dict[str, Any]]:
    """Seeded pairs that fit into the tokens, as the data set has them."""
    rows = [row for row in read(data_folder() / name / f"{part}.jsonl")
            if row["chosen"].strip() and row["rejected"].strip()]  # fmt: skip
    texts = [row["prompt"] + max(row["chosen"], row["rejected"], key=len) for row in rows]
    counts = model.count(texts)
    fitting = [row for row, count in zip(rows, counts, strict=True) if count <= TOKENS]
    random.Random(0).shuffle(fitting)
    return fitting[:most]


def files(runs: Path) -> Path:
    """The pairs, and the ``chat.yaml`` that names them."""
    folder = runs / "data"
    if not (folder / "chat.yaml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        base = resolve(None, "lm")
        model = open_models().open(base)
        for part, most in (("train", LEARNED), ("test", HELD)):
            rows = pairs(model, "hh_rlhf_harmless", part, most)
            body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            write_atomic(folder / f"{part}.jsonl", body)
        write_atomic(folder / "chat.yaml", "preferences: train.jsonl\ntest: test.jsonl\n")
    return folder / "chat.yaml"


def show(event: Event) -> None:
    """Progress in the log."""
    if isinstance(event, Message):
        print(time.strftime("%H:%M:%S"), event.text, flush=True)


def policy(runs: Path, name: Policy) -> None:
    """One policy from the shared first steps; its account, and what it forgot."""
    target = runs / f"{name}.json"
    if target.exists():
        return
    made = nshot.align(
        files(runs), policy=name, settings={**TRAINED, name: POLICIES[name]},
        out=runs / "chat", on=show,
    )  # fmt: skip
    forgot = {}
    for step in ("instruct", "policy"):
        folder = runs / "chat" / step
        if folder.exists():
            forgot[step] = forgetting(folder)
    write_atomic(target, dumps({"account": to_data(made), "forgetting": forgot}, indent=1))


def forgetting(folder: Path) -> dict[str, float]:
    """What a model that was tuned to write still knows; see docs/forgetting.md."""
    models = open_models()
    predictor = load_predictor(folder, models)
    writer = getattr(predictor, "writer", predictor)
    assert isinstance(writer, Prompted)
    knows = general(models.open(writer.ref))
    return {"accuracy": knows.accuracy, "nats_per_token": knows.nats_per_token}


def lengths(runs: Path) -> None:
    """Both reward models on pairs of another set, as they are and with lengths that match."""
    target = runs / "lengths.json"
    if target.exists():
        return
    models = open_models()
    model = models.open(resolve(None, "lm"))
    rows = pairs(model, "autoj_pairs", "train", 600) + pairs(model, "autoj_pairs", "test", 150)
    matched = matching([{key: row[key] for key in ("prompt", "chosen", "rejected")}
                        for row in rows])  # fmt: skip
    body: dict[str, Any] = {}
    for name, chosen in (("all", rows), ("matched", matched)):
        file = runs / f"autoj-{name}.jsonl"
        keys = ("prompt", "chosen", "rejected")
        lines = [json.dumps({key: row[key] for key in keys}, ensure_ascii=False) for row in chosen]
        write_atomic(file, "\n".join(lines) + "\n")
        loaded = load(file)
        for step in ("reward", "second"):
            predictor = load_predictor(runs / "chat" / step, models)
            assert isinstance(predictor, Rewarded)
            body[f"{name} {step}"] = to_data(judged(predictor, loaded.task, loaded.train))
    write_atomic(target, dumps(body, indent=1))


def matching(rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """As many pairs whose better answer is the longer as pairs whose better is the shorter one."""
    longer = [row for row in rows if len(row["chosen"]) > len(row["rejected"])]
    shorter = [row for row in rows if len(row["chosen"]) < len(row["rejected"])]

    def ratio(row: Mapping[str, str]) -> float:
        ends = sorted((len(row["chosen"]), len(row["rejected"])))
        return ends[1] / ends[0]

    count = min(len(longer), len(shorter))
    return [*sorted(longer, key=ratio)[:count], *sorted(shorter, key=ratio)[:count]]


def form(runs: Path) -> None:
    """A verifiable task: restaurant facts said in one short sentence."""
    target = runs / "format.json"
    if target.exists():
        return
    folder = runs / "format"
    folder.mkdir(parents=True, exist_ok=True)
    for part, most in (("train", 200), ("test", 60)):
        rows = read(data_folder() / "e2e_nlg" / f"{part}.jsonl")
        inputs = list(dict.fromkeys(row["input"] for row in rows))
        random.Random(0).shuffle(inputs)
        by_input = {row["input"]: row for row in rows}
        lines = []
        for text in inputs[:most]:
            row = by_input[text]
            output = row["output"] if "output" in row else row["references"][0]
            lines.append(json.dumps({"input": text, "output": output}))
        write_atomic(folder / f"{part}.jsonl", "\n".join(lines) + "\n")
    task = {
        "kind": "generate", "metric": "reward", "reward": [{"regex": FORM["regex"]},
                                                           {"length": FORM["length"]}],
        "instruction": "Say it in one short sentence.",
        "data": {"train": "train.jsonl", "test": "test.jsonl", "text": "input",
                 "label": "output"},
    }  # fmt: skip
    write_atomic(folder / "task.yaml", json.dumps(task))
    words = [
        "compare", "task.yaml", "--methods", "zero_shot,instruct,grpo,ppo", "--thorough",
        "--workers", "1", "--minutes", "240", "--out", "run",
        "--set", f"grpo.updates={UPDATES}", "--set", "grpo.prompts=4",
        "--set", f"ppo.updates={UPDATES}", "--set", "ppo.prompts=16",
        "--set", "instruct.max_steps=50", "--set", "instruct.learning_rate=0.001",
        "--set", "grpo.learning_rate=0.0003", "--set", "ppo.learning_rate=0.0003",
    ]  # fmt: skip
    subprocess.run([sys.executable, "-m", "nshot.cli", *words], cwd=folder, check=True)
    board = Board.read(folder / "run")
    rows_of = {row.name: [row.score, row.low, row.high] for row in board.rows}
    write_atomic(target, dumps(rows_of, indent=1))


def bounded(one: Bounded, digits: int = 2) -> str:
    """A figure with its interval."""
    return f"{one.value:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"


def percent(one: Bounded) -> str:
    """A share with its interval."""
    return f"{100 * one.value:.0f} % ({100 * one.low:.0f}-{100 * one.high:.0f})"


def judgements(runs: Path) -> str:
    """How both reward models do on new pairs."""
    rows = [line("reward model", "pairs", "right", "`longest`", "Brier score", "reward and length"),
            "|---|--:|--:|--:|--:|--:|"]  # fmt: skip
    each: list[tuple[str, Judgement | None]] = []
    if (file := runs / "chat" / "align.json").exists():
        made = from_data(Alignment, read_json(file))
        each += [("hh-rlhf, first", made.reward), ("hh-rlhf, second seed", made.second)]
    if (file := runs / "lengths.json").exists():
        body = read_json(file)
        names = {"all": "autoj", "matched": "autoj, lengths matched"}
        seeds = {"reward": "first", "second": "second seed"}
        each += [(f"{names[name]}, {seeds[step]}", from_data(Judgement, body[f"{name} {step}"]))
                 for name in names for step in seeds]  # fmt: skip
    for name, one in each:
        if one is not None:
            correlation = "" if one.correlation is None else f"{one.correlation:+.2f}"
            rows.append(line(name, str(one.pairs), percent(one.accuracy), percent(one.longest),
                             bounded(one.brier), correlation))  # fmt: skip
    return "\n".join([*rows, *took(runs)])


def took(runs: Path) -> list[str]:
    """How long the first steps, which all policies share, have taken."""
    if not (file := runs / "chat" / "align.json").exists():
        return []
    made = from_data(Alignment, read_json(file))
    first = [f"`{one.name}` {one.seconds / 60:.0f}" for one in made.steps
             if one.name != "policy" and one.seconds]  # fmt: skip
    return ["", f"Minutes of the first steps: {', '.join(first)}."]


def policies(runs: Path) -> str:
    """What each policy changed."""
    heads = ("policy", "reward by the first", "by the second", "wins by the second", "tokens",
             "different pieces", "one text answers", "knows", "minutes")  # fmt: skip
    whole = [name for name in POLICIES if (runs / f"{name}.json").exists()]
    rows = [line(*heads), "|---|--:|--:|--:|--:|--:|--:|--:|--:|"] if whole else []
    for name in whole:
        body = read_json(runs / f"{name}.json")
        made = from_data(Alignment, body["account"])
        step, change = made.step("policy"), made.change
        if change is None or made.before is None or made.after is None or step is None:
            rows.append(line(f"`{name}`", step.reason if step else "", *[""] * 7))
            continue
        knows = [f"{100 * one['accuracy']:.0f}" for one in body["forgetting"].values()]
        rows.append(line(
            f"`{name}`", bounded(change.reward),
            bounded(change.second) if change.second else "",
            percent(change.second_wins) if change.second_wins else "",
            f"{made.before.length:.0f} -> {made.after.length:.0f}",
            f"{100 * made.before.distinct:.0f} -> {100 * made.after.distinct:.0f} %",
            " -> ".join(str(one.commonest[1]) for one in (made.before, made.after))
            + f" of {len(made.after.answers)}",
            " -> ".join(knows) + " %", f"{step.seconds / 60:.0f}",
        ))  # fmt: skip
    if (file := runs / "format.json").exists():
        head = line("method", "form and length, of the two the share that holds")
        rows += ["", head, "|---|--:|"]
        for name, ends in read_json(file).items():
            if None not in ends:
                rows.append(line(f"`{name}`", percent(Bounded(*ends))))
    rows += [""] if rows else []
    return "\n".join([*rows, f"One thread of {machine.device()}, beside other work."])


def draw(runs: Path) -> None:
    """The curves of each policy's updates, a file each."""
    for name in POLICIES:
        if not (file := runs / f"{name}.json").exists():
            continue
        step = from_data(Alignment, read_json(file)["account"]).step("policy")
        rounds = step.rounds if step else {}
        drawn = [figure for figure, _ in ROUNDS if rounds.get(figure)]
        for figure, panel in zip(drawn, round_panels(rounds), strict=True):
            write_atomic(PAGE.parent / f"alignment-{name}-{figure}.svg", charts.standalone(panel))


def main() -> None:
    """Do what is named and not there yet; with `--write`, the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = [*POLICIES, "lengths", "format"]
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join(known))
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--write", action="store_true", help="make the page's tables")
    options = parser.parse_args()
    if unknown := set(options.what) - set(known):  # argparse refuses none of several choices
        parser.error(f"{', '.join(sorted(unknown))}: one of {', '.join(known)}")
    runs = options.runs.resolve()
    runs.mkdir(parents=True, exist_ok=True)
    for name in options.what:
        if name == "lengths":
            lengths(runs)
        elif name == "format":
            form(runs)
        else:
            policy(runs, cast(Policy, name))
    text = "\n\n".join([judgements(runs), policies(runs)])
    print(text)
    if options.write:
        write("alignment_study.py", text, PAGE)
        draw(runs)


if __name__ == "__main__":
    main()
