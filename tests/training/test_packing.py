"""Conversations packed into one sequence: each has the loss that it has alone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tuning import train

from families import FAMILIES, tiny_module
from nshot.models.hf.cache import masks
from nshot.training.checkpoints import Checkpoints
from nshot.training.forward import Packed, Shared, Soft, Tree, Whole, _only_at, reader
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.rows import Row, Schedule, pack

HEAD = (0, 105, 262, 13)
"""What every conversation begins with: the header of its first turn."""


def talk(name: str, length: int, seed: int) -> Row:
    """Two answers, at a third and at the end, behind the common beginning."""
    rng = random.Random(seed)
    tokens = (*HEAD, *(rng.randrange(2, 300) for _ in range(length)))
    third = length // 3
    points = (*range(third, third + 4), *range(len(tokens) - 4, len(tokens)))
    said = tuple(tokens[p + 1] if p + 1 < len(tokens) else 1 for p in points)
    return Row(name, tokens, points, said)


TALKS = [talk(f"t{i}", length, i) for i, length in enumerate((31, 12, 60, 24, 45))]
"""Longer than the window of the models with sliding attention (24), all in one sequence of 512."""


def losses(logits: torch.Tensor, rows: list[Row]) -> torch.Tensor:
    wanted = torch.tensor([t for row in rows for t in row.targets])
    return torch.nn.functional.cross_entropy(logits, wanted, reduction="none")


def packed(module, rows: list[Row], room: int = 512) -> torch.Tensor:
    """Losses of all points, through `Packed` and never the ordinary way."""
    packs = pack([len(row.tokens) for row in rows], room)
    trees = [Tree([rows[i] for i in some]) for some in packs]
    return losses(Packed(module, "cpu", room).read(rows, packs, trees, Soft()), rows)


@pytest.mark.parametrize("room", [512, 80])
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_losses_are_those_of_each_conversation_alone(family, room):
    module = tiny_module(family)
    with torch.no_grad():
        apart = [losses(Whole(module, "cpu").logits([row]), [row]) for row in TALKS]
        together = packed(module, TALKS, room)
    torch.testing.assert_close(together, torch.cat(apart), rtol=0, atol=1e-4)


def leaking(module, rows: list[Row]) -> torch.Tensor:
    """The losses of conversations laid end to end under the ordinary causal mask."""
    tokens = [t for row in rows for t in row.tokens]
    starts = [sum(len(row.tokens) for row in rows[:i]) for i in range(len(rows))]
    points = [start + p for start, row in zip(starts, rows, strict=True) for p in row.points]
    at = torch.tensor([i for row in rows for i in range(len(row.tokens))])
    seen = torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()
    with _only_at(module, [0] * len(points), points, "cpu"):
        out = module(
            input_ids=torch.tensor([tokens]),
            attention_mask=masks(module.config, seen, at, module.dtype),
            position_ids=at[None],
            use_cache=False,
        )
    return losses(out.logits.reshape(len(points), -1), rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_conversation_changes_no_loss_of_its_neighbours(family):
    module = tiny_module(family)
    others = [replace(TALKS[0], tokens=talk("x", 31, 99).tokens), *TALKS[1:]]
    own = len(TALKS[0].points)
    with torch.no_grad():
        before, after = packed(module, TALKS), packed(module, others)
        leaks = leaking(module, others) - leaking(module, TALKS)
    assert (after[:own] - before[:own]).abs().max() > 0.01
    torch.testing.assert_close(after[own:], before[own:], rtol=0, atol=1e-5)
    assert leaks[own:].abs().max() > 0.01, "laid end to end it would have been seen"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_is_that_of_padded_rows(family):
    module = tiny_module(family)
    free = list(module.parameters())
    expected = losses(Whole(module, "cpu").logits(TALKS), TALKS).sum()
    found = packed(module, TALKS, 80).sum()
    for a, b in zip(
        torch.autograd.grad(expected, free), torch.autograd.grad(found, free), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_a_batch_is_packed_where_that_reads_less_and_padded_where_it_does_not():
    module = tiny_module("llama")
    read = []
    module.register_forward_pre_hook(
        lambda _, args, given: read.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    uneven = [talk(f"u{i}", 10 + 90 * (i % 2), i) for i in range(6)]
    even = [replace(row, tokens=row.tokens[::-1]) for row in (talk("e", 90, i) for i in range(6))]
    with torch.no_grad():
        Packed(module, "cpu").logits(uneven)
        Packed(module, "cpu").logits(even)
    assert [shape[0] for shape in read] == [1, 6]
    assert read[0][1] < sum(len(row.tokens) for row in uneven)


def test_packing_is_taken_where_the_model_can_be_read_so():
    module = tiny_module("llama")
    assert isinstance(reader(module, TALKS, None, "cpu", packing=True), Packed)
    assert isinstance(reader(module, TALKS, None, "cpu"), Shared)
    module.forward = lambda input_ids, use_cache=None: type(module).forward(module, input_ids)
    assert isinstance(reader(module, TALKS, None, "cpu", packing=True), Whole)


def trained(packing: bool, checkpoints=None, progress=lambda done, total: None):
    module = tiny_module("llama")
    rows = [talk(f"t{i}", 10 + 40 * (i % 3), i) for i in range(12)]
    validation = [talk(f"w{i}", 20 + i, 50 + i) for i in range(3)]
    trace = train(
        module,
        rows,
        AnswerTokens(),
        Schedule(3e-3, epochs=3, batch_size=4),
        packing=packing,
        validation=validation,
        checkpoints=checkpoints,
        progress=progress,
    )
    return module, trace


def test_packing_changes_the_result_by_rounding_only():
    (one, a), (other, b) = trained(True), trained(False)
    assert a.losses == pytest.approx(b.losses, abs=1e-3)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-3)


def test_validation_rows_are_looked_at_before_and_after_each_epoch_and_change_nothing():
    module, trace = trained(True)
    assert [step for step, _ in trace.validation] == [0, 3, 6, 9]
    validation = [talk(f"w{i}", 20 + i, 50 + i) for i in range(3)]
    with torch.no_grad():
        last = losses(Whole(module, "cpu").logits(validation), validation).mean().item()
        first = (
            losses(Whole(tiny_module("llama"), "cpu").logits(validation), validation).mean().item()
        )
    assert trace.validation[-1][1] == pytest.approx(last, abs=1e-4)
    assert trace.validation[0][1] == pytest.approx(first, abs=1e-4)
    other = tiny_module("llama")
    rows = [talk(f"t{i}", 10 + 40 * (i % 3), i) for i in range(12)]
    alone = train(
        other, rows, AnswerTokens(), Schedule(3e-3, epochs=3, batch_size=4),
        packing=True,
    )  # fmt: skip
    assert alone.losses == pytest.approx(trace.losses, abs=1e-5)
    assert alone.validation == ()


def test_a_killed_packed_training_ends_with_the_same_weights_and_curves(tmp_path):
    class Killed(Exception):
        pass

    def dies(done, total):
        if done == 5:
            raise Killed

    whole, trace = trained(True)
    checkpoints = Checkpoints(tmp_path, every=2)
    with pytest.raises(Killed):
        trained(True, checkpoints, dies)
    module, again = trained(True, checkpoints)
    assert again.resumed == 4
    assert (again.losses, again.validation) == (trace.losses, trace.validation)
    for p, q in zip(module.parameters(), whole.parameters(), strict=True):
        assert torch.equal(p, q)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 80))
def test_every_row_is_in_one_pack_and_none_overflows(lengths, room):
    packs = pack(lengths, room)
    assert sorted(i for rows in packs for i in rows) == list(range(len(lengths)))
    for rows in packs:
        assert sum(lengths[i] for i in rows) <= room or len(rows) == 1
    emptiest = sorted(sum(lengths[i] for i in rows) for rows in packs)[:2]
    assert len(emptiest) < 2 or sum(emptiest) > room
