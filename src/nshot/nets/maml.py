"""A network that is adapted to each support set by a few gradient steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from nshot.nets.learner import Learner, as_floats

ANNEALED = 0.5
"""Share of the training after which only the last inner step counts."""
EPSILON = 1e-5
"""Keeps a channel that is the same everywhere finite when it is normalised."""

Parameters: TypeAlias = Mapping[str, Tensor]
Loss: TypeAlias = Callable[[Parameters, Tensor, Tensor], Tensor]
"""(parameters, inputs, targets) -> a scalar."""


def adapted(
    loss: Loss,
    parameters: Parameters,
    inputs: Tensor,
    targets: Tensor,
    *,
    rate: float,
    steps: int,
    first_order: bool = False,
) -> list[dict[str, Tensor]]:
    """The parameters after each of `steps` gradient steps on one support set.

    Chelsea Finn et al., "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks",
    ICML 2017, algorithm 1, https://arxiv.org/abs/1703.03400. They can be differentiated with
    respect to `parameters`: through the steps' own gradients, or, with `first_order`, as if those
    were constants (section 5.2).
    """
    trail = [dict(parameters)]
    for _ in range(steps):
        now = trail[-1]
        slope = torch.func.grad(loss)(now, inputs, targets)
        if first_order:
            slope = {name: gradient.detach() for name, gradient in slope.items()}
        trail.append({name: value - rate * slope[name] for name, value in now.items()})
    return trail[1:]


def meta_loss(
    loss: Loss,
    trail: Sequence[Parameters],
    inputs: Tensor,
    targets: Tensor,
    weights: Sequence[float],
) -> Tensor:
    """The queries' loss of the parameters after each step, weighted by `weights` (one a step).

    The paper's is that after the last step. Antreas Antoniou et al., "How to train your MAML",
    ICLR 2019, section 4, https://arxiv.org/abs/1810.09502, weigh all of them: the gradient then
    reaches the first step on a short way too.
    """
    losses = [
        weight * loss(parameters, inputs, targets)
        for parameters, weight in zip(trail, weights, strict=True)
        if weight
    ]
    return torch.stack(losses).sum()


def step_weights(steps: int, progress: float) -> tuple[float, ...]:
    """What each inner step's loss counts when `progress` (0 to 1) of the training is done.

    All alike in the beginning, only the last from `ANNEALED` on, linearly between (MAML++).
    """
    share = max(0.0, 1.0 - progress / ANNEALED) / steps
    return (*(share for _ in range(steps - 1)), 1.0 - share * (steps - 1))


class SupportNorm(nn.Module):
    """Batch normalisation with the statistics of the support set, for it and for the queries.

    The paper's networks normalise the queries of an episode by one another, so that an answer
    depends on what else is asked. Here a query is answered by itself.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(filters))
        self.bias = nn.Parameter(torch.zeros(filters))

    def forward(self, maps: Tensor, count: int) -> Tensor:
        """(n, filters, h, w), of which the first `count` are the support set -> the same shape."""
        variance, mean = torch.var_mean(maps[:count], dim=(0, 2, 3), correction=0, keepdim=True)
        normal = (maps - mean) * torch.rsqrt(variance + EPSILON)
        return normal * self.weight[:, None, None] + self.bias[:, None, None]


class StridedConv4(nn.Module):
    """Four blocks of 3x3 convolution with stride 2, `SupportNorm` and ReLU.

    The paper's network for Omniglot (section 5.2), where strides take the place of pooling.

    Args:
        shape: of a picture.
        filters: of each block.
    """

    def __init__(self, shape: Sequence[int], filters: int) -> None:
        super().__init__()
        channels, height, width = shape
        inside = (channels, filters, filters, filters)
        self.convs = nn.ModuleList(nn.Conv2d(c, filters, 3, stride=2, padding=1) for c in inside)
        self.norms = nn.ModuleList(SupportNorm(filters) for _ in inside)
        self.width = filters * (-(-height // 16)) * (-(-width // 16))

    def forward(self, pictures: Tensor, count: int) -> Tensor:
        """(n, channels, height, width), the first `count` the support set -> (n, width)."""
        maps = pictures
        for conv, norm in zip(self.convs, self.norms, strict=True):
            maps = torch.relu(norm(conv(maps), count))
        return maps.flatten(1)


class MAML(Learner):
    """A network's weights from which a few gradient steps on a support set lead far.

    The classifier on top begins at zero in every episode: its classes have no order to learn, and
    may be as many as are asked (Kao et al., "MAML is a Noisy Contrastive Learner in
    Classification", ICLR 2022, https://arxiv.org/abs/2106.15367). Its logits are multiplied by the
    root of their number: the gradient of a mean over the support set moves a class's weight by
    1 / way, and so it moves as far in episodes of any size. Everything else is adapted.

    Args:
        shape: of one picture.
        filters: of the network.
        steps: gradient steps on the support set; the first moves the classifier alone.
        rate: of these steps.
        first_order: whether training takes the steps' gradients for constants.
    """

    kind: ClassVar = "maml"
    at_once: ClassVar = 32
    embeds: ClassVar = False

    def __init__(
        self,
        shape: Sequence[int],
        filters: int = 32,
        steps: int = 3,
        rate: float = 0.1,
        first_order: bool = False,
    ) -> None:
        super().__init__(shape)
        self.filters, self.steps, self.rate = filters, steps, rate
        self.first_order = first_order
        self.network = StridedConv4(shape, filters)

    @property
    def settings(self) -> dict[str, Any]:
        """Shape, filters and the inner steps."""
        steps = {"steps": self.steps, "rate": self.rate, "first_order": self.first_order}
        return {**super().settings, "filters": self.filters, **steps}

    def embed(self, items: Tensor) -> Tensor:
        """(n, *shape) -> the same pictures as floats: what embeds them depends on the episode."""
        return as_floats(items)

    def logits(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """Of the adapted networks: (episodes, q, way)."""

        def one(known: Tensor, inputs: Tensor) -> Tensor:
            return self._answer(self.trail(known, labels, way)[-1], known, inputs)

        return torch.vmap(one)(support, queries)

    def losses(
        self,
        support: Tensor,
        labels: Tensor,
        queries: Tensor,
        targets: Tensor,
        way: int,
        weights: Sequence[float],
    ) -> Tensor:
        """The `meta_loss` of each episode, with `weights` for the inner steps: (episodes,)."""

        def one(known: Tensor, query_rows: Tensor) -> Tensor:
            def loss(parameters: Parameters, inputs: Tensor, right: Tensor) -> Tensor:
                return nn.functional.cross_entropy(self._answer(parameters, known, inputs), right)

            return meta_loss(loss, self.trail(known, labels, way), query_rows, targets, weights)

        return torch.vmap(one)(support, queries)

    def trail(self, support: Tensor, labels: Tensor, way: int) -> list[dict[str, Tensor]]:
        """The parameters after each inner step on one support set (n, *shape).

        To a classifier of zeros nothing below it matters: the gradient there is zero, whatever the
        weights are. The first step is therefore taken on features, by the classifier alone.
        """
        moved = partial(adapted, rate=self.rate, first_order=self.first_order)

        def of_head(head: Parameters, features: Tensor, targets: Tensor) -> Tensor:
            return nn.functional.cross_entropy(_logits(head, features), targets)

        def of_all(parameters: Parameters, inputs: Tensor, targets: Tensor) -> Tensor:
            return nn.functional.cross_entropy(self._answer(parameters, inputs), targets)

        body: dict[str, Tensor] = dict(self.network.named_parameters())
        blank = {
            "head.weight": support.new_zeros(way, self.network.width),
            "head.bias": support.new_zeros(way),
        }
        features = self._features(body, support, len(support))
        head = moved(of_head, blank, features, labels, steps=1)[0]
        first = {**body, **head}
        return [first, *moved(of_all, first, support, labels, steps=self.steps - 1)]

    def _answer(
        self, parameters: Parameters, support: Tensor, queries: Tensor | None = None
    ) -> Tensor:
        """Logits (q, way) of the queries, or of the support set itself."""
        count = len(support)
        if queries is None:
            return _logits(parameters, self._features(parameters, support, count))
        features = self._features(parameters, torch.cat([support, queries]), count)
        return _logits(parameters, features[count:])

    def _features(self, parameters: Parameters, pictures: Tensor, count: int) -> Tensor:
        """(n, width), normalised by the first `count` pictures."""
        body = {n: p for n, p in parameters.items() if not n.startswith("head.")}
        features: Tensor = torch.func.functional_call(self.network, body, (pictures, count))
        return features


def _logits(parameters: Parameters, features: Tensor) -> Tensor:
    """The classifier's (n, way) on features (n, width)."""
    weight, bias = parameters["head.weight"], parameters["head.bias"]
    return (features @ weight.T + bias) * math.sqrt(len(bias))
