"""Views stay mounted side by side, and threads may ask them at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_mount import KINDS, adapter, scores

from nshot.core.errors import NshotError
from nshot.core.types import Delta, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.hf import mount
from nshot.models.hf.resident import MOUNTED


@pytest.fixture
def ref(tiny: Callable[[str], Path]) -> ModelRef:
    return ModelRef("hf", str(tiny("llama")))


def view(ref: ModelRef, folder: Path) -> ModelRef:
    return ModelRef("hf", ref.name, deltas=(Delta("peft", str(folder)),))


def answers(lm: Any) -> list[Any]:
    prompts = ["review : very good\nsentiment :", "a film"]
    states = lm.hidden(prompts, [1, 3])
    texts = [c.text for c in lm.generate(prompts, Decoding(5, temperature=1.0))]
    return [scores(lm), states.last, states.mean, lm.next_logits(prompts), np.array(texts)]


def same(one: list[Any], other: list[Any]) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def test_a_view_asked_again_answers_as_a_fresh_one_does(ref: ModelRef, tmp_path: Path) -> None:
    """All kinds of adapters in turn, twice, each against a base that has seen no other."""
    maker, models = open_models(), open_models()
    for seed, kind in enumerate(KINDS):
        adapter(maker, ref, kind, tmp_path / kind, seed)
    fresh = {kind: answers(open_models().open(view(ref, tmp_path / kind))) for kind in KINDS}
    alone, named = answers(models.open(ref)), models.fingerprint(ref)
    for _ in range(2):
        for kind in KINDS:
            assert same(answers(models.open(view(ref, tmp_path / kind))), fresh[kind]), kind
            assert same(answers(models.open(ref)), alone), f"bare after {kind}"
    with models.lend(ref):
        pass
    assert same(answers(models.open(view(ref, tmp_path / "dora"))), fresh["dora"])
    assert models.fingerprint(ref) == named


def test_only_the_last_ones_stay_mounted(
    ref: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = open_models()
    adapter(models, ref, "lora", tmp_path / "0")
    for i in range(1, MOUNTED + 1):
        (tmp_path / str(i)).symlink_to(tmp_path / "0")
    mounts: list[Any] = []
    really = mount.mount
    monkeypatch.setattr(mount, "mount", lambda *a: (mounts.append(a), really(*a))[1])
    for i in [*range(MOUNTED), *range(MOUNTED)]:
        scores(models.open(view(ref, tmp_path / str(i))))
    assert len(mounts) == MOUNTED
    scores(models.open(view(ref, tmp_path / str(MOUNTED))))
    scores(models.open(view(ref, tmp_path / "1")))
    assert len(mounts) == MOUNTED + 1
    scores(models.open(view(ref, tmp_path / "0")))
    assert len(mounts) == MOUNTED + 2, "the one that was asked longest ago had gone"


def test_threads_get_the_answers_of_one_after_the_other(ref: ModelRef, tmp_path: Path) -> None:
    maker = open_models()
    refs = [ref]
    for seed, kind in enumerate(("lora", "prefix")):
        adapter(maker, ref, kind, tmp_path / kind, seed)
        refs.append(view(ref, tmp_path / kind))
    expected = [answers(maker.open(one)) for one in refs]
    models = open_models()
    with ThreadPoolExecutor(6) as threads:
        work = [threads.submit(lambda r=r: answers(models.open(r))) for r in refs * 4]
        for i, one in enumerate(work):
            assert same(one.result(timeout=120), expected[i % len(refs)])
    assert len(models.resident_bytes()) == 1, "opened once, though by six threads at a time"


def test_streams_of_two_threads_take_turns(ref: ModelRef, tmp_path: Path) -> None:
    models = open_models()
    adapter(models, ref, "lora", tmp_path)
    refs, how = [ref, view(ref, tmp_path)], Decoding(12, temperature=1.0, seed=5)
    expected = [models.open(one).generate(["a film"], how)[0].text for one in refs]
    with ThreadPoolExecutor(2) as threads:
        streams = [
            threads.submit(lambda r=r: "".join(models.open(r).stream("a film", how))) for r in refs
        ]
        assert [one.result(timeout=60) for one in streams] == expected


def test_who_asks_a_lent_base_is_refused_at_once_from_any_thread(ref: ModelRef) -> None:
    models = open_models()
    lm = models.open(ref)
    refusals: list[str] = []

    def ask() -> None:
        try:
            scores(lm)
        except NshotError as error:
            refusals.append(str(error))

    with models.lend(ref):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(30)
        assert not thread.is_alive(), "it would wait for the borrower, who may wait for it"
        assert lm.count(["a film"]) > [0]
    assert "is lent" in refusals[0]
    assert scores(lm).shape == (4, 3)
