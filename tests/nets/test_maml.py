"""The inner loop's derivatives against differences, on a tiny network in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nshot.nets.maml import Parameters, adapted, meta_loss, step_weights

RATE, STEPS = 0.4, 3
LAST = (0.0, 0.0, 1.0)
EACH = (0.2, 0.3, 0.5)


def network_loss(parameters: Parameters, inputs: Tensor, targets: Tensor) -> Tensor:
    inner = torch.tanh(inputs @ parameters["w1"] + parameters["b1"])
    return cross_entropy(inner @ parameters["w2"] + parameters["b2"], targets)


@pytest.fixture
def parameters() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    shapes = {"w1": (3, 4), "b1": (4,), "w2": (4, 3), "b2": (3,)}
    return {
        name: torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_()
        for name, shape in shapes.items()
    }


def episodes(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    support = torch.randn(count, 6, 3, generator=draw, dtype=torch.float64)
    queries = torch.randn(count, 9, 3, generator=draw, dtype=torch.float64)
    known = torch.arange(3).repeat(2).expand(count, -1)
    wanted = torch.arange(3).repeat(3).expand(count, -1)
    return support, known, queries, wanted


def outer(
    parameters: Parameters,
    weights: tuple[float, ...],
    first_order: bool = False,
    steps: int = STEPS,
) -> Tensor:
    support, known, queries, wanted = (part[0] for part in episodes(1))
    trail = adapted(
        network_loss, parameters, support, known, rate=RATE, steps=steps, first_order=first_order
    )
    return meta_loss(network_loss, trail, queries, wanted, weights)


def slope(loss: Tensor, parameters: Parameters) -> dict[str, Tensor]:
    found = torch.autograd.grad(loss, list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


@pytest.mark.parametrize("weights", [LAST, EACH])
def test_the_meta_gradient_is_that_of_central_differences(parameters, weights):
    exact = slope(outer(parameters, weights), parameters)
    step = 1e-5
    for name, value in parameters.items():
        for place in range(value.numel()):
            moved = []
            for sign in (1, -1):
                shifted = {key: p.detach().clone() for key, p in parameters.items()}
                shifted[name].view(-1)[place] += sign * step
                moved.append(outer(shifted, weights).item())
            numeric = (moved[0] - moved[1]) / (2 * step)
            assert exact[name].view(-1)[place].item() == pytest.approx(numeric, abs=1e-8)


def test_first_order_is_the_gradient_at_the_adapted_parameters(parameters):
    first = slope(outer(parameters, LAST, first_order=True), parameters)
    second = slope(outer(parameters, LAST), parameters)
    support, known, queries, wanted = (part[0] for part in episodes(1))
    there = {name: p.detach().clone().requires_grad_() for name, p in parameters.items()}
    for _ in range(STEPS):
        down = slope(network_loss(there, support, known), there)
        there = {
            name: (p - RATE * down[name]).detach().requires_grad_() for name, p in there.items()
        }
    at_the_end = slope(network_loss(there, queries, wanted), there)
    for name in parameters:
        torch.testing.assert_close(first[name], at_the_end[name])
        assert (first[name] - second[name]).abs().max() > 1e-3


def test_first_order_with_losses_of_each_step_sums_their_gradients(parameters):
    whole = slope(outer(parameters, EACH, first_order=True), parameters)
    parts = [
        slope(outer(parameters, (*[0.0] * (n - 1), weight), True, steps=n), parameters)
        for n, weight in enumerate(EACH, start=1)
    ]
    for name in parameters:
        torch.testing.assert_close(whole[name], sum(part[name] for part in parts))


def test_many_episodes_at_once_are_each_as_if_alone(parameters):
    support, known, queries, wanted = episodes(4)

    def one(parameters: Parameters, s: Tensor, k: Tensor, q: Tensor, w: Tensor) -> Tensor:
        trail = adapted(network_loss, parameters, s, k, rate=RATE, steps=STEPS)
        return meta_loss(network_loss, trail, q, w, LAST)

    together = torch.vmap(one, in_dims=(None, 0, 0, 0, 0))(
        parameters, support, known, queries, wanted
    )
    alone = torch.stack(
        [
            one(parameters, *(part[i] for part in (support, known, queries, wanted)))
            for i in range(4)
        ]
    )
    torch.testing.assert_close(together, alone)
    ours, theirs = (slope(losses.mean(), parameters) for losses in (together, alone))
    for name in parameters:
        torch.testing.assert_close(ours[name], theirs[name])


def test_the_weights_of_the_steps_end_at_the_last():
    assert step_weights(4, 0.0) == pytest.approx((0.25,) * 4)
    assert step_weights(4, 0.25) == pytest.approx((0.125, 0.125, 0.125, 0.625))
    for progress in (0.5, 0.9, 1.0):
        assert step_weights(4, progress) == (0.0, 0.0, 0.0, 1.0)
    assert step_weights(1, 0.0) == (1.0,)
