"""`ordinal` without nshot: python ordinal.py ENCODER train.csv test.csv TEXT LEVEL.

ENCODER is a sentence-transformers model: a Hub id or a folder. Levels are numbers.
"""

import csv
import sys

import torch
from sentence_transformers import SentenceTransformer
from sklearn.metrics import cohen_kappa_score


def read(path):
    """Vectors and levels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    vectors = encoder.encode([row[text] for row in rows], normalize_embeddings=True)
    return torch.tensor(vectors).double(), torch.tensor([float(row[label]) for row in rows])


encoder, (train, test, text, label) = SentenceTransformer(sys.argv[1]), sys.argv[2:6]
x, levels = read(train)
names, y = levels.unique(return_inverse=True)
w = torch.zeros(x.shape[1], dtype=torch.double, requires_grad=True)
steps = torch.zeros(len(names) - 1, dtype=torch.double, requires_grad=True)


def below(x):
    """P(level <= k) of every k: sigmoid(threshold k - w x), the thresholds rising."""
    thresholds = torch.cumsum(torch.cat([steps[:1], steps[1:].exp()]), 0)
    inner = torch.sigmoid(thresholds - (x @ w)[:, None])
    return torch.cat([torch.zeros(len(x), 1), inner, torch.ones(len(x), 1)], 1)


def loss():
    """Negative log-likelihood, and half the squared weights over C = 10."""
    optimizer.zero_grad()
    value = -below(x).diff(dim=1)[range(len(y)), y].log().sum() + w @ w / (2 * 10)
    value.backward()
    return value


optimizer = torch.optim.LBFGS([w, steps], max_iter=500, line_search_fn="strong_wolfe")
optimizer.step(loss)
x, levels = read(test)
expected = below(x).diff(dim=1) @ torch.arange(len(names)).double()
right = torch.searchsorted(names, levels)
print(f"kappa {cohen_kappa_score(right, expected.round().int(), weights='quadratic'):.4f}")
