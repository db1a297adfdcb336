"""The search of a prompt beside DSPy's: the same model, scorer, labelled rows and test rows.

    .bench/venv/bin/python benchmarks/prompt_search.py [--tasks sst2] [--test 100] [--write]

DSPy's random search over examples and its MIPROv2 ask nshot's scorer through DSPy's interface of
models, in nshot's short prompts (an adapter) and not in DSPy's own, which are longer:
the answer is the label that is likeliest. Their winners answer the test rows through nshot, as they
are and with batch calibration, which DSPy has not. nshot's search is given half of the tokens that
the cheaper of the two took. What was asked is kept in --out: a killed run goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

import peers
from nshot.bench.workbench import Workbench
from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.types import Example, Input, Label, Prediction, Shots, Task, digest
from nshot.methods.prompt.prompt_search import PromptSearch
from nshot.methods.prompt.zero_shot import ZeroShot
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.catalog import resolve
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import label_answers, render
from table import ROOT, data_folder, line, read, write

LABELLED, SHOWN, SEED = 60, 4, 0
"""Labelled rows of a task; DSPy shows from one half of them and chooses on the other."""
CANDIDATES = 4
"""Of random search, beside its three of its own; MIPROv2 has as many sets and instructions."""
FORMAT = "instruction"
TASKS = ("sst2", "banking77")
METHODS = ("zero_shot", "DSPy random search", "DSPy MIPROv2", "prompt_search")


@dataclass(frozen=True)
class Case:
    """A task, its labelled rows and its test rows."""

    task: Task
    labelled: tuple[Example, ...]
    test: tuple[Example, ...]


def cases(names: Sequence[str], count: int) -> list[Case]:
    """SST-2, and ten intents of BANKING77, or one of the two."""
    data = data_folder()
    films = Task(
        "SST-2", "classify", (Label("negative"), Label("positive")),
        instruction="Give the sentiment of the review.", answer_name="Label",
    )  # fmt: skip
    intents = sorted({row["label"] for row in read(data / "banking77" / "test.jsonl")})
    ten = random.Random(0).sample(intents, 10)
    bank = Task(
        "ten intents of BANKING77", "classify", tuple(map(Label, sorted(ten))),
        instruction="Which intent does the message have?", answer_name="Label",
    )  # fmt: skip
    tasks = {"sst2": films, "banking77": bank}
    return [case(tasks[name], data / name, count) for name in names]


def case(task: Task, folder: Path, count: int) -> Case:
    """As many labelled rows of each label, and test rows by chance."""
    parts = []
    for part in ("train", "test"):
        rows = [
            Example(f"{part}{i}", Input((("text", row["text"]),)), (row["label"],))
            for i, row in enumerate(read(folder / f"{part}.jsonl"))
            if row["label"] in task.label_names
        ]
        random.Random(SEED).shuffle(rows)
        parts.append(rows)
    each = LABELLED // len(task.labels)
    labelled = [
        row for name in task.label_names for row in [r for r in parts[0] if r.label == name][:each]
    ]
    random.Random(SEED).shuffle(labelled)
    return Case(task, tuple(labelled), tuple(parts[1][:count]))


# ------------------------------------------------------------------ DSPy's side


class Kept:
    """Answers of the model by prompt, on disk, and the tokens of all that is asked again."""

    def __init__(self, path: Path, model: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._model, self._bodies = path, model, dict[str, Any]()
        if path.exists():
            for text in path.read_text(encoding="utf-8").split("\n")[:-1]:
                with contextlib.suppress(ValueError):
                    key, body = json.loads(text)
                    self._bodies[key] = body
        self.tokens, self.calls = 0, 0

    def score(self, prompt: str, answers: Sequence[str]) -> list[float]:
        """Log-likelihoods of the answers."""

        def ask() -> Any:
            (scores,) = self._model.logprobs([prompt], [answers])
            return [scores.tokens_in, scores.logprobs.tolist()]

        return list(self._counted(digest(prompt, *answers), ask))

    def write(self, prompt: str, temperature: float, seed: int, most: int) -> str:
        """A text."""

        def ask() -> Any:
            how = Decoding(most, temperature, seed, ("\n\n",))
            (done,) = self._model.generate([prompt], how)
            return [done.tokens_in + done.tokens_out, done.text]

        return str(self._counted(digest(prompt, str((temperature, seed, most))), ask))

    def _counted(self, key: str, ask: Any) -> Any:
        if key not in self._bodies:
            self._bodies[key] = ask()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._bodies[key]], ensure_ascii=False) + "\n")
        tokens, body = self._bodies[key]
        self.tokens, self.calls = self.tokens + tokens, self.calls + 1
        return body


def dspy_side(dspy: Any, case: Case, kept: Kept) -> tuple[Any, Any]:
    """(signature of the task, its rows) for DSPy, whose model is `kept` from here on."""
    task = case.task
    answers = label_answers(task, FORMAT)

    class Short(dspy.Adapter):  # type: ignore[misc]
        """nshot's prompts for the task; of DSPy's own requests the fields, a line each."""

        def format(self, signature: Any, demos: Any, inputs: Any) -> Any:
            if set(signature.output_fields) == {"label"}:
                shown = tuple(
                    Example(str(i), row_input(demo["text"]), (demo["label"],))
                    for i, demo in enumerate(demos)
                )
                words = replace(task, instruction=signature.instructions)
                text = str(render(words, FORMAT, row_input(inputs["text"]), shown))
            else:
                lines = [f"{name}: {inputs[name]}" for name in signature.input_fields
                         if inputs.get(name)]  # fmt: skip
                last = list(signature.output_fields)[-1]
                text = "\n".join([signature.instructions, *lines, f"{last}:"])
            return [{"role": "user", "content": text}]

        def parse(self, signature: Any, completion: str) -> Any:
            return dict.fromkeys(signature.output_fields, completion.strip())

    class Scorer(dspy.BaseLM):  # type: ignore[misc]
        """The label that is likeliest; where no label is asked for, a text."""

        def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            text = messages[-1]["content"] if messages else prompt
            before = kept.tokens
            if text.endswith(f"\n{task.answer_name}:"):
                best = int(np.argmax(kept.score(text, answers)))
                content = task.label_names[best]
            else:
                heat = settings.get("temperature") or 0.0
                seed = settings.get("rollout_id") or 0
                content = kept.write(text, float(heat), int(seed), 64) or "-"
            message = SimpleNamespace(role="assistant", content=content)
            choice = SimpleNamespace(message=message, finish_reason="stop", index=0)
            usage = {"total_tokens": kept.tokens - before}
            return SimpleNamespace(choices=[choice], usage=usage, model="nshot")

    dspy.configure(lm=Scorer("nshot", cache=False), adapter=Short())
    fields = {
        "text": (str, dspy.InputField()),
        "label": (Literal[task.label_names], dspy.OutputField()),
    }
    signature = dspy.Signature(fields, task.instruction)
    rows = [
        dspy.Example(text=row.input.text, label=row.label).with_inputs("text")
        for row in case.labelled
    ]
    return signature, rows


def row_input(text: str) -> Input:
    """One text as a row has it."""
    return Input((("text", text),))


def by_dspy(name: str, case: Case, kept: Kept) -> dict[str, Any]:
    """What an optimiser of DSPy makes of the labelled rows: instruction and examples."""
    dspy = peers.dspy()
    signature, rows = dspy_side(dspy, case, kept)
    half = len(rows) // 2

    def right(row: Any, answer: Any, trace: Any = None) -> bool:
        return bool(row.label == answer.label)

    if name == "DSPy random search":
        optimiser = dspy.BootstrapFewShotWithRandomSearch(
            right, max_bootstrapped_demos=2, max_labeled_demos=SHOWN,
            num_candidate_programs=CANDIDATES, num_threads=1,
        )  # fmt: skip
        best = optimiser.compile(dspy.Predict(signature), trainset=rows[:half], valset=rows[half:])
    else:
        optimiser = dspy.MIPROv2(
            right, auto=None, num_candidates=CANDIDATES, max_bootstrapped_demos=2,
            max_labeled_demos=SHOWN, num_threads=1, seed=9,
        )  # fmt: skip
        best = optimiser.compile(
            dspy.Predict(signature), trainset=rows[:half], valset=rows[half:],
            num_trials=CANDIDATES + 2, minibatch=False, program_aware_proposer=False,
        )  # fmt: skip
    (predict,) = best.predictors()
    shown = [[demo["text"], demo["label"]] for demo in predict.demos]
    return {
        "instruction": predict.signature.instructions,
        "shown": shown,
        "tokens": kept.tokens,
        "calls": kept.calls,
    }


# ------------------------------------------------------------------ both sides


@dataclass(frozen=True)
class Answered:
    """Right or wrong by test row, as it is and, of DSPy's, with batch calibration."""

    tokens: int
    right: list[bool]
    calibrated: list[bool] | None
    note: str


def answered(name: str, case: Case, tokens: int, folder: Path) -> Answered:
    """One method's answers to the test rows; `tokens`: what nshot's search may spend."""
    models, base = open_models(), resolve(None, "lm")
    if name.startswith("DSPy"):
        kept = Kept(folder / "asked.jsonl", models.open(base))
        made = by_dspy(name, case, kept)
        shown = tuple(
            Example(str(i), row_input(text), (label,))
            for i, (text, label) in enumerate(made["shown"])
        )
        task = replace(case.task, instruction=made["instruction"])
        plain = Prompted(task, models, base, FORMAT, shown)
        texts = {text for text, _ in made["shown"]}
        others = [row.input for row in case.labelled if row.input.text not in texts][:32]
        same = plain.calibrate("batch", others)
        note = f"{len(shown)} examples; {made['instruction']}"
        return Answered(made["tokens"], right(plain, case), right(same, case), note)
    bench = Workbench(models, base, folder=folder, seed=SEED)
    method = ZeroShot() if name == "zero_shot" else PromptSearch(tokens=tokens)
    predictor = method.adapt(case.task, Shots(case.labelled), bench)
    note = next((one for one in bench.notes if one.startswith("searched ")), "")
    spent = re.search(r"in ([\d,]+) of", note)
    return Answered(
        int(spent[1].replace(",", "")) if spent else 0, right(predictor, case), None, note
    )


def right(predictor: Any, case: Case) -> list[bool]:
    """Of each test row, whether its answer is right."""
    answers: list[Prediction] = predictor.predict([row.input for row in case.test])
    return [one.answer == row.label for one, row in zip(answers, case.test, strict=True)]


def measured(
    out: Path, names: Sequence[str], count: int
) -> Iterator[tuple[Case, dict[str, Answered]]]:
    """Everything, what is there already from its file."""
    for one in cases(names, count):
        results = dict[str, Answered]()
        for name in METHODS:
            folder = out / digest(one.task.name, name, str(count))
            path = folder / "result.json"
            if not path.exists():
                peers = [r.tokens for n, r in results.items() if n.startswith("DSPy")]
                done = answered(name, one, min(peers, default=0) // 2, folder)
                write_atomic(path, json.dumps(done.__dict__, ensure_ascii=False, indent=1))
            results[name] = Answered(**json.loads(path.read_text(encoding="utf-8")))
            print(one.task.name, name, results[name].tokens, results[name].note, file=sys.stderr)
        yield one, results


def table(results: Sequence[tuple[Case, dict[str, Answered]]]) -> str:
    """Scores, tokens, and prompt_search less each of the others in pairs."""
    rows = [
        line("task", "method", "tokens of the search", "accuracy", "batch calibrated",
             "prompt_search less this, in pairs", "less it calibrated"),
        line("---", "---", "--:", "--:", "--:", "--:", "--:"),
    ]  # fmt: skip
    for one, by_name in results:
        ours = by_name["prompt_search"].right
        for name, result in by_name.items():
            is_ours = name == "prompt_search"
            rows.append(
                line(
                    one.task.name, name, f"{result.tokens:,}" if result.tokens else "–",
                    percent(result.right),
                    percent(result.calibrated) if result.calibrated else "–",
                    "–" if is_ours else paired(ours, result.right),
                    paired(ours, result.calibrated) if result.calibrated else "–",
                )
            )  # fmt: skip
    notes = [f"{one.task.name}: {r['prompt_search'].note}." for one, r in results]
    count = len(results[0][0].test)
    about = (
        f"SmolLM2-135M-Instruct, float32 on {machine.device()}; {LABELLED} labelled rows,"
        f" {count} test rows, seed {SEED}; % with half of a 95 % interval in pairs."
    )
    return "\n".join([*rows, "", about, "", *notes])


def percent(hits: Sequence[bool]) -> str:
    """As a share of 100."""
    return f"{100 * float(np.mean(hits)):.1f}"


def paired(ours: Sequence[bool], theirs: Sequence[bool]) -> str:
    """Difference of points in pairs with half of its 95 % interval."""
    points = np.array(ours, float) - np.array(theirs, float)
    half = 1.96 * float(points.std(ddof=1)) / math.sqrt(len(points))
    return f"{100 * float(points.mean()):+.1f} ± {100 * half:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "prompt-search")
    parser.add_argument("--test", type=int, default=100, help="test rows of each task")
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/benchmarks.md"
    )
    given = parser.parse_args()
    text = table(list(measured(given.out, given.tasks, given.test)))
    print(text)
    if given.write:
        write("prompt_search.py", text)


if __name__ == "__main__":
    main()
