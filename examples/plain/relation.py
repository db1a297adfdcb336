"""`relation` without nshot: python relation.py data.npz STEPS.

data.npz: images (N, height, width), class_id (N,), split (N,) 0 to learn from, 1 new classes.
"""

import sys

import numpy as np
import torch
from torch import nn

file, steps, rng = np.load(sys.argv[1]), int(sys.argv[2]), np.random.default_rng(0)
images, ids = torch.tensor(file["images"])[:, None] / 255, torch.tensor(file["class_id"])
members = [np.flatnonzero(ids == c) for c in range(int(ids.max()) + 1)]
known, new = (np.unique(ids[file["split"] == part]) for part in (0, 1))


def block(channels, pool=True):
    """A convolution of 64 filters; `pool` halves height and width."""
    conv = nn.Conv2d(channels, 64, 3, padding=1)
    smaller = nn.MaxPool2d(2) if pool else nn.Identity()
    return nn.Sequential(conv, smaller, nn.BatchNorm2d(64), nn.ReLU())


net = nn.Sequential(block(1), block(64), block(64, pool=False), block(64, pool=False))
size = net(images[:1]).shape[-1] // 4
compare = nn.Sequential(block(128), block(64), nn.Flatten(), nn.Linear(64 * size**2, 8))
compare.extend([nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid()])


def episode(way, classes, queries):
    """Loss and share right of queries compared with one shot of each class, pair by pair."""
    rows = [rng.permutation(members[c])[: 1 + queries] for c in rng.permutation(classes)[:way]]
    maps = net(images[np.concatenate(rows)]).unflatten(0, (way, 1 + queries))
    shots, asked = maps[:, 0], maps[:, 1:].flatten(0, 1)
    pairs = torch.cat([shots.repeat(len(asked), 1, 1, 1), asked.repeat_interleave(way, 0)], 1)
    scores, wanted = compare(pairs).view(-1, way), torch.arange(way).repeat_interleave(queries)
    return (scores - torch.eye(way)[wanted]).square().mean(), (scores.argmax(1) == wanted).float()


descent = torch.optim.AdamW([*net.parameters(), *compare.parameters()], 2e-3)
for _ in range(steps):
    descent.zero_grad()
    episode(20, known, 3)[0].backward()
    descent.step()
net.eval()
compare.eval()
with torch.no_grad():
    print(f"accuracy {torch.cat([episode(5, new, 5)[1] for _ in range(200)]).mean():.4f}")
