"""Self-Instruct: a model writes new tasks after the pattern of a few that a person wrote.

Wang et al. 2022, https://arxiv.org/abs/2212.10560, as Alpaca used it (Taori et al. 2023): six seed
tasks and two of the model's own in each prompt; is it a classification; instances, label first for
classifications and input first otherwise; what is not new by ROUGE-L is thrown away.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from nshot.core.errors import EndpointRefused
from nshot.models.base import Completion, Decoding
from nshot.synthesis import prompts
from nshot.synthesis.generator import Generator
from nshot.synthesis.heuristics import instruction_fault, sound_instances
from nshot.synthesis.ledger import Answer
from nshot.synthesis.novelty import Earlier, Nearest
from nshot.synthesis.seeds import SeedTask

NOVEL = 0.7
"""An instruction is new when its ROUGE-L with every earlier one is below this."""
HUMAN, MACHINE = 6, 2
"""Demonstrations of a prompt for new instructions."""
PROMPTS = 4
"""Prompts for new instructions in a round."""
PATIENCE = 5
"""Rounds without a new task after which no more is expected."""
_SHOWN_INSTANCES = 3
_SHOWN_ANSWERS = 4
_SHORT = 600
"""Characters of a seed that is shown with its instance, at most, where shorter ones are there."""
_INSTRUCTION_TOKENS, _YES_NO_TOKENS, _INSTANCE_TOKENS = 320, 4, 400


@dataclass(frozen=True)
class MadeTask:
    """A new task with its instances, (input, output) each, and where it came from."""

    instruction: str
    instances: tuple[tuple[str, str], ...]
    classification: bool
    round: int
    request: str
    """The ledger's name of the request that proposed it."""
    nearest_seed: Nearest


@dataclass
class Made:
    """What has been made so far, and what was thrown away: reason -> count."""

    tasks: list[MadeTask] = field(default_factory=list)
    rounds: int = 0
    proposed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    spare: int = 0
    """New instructions of the last round for which no instance was wanted any more."""
    instances: int = 0
    rejected_instances: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    """Why there are fewer tasks than were wanted."""


@dataclass(frozen=True)
class _New:
    """An instruction that has passed the filters."""

    instruction: str
    request: str
    nearest_seed: Nearest


class SelfInstruct:
    """The bootstrap. `made` grows while `run` runs, and holds what there is if `run` raises.

    What is asked depends on the seeds, `seed` and the earlier answers alone, not on how many tasks
    are wanted: a run that goes on, or wants more, asks the same again and finds it in the ledger.
    """

    def __init__(
        self, seeds: Sequence[SeedTask], generator: Generator, seed: int, temperature: float
    ) -> None:
        self._seeds = list(seeds)
        self._generator = generator
        self._seed = seed
        self._temperature = temperature
        self._humans = Earlier([task.instruction for task in seeds])
        self._earlier = Earlier([task.instruction for task in seeds])
        self._machine: list[str] = []
        self.made = Made()

    def run(self, target: int) -> Made:
        """Make tasks until there are `target`, or nothing new comes any more."""
        barren = 0
        while len(self.made.tasks) < target and barren < PATIENCE:
            before = len(self.made.tasks)
            self.made.rounds += 1
            self._begin("new instructions", target)
            waiting = self._instructions()
            while waiting and (missing := target - len(self.made.tasks)):
                self._begin("instances", target)
                self._instances(waiting[:missing])
                waiting = waiting[missing:]
            self.made.spare = len(waiting)
            barren = 0 if len(self.made.tasks) > before else barren + 1
        if len(self.made.tasks) < target:
            self.made.stopped = f"{PATIENCE} rounds in a row brought no new task"
        return self.made

    def _begin(self, what: str, target: int) -> None:
        done = len(self.made.tasks)
        self._generator.begin(f"round {self.made.rounds}: {what}", done, target)

    def _instructions(self) -> list[_New]:
        """The instructions of a round that pass the filters."""
        shown = [self._shown(number) for number in range(PROMPTS)]
        requests = [prompts.more_tasks(tasks) for tasks in shown]
        how = Decoding(
            _INSTRUCTION_TOKENS,
            self._temperature,
            self._seed + self.made.rounds,
            prompts.stop_after(len(shown[0])),
        )
        heard = self._generator.ask(requests, how)
        new: list[_New] = []
        for prompt, answer in zip(requests, heard, strict=True):
            new += self._novel(answer, self._generator.key(prompt, how))
        return new

    def _shown(self, number: int) -> list[str]:
        """The instructions in one prompt, mixed: seeds, and some of the model's own."""
        rng = random.Random(f"demonstrations:{self._seed}:{self.made.rounds}:{number}")
        own = rng.sample(self._machine, min(MACHINE, len(self._machine)))
        human = min(HUMAN + MACHINE - len(own), len(self._seeds))
        seeds = [task.instruction for task in rng.sample(self._seeds, human)]
        return rng.sample([*seeds, *own], human + len(own))

    def _novel(self, answer: Answer, request: str) -> list[_New]:
        """The instructions of one answer that are kept; they are earlier ones from now on."""
        if isinstance(answer, EndpointRefused):
            self.made.rejected["refused by the endpoint"] += 1
            return []
        texts, cut = prompts.read_tasks(answer.text, answer.finished)
        self.made.proposed += len(texts) + cut
        self.made.rejected += Counter({"cut off": cut})
        new: list[_New] = []
        for text in texts:
            fault = instruction_fault(text)
            if fault is None and self._earlier.has_like(text, NOVEL):
                fault = f"like an earlier one (ROUGE-L {NOVEL} or more)"
            if fault is not None:
                self.made.rejected[fault] += 1
                continue
            self._earlier.add(text)
            self._machine.append(text)
            new.append(_New(text, request, self._humans.nearest(text)))
        return new

    def _instances(self, new: Sequence[_New]) -> None:
        """Ask for instances of instructions, and keep the tasks that have sound ones."""
        classification = self._classifications([one.instruction for one in new])
        how = Decoding(_INSTANCE_TOKENS, 0.0, self._seed, (prompts.STOP,))
        requests = [
            prompts.output_first(one.instruction, self._with_instances(True))
            if is_one
            else prompts.input_first(one.instruction, self._with_instances(False))
            for one, is_one in zip(new, classification, strict=True)
        ]
        heard = self._generator.ask(requests, how)
        for one, is_one, answer in zip(new, classification, heard, strict=True):
            if pairs := self._sound(answer, is_one):
                self.made.tasks.append(
                    MadeTask(
                        one.instruction,
                        tuple(pairs),
                        is_one,
                        self.made.rounds,
                        one.request,
                        one.nearest_seed,
                    )
                )
            else:
                self.made.rejected["no sound instance"] += 1

    def _sound(self, answer: Answer, classification: bool) -> list[tuple[str, str]]:
        """The instances in an answer that are kept: all of a classification, else the first."""
        if isinstance(answer, EndpointRefused):
            self.made.rejected_instances["refused by the endpoint"] += 1
            return []
        pairs = _pairs(answer, classification)
        self.made.instances += len(pairs)
        if not answer.finished and pairs:
            pairs = pairs[:-1]
            self.made.rejected_instances["cut off"] += 1
        kept, faults = sound_instances(pairs)
        self.made.rejected_instances += Counter(faults)
        return kept

    def _classifications(self, instructions: Sequence[str]) -> list[bool]:
        """Which of the tasks are classifications, as the model says after seeds of both kinds."""
        shown = self._of_both_kinds()
        kinds = {seed.classification for seed in shown}
        if len(kinds) < 2:
            return [kinds == {True}] * len(instructions)
        how = Decoding(_YES_NO_TOKENS, 0.0, self._seed, ("\n",))
        requests = [prompts.is_classification(text, shown) for text in instructions]
        heard = self._generator.ask(requests, how)
        return [
            isinstance(answer, Completion) and prompts.read_yes_no(answer.text) is True
            for answer in heard
        ]

    def _of_both_kinds(self) -> list[SeedTask]:
        """Seeds that are classifications and as many that are not, mixed; the same all along."""
        rng = random.Random(f"kinds:{self._seed}")
        chosen: list[SeedTask] = []
        for kind in (True, False):
            some = [seed for seed in self._seeds if seed.classification is kind]
            chosen += rng.sample(some, min(_SHOWN_ANSWERS, len(some)))
        return rng.sample(chosen, len(chosen))

    def _with_instances(self, classification: bool) -> list[SeedTask]:
        """Seeds of a kind that are shown with their instances: short ones; the same all along."""
        rng = random.Random(f"instances:{self._seed}")
        some = [seed for seed in self._seeds if seed.classification is classification]
        short = [seed for seed in some if _characters(seed) <= _SHORT]
        if len(short) >= _SHOWN_INSTANCES:
            return rng.sample(short, _SHOWN_INSTANCES)
        return sorted(some, key=_characters)[:_SHOWN_INSTANCES]


def _pairs(answer: Completion, classification: bool) -> list[tuple[str, str]]:
    if classification:
        return prompts.read_output_first(answer.text)
    return prompts.read_input_first(answer.text)


def _characters(seed: SeedTask) -> int:
    return len(seed.instruction) + len(seed.input) + len(seed.output)
