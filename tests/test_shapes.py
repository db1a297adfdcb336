"""Shapes that later issues need, on a real Llama of two layers: nothing here is painted.

A policy with its reference, its reward and its value on one base; a student of a teacher's logits;
pairs under DPO's loss; a mixed batch over adapters; a stream; a row answered by its own runtime.
The methods are small, the parts, the loop, the workplace and the board are the real ones. A change
of contract that closes a door fails here first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from house import COLOURS, ENCODER, WORDS, House, colours, entry, fields, places
from nshot.bench.workbench import Workbench as Workplaceless
from nshot.board.schema import Wish
from nshot.core.types import Delta, Example, Input, ModelRef, Prediction, Shots, Split, Task
from nshot.methods.contract import Method, Workbench
from nshot.methods.spec import spec, spec_hash
from nshot.methods.table import Nested, Table
from nshot.methods.teaching import teach
from nshot.models import open_models
from nshot.models.base import Decoding, LanguageModel, Lent, LentModel, Models
from nshot.models.hf.tokens import rows as tokenised
from nshot.predictors import Predictor, load
from nshot.predictors.features import Encoded
from nshot.predictors.measure import answer
from nshot.predictors.nearest import Nearest, class_means
from nshot.predictors.prompted import Prompted
from nshot.predictors.ranker import Ranker
from nshot.predictors.scores import log_softmax
from nshot.prompts.render import answer_text, render
from nshot.training.data.answers import Answers, supervised
from nshot.training.forward import Whole
from nshot.training.learned import Fit
from nshot.training.loop import optimise
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.parts.adapter import Adapter
from nshot.training.recipe import Data, Lesson, Part, Recipe
from nshot.training.rows import Row, Schedule
from nshot.use.many import load as load_many
from tiny import tiny_llama


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    return partial(House.build, tmp_path, places(Tuned, DPO, PPO, Means))


def _base(bench: Workbench) -> ModelRef:
    assert bench.base is not None
    return bench.base


QUESTIONS = Task("ask", "generate", metric="exact_match", answer_name="Answer")
WORD = ("card", "film", "transfer", "late")


def asked(word: str) -> Input:
    return fields(text=f"a {word} is what")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("llama"))))


@dataclass(frozen=True)
class Pair:
    """Two answers to one question, the first preferred; `margin` is the reference's."""

    id: str
    chosen: Row
    rejected: Row
    margin: float

    @property
    def length(self) -> int:
        return self.chosen.length + self.rejected.length


@dataclass(frozen=True)
class Pairs(Data[Pair]):
    """Preferences, with what the model says of them before it is trained."""

    examples: tuple[Example, ...]

    def lesson(self, lent: Lent, room: int) -> Lesson[Pair]:
        assert isinstance(lent, LentModel)
        prompts = [render(QUESTIONS, "plain", e.input) for e in self.examples]
        answers = [[answer_text(a, "plain") for a in e.input.answers] for e in self.examples]
        scored = lent.logprobs(prompts, answers)
        coded = tokenised(lent.tokenizer, prompts, answers, room)
        return Lesson(
            [
                Pair(e.id, *(supervised(e.id, row.context, a) for a in row.answers), float(margin))
                for e, row, score in zip(self.examples, coded, scored, strict=True)
                for margin in [score.logprobs[0] - score.logprobs[1]]
            ]
        )

    def reader(self, module: Any, lesson: Any, part: Part, device: str, note: Any) -> Whole:
        return Whole(module, device)

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        ranked = Ranker(QUESTIONS, models, ref, per_byte=False)
        scores = [p.scores for p in ranked.predict([e.input for e in self.examples])]
        margins = np.array([first - second for first, second in scores])
        return Fit(float(np.log1p(np.exp(-margins)).mean()), float((margins > 0).mean()))


@dataclass(frozen=True)
class DPOLoss:
    """Rafailov et al. 2023, equation 7."""

    beta: float = 0.1

    def weight(self, rows: Sequence[Pair]) -> float:
        return float(len(rows))

    def total(self, model: Whole, rows: Sequence[Pair]) -> Tensor:
        chosen, rejected = (
            likelihoods(model, [getattr(row, which) for row in rows])
            for which in ("chosen", "rejected")
        )
        reference = torch.tensor([row.margin for row in rows])
        return -functional.logsigmoid(self.beta * (chosen - rejected - reference)).sum()


def likelihoods(model: Whole, rows: Sequence[Row]) -> Tensor:
    """(rows,) log-likelihoods of their targets."""
    targets = torch.tensor([target for row in rows for target in row.targets])
    tokens = -functional.cross_entropy(model.logits(rows), targets, reduction="none")
    return torch.stack([part.sum() for part in tokens.split([len(row.targets) for row in rows])])


def lora(name: str) -> Adapter:
    return Adapter(name, lambda lent: lora_config())


def lora_config() -> Any:
    from peft import LoraConfig

    return LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"])


class DPO(Method):
    """Any part with any data and any objective: pairs, and the loss of DPO."""

    name = "dpo"
    rung = "align"
    kinds = frozenset({"rank"})
    trains = "adapter"
    needs = frozenset({"score", "train"})
    steps: int = 60

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        schedule = Schedule(3e-2, epochs=self.steps, batch_size=4, max_steps=self.steps)
        recipe = Recipe(lora(self.name), Pairs(shots.preferences), DPOLoss(), schedule)
        return Ranker(task, bench.models, teach(recipe, _base(bench), bench), per_byte=False)


class Tuned(Method):
    """Supervised tuning, the start of a policy."""

    name = "tuned"
    rung = "finetune"
    kinds = frozenset({"generate"})
    trains = "adapter"
    needs = frozenset({"score", "train"})

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        data = Answers(task, "plain", shots.labelled)
        recipe = Recipe(lora(self.name), data, AnswerTokens(), Schedule(2e-2, 6, 4))
        return Prompted(task, bench.models, teach(recipe, _base(bench), bench), max_tokens=4)


@dataclass(frozen=True)
class Rollout:
    """What the policy wrote to a question: under whom how likely, and what it is worth."""

    id: str
    row: Row
    old: float
    reference: float
    reward: float

    @property
    def length(self) -> int:
        return self.row.length


class ActorCritic(torch.nn.Module):
    """The policy, and a value head on its last hidden state."""

    def __init__(self, policy: torch.nn.Module, width: int) -> None:
        super().__init__()
        self.policy, self.value = policy, torch.nn.Linear(width, 1)


@dataclass(frozen=True)
class PPOLoss:
    """Schulman et al. 2017, equation 7, one advantage an answer; the value's squared error."""

    clip: float = 0.2
    kl: float = 0.1

    def weight(self, rows: Sequence[Rollout]) -> float:
        return float(len(rows))

    def total(self, model: ActorCritic, rows: Sequence[Rollout]) -> Tensor:
        return torch.stack([self.one(model, rollout) for rollout in rows]).sum()

    def one(self, model: ActorCritic, rollout: Rollout) -> Tensor:
        row = rollout.row
        out = model.policy(torch.tensor([row.tokens]), output_hidden_states=True)
        logits = out.logits[0, list(row.points)]
        now = -functional.cross_entropy(logits, torch.tensor(row.targets), reduction="sum")
        worth = rollout.reward - self.kl * (rollout.old - rollout.reference)
        value = model.value(out.hidden_states[-1][0, row.points[0]]).squeeze()
        ratio, advantage = (now - rollout.old).exp(), worth - value.detach()
        clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
        return -torch.minimum(ratio * advantage, clipped * advantage) + (value - worth) ** 2


class PPO(Method):
    """A policy from a start and a reward: nested values, all of them on one base."""

    name = "ppo"
    rung = "align"
    kinds = frozenset({"generate"})
    trains = "adapter"
    needs = frozenset({"score", "train"})
    start: Nested
    reward: Nested
    steps: int = 2

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        start = bench.adapt("start", self.start, task, shots)
        reward = bench.adapt("reward", self.reward, replace(task, kind="rank"), shots)
        assert isinstance(start, Prompted)
        assert isinstance(reward, Ranker)
        (tuned,), (liked,) = start.ref.deltas, reward.ref.deltas
        questions = [e.input for e in shots.labelled[:4]]
        held = {"reference": tuned, "liked": liked}
        with bench.models.lend(_base(bench), adapters=held) as lent:
            policy = lent.load("policy", tuned, trainable=True)
            schedule = Schedule(1e-2, epochs=self.steps, batch_size=4, warmup=0)
            critic = ActorCritic(policy, policy.config.hidden_size)
            rollouts = self.rollouts(lent, task, questions)
            trace = optimise(
                critic, lambda: critic, rollouts, PPOLoss(), schedule, device=lent.device
            )
            bench.trained(trace.parameters)
            policy.save_pretrained(
                bench.folder, selected_adapters=["policy"], save_embedding_layers=False
            )
        delta = Delta("peft", str(bench.folder / "policy"), "policy")
        return replace(start, ref=replace(_base(bench), deltas=(delta,)))

    def rollouts(self, lent: LentModel, task: Task, questions: Sequence[Input]) -> list[Rollout]:
        """The policy answers, the reference and the reward say what they think of it."""
        prompts = [render(task, "plain", question) for question in questions]
        with lent.use("policy"):
            sampled = lent.generate(prompts, Decoding(max_tokens=3, temperature=1.0, seed=1))
            texts = [one.text or " x" for one in sampled]
            old = [one.logprobs[0] for one in lent.logprobs(prompts, [[text] for text in texts])]
        with lent.use("reference"):
            kept = [one.logprobs[0] for one in lent.logprobs(prompts, [[text] for text in texts])]
        with lent.use("liked"):
            good = [one.logprobs[0] for one in lent.logprobs(prompts, [[text] for text in texts])]
        with lent.bare():
            plain = [one.logprobs[0] for one in lent.logprobs(prompts, [[text] for text in texts])]
        coded = tokenised(lent.tokenizer, prompts, [[text] for text in texts], 128)
        return [
            Rollout(f"r{i}", supervised(f"r{i}", row.context, row.answers[0]), *scores)
            for i, (row, *scores) in enumerate(
                zip(coded, old, kept, np.subtract(good, plain).tolist(), strict=True)
            )
        ]


def likes() -> tuple[Example, ...]:
    return tuple(
        Example(
            f"l{i}",
            Input(fields=(("text", f"a {word} is what"),), answers=("dull", word)),
            grades=(1.0, 0.0),
        )
        for i, word in enumerate(WORD)
    )


def questions(count: int) -> tuple[Example, ...]:
    return tuple(
        Example(f"q{i}", asked(f"{WORD[i % 4]} {i}"), (WORD[i % 4],)) for i in range(count)
    )


def test_a_policy_its_reference_its_reward_and_its_value_on_one_base(
    house: Any, llama: ModelRef
) -> None:
    method = TABLE.build(
        {"method": "ppo", "start": {"method": "tuned"}, "reward": {"method": "dpo", "steps": 6}}
    )
    assert TABLE.build(spec(method)) == method, "the same nesting in JSON"
    rows = questions(28)
    split = Split(rows[:8], rows[8:], "file", "f", preferences=likes())
    there = house(QUESTIONS, split, llama)
    models = there.place.models
    before = models.fingerprint(llama)
    first = there.measure(method)
    assert models.fingerprint(llama) == before, "the base is as it was"
    nested = [job for job in there.place.store.jobs() if job[1] == "nested"]
    assert len(nested) == 2, "start and reward are jobs of their own"
    second = there.measure(method.model_copy(update={"steps": 8}))
    assert len([j for j in there.place.store.jobs() if j[1] == "nested"]) == 2, "not run again"
    assert second.build.seconds > second.build.spent_seconds, "charged though it was in the store"
    assert first.build.trained_params > 0
    start = there.measure(Tuned())
    answers = [[p.answer for p in m.predictions] for m in (start, first, second)]
    assert answers[1] != answers[0] or answers[2] != answers[0], "the policy moved"


TABLE = Table({cls.name: (lambda cls=cls: cls) for cls in (Tuned, DPO, PPO)})


def test_a_version_deep_inside_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    method = PPO(start=Tuned(), reward=DPO(steps=6))
    before = spec_hash(method)
    monkeypatch.setattr(Tuned, "version", 2)
    assert spec_hash(method) != before


def test_preferences_are_learned_from_pairs(house: Any, llama: ModelRef) -> None:
    """DPO's shape: LoRA, pairs and its loss, delivered, loaded and asked as a rank predictor."""
    task = replace(QUESTIONS, kind="rank", metric="pair_accuracy")
    split = Split(likes(), likes(), "file", "f", preferences=likes())
    there = house(task, split, llama)
    untrained = Ranker(task, there.place.models, llama, per_byte=False)
    before = [
        p.answer == e.input.answers[0]
        for e, p in zip(likes(), untrained.predict([e.input for e in likes()]), strict=True)
    ]
    measurement = there.measure(DPO())
    after = [
        p.answer == e.input.answers[0]
        for e, p in zip(there.place.setting.test, measurement.predictions, strict=True)
    ]
    assert sum(after) == len(after) > sum(before), "all pairs as people have them"
    there.measure(DPO(), "deliver")
    again = load(there.place.store.root / "winner", open_models())
    asked = [e.input for e in there.place.setting.test]
    assert again.predict(asked) == list(measurement.predictions)


@dataclass(frozen=True)
class Distil:
    """Hinton et al. 2015: the teacher's distribution at every token of the answers."""

    teacher: LanguageModel

    def weight(self, rows: Sequence[Row]) -> float:
        return float(sum(len(row.points) for row in rows))

    def total(self, model: Any, rows: Sequence[Row]) -> Tensor:
        aims = self.teacher.next_logits([r.tokens for r in rows], [r.points for r in rows])
        log_p = functional.log_softmax(model.logits(rows), dim=-1)
        goal = functional.softmax(torch.from_numpy(aims), dim=-1)
        return functional.kl_div(log_p, goal, reduction="sum")


class Student(Method):
    """A model that learns another's distribution over what it is asked."""

    name = "student"
    rung = "compress"
    kinds = frozenset({"generate"})
    trains = "adapter"
    needs = frozenset({"score", "train"})
    teacher: str

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        teacher = bench.models.open(ModelRef("hf", self.teacher))
        data = Answers(task, "plain", shots.labelled)
        base = _base(bench)
        with bench.models.lend(base) as lent:
            rows = data.lesson(lent, 128).rows
            module = lora(self.name).put_on(lent, bench.seed)
            trace = optimise(
                module, lambda: Whole(module, lent.device), rows, Distil(teacher),
                Schedule(2e-2, epochs=30, batch_size=4), device=lent.device,
            )  # fmt: skip
            bench.learned(trace.losses, ())
            delta = lora(self.name).save(lent, module, bench.folder)
        return Prompted(task, bench.models, replace(base, deltas=(delta,)), max_tokens=4)


def test_a_student_learns_the_logits_of_a_teacher(tmp_path: Path, llama: ModelRef) -> None:
    teacher = ModelRef("hf", str(tiny_llama(tmp_path / "teacher", layers=3, seed=7)))
    models, rows = open_models(), questions(8)
    bench = Workplaceless(models, llama, folder=tmp_path / "bench")
    predictor = Student(teacher=teacher.name).adapt(QUESTIONS, Shots(rows), bench)
    assert isinstance(predictor, Prompted)
    prompts = [render(QUESTIONS, "plain", row.input) for row in rows]
    before, after, goal = (
        log_softmax(models.open(ref).next_logits(prompts).astype(np.float64))
        for ref in (llama, predictor.ref, teacher)
    )
    apart = [float((np.exp(goal) * (goal - one)).sum(axis=1).mean()) for one in (before, after)]
    assert apart[1] < 0.7 * apart[0], "nearer to the teacher at what it was not taught: the prompts"
    assert bench.curve["train"][-1] < bench.curve["train"][0]


def test_a_mixed_batch_over_two_adapters_on_one_base(tmp_path: Path, llama: ModelRef) -> None:
    models, adapted = open_models(), {}
    for name, word in (("one", "card"), ("two", "film")):
        rows = tuple(replace(row, targets=(word,)) for row in questions(8))
        bench = Workplaceless(models, llama, folder=tmp_path / name)
        Tuned().adapt(QUESTIONS, Shots(rows), bench).save(tmp_path / f"saved-{name}")
        adapted[name] = tmp_path / f"saved-{name}"
    many = load_many(adapted, models)
    rows = [row.input.text for row in questions(12)]
    names = ["one", "two"] * 6
    mixed = many.predict(rows, names)
    apart = {
        name: load(folder, models).predict([q.input for q in questions(12)])
        for name, folder in adapted.items()
    }
    assert mixed == [apart[name][i] for i, name in enumerate(names)]
    assert apart["one"] != apart["two"], "each row was answered under its own adapter"


def test_a_text_comes_in_pieces(llama: ModelRef) -> None:
    model, how = open_models().open(llama), Decoding(max_tokens=12)
    (whole,) = model.generate(["Review: a warm"], how)
    stream = model.stream("Review: a warm", how)
    assert next(stream) == "", "it has joined"
    first = next(stream)
    assert first, "before the rest is written"
    assert first + "".join(stream) == whole.text
    early = model.stream("Review: a warm", how)
    assert next(early) == ""
    assert next(early)
    early.close()  # type: ignore[attr-defined]
    assert model.generate(["Review: a warm"], how) == [whole], "nothing is left on the model"


class Means(Method):
    """Class means."""

    name = "means"
    rung = "fewshot"
    trains = "head"
    needs_encoder = True

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        source = Encoded(bench.models, bench.encoder or ENCODER)
        vectors = source.read([example.input for example in shots.labelled]).matrix
        index = [task.label_names.index(example.label) for example in shots.labelled]
        return Nearest(task, source, class_means(vectors, np.array(index), len(task.labels)))


class Runtime:
    """Answers from an exported folder of JSON, with no code of a predictor's."""

    def __init__(self, folder: Path) -> None:
        self.means = json.loads((folder / "means.json").read_text())

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        return [self.one(Counter(input.text.split())) for input in inputs]

    def one(self, words: Counter[str]) -> Prediction:
        scores = [sum(words[w] * x for w, x in weights.items()) for weights in self.means.values()]
        return Prediction(list(self.means)[int(np.argmax(scores))], tuple(map(float, scores)))


def test_an_exported_row_is_answered_by_its_own_runtime(house: Any, tmp_path: Path) -> None:
    there = house(COLOURS, Split(colours(3, "a"), colours(20, "t"), "file", "f"))
    trained, shipped = there.measure(Means()), there.measure(Means(), do="deliver")
    assert shipped.form == "deployed"
    weights = {name: dict.fromkeys(WORDS[name].split(), 1.0) for name in COLOURS.label_names}
    (tmp_path / "means.json").write_text(json.dumps(weights))
    answered = answer(Runtime(tmp_path), COLOURS, there.place.setting.split.test)  # type: ignore[arg-type]
    exported = replace(
        shipped, form="json", ids=answered.ids, predictions=answered.predictions,
        statistics=answered.statistics, use=answered.use,
    )  # fmt: skip
    alone = there.board([entry(Means(), trained)])
    board = there.board([entry(Means(), trained)], [entry(Means(), exported, "json")])
    assert [row.form for row in board.rows] == ["trained", "json"]
    assert board.rows[1].parent == "means"
    assert board.rows[1].score == 1.0, "what the runtime answered, not what the method did"
    assert board.advice == alone.advice, "it takes no part in the choice"
    assert board.decide(Wish(prefer="serving")).pick == "means"
