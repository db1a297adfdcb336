"""Full-context embeddings, against the paper's equations written out for one number at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nshot.nets.context import FullContext

WIDTH, STEPS = 3, 4


@pytest.fixture
def context() -> FullContext:
    torch.manual_seed(0)
    return FullContext(WIDTH, STEPS).double().requires_grad_(False)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell(module, end: str, x, hidden, memory):
    """One step of an LSTM, its four gates one after the other: in, forget, candidate, out."""
    part = {
        name: getattr(module, f"{name}{end}").numpy()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    gates = part["weight_ih"] @ x + part["bias_ih"] + part["weight_hh"] @ hidden + part["bias_hh"]
    let_in, keep, fresh, out = gates.reshape(4, WIDTH)
    memory = sigmoid(keep) * memory + sigmoid(let_in) * np.tanh(fresh)
    return sigmoid(out) * np.tanh(memory), memory


def through(module, end: str, sequence):
    hidden = memory = np.zeros(WIDTH)
    states = []
    for x in sequence:
        hidden, memory = cell(module, end, x, hidden, memory)
        states.append(hidden)
    return states


def by_hand(context: FullContext, support, query):
    forth = through(context.support, "_l0", support)
    back = through(context.support, "_l0_reverse", support[::-1])[::-1]
    known = [f + b + x for f, b, x in zip(forth, back, support, strict=True)]
    hidden = memory = read = np.zeros(WIDTH)
    for _ in range(STEPS):
        fresh, memory = cell(context.query, "", np.concatenate([query, read]), hidden, memory)
        hidden = fresh + query
        likeness = np.array([hidden @ one for one in known])
        attention = np.exp(likeness) / np.exp(likeness).sum()
        read = sum(a * one for a, one in zip(attention, known, strict=True))
    return np.stack(known), hidden


def test_support_and_queries_are_the_papers_equations(context):
    draw = np.random.default_rng(0)
    support, queries = draw.normal(size=(2, 5, WIDTH)), draw.normal(size=(2, 4, WIDTH))
    known, asked = context(torch.from_numpy(support), torch.from_numpy(queries))
    for episode in range(2):
        for place in range(4):
            wanted = by_hand(context, support[episode], queries[episode, place])
            np.testing.assert_allclose(known[episode].numpy(), wanted[0], atol=1e-12)
            np.testing.assert_allclose(asked[episode, place].numpy(), wanted[1], atol=1e-12)


def test_a_query_does_not_see_the_other_queries(context):
    draw = torch.Generator().manual_seed(1)
    support = torch.randn(1, 5, WIDTH, generator=draw, dtype=torch.float64)
    queries = torch.randn(1, 4, WIDTH, generator=draw, dtype=torch.float64)
    _, together = context(support, queries)
    _, alone = context(support, queries[:, 2:3])
    torch.testing.assert_close(together[:, 2:3], alone)


def test_the_number_of_parameters_is_the_one_told():
    assert sum(p.numel() for p in FullContext(8).parameters()) == 28 * 8**2 + 24 * 8
