"""Shapes that later issues will need, driven through adapt, store, board, save and load.

The methods here are small, but the contracts, the worker, the store, the board and the predictors
are the real ones, on the fake engine. A change of contract that closes a door fails here first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nshot.bench.jobs.job import Job
from nshot.bench.jobs.place import Workplace
from nshot.bench.prepare import Prepared
from nshot.bench.request import Request
from nshot.bench.setting import Setting
from nshot.board.reduce import Entry, Facts, reduce
from nshot.board.schema import Board, Wish
from nshot.core.errors import CannotAdapt
from nshot.core.serial import from_data
from nshot.core.types import (
    Delta,
    Example,
    Input,
    Label,
    Measurement,
    ModelRef,
    Shots,
    Split,
    Task,
    Turn,
)
from nshot.methods.contract import Brief, Method, Nested, Rates, Table, Workbench, spec, spec_hash
from nshot.models import open_models
from nshot.predictors import Extends, Predictor, load
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import Nearest, class_means
from nshot.predictors.prompted import Prompted
from nshot.predictors.ranker import Ranker

SCORER = ModelRef("fake", "scorer")
REMOTE = ModelRef("fake", "remote")
ENCODER = ModelRef("fake", "encoder")


def fields(**texts: str) -> Input:
    return Input(fields=tuple(texts.items()))


class Show(Method):
    """A few-shot prompt with all labelled examples as demonstrations."""

    name = "show"
    rung = "prompt"
    kinds = frozenset({"classify", "generate"})
    needs = frozenset({"generate"})
    about = "all shots in the prompt"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return Prompted(task, bench.models, _base(bench), demos=shots.labelled[:8])


class Likely(Method):
    """Rank by log-likelihood; learns nothing."""

    name = "likely"
    rung = "align"
    kinds = frozenset({"rank"})
    needs = frozenset({"score"})
    learns = False

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return Ranker(task, bench.models, _base(bench))


class Means(Method):
    """Class means; with background classes the width is what they vary in."""

    name = "means"
    rung = "fewshot"
    trains = "head"
    needs_encoder = True
    background: bool = False

    def why_not(self, brief: Brief) -> str | None:
        if self.background and not brief.background:
            return "needs background classes"
        return super().why_not(brief)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        if self.background:
            other = {example.label for example in shots.background}
            if not other or other & set(task.label_names):
                raise CannotAdapt("background classes must be other than the task's labels")
            bench.note(f"background: {len(other)} classes")
        source = Encoded(bench.models, bench.encoder or ENCODER)
        vectors = source.read([example.input for example in shots.labelled]).matrix
        index = [task.label_names.index(example.label) for example in shots.labelled]
        means = class_means(vectors, np.array(index), len(task.labels))
        bench.trained(means.size)
        return Nearest(task, source, means)


class Reward(Method):
    """A reward model: ranks answers."""

    name = "reward"
    rung = "align"
    needs = frozenset({"score"})
    kinds = frozenset({"rank"})
    noise: float = 0.0

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        if not shots.preferences:
            raise CannotAdapt("no preferences to learn a reward from")
        bench.trained(7)
        return Ranker(task, bench.models, _base(bench), per_byte=False)


class Instruct(Method):
    """An instruction-tuned start, itself on an inner method."""

    name = "instruct"
    rung = "finetune"
    kinds = frozenset({"generate"})
    inner: Nested

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return bench.adapt("inner", self.inner, task, shots)


class PPO(Method):
    """A policy from a start and a reward: nested values, no pipeline engine."""

    name = "ppo"
    rung = "align"
    kinds = frozenset({"generate"})
    start: Nested
    reward: Nested
    steps: int = 1

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        start = bench.adapt("start", self.start, task, shots)
        judge_task = Task("judge", "rank", metric="pair_accuracy")
        judge = bench.adapt("reward", self.reward, judge_task, shots)
        asked = Input(fields=(("text", "which"),), answers=("a", "b"))
        if judge.predict([asked])[0].answer not in asked.answers:
            raise CannotAdapt("the reward model ranks nothing")
        return start


METHODS: Mapping[str, type[Method]] = {
    cls.name: cls for cls in (Show, Likely, Means, Reward, Instruct, PPO)
}
TABLE = Table({name: (lambda cls=cls: cls) for name, cls in METHODS.items()})


def _base(bench: Workbench) -> ModelRef:
    assert bench.base is not None
    return bench.base


@dataclass
class House:
    """A run folder with one task, and the real workplace over it, in this process."""

    place: Workplace
    prepared: Prepared

    def measure(self, method: Method, do: str = "measure") -> Measurement:
        setting = self.place.setting
        job = Job.of(do, method, None, 0, None, setting.base, setting.encoder)
        body = self.place.run(job)
        kept = self.place.store.get(job.name(self.place.context))
        assert kept == ("ok", body), "the store gives back what the job put there"
        return from_data(Measurement, body)

    def board(self, entries: Sequence[Entry], outside: Sequence[Entry] = ()) -> Board:
        facts = Facts(self.prepared.task, self.prepared.split, self.prepared.sizes, 1)
        return reduce(facts, entries, outside)


@pytest.fixture
def house(tmp_path: Path) -> Any:
    def build(task: Task, split: Split, base: ModelRef | None = SCORER) -> House:
        places = {name: f"{cls.__module__}:{cls.__qualname__}" for name, cls in METHODS.items()}
        setting = Setting(task, split, base, ENCODER, methods=places)
        setting.write(tmp_path)
        prepared = Prepared(Request("here"), setting, (), (None,), tmp_path)
        return House(Workplace(tmp_path), prepared)

    return build


def entry(method: Method, measurement: Measurement, form: str = "trained") -> Entry:
    parent = None if form == "trained" else method.name
    return Entry(method, measurements={None: [measurement]}, form=form, parent=parent)


COLOURS = Task("colours", "classify", (Label("red"), Label("green"), Label("blue")))
WORDS = {"red": "rose blood fire", "green": "grass leaf frog", "blue": "sky sea ice"}


def colours(count: int, prefix: str) -> tuple[Example, ...]:
    return tuple(
        Example(f"{prefix}{label}{i}", fields(text=f"{words.split()[i % 3]} {i}"), (label,))
        for label, words in WORDS.items()
        for i in range(count)
    )


def test_a_rank_task(house: Any, tmp_path: Path) -> None:
    pairs = tuple(
        Example(
            f"p{i}",
            Input(fields=(("text", f"say {word}"),), answers=(word, "nothing")),
            grades=(1.0, 0.0),
        )
        for i, word in enumerate(["alpha", "beta", "gamma", "delta"] * 15)
    )
    task = Task("pairs", "rank", metric="pair_accuracy")
    there = house(task, Split(pairs[:8], pairs[8:], "file", "f"))
    measurement = there.measure(Likely())
    assert measurement.unit == "pair"
    assert all(len(p.scores) == 2 for p in measurement.predictions)
    board = there.board([entry(Likely(), measurement)])
    assert board.advice.pick == "likely"
    assert board.rows[0].score > 0.9


def test_a_generate_task_with_several_references(house: Any) -> None:
    rows = tuple(
        Example(f"g{i}", fields(text=f"name thing {i % 4}"), (f"thing {i % 4}", f"it {i % 4}"))
        for i in range(60)
    )
    task = Task("names", "generate", metric="token_f1", answer_name="Answer")
    there = house(task, Split(rows[:8], rows[8:], "file", "f"))
    measurement = there.measure(Show())
    assert measurement.statistics[0] == (1.0,), "either reference counts in full"
    board = there.board([entry(Show(), measurement)])
    assert 0 < board.rows[0].score <= 1
    assert board.rows[0].tokens_per_request > 0


def test_a_row_with_two_text_fields(house: Any) -> None:
    task = Task(
        "nli", "classify", (Label("yes"), Label("no")), field_names=(("premise", "Premise"),)
    )
    rows = tuple(
        Example(f"n{i}", fields(premise=f"it rains {i}", hypothesis=said), (label,))
        for i in range(30)
        for said, label in (("wet", "yes"), ("dry", "no"))
    )
    there = house(task, Split(rows[:8], rows[8:], "file", "f"))
    prompt = Prompted(task, open_models(), SCORER).prompts([rows[0].input])[0]
    assert "Premise: it rains 0" in str(prompt)
    assert "wet" in str(prompt)
    board = there.board([entry(Means(), there.measure(Means()))])
    assert board.rows[0].status == "ok"


def test_three_deep_nesting_is_charged_in_full_and_spent_once(house: Any) -> None:
    method = TABLE.build(
        {
            "method": "ppo",
            "start": {"method": "instruct", "inner": {"method": "show"}},
            "reward": {"method": "reward", "noise": 0.5},
        }
    )
    assert isinstance(method, PPO)
    assert TABLE.build(spec(method)) == method, "the same nesting in JSON"
    rows = tuple(Example(f"q{i}", fields(text=f"w{i}"), (f"w{i}",)) for i in range(60))
    likes = tuple(
        Example(f"l{i}", Input(fields=(("text", "x"),), answers=("a", "b")), grades=(1.0, 0.0))
        for i in range(3)
    )
    task = Task("ask", "generate", metric="exact_match")
    there = house(task, Split(rows[:8], rows[8:], "file", "f", preferences=likes))
    first = there.measure(method)
    nested = [job for job in there.place.store.jobs() if job[1] == "nested"]
    assert len(nested) == 3, "start, its inner method, and the reward are jobs of their own"
    other = method.model_copy(update={"steps": 2})
    second = there.measure(other)
    assert len([j for j in there.place.store.jobs() if j[1] == "nested"]) == 3, "not run again"
    assert second.build.trained_params == first.build.trained_params == 7
    assert second.build.seconds > second.build.spent_seconds, "charged though it was in the store"
    assert spec_hash(other) != spec_hash(method)


def test_a_version_deep_inside_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    method = PPO(start=Instruct(inner=Show()), reward=Reward())
    before = spec_hash(method)
    monkeypatch.setattr(Show, "version", 2)
    assert spec_hash(method) != before


def test_a_learner_with_background_classes(house: Any) -> None:
    background = tuple(
        Example(f"b{i}", fields(text=f"note {i}"), (f"other{i % 5}",)) for i in range(20)
    )
    split = Split(colours(3, "a"), colours(20, "t"), "file", "f", background=background)
    measurement = house(COLOURS, split).measure(Means(background=True))
    assert "background: 5 classes" in measurement.notes
    bare = house(COLOURS, Split(colours(3, "a"), colours(20, "t"), "file", "f"))
    with pytest.raises(CannotAdapt, match="other than the task's"):
        bare.measure(Means(background=True))
    assert Means(background=True).why_not(_brief()) == "needs background classes"


def test_an_extend_changes_no_old_prototype(house: Any, tmp_path: Path) -> None:
    there = house(COLOURS, Split(colours(3, "a"), colours(20, "t"), "file", "f"))
    there.measure(Means(), do="deliver")
    winner = load(tmp_path / "winner", open_models())
    assert isinstance(winner, Extends)
    new = [Example("x", fields(text="banana lemon sun"), ("yellow",))]
    grown = winner.extend(new)
    assert grown.task.label_names == ("red", "green", "blue", "yellow")
    assert grown.predict([new[0].input])[0].answer == "yellow"
    grown.save(tmp_path / "grown")
    again = load(tmp_path / "grown", open_models())
    old = winner.prototypes.tobytes()  # type: ignore[attr-defined]
    assert again.prototypes[:3].tobytes() == old  # type: ignore[attr-defined]


def test_a_remote_model_that_cannot_score(house: Any, tmp_path: Path) -> None:
    split = Split(colours(3, "a"), colours(20, "t"), "file", "f")
    there = house(COLOURS, split, REMOTE)
    assert Likely().why_not(_brief(abilities={"generate"})) is not None
    measurement = there.measure(Show())
    assert {p.scores for p in measurement.predictions} == {()}, "it writes, it does not score"
    assert {p.answer for p in measurement.predictions} <= {"red", "green", "blue", ""}
    row = there.board([entry(Show(), measurement)]).rows[0]
    assert row.score > 0.5


def test_an_exported_row_has_a_parent_and_no_part_in_the_choice(house: Any) -> None:
    there = house(COLOURS, Split(colours(3, "a"), colours(20, "t"), "file", "f"))
    trained, shipped = there.measure(Means()), there.measure(Means(), do="deliver")
    assert shipped.form == "deployed"
    alone = there.board([entry(Means(), trained)])
    board = there.board([entry(Means(), trained)], [entry(Means(), shipped, "gguf:Q4_0")])
    assert [row.form for row in board.rows] == ["trained", "gguf:Q4_0"]
    assert board.rows[1].parent == "means"
    assert board.advice == alone.advice
    assert board.decide(Wish(prefer="serving")).pick == "means"


def test_a_mixed_batch_over_two_adapters_on_one_base(tmp_path: Path) -> None:
    models = open_models()
    adapted = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "adapter_config.json").write_text("{}")
        ref = ModelRef("fake", "scorer", deltas=(Delta("peft", str(folder), name),))
        Prompted(COLOURS, models, ref).save(tmp_path / f"saved-{name}")
        adapted.append(load(tmp_path / f"saved-{name}", models))
    rows = [(i % 2, fields(text=f"thing number {i}")) for i in range(40)]
    apart = [p.predict([r for k, r in rows if k == which]) for which, p in enumerate(adapted)]
    mixed = [adapted[which].predict([row])[0] for which, row in rows]
    assert mixed == [apart[which][i // 2] for i, (which, _) in enumerate(rows)]
    assert apart[0] != apart[1], "each row was answered under its own adapter"


def test_turns_and_images_have_a_place() -> None:
    chat = Input(turns=(Turn("user", "hello"), Turn("assistant", "yes?"), Turn("user", "red")))
    assert Prompted(COLOURS, open_models(), SCORER).predict([chat])[0].answer in WORDS
    assert chat.text == "hello\nyes?\nred"


def _brief(abilities: set[Any] | None = None) -> Brief:
    return Brief(
        task=COLOURS, labelled=9, unlabelled=0, per_label=3, test=60, tokens=5, longest=9,
        base=SCORER, abilities=frozenset(abilities or {"score", "generate"}), context=4096,
        layers=4, encoder=ENCODER, rates=Rates(1e3, 3e2, 1e4),
    )  # fmt: skip
