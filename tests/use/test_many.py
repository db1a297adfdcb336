"""Several folders on one base: it is loaded once, and each row is answered as if alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nshot
from nshot.core.errors import InputError
from nshot.core.types import Delta, Example, Input, Label, ModelRef, Prediction, Task
from nshot.models.engines import Engines
from nshot.models.hf import mount
from nshot.models.hf.hf_engine import HFModels
from nshot.models.hf.resident import Resident
from nshot.predictors.base import Predictor
from nshot.predictors.features import HiddenStates
from nshot.predictors.label_head import LabelHead
from nshot.predictors.prompted import Prompted
from nshot.use.many import Many, load
from tiny import tiny_llama

FILMS = Task("films", "classify", (Label("positive"), Label("negative")))
CARDS = Task("cards", "classify", (Label("card arrival"), Label("late transfer"), Label("fees")),
             field_names=(("query", "Query"),), answer_name="Intent")  # fmt: skip
ECHO = Task("echo", "generate", answer_name="Answer")
TASKS = {"a": FILMS, "b": CARDS, "c": ECHO, "few_shot": FILMS, "probe": CARDS, "other": FILMS}
WORDS = ("warm", "funny", "dull film", "my card", "is late", "no transfer yet", "카드가 안 와요")


def adapter(models: HFModels, ref: ModelRef, folder: Path, seed: int) -> Delta:
    """A random LoRA adapter that changes the answers."""
    import torch
    from peft import LoraConfig, get_peft_model

    with models.lend(ref) as lent, torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"])
        module = get_peft_model(lent.module, config)
        for name, parameter in module.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.3)
        module.save_pretrained(folder)
    return Delta("peft", str(folder), str(seed))


def tuned(models: HFModels, ref: ModelRef, folder: Path, task: Task, seed: int) -> Prompted:
    delta = adapter(models, ref, folder, seed)
    return Prompted(task, models, ModelRef("hf", ref.name, deltas=(delta,)), max_tokens=6)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three LoRA folders, a prompt and a probe on one base, and a LoRA folder on another."""
    place = tmp_path_factory.mktemp("many")
    models = HFModels()
    ref, other = (
        ModelRef("hf", str(tiny_llama(place / name, seed=i))) for i, name in enumerate(("x", "y"))
    )
    demos = (Example("d", Input((("text", "a warm film"),)), ("positive",)),)
    draws = np.random.default_rng(0)
    made: dict[str, Predictor] = {
        **{
            name: tuned(models, ref, place / f"adapter-{name}", TASKS[name], i)
            for i, name in enumerate("abc")
        },
        "few_shot": Prompted(FILMS, models, ref, demos=demos),
        "probe": LabelHead(CARDS, HiddenStates(CARDS, models, ref, 1, "mean"),
                           draws.normal(size=(32, 3)), np.zeros(3)),
        "other": tuned(models, other, place / "adapter-other", FILMS, 9),
    }  # fmt: skip
    for name, predictor in made.items():
        predictor.save(place / name)
    return {name: place / name for name in made}


@pytest.fixture(scope="module")
def one(folders: dict[str, Path]) -> dict[str, Path]:
    """Those on one base."""
    return {name: folder for name, folder in folders.items() if name != "other"}


@pytest.fixture(scope="module")
def many(one: dict[str, Path]) -> Many:
    return nshot.load(one)


def rows(names: dict[str, Path], count: int) -> tuple[list[Any], list[str]]:
    """Inputs and whose they are, in no order."""
    rng = random.Random(0)
    asked, under = [], []
    for i in range(count):
        name = list(names)[i % len(names)]
        text = f"{WORDS[i % len(WORDS)]} {i}"
        asked.append({"query": text} if TASKS[name] == CARDS else text)
        under.append(name)
    order = rng.sample(range(count), count)
    return [asked[i] for i in order], [under[i] for i in order]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were read from disk, each time they were."""
    found: list[str] = []
    really = Resident._load

    def watched(base: Resident) -> None:
        found.append(base.ref.name)
        really(base)

    monkeypatch.setattr(Resident, "_load", watched)
    return found


def test_five_folders_on_one_base_load_it_once(one: dict[str, Path], loads: list[str]) -> None:
    models = Engines()
    shared = load(one, models)
    asked, under = rows(one, 25)
    for _ in range(2):
        shared.predict(asked, under)
    assert len(loads) == 1
    held = models.resident_bytes()
    assert held == bare(loads[0])
    assert len(held) == 1


def bare(name: str) -> dict[str, int]:
    """What a base takes by itself."""
    models = HFModels()
    models.open(ModelRef("hf", name))
    return models.resident_bytes()


def test_folders_on_two_bases_load_each_once(folders: dict[str, Path], loads: list[str]) -> None:
    asked, under = rows(folders, 24)
    load(folders).predict(asked, under)
    assert len(loads) == len(set(loads)) == 2


def test_each_row_is_answered_as_its_folder_alone_answers_it(
    folders: dict[str, Path],
) -> None:
    asked, under = rows(folders, 30)
    told = load(folders).predict(asked, under)
    for name, folder in folders.items():
        mine = [i for i, other in enumerate(under) if other == name]
        alone = nshot.load(folder).predict([asked[i] for i in mine])
        same([told[i] for i in mine], alone)


def same(some: Sequence[Prediction], others: Sequence[Prediction]) -> None:
    """The same answers, scores up to 1e-4."""
    for one, other in zip(some, others, strict=True):
        assert replace(one, scores=()) == replace(other, scores=())
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


def test_folders_on_one_base_are_asked_in_one_call(
    one: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what three folders score; what one alone writes or reads goes its own way."""
    opened: list[list[ModelRef]] = []
    really = HFModels.open_rows

    def noting(models: HFModels, refs: Sequence[ModelRef]) -> Any:
        opened.append(list(refs))
        return really(models, refs)

    monkeypatch.setattr(HFModels, "open_rows", noting)
    asked, under = rows(one, 25)
    load(one).predict(asked, under)
    (refs,) = opened
    assert len(refs) == sum(name in ("a", "b", "few_shot") for name in under)
    assert len(set(refs)) == 3


def test_adapters_differ_so_that_a_mistaken_one_would_show(many: Many) -> None:
    text = "a warm and funny film"
    a, few_shot = many.predict([text, text], under=["a", "few_shot"])
    assert a.scores != few_shot.scores
    assert abs(a.scores[0] - few_shot.scores[0]) > 1e-3


def test_one_by_one_and_in_any_order_it_says_the_same(many: Many, one: dict[str, Path]) -> None:
    asked, under = rows(one, 20)
    told = many.predict(asked, under)
    for i in range(len(asked)):
        (alone,) = many.predict([asked[i]], [under[i]])
        assert alone.answer == told[i].answer
        np.testing.assert_allclose(alone.scores, told[i].scores, atol=1e-4)
    back = many.predict(asked[::-1], under[::-1])[::-1]
    assert [p.answer for p in back] == [p.answer for p in told]
    for then, now in zip(told, back, strict=True):
        np.testing.assert_allclose(then.scores, now.scores, atol=1e-4)


def test_an_adapter_is_mounted_once_for_all_its_rows(
    one: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts: list[int] = []
    really = mount.mount

    def counting(module: Any, deltas: Sequence[Delta]) -> Any:
        mounts.append(len(deltas))
        return really(module, deltas)

    monkeypatch.setattr(mount, "mount", counting)
    asked, under = rows(one, 25)
    many = load(one)
    for _ in range(2):
        many.predict(asked, under)
    assert sum(mounts) == 2, "the first to be looked at, and the one that writes by itself"


def test_no_rows_and_folders_without_rows(many: Many) -> None:
    assert many.predict([], []) == []
    (told,) = many.predict([{"query": "my card"}], ["probe"])
    assert told.answer in CARDS.label_names


def test_every_unknown_name_and_every_input_that_cannot_be_read_is_told(many: Many) -> None:
    with pytest.raises(InputError) as caught:
        many.predict(["x", "y", {"text": "z"}, "v"], ["", "aa", "b", ""])
    told = str(caught.value)
    assert len(caught.value.faults) == 3
    assert "inputs 0, 3: unknown name ''" in told
    assert "inputs 1: unknown name 'aa'" in told
    assert "did you mean 'a'?" in told
    assert "one of: a, b, c, few_shot, probe" in told
    assert "input 2: no query in ['text']" in told
    with pytest.raises(InputError, match="1 names for 2 inputs"):
        many.predict(["x", "y"], ["a"])


def test_a_list_is_named_by_the_ends_of_its_paths(one: dict[str, Path], tmp_path: Path) -> None:
    assert list(load([str(one["a"]), str(one["probe"])]).tasks) == ["a", "probe"]
    for run in ("tickets", "films"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "winner").symlink_to(one["a"])
    places = [one["b"], tmp_path / "tickets" / "winner", tmp_path / "films" / "winner"]
    assert list(load(places).tasks) == ["b", "tickets/winner", "films/winner"]
    assert load((tmp_path / "tickets",)).tasks == {"tickets": FILMS}


def test_what_cannot_be_loaded_is_told_at_once(one: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load({"a": one["a"], "x": tmp_path / "x", "y": tmp_path / "y"})
    assert [fault.where for fault in caught.value.faults] == [str(tmp_path / n) for n in "xy"]
    with pytest.raises(InputError, match="named twice"):
        load([one["a"], one["a"]])
    with pytest.raises(InputError, match="no folder"):
        load({})


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["a", "b", "a/b", "b/a", "a/b/a", "c"]), unique=True, min_size=1))
def test_no_two_folders_have_one_name(places: list[str]) -> None:
    from nshot.use.many import unique_names

    named = unique_names([Path(place) for place in places])
    assert list(named.values()) == [Path(place) for place in places]
    for name, place in named.items():
        assert str(place.absolute()).endswith(name)
