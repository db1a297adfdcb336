"""Texts that join and leave a running batch are what each is alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_mount import adapter

from nshot.core.types import Delta, ModelRef
from nshot.models.base import Decoding
from nshot.models.hf import continuous
from nshot.models.hf.hf_engine import HFModels

SHOTS = "review : a film of great charm\nsentiment : positive\n\n"
PROMPTS = (
    f"{SHOTS}review : very good\nsentiment :",
    f"{SHOTS}review : a dull film\nsentiment :",
    "",
    "카드 수수료 é",
    "the quick brown fox jumps over the lazy dog . " * 2,
)
HOWS = (
    Decoding(9),
    Decoding(24, temperature=1.5, seed=3),
    Decoding(14, temperature=1.5, seed=4, stop=("e", "the dog")),
    Decoding(1),
    Decoding(30),
)


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture(scope="module")
def base(tiny: Callable[[str], Path]) -> ModelRef:
    return ModelRef("hf", str(tiny("llama")))


@pytest.fixture(scope="module")
def refs(
    models: HFModels, base: ModelRef, tmp_path_factory: pytest.TempPathFactory
) -> list[ModelRef]:
    """The base, two LoRA adapters and a soft prompt on it."""
    place = tmp_path_factory.mktemp("views")
    made = [base]
    for seed, (name, kind) in enumerate((("a", "lora"), ("b", "lora"), ("c", "prefix"))):
        adapter(models, base, kind, place / name, seed)
        made.append(ModelRef("hf", base.name, deltas=(Delta("peft", str(place / name)),)))
    return made


class Written:
    """A stream that is read when it is told to."""

    def __init__(self, models: HFModels, ref: ModelRef, prompt: str, how: Decoding) -> None:
        self.text, self.ended = "", False
        self.completion: object = None
        self._stream = models.open(ref).stream(prompt, how)
        self.expected = models.open(ref).generate([prompt], how)[0]

    def go_on(self) -> None:
        try:
            self.text += next(self._stream)
        except StopIteration as end:
            self.ended, self.completion = True, end.value

    def close(self) -> None:
        self._stream.close()
        self.ended = True


def to_their_ends(written: list[Written]) -> None:
    while going := [one for one in written if not one.ended]:
        for one in going:
            one.go_on()
    assert [one.completion for one in written] == [one.expected for one in written]
    assert [one.text for one in written] == [one.expected.text for one in written]


@settings(max_examples=6, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(PROMPTS), st.sampled_from(HOWS), st.integers(0, 6)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_each_text_is_what_it_is_alone(
    models: HFModels, refs: list[ModelRef], plan: list[tuple[int, str, Decoding, int]]
) -> None:
    """Of any views, with any settings, each joining so many pieces after the one before."""
    written: list[Written] = []
    for view, prompt, how, wait in plan:
        written.append(Written(models, refs[view], prompt, how))
        for _ in range(wait):
            for one in written:
                if not one.ended:
                    one.go_on()
    to_their_ends(written)


@pytest.fixture
def passes(models: HFModels, base: ModelRef) -> Iterator[list[int]]:
    """The rows of each pass of the model."""
    rows: list[int] = []
    models.open(base).generate(["x"], Decoding(1))  # a hook belongs to the view that is mounted
    module = models._resident(base).module
    hook = module.register_forward_pre_hook(
        lambda _, args, given: rows.append(len(given["input_ids"])), with_kwargs=True
    )
    yield rows
    hook.remove()


def test_five_texts_take_the_passes_of_one(
    models: HFModels, base: ModelRef, passes: list[int]
) -> None:
    how = Decoding(20, temperature=1.5, seed=3)
    lm = models.open(base)
    streams = [lm.stream(f"{PROMPTS[0]} {i}", how) for i in range(5)]
    for one in streams:
        assert next(one) == "", "it has joined"
    assert not passes, "no prompt is read before the others have come"
    while streams:
        streams = [one for one in streams if next(one, None) is not None]
    assert max(passes) == 5
    assert len(passes) <= 24, "twenty tokens, and what the prompts begin with"


def test_what_prompts_begin_with_is_read_once(
    models: HFModels, base: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for one that comes later."""
    lengths: list[int] = []
    really = continuous.read

    def noting(module: Any, tokens: Any, *more: Any, **given: Any) -> Any:
        lengths.append(len(tokens))
        return really(module, tokens, *more, **given)

    monkeypatch.setattr(continuous, "read", noting)
    how = Decoding(8, temperature=1.5, seed=1)
    first = Written(models, base, f"{SHOTS}{PROMPTS[0]}", how)
    first.go_on()
    second = Written(models, base, f"{SHOTS}{PROMPTS[1]}", how)
    to_their_ends([first, second])
    assert len(lengths) == 1


def test_one_that_is_closed_leaves_and_the_others_go_on(models: HFModels, base: ModelRef) -> None:
    how = Decoding(16, temperature=1.5, seed=5)
    written = [Written(models, base, prompt, how) for prompt in PROMPTS[:4]]
    for one in written:
        one.go_on()
    written[1].close()
    to_their_ends([written[0], *written[2:]])


def test_no_more_rows_than_allowed_and_the_others_wait(
    models: HFModels, base: ModelRef, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuous, "ROWS", 2)
    written = [
        Written(models, base, f"{prompt} x", Decoding(6, temperature=1.5, seed=5))
        for prompt in PROMPTS
    ]
    passes.clear()
    to_their_ends(written)
    assert max(passes) == 2
    monkeypatch.setattr(continuous, "CACHE_BYTES", 1)
    written = [Written(models, base, prompt, Decoding(6)) for prompt in PROMPTS]
    passes.clear()
    to_their_ends(written)
    assert max(passes) == 1, "one, where memory is for none"


@pytest.mark.parametrize("is_beside", [True, False], ids=["a text that runs", "alone"])
def test_a_pass_that_fails_ends_its_texts_and_later_ones_are_written(
    models: HFModels, base: ModelRef, is_beside: bool
) -> None:
    """Its pass, or the one that reads their prompts: whoever waits hears of either."""
    lm, how = models.open(base), Decoding(20, temperature=1.5, seed=3)
    running = [lm.stream(PROMPTS[2], how)] if is_beside else []
    for one in running:
        assert (next(one), bool(next(one))) == ("", True)
    streams = [lm.stream(prompt, how) for prompt in PROMPTS[:2]]
    for one in streams:
        next(one)
    streams += running

    def breaks(*_: Any) -> None:
        raise MemoryError("no room")

    hook = models._resident(base).module.register_forward_pre_hook(breaks)
    for one in streams:
        with pytest.raises(MemoryError, match="no room"):
            list(one)
    hook.remove()
    to_their_ends([Written(models, base, PROMPTS[0], how)])


def test_a_sliding_window_has_batches_of_its_own(
    models: HFModels, tiny: Callable[[str], Path]
) -> None:
    ref = ModelRef("hf", str(tiny("mistral")))
    how = Decoding(12, temperature=1.5, seed=3)
    written = [Written(models, ref, prompt, how) for prompt in PROMPTS[:3]]
    to_their_ends(written)
