"""The loop against plain Hugging Face arithmetic, and what it does when things go wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel
from tuning import train

from nshot.core.errors import CannotAdapt, Diverged, InputError
from nshot.training.data.answers import supervised
from nshot.training.forward import Shared, Tree, Upper, Whole, reader, token_reader
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.rows import Row, Schedule
from tiny import tiny_llama


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", layers=4)


@pytest.fixture
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder)


def some_rows(count: int = 12, seed: int = 0) -> list[Row]:
    rng = random.Random(seed)

    def ids(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randrange(300) for _ in range(rng.randint(low, high)))

    return [supervised(f"r{i}", ids(3, 20), ids(1, 4)) for i in range(count)]


def alike(rows: list[Row]) -> list[Row]:
    """The same with a common beginning, and two rows of which one begins the other."""
    rows = [
        supervised(row.id, (7, 8, *row.tokens[: row.points[0] + 1]), row.targets) for row in rows
    ]
    long = max(rows, key=lambda row: len(row.tokens))
    return [*rows, supervised("start", long.tokens[:4], (9,))]


def plain_loss(module, rows: list[Row]) -> torch.Tensor:
    """What transformers itself computes: full logits, -100 where nothing is supervised."""
    longest = max(len(row.tokens) for row in rows) + 1
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        text = (*row.tokens, row.targets[-1])
        ids[i, : len(text)] = torch.tensor(text)
        mask[i, : len(text)] = 1
        labels[i, len(text) - len(row.targets) : len(text)] = torch.tensor(row.targets)
    return module(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss


def ours(module, rows: list[Row], way=Whole) -> torch.Tensor:
    objective = AnswerTokens()
    return objective.total(way(module, "cpu"), rows) / objective.weight(rows)


def peft_model(module, **settings):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", **settings)
    return get_peft_model(module, config)


@pytest.mark.parametrize("way", [Whole, Shared])
@pytest.mark.parametrize("wrapped", [False, True])
def test_loss_and_gradient_are_those_of_transformers(model, wrapped, way):
    module = peft_model(model, init_lora_weights=False) if wrapped else model
    rows = alike(some_rows())
    expected, found = plain_loss(module, rows), ours(module, rows, way)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    free = [p for p in module.parameters() if p.requires_grad]
    for a, b in zip(
        torch.autograd.grad(expected, free), torch.autograd.grad(found, free), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_a_training_is_what_a_hand_written_one_gives(folder):
    """Same batches, AdamW and rates written out with transformers' own loss."""
    from nshot.training.rows import batches

    rows = some_rows()
    schedule = Schedule(1e-3, epochs=2, batch_size=5, warmup=0.5, weight_decay=0.1)
    mine = AutoModelForCausalLM.from_pretrained(folder)
    trace = train(mine, rows, AnswerTokens(), schedule)

    other = AutoModelForCausalLM.from_pretrained(folder)
    optimiser = torch.optim.AdamW(other.parameters(), lr=1.0, weight_decay=0.1)
    losses = []
    for step, batch in enumerate(batches([len(r.tokens) for r in rows], schedule)):
        optimiser.param_groups[0]["lr"] = 1e-3 * [1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3][step]
        optimiser.zero_grad()
        loss = plain_loss(other, [rows[i] for i in batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    assert trace.losses == pytest.approx(losses, rel=1e-4)
    for a, b in zip(mine.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_only_the_free_parameters_change(model):
    module = peft_model(model).eval()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    trace = train(module, some_rows(), AnswerTokens(), Schedule(1e-2, max_steps=2, epochs=2))
    changed = {n for n, p in module.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {n for n in before if "lora_" in n}
    assert trace.parameters == sum(before[n].numel() for n in changed)
    assert all(p.grad is None for p in module.parameters())
    assert not module.training


def test_the_loss_falls_and_the_callers_random_state_is_left_alone(model):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    steps = []
    trace = train(
        peft_model(model, lora_dropout=0.1),
        some_rows(),
        AnswerTokens(),
        Schedule(1e-2, epochs=15, batch_size=4),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert trace.losses[-1] < 0.7 * trace.losses[0]
    assert steps == [(i + 1, 45) for i in range(45)]
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)


def test_micro_batches_give_the_same_training(folder):
    def trained(micro):
        module = AutoModelForCausalLM.from_pretrained(folder)
        schedule = Schedule(1e-3, epochs=2, batch_size=6, micro_batch=micro)
        return train(module, some_rows(), AnswerTokens(), schedule).losses

    assert trained(2) == pytest.approx(trained(None), rel=1e-4)


def test_steps_too_small_for_half_precision_add_up(folder):
    """A weight of 0.2 in bfloat16 does not feel 1e-5; summed in full precision, many do count."""
    module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    before = [p.detach().clone() for p in module.parameters()]
    schedule = Schedule(1e-4, epochs=20, batch_size=16, warmup=0.0)
    trace = train(module, some_rows(4), AnswerTokens(), schedule)
    changed = sum((p != q).sum().item() for p, q in zip(module.parameters(), before, strict=True))
    assert changed > 0.5 * trace.parameters
    assert {p.dtype for p in module.parameters()} == {torch.bfloat16}


@dataclass(frozen=True)
class Hungry:
    """An objective on a machine with room for `room` rows: it stands in for memory, no more."""

    room: int
    error: type[Exception] = RuntimeError

    def weight(self, rows):
        return AnswerTokens().weight(rows)

    def total(self, model, rows):
        if len(rows) > self.room:
            raise self.error("DefaultCPUAllocator: not enough memory: you tried to allocate 9 GB")
        return AnswerTokens().total(model, rows)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_out_of_memory_halves_the_micro_batch_and_changes_nothing_else(folder, error):
    schedule = Schedule(1e-3, epochs=1, batch_size=8)
    notes: list[str] = []

    def trained(objective):
        module = AutoModelForCausalLM.from_pretrained(folder)
        return train(module, some_rows(), objective, schedule, note=notes.append).losses

    assert trained(Hungry(3, error)) == pytest.approx(trained(AnswerTokens()), rel=1e-4)
    assert [note for note in notes if "2 rows at a time" in note]
    assert len(notes) == 2


def test_out_of_memory_with_one_row_is_not_hidden(model):
    with pytest.raises(RuntimeError, match="not enough memory"):
        train(model, some_rows(), Hungry(0), Schedule(1e-3))


def test_another_error_is_not_taken_for_memory(model):
    class Wrong(AnswerTokens):
        def total(self, model, rows):
            raise RuntimeError("shape mismatch")

    notes: list[str] = []
    with pytest.raises(RuntimeError, match="shape"):
        train(model, some_rows(), Wrong(), Schedule(1e-3), note=notes.append)
    assert not notes


def test_an_absurd_rate_diverges(model):
    with pytest.raises(Diverged, match="below 1e\\+30"):
        train(model, some_rows(), AnswerTokens(), Schedule(1e30, epochs=9, warmup=0.0))


def test_rows_that_teach_nothing_are_named():
    rows = [*some_rows(2), *(Row(f"empty{i}", (1, 2), (), ()) for i in range(7))]
    with pytest.raises(InputError, match=r"7 of 9 .* empty0, empty1, .* and 2 more"):
        token_reader(None, rows, (), None, "cpu", False, print)
    with pytest.raises(InputError, match="there are none"):
        token_reader(None, [], (), None, "cpu", False, print)


def test_nothing_free_is_said(model):
    model.requires_grad_(False)
    with pytest.raises(CannotAdapt, match="no parameter"):
        train(model, some_rows(), AnswerTokens(), Schedule(1e-3))


def free_the_top(module, blocks: int) -> None:
    upper = tuple(f"model.layers.{i}." for i in range(4 - blocks, 4))
    for name, p in module.named_parameters():
        p.requires_grad_(name.startswith((*upper, "model.norm.")))


@pytest.mark.parametrize("blocks", [1, 3])
def test_frozen_lower_layers_computed_once_train_the_same(folder, blocks):
    def trained(free_blocks):
        module = AutoModelForCausalLM.from_pretrained(folder)
        free_the_top(module, blocks)
        schedule = Schedule(1e-3, epochs=3, batch_size=5)
        trace = train(module, some_rows(), AnswerTokens(), schedule, free_blocks=free_blocks)
        return trace, module

    short, quick = trained(blocks)
    long, slow = trained(None)
    assert short.losses == pytest.approx(long.losses, abs=1e-4)
    for (name, a), b in zip(quick.named_parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4, msg=name)


def test_a_short_way_is_taken_only_where_it_equals_the_ordinary(model):
    rows = some_rows()
    assert isinstance(reader(model, rows, 2, "cpu"), Upper)
    assert isinstance(reader(model, rows, None, "cpu"), Shared)
    assert isinstance(reader(model, rows, 4, "cpu"), Shared)
    assert isinstance(reader(peft_model(model, lora_dropout=0.5), rows, 2, "cpu"), Shared)
    other = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=2))
    assert isinstance(reader(other, rows, 1, "cpu"), Shared)
    assert other.training


def test_a_model_that_takes_no_such_mask_goes_the_ordinary_way(model):
    class Stubborn(type(model)):
        def forward(self, *args, position_ids=None, **options):
            return super().forward(*args, **options)

    model.__class__ = Stubborn
    assert isinstance(reader(model, alike(some_rows()), None, "cpu"), Whole)


def test_a_common_beginning_is_read_once():
    rows = alike(some_rows())
    tree = Tree(rows)
    beginnings = {row.tokens[:k] for row in rows for k in range(1, len(row.tokens) + 1)}
    assert len(tree.tokens) == len(beginnings) < sum(len(row.tokens) for row in rows) - 20
    assert [tree.tokens[node] for node in tree.paths[3]] == list(rows[3].tokens)
    seen = tree.seen()
    for row, path in zip(rows, tree.paths, strict=True):
        assert seen[path[-1]].nonzero().flatten().tolist() == sorted(path)
        assert len(path) == len(row.tokens)


def test_long_rows_without_a_common_beginning_are_padded(model):
    rows = [
        supervised(f"r{i}", tuple((i * 31 + j) % 300 for j in range(120)), (5,)) for i in range(8)
    ]
    way = Shared(model, "cpu")
    way.read = None
    way.logits(rows)
    with pytest.raises(TypeError):
        way.logits(alike(some_rows()))


def test_an_architecture_whose_blocks_know_their_place_goes_the_ordinary_way():
    """Gemma 2 takes turns between near and full attention by a block's number, and caps logits."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        initializer_range=0.2,
        sliding_window=6,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    module = Gemma2ForCausalLM(config).eval()
    rows = some_rows()
    assert isinstance(reader(module, rows, 2, "cpu"), Shared)
    for way in (Whole, Shared):
        torch.testing.assert_close(ours(module, alike(rows), way), plain_loss(module, alike(rows)))
    assert len(module.model.layers) == 3


def test_a_seed_gives_the_same_bytes(folder):
    def trained(seed):
        module = peft_model(AutoModelForCausalLM.from_pretrained(folder), lora_dropout=0.2)
        schedule = replace(Schedule(1e-2, epochs=2, batch_size=4), seed=seed)
        return train(module, some_rows(), AnswerTokens(), schedule).losses

    assert trained(1) == trained(1)
    assert trained(1) != trained(2)
