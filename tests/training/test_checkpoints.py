"""Killed at any moment and started again, a training ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nshot.training.checkpoints import Checkpoints, Position
from tiny import tiny_llama

PROGRAM = """
import os, sys, time
from pathlib import Path
import safetensors.torch as st
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
from nshot.training.checkpoints import Checkpoints
from nshot.training.forward import reader
from nshot.training.loop import optimise
from nshot.training.rows import Schedule
from nshot.training.data.answers import supervised
from nshot.training.objectives.nll import AnswerTokens

torch.set_num_threads(1)
ordinary = st.save_file

def say(*words):
    print(*words, flush=True)

def run(model, place, slow):
    def halting(tensors, path, metadata=None):
        ordinary(tensors, path, metadata=metadata)
        whole = Path(path).read_bytes()
        Path(path).write_bytes(whole[: len(whole) // 2])
        say("writing")
        time.sleep(slow)
        Path(path).write_bytes(whole)
        time.sleep(slow)

    def shown(done, total):
        say("step", done)
        time.sleep(slow)

    if slow:
        st.save_file = halting
    module = AutoModelForCausalLM.from_pretrained(model)
    torch.manual_seed(0)
    settings = dict(r=4, target_modules="all-linear", lora_dropout=0.3)
    module = get_peft_model(module, LoraConfig(task_type="CAUSAL_LM", **settings))
    rows = [
        supervised(f"r{i}", tuple((i * 7 + j) % 300 for j in range(4 + i % 9)), (i % 300, 5))
        for i in range(14)
    ]
    kept = Checkpoints(Path(place) / "checkpoint", every=2)
    schedule = Schedule(5e-3, epochs=4, batch_size=4, seed=3)
    trace = optimise(
        module, lambda: reader(module, rows, None, "cpu"), rows, AnswerTokens(), schedule,
        device="cpu", checkpoints=kept, progress=shown,
    )
    trained = {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}
    trained["losses"] = torch.tensor(trace.losses, dtype=torch.float64)
    ordinary(trained, Path(place) / "end.safetensors")
    say("resumed", trace.resumed)

# One process that has imported everything, and a fresh child of it for every training.
for line in sys.stdin:
    model, place, slow = line.split("|")
    child = os.fork()
    if not child:
        try:
            run(model, place, float(slow))
        finally:
            os._exit(0)
    say("child", child)
    os.waitpid(child, 0)
    say("gone")
"""
STEPS = 16


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


class Trainings:
    """Starts trainings in processes of their own."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self.parent = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        )

    def lines(self, place: Path, slow: float):
        """What a new training says, line by line, until it is gone."""
        place.mkdir(parents=True, exist_ok=True)
        self.parent.stdin.write(f"{self.model}|{place}|{slow}\n")
        self.parent.stdin.flush()
        for line in self.parent.stdout:
            if line == "gone\n":
                return
            yield line.split()

    def finish(self, place: Path) -> int:
        """Run to the end; the step it was taken up at."""
        said = [words[1] for words in self.lines(place, 0) if words[0] == "resumed"]
        return int(said[0])

    def kill(self, place: Path, at: str, after: float, slow: float) -> None:
        """Start one, and kill -9 it some seconds after it says `at`."""
        child = None
        for words in self.lines(place, slow):
            child = int(words[1]) if words[0] == "child" else child
            if words == at.split():
                time.sleep(after)
                os.kill(child, signal.SIGKILL)
                at = "killed"
        assert at == "killed"


@pytest.fixture(scope="module")
def trainings(model):
    started = Trainings(model)
    yield started
    started.parent.stdin.close()
    started.parent.stdout.close()
    started.parent.wait(60)


def test_killed_and_resumed_gives_the_same_bytes(trainings, tmp_path):
    assert trainings.finish(tmp_path / "whole") == 0
    expected = (tmp_path / "whole" / "end.safetensors").read_bytes()

    place = tmp_path / "killed"
    # In a step, in the middle of a write (half a file), and between the write and its rename.
    for at, after in [("step 3", 0.02), ("writing", 0.0), ("writing", 0.15)]:
        trainings.kill(place, at, after, slow=0.1)
        assert not (place / "end.safetensors").exists()
    assert trainings.finish(place) >= 2
    assert (place / "end.safetensors").read_bytes() == expected
    assert not list((place / "checkpoint").glob("*.tmp"))


@pytest.mark.full
def test_killed_at_many_moments(trainings, tmp_path):
    trainings.finish(tmp_path / "whole")
    expected = (tmp_path / "whole" / "end.safetensors").read_bytes()
    rng = random.Random(1)
    for moment in range(10):
        place = tmp_path / f"killed-{moment}"
        at = rng.choice(["writing", f"step {rng.randrange(1, STEPS - 4)}"])
        trainings.kill(place, at, rng.uniform(0, 0.1), slow=0.03)
        trainings.finish(place)
        assert (place / "end.safetensors").read_bytes() == expected, (at, moment)


def a_position(identity: str = "a", step: int = 2) -> Position:
    return Position(identity, step, 4, (0.1, 1 / 3))


def test_what_is_saved_is_what_is_loaded(tmp_path):
    kept = Checkpoints(tmp_path)
    tensors = {"a": torch.arange(6).reshape(2, 3).T, "random": torch.get_rng_state()}
    kept.save(a_position(), tensors)
    position, found = kept.load("a")
    assert position == a_position()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_another_trainings_checkpoint_is_not_taken_up(tmp_path):
    Checkpoints(tmp_path).save(a_position("a"), {"a": torch.zeros(1)})
    assert Checkpoints(tmp_path).load("b") is None


def test_there_is_one_file_and_nothing_that_can_run_code(tmp_path):
    kept = Checkpoints(tmp_path)
    for step in (2, 4):
        kept.save(a_position(step=step), {"a": torch.full((3,), float(step))})
    (file,) = tmp_path.iterdir()
    assert load_file(file)["a"].tolist() == [4.0, 4.0, 4.0]
    kept.forget()
    assert kept.load("a") is None


def test_it_is_due_every_so_many_steps_but_not_at_the_end(tmp_path):
    kept = Checkpoints(tmp_path, every=5)
    assert [step for step in range(1, 21) if kept.due(step, 20)] == [5, 10, 15]
    assert not any(kept.due(step, 5) for step in range(1, 6))


def test_another_schedule_is_another_training(model, tmp_path):
    """The identity holds schedule, rows and parameters: no stale file is mistaken for one's own."""
    from dataclasses import replace

    from transformers import AutoModelForCausalLM
    from tuning import train

    from nshot.training.data.answers import supervised
    from nshot.training.objectives.nll import AnswerTokens
    from nshot.training.rows import Schedule

    rows = [supervised(f"r{i}", (1, 2, 3 + i), (9,)) for i in range(6)]
    schedule = Schedule(1e-3, epochs=2, batch_size=2)

    def resumed(schedule, rows):
        module = AutoModelForCausalLM.from_pretrained(model)
        return train(
            module,
            rows,
            AnswerTokens(),
            schedule,
            checkpoints=Checkpoints(tmp_path, every=4),
        ).resumed

    assert resumed(schedule, rows) == 0
    assert resumed(schedule, rows) == 4
    assert resumed(replace(schedule, learning_rate=2e-3), rows) == 0
    assert resumed(schedule, rows) == 0
    assert resumed(schedule, [*rows[:-1], replace(rows[-1], targets=(8,))]) == 0
