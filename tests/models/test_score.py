"""The scoring engine gives the scores of a plain forward pass, on every architecture."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef, Turn
from nshot.models import open_models
from nshot.models.hf.cache import NOTHING, read
from nshot.models.hf.score import PACK, Scorer, agrees, plain
from nshot.models.hf.tokens import Row, rows, shared
from nshot.models.hf.tree import Query, Tree

WORDS = ["the", "quick", "brown", "fox", "over", "a", "lazy", "dog", "film", "good", "bad", "dull"]
SHOTS = "review : a film of great charm\nsentiment : positive\n\nreview : very dull\nsentiment : "
PACKED = ("llama", "qwen3", "gemma3", "mistral", "gpt2")


def some_prompts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    shots = SHOTS * 2 + "negative\n\n"
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(count)]
    return [f"{shots}review : {text}\nsentiment :" for text in texts]


ANSWERS = (" positive", " negative", " very good", " very bad", " good")


def naive(module: Any, row: Row) -> list[float]:
    """One forward pass over the whole of every prompt with every answer."""
    sums = []
    for answer in row.answers:
        ids = torch.tensor([row.context + answer])
        with torch.no_grad():
            logprobs = module(input_ids=ids, use_cache=False).logits[0].double().log_softmax(-1)
        at = range(len(row.context), ids.shape[1])
        sums.append(sum(float(logprobs[t - 1, ids[0, t]]) for t in at))
    return sums


def opened(folder: Path) -> Any:
    return open_models().open(ModelRef("hf", str(folder)))


def expected(lm: Any, prompts: Sequence[str], answers: Sequence[Sequence[str]]) -> list[Any]:
    base = lm._base
    return [naive(base.module, r) for r in rows(base.tokenizer, prompts, answers, lm.facts.context)]


@pytest.mark.parametrize("kind", [*PACKED, "bloom", "mamba"])
def test_every_architecture_scores_like_a_plain_forward(
    kind: str, tiny: Callable[[str], Path]
) -> None:
    lm = opened(tiny(kind))
    prompts = some_prompts(7)
    answers = [ANSWERS[: 2 + i % 4] for i in range(7)]
    found = lm.logprobs(prompts, answers)
    for scores, sums in zip(found, expected(lm, prompts, answers), strict=True):
        np.testing.assert_allclose(scores.logprobs, sums, atol=1e-4)
    assert all(lm._base.agreed.values()) == (kind in PACKED)
    assert np.ptp(found[0].logprobs) > 0.1, "a model that likes all answers alike proves nothing"


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_a_row_scores_alike_in_any_company(kind: str, tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny(kind))
    prompts = some_prompts(9)
    together = lm.logprobs(prompts, [ANSWERS] * 9)
    order = random.Random(1).sample(range(9), 9)
    shuffled = lm.logprobs([prompts[i] for i in order], [ANSWERS] * 9)
    for place, i in enumerate(order):
        alone = lm.logprobs([prompts[i]], [ANSWERS])[0].logprobs
        np.testing.assert_allclose(together[i].logprobs, alone, atol=1e-4)
        np.testing.assert_allclose(shuffled[place].logprobs, alone, atol=1e-4)


tokens = st.lists(st.integers(2, 5), min_size=1, max_size=12).map(tuple)


@st.composite
def asked_lists(draw: st.DrawFn) -> list[Query]:
    """Sequences over four tokens, so that starts are shared, nested and repeated all the time."""
    start = draw(st.lists(st.integers(2, 5), min_size=1, max_size=40).map(tuple))
    wild = draw(st.booleans())
    found = []
    for rest in draw(st.lists(tokens, min_size=1, max_size=12)):
        kept = draw(st.one_of(st.just(len(start)), st.integers(1, len(start))))
        whole = start[:kept] + rest
        found.append(Query(whole, draw(st.integers(1 if wild else kept, len(whole)))))
    return list(dict.fromkeys(found))


@st.composite
def forests(draw: st.DrawFn) -> list[Query]:
    """Bushy branches on one start, each worth holding, and some as deep as their neighbour."""
    start = draw(st.lists(st.integers(2, 5), min_size=1, max_size=4).map(tuple))
    found = []
    for first in range(2, 2 + draw(st.integers(2, 3))):
        branch = (*start, *[first] * draw(st.sampled_from([18, 19])))
        for next_one in range(2, 2 + draw(st.integers(4, 16))):
            whole = (*branch, next_one, *draw(st.lists(st.integers(2, 5), max_size=4)), 5)
            found.append(Query(whole, len(branch)))
    return list(dict.fromkeys(found))


@pytest.fixture(scope="session")
def llama(tiny: Callable[[str], Path]) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny("llama")).eval()


@pytest.fixture(scope="session")
def gemma(tiny: Callable[[str], Path]) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny("gemma3")).eval()


@settings(max_examples=40, deadline=None)
@given(
    asked=asked_lists() | forests(),
    budget=st.sampled_from([1, 8, 24, 40, PACK]),
    soft=st.integers(0, 5),
)
def test_random_trees_score_like_whole_sequences(
    llama: Any, gemma: Any, asked: list[Query], budget: int, soft: int
) -> None:
    for module in (llama, gemma if not soft else llama):
        with torch.inference_mode():
            prefix = read(module, [3] * soft, NOTHING, 64) if soft else NOTHING
        sums = Scorer(module, prefix, budget).score(asked)
        np.testing.assert_allclose(sums, plain(module, asked, prefix), atol=1e-4)
        if not soft:
            wanted = [
                naive(module, Row(a.tokens[: a.start], (a.tokens[a.start :],))) for a in asked
            ]
            np.testing.assert_allclose(sums, np.ravel(wanted), atol=1e-4)


@settings(max_examples=150, deadline=None)
@given(asked=asked_lists() | forests(), budget=st.integers(1, 64))
def test_a_plan_reads_every_sequence_once_within_the_budget(
    asked: list[Query], budget: int
) -> None:
    tree = Tree(asked)
    packs = tree.plan(budget)
    assert [i for p in packs for i in range(p.begin, p.end)] == list(range(len(tree.fed)))
    for pack in packs:
        branch = tree.branch(pack)
        inside = tree.fed[pack.begin : pack.end]
        assert len({fed[: pack.depth] for fed in inside}) == 1
        assert len(branch.tokens) == tree.size(pack.begin, pack.end, pack.depth)
        nodes = {fed[:n] for fed in inside for n in range(pack.depth + 1, len(fed) + 1)}
        assert len(nodes) == len(branch.tokens), "a common start stands once in a pack"
        assert len(branch.tokens) <= budget or pack.end - pack.begin == 1


def test_what_rows_share_is_read_once(tiny: Callable[[str], Path]) -> None:
    """The tokens that pass through the model: once the common start, then what differs."""
    lm = opened(tiny("llama"))
    prompts = some_prompts(40)
    lm.logprobs(prompts[:3], [ANSWERS[:2]] * 3)
    read_tokens = []
    embed = lm._base.module.get_input_embeddings()
    hook = embed.register_forward_hook(lambda _m, ids, _o: read_tokens.append(ids[0].numel()))
    lm.logprobs(prompts, [ANSWERS[:2]] * 40)
    hook.remove()
    asked = rows(lm._base.tokenizer, prompts, [ANSWERS[:2]] * 40, 256)
    distinct = {(r.context + a)[:n] for r in asked for a in r.answers
                for n in range(1, len(r.context + a))}  # fmt: skip
    assert sum(read_tokens) <= 1.1 * len(distinct)
    assert sum(read_tokens) < sum(r.tokens_in for r in asked) / 3


def test_equal_rows_are_scored_once_and_alike(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    prompts = [some_prompts(1)[0]] * 5
    found = lm.logprobs(prompts, [ANSWERS] * 5)
    assert all((s.logprobs == found[0].logprobs).all() for s in found)


def test_an_answer_that_grows_into_the_prompt_is_scored_from_where_it_does(
    tiny: Callable[[str], Path],
) -> None:
    """With a space at the end of the prompt, ' positive' is one token that begins inside it."""
    lm = opened(tiny("llama"))
    tokenizer = lm._base.tokenizer
    prompt, answers = "sentiment : ", ["positive", "negative"]
    (row,) = rows(tokenizer, [prompt], [answers], 256)
    whole = [tuple(tokenizer(prompt + a)["input_ids"]) for a in answers]
    assert [row.context + a for a in row.answers] == whole
    assert len(row.context) < len(tokenizer(prompt)["input_ids"])
    found = lm.logprobs([prompt], [answers])[0].logprobs
    np.testing.assert_allclose(found, naive(lm._base.module, row), atol=1e-4)


def test_nested_empty_and_missing_answers(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    answers = [[" card", " card payment", " card payment lost", ""], [], [" card"]]
    prompts = ["query : x\nintent :", "nothing asked", ""]
    found = lm.logprobs(prompts, answers)
    assert [len(s.logprobs) for s in found] == [4, 0, 1]
    for scores, sums in zip(found, expected(lm, prompts, answers), strict=True):
        np.testing.assert_allclose(scores.logprobs, sums, atol=1e-4)
    assert lm.logprobs([], []) == []


def test_turns_go_through_the_chat_template(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    turns = (Turn("system", "be good"), Turn("user", "review : bad"))
    text = "<s>system: be good\n<s>user: review : bad\n<s>assistant:"
    (chat,) = lm.logprobs([turns], [ANSWERS])
    texts = [text, *(text + answer for answer in ANSWERS)]
    whole = [tuple(ids) for ids in lm._base.tokenizer(texts)["input_ids"]]
    start = min(shared(whole[0], ids) for ids in whole[1:])
    row = Row(whole[0][:start], tuple(ids[start:] for ids in whole[1:]))
    np.testing.assert_allclose(chat.logprobs, naive(lm._base.module, row), atol=1e-4)


def test_a_prompt_too_long_is_cut_from_the_left(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    prompt = (Turn("user", " ".join(WORDS * 40) + "\nsentiment :"),)
    scores, short = lm.logprobs([prompt, "sentiment :"], [ANSWERS] * 2)
    assert scores.cut
    assert not short.cut
    (row,) = rows(lm._base.tokenizer, [prompt], [ANSWERS], lm.facts.context)
    written = f"<s>user: {prompt[0].text}\n<s>assistant:{ANSWERS[0]}"
    whole = lm._base.tokenizer(written)["input_ids"]
    assert len(row.context) + max(map(len, row.answers)) == lm.facts.context
    assert row.context[0] == 0, "the start token stays"
    kept = row.context[1:] + row.answers[0]
    assert list(kept) == whole[-len(kept) :]
    np.testing.assert_allclose(scores.logprobs, naive(lm._base.module, row), atol=1e-4)


def test_an_answer_longer_than_the_context_is_refused(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    with pytest.raises(CannotAdapt, match="context"):
        lm.logprobs(["x"], [[" ".join(WORDS * 60)]])


def test_a_prefix_stands_before_every_prompt(tiny: Callable[[str], Path]) -> None:
    """Keys and values of a text, given as prefix, score as the text itself does."""
    lm = opened(tiny("llama"))
    base = lm._base
    text = tuple(base.tokenizer("review : a film of great charm")["input_ids"])
    with torch.inference_mode():
        prefix = read(base.module, text, NOTHING, chunk=3)
    prompts = some_prompts(4)
    found = lm.logprobs(prompts, [ANSWERS] * 4, prefix)
    for scores, row in zip(found, rows(base.tokenizer, prompts, [ANSWERS] * 4, 256), strict=True):
        joint = Row(text + row.context, row.answers)
        np.testing.assert_allclose(scores.logprobs, naive(base.module, joint), atol=1e-4)


def test_a_prefix_stays_when_the_scorer_moves_to_another_branch(llama: Any) -> None:
    with torch.no_grad():
        soft = read(llama, [9, 10, 11], NOTHING, 64)
    rng = random.Random(0)
    starts = [tuple(rng.choices(range(2, 90), k=30)) for _ in range(3)]
    starts += [starts[0][:20] + (7,) * 20]
    asked = [Query((*start, i, i + 1), len(start)) for start in starts for i in range(2, 12)]
    depths = {pack.depth for pack in Tree(asked).plan(16)}
    assert len(depths) > 1, "there must be branches to move between"
    sums = Scorer(llama, soft, 16).score(asked)
    np.testing.assert_allclose(sums, plain(llama, asked, soft), atol=1e-4)


def test_branches_held_to_the_same_depth_stay_apart(llama: Any) -> None:
    """Two branches end alike deep: what one holds is not what the other's rows begin with."""
    branches = [(2, *[first] * 20) for first in (3, 4)]
    asked = [Query((*b, i, i + 1, i + 2, 5), 21) for b in branches for i in range(6, 22)]
    for budget in range(30, 60, 3):
        sums = Scorer(llama, NOTHING, budget).score(asked)
        np.testing.assert_allclose(sums, plain(llama, asked, NOTHING), atol=1e-4)


def test_a_prefix_of_another_engine_is_refused(tiny: Callable[[str], Path]) -> None:
    class Foreign:
        length = 3

    with pytest.raises(CannotAdapt, match="Foreign"):
        opened(tiny("llama")).logprobs(["x"], [[" good"]], Foreign())


class Leaky(torch.nn.Module):
    """A model that takes no notice of a 4-D mask, as an unknown architecture might."""

    def __init__(self, inner: Any, leaks: bool) -> None:
        super().__init__()
        self.inner, self.leaks = inner, leaks
        self.config, self.device, self.dtype = inner.config, inner.device, inner.dtype

    def forward(self, attention_mask: Any = None, past_key_values: Any = None, **rest: Any) -> Any:
        if self.leaks and attention_mask is not None and attention_mask.ndim == 4:
            attention_mask = None
        rest["past_key_values"] = past_key_values
        return self.inner(attention_mask=attention_mask, **rest)


def test_an_architecture_that_leaks_between_rows_is_noticed(llama: Any) -> None:
    three = [Row((2, 3, 4, i, 5), ((6, 7), (8,))) for i in (9, 10, 11)]
    assert agrees(Leaky(llama, False), three, NOTHING)
    assert not agrees(Leaky(llama, True), three, NOTHING)
