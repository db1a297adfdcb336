"""`maml` without nshot: python maml.py data.npz STEPS.

data.npz: images (N, height, width), class_id (N,), split (N,) 0 to learn from, 1 new classes.
"""

import math
import sys

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

file, steps, rng = np.load(sys.argv[1]), int(sys.argv[2]), np.random.default_rng(0)
images, ids = torch.tensor(file["images"])[:, None] / 255, torch.tensor(file["class_id"])
members = [np.flatnonzero(ids == c) for c in range(int(ids.max()) + 1)]
known, new = (np.unique(ids[file["split"] == part]) for part in (0, 1))
start = []  # of each block: a convolution's weight and bias, a normalisation's weight and bias
for inside in (1, 32, 32, 32):
    start += [*nn.Conv2d(inside, 32, 3).parameters()]
    start += [nn.Parameter(torch.ones(32, 1, 1)), nn.Parameter(torch.zeros(32, 1, 1))]


def told(weights, pictures, shots):
    """Logits; the first `shots` pictures say how all are normalised."""
    for conv, bias, times, plus in zip(*[iter(weights[:16])] * 4, strict=True):
        pictures = conv2d(pictures, conv, bias, stride=2, padding=1)
        var, mean = torch.var_mean(pictures[:shots], (0, 2, 3), correction=0, keepdim=True)
        pictures = torch.relu((pictures - mean) / (var + 1e-5).sqrt() * times + plus)
    return (pictures.flatten(1) @ weights[16].T + weights[17]) * len(weights[17]) ** 0.5


def episode(classes, way=5, queries=5, train=True):
    """Loss and share right of the queries after three steps on one shot of each class."""
    rows = [rng.permutation(members[c])[: 1 + queries] for c in rng.permutation(classes)[:way]]
    order = [row[0] for row in rows] + [row for some in rows for row in some[1:]]
    pictures, labels = images[order], torch.arange(way)
    head = torch.zeros(way, 32 * math.prod(-(-side // 16) for side in images.shape[2:]))
    weights = [*start, head, torch.zeros(way)]  # the classifier begins at zero
    weights = [weight.requires_grad_() for weight in weights]
    for _ in range(3):
        loss = cross_entropy(told(weights, pictures[:way], way), labels)
        slopes = torch.autograd.grad(loss, weights, create_graph=train)
        weights = [weight - 0.1 * slope for weight, slope in zip(weights, slopes, strict=True)]
    said, wanted = told(weights, pictures, way)[way:], labels.repeat_interleave(queries)
    return cross_entropy(said, wanted), (said.argmax(1) == wanted).float().mean().item()


descent = torch.optim.AdamW(start, 6e-3)
for _ in range(steps):
    descent.zero_grad()
    (sum(episode(known, way=20, queries=3)[0] for _ in range(4)) / 4).backward()
    descent.step()
print(f"accuracy {np.mean([episode(new, train=False)[1] for _ in range(200)]):.4f}")
